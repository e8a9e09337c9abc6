#include "learner/label_log.h"
#include "window/schema.h"

#include "check.h"

#include <string.h>

#define D 6
#define STATE 2048

static attune_head made_release(uint64_t *seed) {
    attune_head release;
    assert_int_equal(attune_head_init(&release, ATTUNE_HEAD_GNB, D, NULL), ATTUNE_HEAD_OK);
    for (int i = 0; i < 20; i++) {
        int16_t x[D];
        for (int j = 0; j < D; j++) {
            x[j] = (int16_t)((int32_t)random_below(seed, 8000) - 4000);
        }
        assert_int_equal(attune_head_learn(&release, x, (uint8_t)(i % 2), 1), ATTUNE_HEAD_OK);
    }
    return release;
}

static attune_label_entry made_entry(uint64_t *seed, uint32_t number, uint32_t seq) {
    attune_label_entry entry = {.number = number, .boot = 1, .seq = seq, .weight = 256, .class_index = 1};
    for (int j = 0; j < D; j++) {
        bool missing = random_below(seed, 8) == 0;
        entry.features[j] = missing ? ATTUNE_MISSING : (int16_t)((int32_t)random_below(seed, 8000) - 4000);
    }
    return entry;
}

static void expect_same_bytes(const attune_head *a, const attune_head *b) {
    uint8_t x[STATE];
    uint8_t y[STATE];
    size_t size = attune_head_export(a, ATTUNE_FLOAT32, x, sizeof x);
    assert_true(size > 0);
    assert_int_equal(attune_head_export(b, ATTUNE_FLOAT32, y, sizeof y), size);
    assert_memory_equal(x, y, size);
}

/* One head beside its release. */
typedef struct single {
    attune_head head;
    attune_head release;
} single;

static void restart(void *who) { ((single *)who)->head = ((single *)who)->release; }

static attune_head_result teach(void *who, const attune_label_entry *entry) {
    return attune_head_learn(&((single *)who)->head, entry->features, entry->class_index,
                             (attune_real)entry->weight / 256);
}

static attune_pupil pupil_of(single *one) { return (attune_pupil){one, restart, teach}; }

static single beside(const attune_head *release) { return (single){*release, *release}; }

static void expect_replay_agrees(const attune_label_log *log, const single *one) {
    single replayed = {one->release, one->release};
    const attune_pupil pupil = pupil_of(&replayed);
    attune_label_log_replay(log, &pupil);
    expect_same_bytes(&replayed.head, &one->head);
}

static uint16_t find(const attune_label_log *log, uint32_t boot, uint32_t seq) {
    uint16_t found = log->count;
    for (uint16_t i = 0; i < log->count; i++) {
        if (log->entry[i].boot == boot && log->entry[i].seq == seq) {
            assert_int_equal(found, log->count); /* a window is held once */
            found = i;
        }
    }
    return found;
}

/* Random labels on few windows, with repeats, newer and older numbers, more classes and bad ones: after each the head is
 * exactly the replay, and the log holds what its rules say. */
static void the_head_is_always_the_replay(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        attune_head start = made_release(&random);
        single one = beside(&start);
        const attune_pupil pupil = pupil_of(&one);
        static attune_label_log log;
        attune_label_log_init(&log);
        for (int i = 0; i < 500; i++) {
            static attune_label_log before;
            before = log;
            attune_label_entry entry =
                made_entry(&random, 1 + random_below(&random, 30), 1 + random_below(&random, 100));
            entry.boot = random_below(&random, 2);
            bool rare = random_below(&random, 50) == 0;
            entry.class_index = (uint8_t)random_below(&random, rare ? 10 : 2);
            entry.weight = (uint16_t)(random_below(&random, 20) == 0 ? 0 : 1 + random_below(&random, 65535));
            uint16_t held = find(&log, entry.boot, entry.seq);
            uint32_t held_number = held < log.count ? log.entry[held].number : 0;
            attune_label_result result = attune_label_log_learn(&log, &entry, &pupil);
            expect_replay_agrees(&log, &one);
            assert_true(log.count <= ATTUNE_LABEL_LOG);
            if (entry.class_index >= ATTUNE_MAX_CLASSES || entry.weight == 0) {
                assert_int_equal(result, ATTUNE_LABEL_REFUSED);
            } else if (held_number == entry.number) {
                assert_int_equal(result, ATTUNE_LABEL_KNOWN);
            } else if (held_number > entry.number) {
                assert_int_equal(result, ATTUNE_LABEL_SUPERSEDED);
            }
            if (result == ATTUNE_LABEL_LEARNED) {
                uint16_t at = find(&log, entry.boot, entry.seq);
                assert_int_equal(at, log.count - 1);
                assert_int_equal(log.entry[at].number, entry.number);
            } else {
                assert_memory_equal(&log, &before, sizeof log);
            }
        }
        assert_int_equal(log.count, ATTUNE_LABEL_LOG);
    }
}

static void the_lowest_label_makes_room(void **state) {
    (void)state;
    uint64_t seed = 4;
    attune_head start = made_release(&seed);
    single one = beside(&start);
    const attune_pupil pupil = pupil_of(&one);
    static attune_label_log log;
    attune_label_log_init(&log);
    for (uint32_t i = 0; i < ATTUNE_LABEL_LOG; i++) {
        attune_label_entry entry = made_entry(&seed, i == 10 || i == 20 ? 5 : 7, 100 + i);
        assert_int_equal(attune_label_log_learn(&log, &entry, &pupil), ATTUNE_LABEL_LEARNED);
    }
    attune_label_entry newer = made_entry(&seed, 8, 500);
    assert_int_equal(attune_label_log_learn(&log, &newer, &pupil), ATTUNE_LABEL_LEARNED);
    assert_int_equal(find(&log, 1, 110), log.count); /* the older of the two of label 5 */
    assert_true(find(&log, 1, 120) < log.count);
    attune_label_entry older = made_entry(&seed, 4, 501);
    assert_int_equal(attune_label_log_learn(&log, &older, &pupil), ATTUNE_LABEL_SUPERSEDED);
    assert_int_equal(log.count, ATTUNE_LABEL_LOG);
    expect_replay_agrees(&log, &one);
}

/* The evidence after a correction is that of a head which never heard the mistake. */
static void a_correction_undoes_the_mistake(void **state) {
    (void)state;
    uint64_t seed = 6;
    attune_head start = made_release(&seed);
    single one = beside(&start);
    const attune_pupil pupil = pupil_of(&one);
    attune_head truth = start;
    static attune_label_log log;
    attune_label_log_init(&log);
    attune_label_entry entry = made_entry(&seed, 1, 1);
    assert_int_equal(attune_label_log_learn(&log, &entry, &pupil), ATTUNE_LABEL_LEARNED);
    entry.number = 2;
    entry.class_index = 0;
    assert_int_equal(attune_label_log_learn(&log, &entry, &pupil), ATTUNE_LABEL_LEARNED);
    assert_int_equal(attune_head_learn(&truth, entry.features, 0, 1), ATTUNE_HEAD_OK);
    expect_same_bytes(&one.head, &truth);
}

static void a_class_goes_with_its_last_label(void **state) {
    (void)state;
    uint64_t seed = 8;
    attune_head start = made_release(&seed);
    single one = beside(&start);
    const attune_pupil pupil = pupil_of(&one);
    static attune_label_log log;
    attune_label_log_init(&log);
    attune_label_entry entry = made_entry(&seed, 1, 1);
    entry.class_index = 4;
    assert_int_equal(attune_label_log_learn(&log, &entry, &pupil), ATTUNE_LABEL_LEARNED);
    assert_int_equal(attune_head_classes(&one.head), 5);
    entry.number = 2;
    entry.class_index = 1;
    assert_int_equal(attune_label_log_learn(&log, &entry, &pupil), ATTUNE_LABEL_LEARNED);
    assert_int_equal(attune_head_classes(&one.head), 2);
}

/* A log of seven labels, of which one is withdrawn: log and head are those of a node that never heard it, bit for bit. */
static void a_withdrawn_label_was_never_there(void **state) {
    (void)state;
    for (uint32_t gone = 1; gone <= 7; gone++) {
        uint64_t seed = gone;
        attune_head start = made_release(&seed);
        single one = beside(&start);
        const attune_pupil pupil = pupil_of(&one);
        single spared = beside(&start);
        const attune_pupil other = pupil_of(&spared);
        static attune_label_log log;
        static attune_label_log without;
        attune_label_log_init(&log);
        attune_label_log_init(&without);
        uint16_t windows = 0;
        for (uint32_t seq = 0; seq < 40; seq++) {
            attune_label_entry entry = made_entry(&seed, 1 + random_below(&seed, 7), seq);
            (void)attune_label_log_learn(&log, &entry, &pupil);
            if (entry.number == gone) {
                windows++;
            } else {
                (void)attune_label_log_learn(&without, &entry, &other);
            }
        }
        assert_int_equal(attune_label_log_forget(&log, gone, &pupil), windows);
        assert_int_equal(log.count, without.count);
        assert_memory_equal(log.entry, without.entry, log.count * sizeof log.entry[0]);
        expect_same_bytes(&one.head, &spared.head);
        assert_int_equal(attune_label_log_forget(&log, gone, &pupil), 0);
        expect_same_bytes(&one.head, &spared.head);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_withdrawn_label_was_never_there), cmocka_unit_test(the_head_is_always_the_replay),
        cmocka_unit_test(the_lowest_label_makes_room),       cmocka_unit_test(a_correction_undoes_the_mistake),
        cmocka_unit_test(a_class_goes_with_its_last_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
