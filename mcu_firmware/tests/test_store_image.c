/* Images of flash that older versions wrote are kept for ever: each is opened, and gives what was put in. Run with the name of a file, it
 * writes the image of this version there. */
#include "emulated_flash.h"
#include "store/incoming.h"
#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#include "check.h"

#include <monocypher.h>
#include <stdio.h>
#include <string.h>

#define FEATURES 3
#define BOOT 0x01020304u
#define RELEASE 300

static emulated_flash flash;
static attune_store store;

static void must_do(attune_store_result result) { assert_int_equal(result, ATTUNE_STORE_OK); }

static attune_slot_info release(uint8_t seed, uint8_t *bytes) {
    attune_slot_info info = {.sequence = seed, .labels = 2, .size = RELEASE};
    uint8_t digest[64];
    memset(bytes, seed, RELEASE);
    crypto_blake2b(digest, sizeof digest, bytes, RELEASE);
    memcpy(info.digest, digest, sizeof info.digest);
    return info;
}

static attune_label_entry entry_of(uint32_t seq) {
    attune_label_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.number = 2 + seq % 2;
    entry.boot = BOOT;
    entry.seq = seq;
    entry.weight = 300;
    entry.class_index = 1;
    entry.features[0] = -300;
    entry.features[2] = 32767;
    return entry;
}

static void fill(void) {
    static attune_backlog ring;
    static attune_label_log log;
    uint8_t bytes[RELEASE];
    uint8_t signer[ATTUNE_KEY_SIZE];
    attune_keys keys = {.held = 0x05};
    memset(signer, 0xC3, sizeof signer);
    attune_keys_set_signer(&keys, 7, signer);
    must_do(attune_store_write_keys(&store, &keys));
    must_do(attune_store_write_tie(&store, &(attune_tie){BOOT, 3600000, 1763750000123u}));
    for (uint8_t seed = 8; seed < 10; seed++) {
        attune_slot_info info = release(seed, bytes);
        must_do(attune_slots_install(&store, &info, bytes, 86400));
        if (seed == 8) {
            must_do(attune_slots_commit(&store, 8));
        }
    }
    for (uint32_t seq = 1; seq <= 5; seq++) {
        attune_label_entry entry = entry_of(seq);
        attune_label_log_place(&log, &entry);
        must_do(seq == 3 ? attune_labels_rewrite(&store, FEATURES, &log)
                         : attune_labels_append(&store, FEATURES, &log, 1));
    }
    attune_backlog_init(&ring);
    for (uint32_t i = 1; i <= ATTUNE_BATCH; i++) {
        attune_report report = {
            .end_s = 60 * i, .evidences = 1, .trial = 18, .evidence = {-7}, .state = 0x71, .features = {1, -2, 3}};
        attune_backlog_push(&ring, &report);
    }
    must_do(attune_reports_move(&store, BOOT, FEATURES, &ring));
    uint32_t offset = 0;
    must_do(attune_incoming_begin(&store, bytes, 500, &offset));
    must_do(attune_incoming_write(&store, 0, bytes, 200));
}

/* What versions have kept otherwise: the signing key's number, reports in a batch, and what they say of a trial. */
static void expect_filled(uint32_t number, uint8_t reports, uint8_t trial) {
    uint8_t bytes[RELEASE];
    uint8_t expected[RELEASE];
    static attune_label_log log;
    attune_tie tie;
    attune_batch batch;
    attune_report report;
    assert_int_equal(attune_store_keys(&store)->held, 0x15);
    assert_int_equal(attune_store_keys(&store)->key[ATTUNE_KEY_SIGNING][31], 0xC3);
    assert_int_equal(attune_store_keys(&store)->signing_number, number);
    assert_int_equal(attune_store_sequence(&store), 9);
    must_do(attune_store_read_tie(&store, &tie));
    assert_true(tie.boot == BOOT && tie.tick_ms == 3600000 && tie.utc_ms == 1763750000123u);
    assert_true(store.slots.committed == ATTUNE_SLOT_A && store.slots.trial == ATTUNE_SLOT_B);
    must_do(attune_slots_read(&store, ATTUNE_SLOT_B, bytes, sizeof bytes));
    memset(expected, 9, sizeof expected);
    assert_memory_equal(bytes, expected, sizeof bytes);
    must_do(attune_labels_load(&store, FEATURES, &log));
    assert_int_equal(log.count, 5);
    for (uint32_t seq = 1; seq <= 5; seq++) {
        attune_label_entry entry = entry_of(seq);
        assert_memory_equal(&log.entry[seq - 1], &entry, sizeof entry);
    }
    must_do(attune_reports_oldest(&store, FEATURES, &batch));
    assert_int_equal(batch.reports, reports);
    must_do(attune_reports_read(&store, &batch, (uint8_t)(reports - 1), &report));
    assert_true(batch.boot == BOOT && report.seq == reports && report.end_s == 60u * reports);
    assert_true(report.evidences == 1 && report.evidence[0] == -7 && report.trial == trial);
    must_do(attune_incoming_read(&store, 100, bytes, 100));
    assert_memory_equal(bytes, expected, 100);
}

/* An image is its blocks that are not erased: number (uint32, little endian), then the block. */
static void read_image(const char *name) {
    uint8_t number[4];
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    emulated_flash_init(&flash);
    while (fread(number, sizeof number, 1, file) == 1) {
        assert_true(number[0] < EMULATED_BLOCKS);
        assert_int_equal(fread(flash.cells + number[0] * ATTUNE_FLASH_BLOCK, ATTUNE_FLASH_BLOCK, 1, file), 1);
    }
    (void)fclose(file);
    memcpy(flash.kept, flash.cells, sizeof flash.kept);
}

static bool is_erased(const uint8_t *block) {
    return block[0] == 0xFF && memcmp(block, block + 1, ATTUNE_FLASH_BLOCK - 1) == 0;
}

static int write_image(const char *name) {
    FILE *file = fopen(name, "wb");
    if (file == NULL) {
        perror(name);
        return 1;
    }
    emulated_flash_init(&flash);
    must_do(attune_store_open(&store, &flash.port));
    fill();
    for (uint8_t i = 0; i < EMULATED_BLOCKS; i++) {
        const uint8_t *block = flash.cells + i * ATTUNE_FLASH_BLOCK;
        if (!is_erased(block)) {
            (void)fwrite((const uint8_t[4]){i}, 4, 1, file);
            (void)fwrite(block, ATTUNE_FLASH_BLOCK, 1, file);
        }
    }
    return fclose(file);
}

static void open_image(const char *name) {
    read_image(name);
    must_do(attune_store_open(&store, &flash.port));
    assert_false(store.made);
    must_do(attune_slots_start(&store));
}

/* And it can be written on: what was kept is kept. */
static void write_on(uint32_t number) {
    must_do(attune_slots_commit(&store, 9));
    must_do(attune_store_accept(&store, 10));
    must_do(attune_store_open(&store, &flash.port));
    assert_int_equal(attune_store_keys(&store)->signing_number, number);
    assert_int_equal(attune_store_sequence(&store), 10);
}

static void the_first_version(void **state) {
    (void)state;
    open_image("mcu_firmware/tests/images/store-1.flash");
    expect_filled(1, 60, 0);
    write_on(1);
}

static void the_second_version(void **state) {
    (void)state;
    open_image("mcu_firmware/tests/images/store-2.flash");
    expect_filled(7, 48, 18);
    write_on(7);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_version), cmocka_unit_test(the_second_version)};
    return argc == 2 ? write_image(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
