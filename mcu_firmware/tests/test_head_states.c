/* States of every kind in every format: what was written is read, and whatever damaged bytes are taken for a state, the head stays
 * finite in all that it does afterwards. Built for float32 and for float64. */
#include "learner/head.h"
#include "window/schema.h"

#include "check.h"

#include <string.h>

enum { D = 3, LARGEST = 512 };

#define KIND(NAME, name) ATTUNE_HEAD_##NAME,
static const attune_head_kind kinds[] = {ATTUNE_HEAD_KINDS(KIND)};
#define KINDS (sizeof kinds / sizeof kinds[0])
static const attune_format formats[] = {ATTUNE_FLOAT32, ATTUNE_FLOAT16, ATTUNE_INT8};
#define FORMATS (sizeof formats / sizeof formats[0])

static attune_head made(attune_head_kind kind) {
    attune_head head;
    assert_int_equal(attune_head_init(&head, kind, D, (uint8_t[]){0, 0, 1}), ATTUNE_HEAD_OK);
    return head;
}

/* Coordinates of ordinary size and at the ends of their range, weights from the smallest to the largest. */
static void teach(attune_head *head, uint64_t *seed) {
    static const attune_real weights[] = {ATTUNE_MIN_WEIGHT, 1, 1, 1, 30, ATTUNE_MAX_WEIGHT};
    int16_t x[D];
    for (int i = 0; i < D; i++) {
        bool extreme = random_below(seed, 10) == 0;
        x[i] = (int16_t)(extreme ? 32767 * ((int)random_below(seed, 3) - 1) : (int)random_below(seed, 4000) - 2000);
        x[i] = random_below(seed, 10) == 0 ? ATTUNE_MISSING : x[i];
    }
    (void)attune_head_learn(head, x, (uint8_t)random_below(seed, 4), weights[random_below(seed, 6)]);
}

static void expect_finite(const attune_head *head, uint64_t *seed) {
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    for (int round = 0; round < 4; round++) {
        int16_t x[D] = {32767, (int16_t)random_below(seed, 4000), round % 2 ? ATTUNE_MISSING : -32767};
        (void)attune_head_predict(head, x, evidence);
        for (int k = 0; k < attune_head_classes(head) - 1; k++) {
            assert_true(evidence[k] >= -16 && evidence[k] <= 16);
        }
    }
}

static void what_is_written_is_read(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (size_t i = 0; i < KINDS * FORMATS * 200; i++) {
        attune_head head = made(kinds[i % KINDS]), copy = made(kinds[i % KINDS]);
        attune_format format = formats[i / KINDS % FORMATS];
        uint8_t bytes[LARGEST];
        for (uint32_t n = random_below(&seed, 40); n > 0; n--) {
            teach(&head, &seed);
        }
        size_t size = attune_head_export(&head, format, bytes, sizeof bytes);
        assert_true(size > 0);
        assert_int_equal(size,
                         attune_head_size(head.kind, attune_head_sensors(&head), attune_head_classes(&head), format));
        assert_int_equal(attune_head_import(&copy, bytes, size), ATTUNE_HEAD_OK);
        assert_int_equal(attune_head_classes(&copy), attune_head_classes(&head));
        expect_finite(&copy, &seed);
    }
}

static void damaged_states_stay_finite(void **state) {
    (void)state;
    uint64_t seed = 77;
    int taken[KINDS] = {0};
    for (size_t round = 0; round < 20000; round++) {
        size_t kind = round % KINDS;
        attune_head head = made(kinds[kind]);
        uint8_t bytes[LARGEST];
        for (int n = 0; n < 12; n++) {
            teach(&head, &seed);
        }
        size_t size = attune_head_export(&head, formats[round / KINDS % FORMATS], bytes, sizeof bytes);
        for (uint32_t n = 1 + random_below(&seed, 4); n > 0; n--) {
            bytes[4 + random_below(&seed, (uint32_t)size - 4)] = (uint8_t)next_random(&seed);
        }
        attune_head before = head;
        attune_head loaded = head;
        attune_head_result result = attune_head_import(&head, bytes, size);
        attune_head nothing = made(kinds[kind]);
        assert_int_equal(attune_head_load(&loaded, bytes, size), result);
        assert_memory_equal(&loaded, result == ATTUNE_HEAD_OK ? &head : &nothing, sizeof head);
        if (result != ATTUNE_HEAD_OK) {
            assert_memory_equal(&head, &before, sizeof head);
            continue;
        }
        taken[kind]++;
        expect_finite(&head, &seed);
        for (int n = 0; n < 4; n++) {
            teach(&head, &seed);
        }
        expect_finite(&head, &seed);
        (void)attune_head_merge(&head, &before);
        (void)attune_head_unmerge(&head, &before);
        expect_finite(&head, &seed);
    }
    for (size_t kind = 0; kind < KINDS; kind++) {
        assert_true(taken[kind] > 100);
    }
}

static void bytes_cut_short_are_no_state(void **state) {
    (void)state;
    uint64_t seed = 8;
    for (size_t i = 0; i < KINDS * FORMATS; i++) {
        attune_head head = made(kinds[i % KINDS]);
        uint8_t bytes[LARGEST];
        teach(&head, &seed);
        size_t size = attune_head_export(&head, formats[i / KINDS], bytes, sizeof bytes);
        assert_int_equal(attune_head_export(&head, formats[i / KINDS], bytes, size - 1), 0);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(attune_head_import(&head, bytes, cut), ATTUNE_HEAD_SHAPE);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(damaged_states_stay_finite),
        cmocka_unit_test(bytes_cut_short_are_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
