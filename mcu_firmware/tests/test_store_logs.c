/* Label log and backlog in flash: what is read back is what was in RAM, in its order, and what is full says what it let go of. */
#include "emulated_flash.h"
#include "store/incoming.h"
#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#include "check.h"

#include <monocypher.h>
#include <string.h>

#define FEATURES 24
#define BOOT 77u

static emulated_flash flash;
static attune_store store;

static void open_store(void) { assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK); }

static int fresh(void **state) {
    (void)state;
    emulated_flash_init(&flash);
    open_store();
    return 0;
}

static attune_label_entry entry_of(uint64_t *random, uint32_t number) {
    attune_label_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.number = number;
    entry.boot = random_below(random, 3);
    entry.seq = random_below(random, 200);
    entry.weight = (uint16_t)(1 + random_below(random, 65535));
    entry.class_index = (uint8_t)random_below(random, 8);
    for (int i = 0; i < FEATURES; i++) {
        entry.features[i] = (int16_t)(next_random(random) >> 20);
    }
    return entry;
}

static void expect_same(const attune_label_log *log) {
    static attune_label_log read;
    open_store();
    assert_int_equal(attune_labels_load(&store, FEATURES, &read), ATTUNE_STORE_OK);
    assert_int_equal(read.count, log->count);
    assert_memory_equal(read.entry, log->entry, log->count * sizeof log->entry[0]);
}

/* Labels of 1 to 20 windows, some again on the same windows, many more than the log holds. */
static void the_log_is_read_back_in_its_order(void **state) {
    (void)state;
    static attune_label_log log;
    uint64_t random = 5;
    attune_label_log_init(&log);
    for (uint32_t number = 1; number <= 40; number++) {
        uint16_t windows = (uint16_t)(1 + random_below(&random, 20));
        for (uint16_t i = 0; i < windows; i++) {
            attune_label_entry entry = entry_of(&random, number);
            attune_label_log_place(&log, &entry);
        }
        assert_int_equal(attune_labels_append(&store, FEATURES, &log, windows), ATTUNE_STORE_OK);
        expect_same(&log);
    }
    assert_int_equal(log.count, ATTUNE_LABEL_LOG);
    log.count = 0;
    assert_int_equal(attune_labels_rewrite(&store, FEATURES, &log), ATTUNE_STORE_OK);
    expect_same(&log);
}

/* A failure in the middle: what is in RAM and not in flash comes with the next label. */
static void what_failed_once_is_written_later(void **state) {
    (void)state;
    static attune_label_log log;
    uint64_t random = 9;
    attune_label_log_init(&log);
    for (uint32_t i = 0; i < 8; i++) {
        attune_label_entry entry = entry_of(&random, 1);
        attune_label_log_place(&log, &entry);
    }
    flash.dead = true;
    assert_int_equal(attune_labels_append(&store, FEATURES, &log, log.count), ATTUNE_STORE_FLASH);
    flash.dead = false;
    assert_int_equal(attune_labels_append(&store, FEATURES, &log, 0), ATTUNE_STORE_OK);
    expect_same(&log);
}

static void labels_of_another_node_type_are_left_out(void **state) {
    (void)state;
    static attune_label_log log;
    uint64_t random = 2;
    attune_label_log_init(&log);
    attune_label_entry entry = entry_of(&random, 1);
    attune_label_log_place(&log, &entry);
    assert_int_equal(attune_labels_append(&store, FEATURES, &log, 1), ATTUNE_STORE_OK);
    assert_int_equal(attune_labels_load(&store, FEATURES - 1, &log), ATTUNE_STORE_OK);
    assert_int_equal(log.count, 0);
}

/* --- Backlog --- */

static attune_report report_of(uint32_t seq) {
    attune_report report = {.end_s = 60 * seq, .evidences = (uint8_t)(seq % 3), .state = (uint8_t)(seq % 2)};
    report.evidence[0] = seq % 3 > 0 ? (int16_t)seq : 0;
    report.evidence[1] = seq % 3 > 1 ? (int16_t)-seq : 0;
    report.features[0] = (int16_t)(seq % 2 == 0 ? INT16_MIN : seq);
    report.features[1] = INT16_MIN;
    report.features[FEATURES - 1] = -5;
    return report;
}

static void measure(attune_backlog *ring, uint32_t reports) {
    for (uint32_t i = 0; i < reports; i++) {
        attune_report report = report_of(ring->next_seq);
        attune_backlog_push(ring, &report);
    }
}

static void expect_report(const attune_batch *batch, uint8_t index, uint32_t seq) {
    attune_report found;
    attune_report expected = report_of(seq);
    expected.seq = seq;
    assert_int_equal(attune_reports_read(&store, batch, index, &found), ATTUNE_STORE_OK);
    assert_memory_equal(&found, &expected, sizeof found);
}

static void reports_move_and_come_back(void **state) {
    (void)state;
    static attune_backlog ring;
    attune_batch batch;
    attune_report report;
    attune_backlog_init(&ring);
    assert_int_equal(attune_reports_move(&store, BOOT, FEATURES, &ring), ATTUNE_STORE_NONE);
    measure(&ring, ATTUNE_BATCH + 4);
    attune_backlog_acknowledge(&ring, 2, 1u << 3); /* 1, 2 and 7 are with the daemon */
    assert_int_equal(attune_reports_move(&store, BOOT, FEATURES, &ring), ATTUNE_STORE_OK);
    assert_int_equal(attune_backlog_waiting(&ring), 1);
    open_store();
    assert_int_equal(attune_reports_oldest(&store, FEATURES, &batch), ATTUNE_STORE_OK);
    assert_int_equal(batch.boot, BOOT);
    assert_int_equal(batch.reports, ATTUNE_BATCH);
    assert_int_equal(batch.last_seq, ATTUNE_BATCH + 3);
    expect_report(&batch, 0, 3);
    expect_report(&batch, 3, 6);
    expect_report(&batch, 4, 8);
    expect_report(&batch, ATTUNE_BATCH - 1, ATTUNE_BATCH + 3);
    assert_int_equal(attune_reports_read(&store, &batch, ATTUNE_BATCH, &report), ATTUNE_STORE_NONE);
    assert_int_equal(attune_reports_remove(&store, batch.number + 1), ATTUNE_STORE_DAMAGED);
    assert_int_equal(store.batches, 1);
    assert_int_equal(attune_reports_remove(&store, batch.number), ATTUNE_STORE_OK);
    assert_int_equal(store.batches, 0);
    assert_int_equal(attune_reports_oldest(&store, FEATURES, &batch), ATTUNE_STORE_NONE);
}

/* Four days at one report a minute: more than a day of reports, most of a day of summaries, and the rest counted as lost. */
static void a_full_backlog_keeps_summaries(void **state) {
    (void)state;
    static attune_backlog ring;
    const uint32_t batches = EMULATED_BLOCKS - ATTUNE_STORE_RESERVED;
    const uint32_t all = 96 * 60 / ATTUNE_BATCH;
    attune_batch batch;
    attune_summary summary;
    attune_backlog_init(&ring);
    for (uint32_t i = 0; i < all; i++) {
        measure(&ring, ATTUNE_BATCH);
        assert_int_equal(attune_reports_move(&store, BOOT, FEATURES, &ring), ATTUNE_STORE_OK);
    }
    assert_true(batches * ATTUNE_BATCH >= 24 * 60);
    assert_int_equal(store.batches, batches);
    assert_int_equal(store.summarised_reports, (all - batches) * ATTUNE_BATCH);
    assert_int_equal(store.lost_reports, (all - batches - ATTUNE_SUMMARIES) * ATTUNE_BATCH);
    open_store();
    assert_int_equal(attune_reports_oldest(&store, FEATURES, &batch), ATTUNE_STORE_OK);
    assert_int_equal(batch.last_seq, (all - batches + 1) * ATTUNE_BATCH);
    assert_int_equal(attune_summaries_oldest(&store, FEATURES, &summary), ATTUNE_STORE_OK);
    uint32_t first = (all - batches - ATTUNE_SUMMARIES) * ATTUNE_BATCH + 1;
    assert_int_equal(summary.first_seq, first);
    assert_int_equal(summary.last_seq, first + ATTUNE_BATCH - 1);
    assert_int_equal(summary.end_s, 60 * (first + ATTUNE_BATCH - 1));
    assert_int_equal(summary.reports, ATTUNE_BATCH);
    assert_int_equal(summary.class_reports[0], ATTUNE_BATCH / 2);
    assert_int_equal(summary.class_reports[1], ATTUNE_BATCH / 2);
    /* Odd numbers first, first + 2, ... first + 46 have a mean of first + 23; even ones are missing. */
    assert_int_equal(summary.features[0], first + 23);
    assert_int_equal(summary.features[1], INT16_MIN);
    assert_int_equal(summary.features[FEATURES - 1], -5);
    assert_int_equal(attune_summaries_remove(&store, summary.number), ATTUNE_STORE_OK);
    assert_int_equal(attune_summaries_oldest(&store, FEATURES, &summary), ATTUNE_STORE_OK);
    assert_int_equal(summary.first_seq, first + ATTUNE_BATCH);
}

static attune_slot_info largest(uint32_t sequence, uint8_t bytes[ATTUNE_RELEASE_MAX]) {
    attune_slot_info info = {.sequence = sequence, .size = ATTUNE_RELEASE_MAX};
    uint8_t digest[64];
    memset(bytes, (int)sequence, ATTUNE_RELEASE_MAX);
    crypto_blake2b(digest, sizeof digest, bytes, ATTUNE_RELEASE_MAX);
    memcpy(info.digest, digest, sizeof info.digest);
    return info;
}

/* With the backlog, the label log, both slots and an update as large as they can be there is still room. */
static void everything_fits_at_once(void **state) {
    (void)state;
    static attune_backlog ring;
    static attune_label_log log;
    static uint8_t bytes[ATTUNE_RELEASE_MAX];
    uint64_t random = 3;
    attune_backlog_init(&ring);
    for (uint32_t batch = 0; batch < 120; batch++) {
        measure(&ring, ATTUNE_BATCH);
        assert_int_equal(attune_reports_move(&store, BOOT, FEATURES, &ring), ATTUNE_STORE_OK);
    }
    attune_label_log_init(&log);
    for (uint32_t number = 1; number <= 30; number++) {
        for (int i = 0; i < 5; i++) {
            attune_label_entry entry = entry_of(&random, number);
            attune_label_log_place(&log, &entry);
        }
        assert_int_equal(attune_labels_append(&store, FEATURES, &log, 5), ATTUNE_STORE_OK);
    }
    uint32_t offset = 0;
    const uint8_t id[ATTUNE_INCOMING_ID] = {4};
    for (uint32_t sequence = 1; sequence <= 6; sequence++) {
        attune_slot_info info = largest(sequence, bytes);
        assert_int_equal(attune_incoming_begin(&store, id, sizeof bytes, &offset), ATTUNE_STORE_OK);
        for (offset = 0; offset < sizeof bytes; offset += 200) {
            assert_int_equal(attune_incoming_write(&store, offset, bytes + offset, 200), ATTUNE_STORE_OK);
        }
        assert_int_equal(attune_slots_install(&store, &info, bytes, 1000), ATTUNE_STORE_OK);
        assert_int_equal(attune_slots_commit(&store, sequence), ATTUNE_STORE_OK);
        assert_int_equal(attune_incoming_end(&store), ATTUNE_STORE_OK);
        measure(&ring, ATTUNE_BATCH);
        assert_int_equal(attune_reports_move(&store, BOOT, FEATURES, &ring), ATTUNE_STORE_OK);
    }
    expect_same(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_log_is_read_back_in_its_order, fresh),
        cmocka_unit_test_setup(what_failed_once_is_written_later, fresh),
        cmocka_unit_test_setup(labels_of_another_node_type_are_left_out, fresh),
        cmocka_unit_test_setup(reports_move_and_come_back, fresh),
        cmocka_unit_test_setup(a_full_backlog_keeps_summaries, fresh),
        cmocka_unit_test_setup(everything_fits_at_once, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
