/* The store's records, slots and incoming update on a flash that works; that power may fail is power_loss/'s business. */
#include "emulated_flash.h"
#include "store/files.h"
#include "store/incoming.h"
#include "store/slots.h"

#include "check.h"

#include <monocypher.h>
#include <string.h>

#define TRIAL_S 7200u

static emulated_flash flash;
static attune_store store;

static void open_store(void) {
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_start(&store), ATTUNE_STORE_OK);
}

static int fresh(void **state) {
    (void)state;
    emulated_flash_init(&flash);
    open_store();
    return 0;
}

static attune_slot_info made(uint8_t seed, uint16_t size, uint8_t *bytes) {
    attune_slot_info info = {.sequence = seed, .labels = seed * 100u, .size = size};
    uint8_t digest[64];
    memset(bytes, seed, size);
    crypto_blake2b(digest, sizeof digest, bytes, size);
    memcpy(info.digest, digest, sizeof info.digest);
    return info;
}

static void install(uint8_t seed) {
    uint8_t bytes[1000];
    attune_slot_info info = made(seed, sizeof bytes, bytes);
    assert_int_equal(attune_slots_install(&store, &info, bytes, TRIAL_S), ATTUNE_STORE_OK);
}

static void expect_slots(uint8_t committed, uint8_t trial, uint8_t way_back) {
    assert_int_equal(store.slots.committed, committed);
    assert_int_equal(store.slots.trial, trial);
    assert_int_equal(store.slots.way_back, way_back);
}

static void shapes_of_flash(void **state) {
    (void)state;
    static const struct { uint32_t blocks, unit; } bad[] = {{0, 16}, {31, 16}, {257, 16}, {64, 0}, {64, 24}, {64, 512}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        emulated_flash_init(&flash);
        flash.port.blocks = bad[i].blocks;
        flash.port.program_size = bad[i].unit;
        assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_SIZE);
    }
}

static void an_erased_flash_is_made_once(void **state) {
    (void)state;
    assert_true(store.made);
    open_store();
    assert_false(store.made);
    assert_int_equal(attune_store_sequence(&store), 0);
    assert_int_equal(attune_store_keys(&store)->held, 0);
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
}

static void a_flash_that_does_not_answer_is_not_made_anew(void **state) {
    (void)state;
    assert_int_equal(attune_store_accept(&store, 5), ATTUNE_STORE_OK);
    flash.dead = true;
    assert_int_equal(attune_store_accept(&store, 6), ATTUNE_STORE_FLASH);
    assert_int_equal(attune_store_sequence(&store), 5);
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_FLASH);
    flash.dead = false;
    open_store();
    assert_int_equal(attune_store_sequence(&store), 5);
}

/* Another shape than the one it was made for: nothing is erased. */
static void a_file_system_that_does_not_fit_stays(void **state) {
    (void)state;
    assert_int_equal(attune_store_accept(&store, 5), ATTUNE_STORE_OK);
    flash.port.blocks = 32;
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_DAMAGED);
    flash.port.blocks = EMULATED_BLOCKS;
    open_store();
    assert_int_equal(attune_store_sequence(&store), 5);
}

static void keys_leave_the_sequence_number_alone(void **state) {
    (void)state;
    attune_keys keys = {.held = 1u << ATTUNE_KEY_DAEMON};
    memset(keys.key, 0x5A, sizeof keys.key);
    assert_int_equal(attune_store_accept(&store, 41), ATTUNE_STORE_OK);
    assert_int_equal(attune_store_write_keys(&store, &keys), ATTUNE_STORE_OK);
    open_store();
    assert_int_equal(attune_store_sequence(&store), 41);
    assert_int_equal(attune_store_keys(&store)->held, keys.held);
    assert_memory_equal(attune_store_keys(&store)->key, keys.key, sizeof keys.key);
}

static void sequence_numbers_only_rise(void **state) {
    (void)state;
    assert_int_equal(attune_store_accept(&store, 0), ATTUNE_STORE_ORDER);
    assert_int_equal(attune_store_accept(&store, 7), ATTUNE_STORE_OK);
    assert_int_equal(attune_store_accept(&store, 7), ATTUNE_STORE_ORDER);
    assert_int_equal(attune_store_accept(&store, 6), ATTUNE_STORE_ORDER);
    assert_int_equal(attune_store_accept(&store, UINT32_MAX), ATTUNE_STORE_OK);
    open_store();
    assert_int_equal(attune_store_sequence(&store), UINT32_MAX);
}

static void the_last_tie_counts(void **state) {
    (void)state;
    attune_tie tie = {.boot = 1};
    assert_int_equal(attune_store_read_tie(&store, &tie), ATTUNE_STORE_NONE);
    for (uint32_t i = 1; i <= 300; i++) {
        const attune_tie next = {.boot = 0xFFFFFFFFu, .tick_ms = i, .utc_ms = 1763750000000u + i};
        assert_int_equal(attune_store_write_tie(&store, &next), ATTUNE_STORE_OK);
    }
    open_store();
    assert_int_equal(attune_store_read_tie(&store, &tie), ATTUNE_STORE_OK);
    assert_int_equal(tie.boot, 0xFFFFFFFFu);
    assert_int_equal(tie.tick_ms, 300);
    assert_int_equal(tie.utc_ms, 1763750000300u);
}

static void a_trial_is_committed_on_its_number(void **state) {
    (void)state;
    uint8_t bytes[1000];
    install(3);
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_A, ATTUNE_SLOT_FACTORY);
    assert_int_equal(attune_store_sequence(&store), 3);
    assert_int_equal(attune_slots_commit(&store, 2), ATTUNE_STORE_ORDER);
    assert_int_equal(attune_slots_commit(&store, 3), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_commit(&store, 3), ATTUNE_STORE_ORDER);
    expect_slots(ATTUNE_SLOT_A, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
    install(4);
    assert_int_equal(attune_slots_commit(&store, 4), ATTUNE_STORE_OK);
    open_store();
    expect_slots(ATTUNE_SLOT_B, ATTUNE_SLOT_NONE, ATTUNE_SLOT_A);
    assert_int_equal(store.slots.info[ATTUNE_SLOT_B].labels, 400);
    assert_int_equal(attune_slots_read(&store, ATTUNE_SLOT_B, bytes, 999), ATTUNE_STORE_SIZE);
    assert_int_equal(attune_slots_read(&store, ATTUNE_SLOT_B, bytes, sizeof bytes), ATTUNE_STORE_OK);
    assert_int_equal(bytes[999], 4);
    assert_int_equal(attune_slots_read(&store, ATTUNE_SLOT_FACTORY, bytes, sizeof bytes), ATTUNE_STORE_NONE);
}

static void what_is_refused_changes_nothing(void **state) {
    (void)state;
    uint8_t bytes[1000];
    install(3);
    uint64_t operations = flash.operations;
    attune_slot_info info = made(4, sizeof bytes, bytes);
    assert_int_equal(attune_slots_install(&store, &info, bytes, TRIAL_S), ATTUNE_STORE_ORDER); /* a trial runs */
    assert_int_equal(attune_slots_commit(&store, 3), ATTUNE_STORE_OK);
    operations = flash.operations;
    bytes[500] ^= 1;
    assert_int_equal(attune_slots_install(&store, &info, bytes, TRIAL_S), ATTUNE_STORE_DAMAGED);
    bytes[500] ^= 1;
    info.sequence = 3;
    assert_int_equal(attune_slots_install(&store, &info, bytes, TRIAL_S), ATTUNE_STORE_ORDER);
    info.sequence = 5;
    info.size = 0;
    assert_int_equal(attune_slots_install(&store, &info, bytes, TRIAL_S), ATTUNE_STORE_SIZE);
    info.size = ATTUNE_RELEASE_MAX + 1;
    assert_int_equal(attune_slots_install(&store, &info, bytes, TRIAL_S), ATTUNE_STORE_SIZE);
    assert_int_equal(attune_slots_end(&store, 9), ATTUNE_STORE_ORDER);
    assert_int_equal(flash.operations, operations);
    assert_int_equal(attune_store_sequence(&store), 3);
}

/* A trial ends by the daemon's word, and what was committed goes on; that one ends with the next update alone. */
static void the_daemon_ends_a_trial(void **state) {
    (void)state;
    install(3);
    assert_int_equal(attune_slots_end(&store, 2), ATTUNE_STORE_ORDER);
    assert_int_equal(attune_slots_end(&store, 3), ATTUNE_STORE_OK);
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
    install(4);
    assert_int_equal(attune_slots_commit(&store, 4), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_end(&store, 4), ATTUNE_STORE_ORDER);
    install(5);
    assert_int_equal(attune_slots_end(&store, 4), ATTUNE_STORE_ORDER);
    assert_int_equal(attune_slots_end(&store, 5), ATTUNE_STORE_OK);
    expect_slots(ATTUNE_SLOT_A, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
    assert_int_equal(attune_store_sequence(&store), 5);
}

static void a_trial_sees_three_restarts(void **state) {
    (void)state;
    install(3);
    for (int restart = 0; restart < ATTUNE_TRIAL_RESTARTS; restart++) {
        open_store();
        expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_A, ATTUNE_SLOT_FACTORY);
    }
    open_store();
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
}

/* Two hours, the node starting anew after an hour and a half, of which an hour was written down. */
static void a_trial_ends_with_its_time(void **state) {
    (void)state;
    assert_int_equal(attune_slots_poll(&store, 50000), ATTUNE_STORE_OK);
    install(3);
    for (uint32_t tick_s = 50000; tick_s <= 55400; tick_s += 60) {
        assert_int_equal(attune_slots_poll(&store, tick_s), ATTUNE_STORE_OK);
    }
    open_store();
    assert_int_equal(store.slots.left_s, TRIAL_S - 3600);
    assert_int_equal(attune_slots_poll(&store, 3599), ATTUNE_STORE_OK);
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_A, ATTUNE_SLOT_FACTORY);
    assert_int_equal(attune_slots_poll(&store, 3600), ATTUNE_STORE_OK);
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
}

/* A bit in many places of the blocks that are used: whatever runs afterwards passes its digest, which read checks. */
static void rotten_cells_run_nothing_unverified(void **state) {
    (void)state;
    static emulated_flash good;
    uint8_t bytes[1000];
    install(3);
    assert_int_equal(attune_slots_commit(&store, 3), ATTUNE_STORE_OK);
    install(4);
    good = flash;
    for (uint32_t at = 0; at < 8 * ATTUNE_FLASH_BLOCK; at += 31) {
        memcpy(flash.cells, good.cells, 8 * ATTUNE_FLASH_BLOCK);
        flash.cells[at] ^= 0x10;
        attune_store_result result = attune_store_open(&store, &flash.port);
        if (result == ATTUNE_STORE_OK && attune_slots_start(&store) == ATTUNE_STORE_OK) {
            attune_slot slot = (attune_slot)store.slots.committed;
            result = attune_slots_read(&store, slot, bytes, sizeof bytes);
            assert_int_equal(result, slot == ATTUNE_SLOT_FACTORY ? ATTUNE_STORE_NONE : ATTUNE_STORE_OK);
        }
        emulated_flash_power_on(&flash);
    }
}

/* Somebody with a programmer puts another release into the slot that runs, its checksum right. */
static void a_slot_that_was_written_over_does_not_run(void **state) {
    (void)state;
    static const uint8_t other[1000] = {0xEE};
    attune_file file;
    install(3);
    assert_int_equal(attune_slots_commit(&store, 3), ATTUNE_STORE_OK);
    attune_file_begin(&file, &store, "slot-a");
    attune_file_put(&file, other, sizeof other);
    assert_int_equal(attune_file_end(&file), ATTUNE_STORE_OK);
    open_store();
    expect_slots(ATTUNE_SLOT_FACTORY, ATTUNE_SLOT_NONE, ATTUNE_SLOT_FACTORY);
}

static void an_update_goes_on_where_it_was(void **state) {
    (void)state;
    const uint8_t id[ATTUNE_INCOMING_ID] = {1};
    const uint8_t other[ATTUNE_INCOMING_ID] = {2};
    uint8_t bytes[600];
    uint8_t found[600];
    uint32_t offset = 9;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    assert_int_equal(attune_incoming_write(&store, 0, bytes, 10), ATTUNE_STORE_NONE);
    assert_int_equal(attune_incoming_begin(&store, id, ATTUNE_RELEASE_MAX + 1, &offset), ATTUNE_STORE_SIZE);
    assert_int_equal(attune_incoming_begin(&store, id, 600, &offset), ATTUNE_STORE_OK);
    assert_int_equal(offset, 0);
    assert_int_equal(attune_incoming_write(&store, 0, bytes, 244), ATTUNE_STORE_OK);
    assert_int_equal(attune_incoming_write(&store, 0, bytes, 244), ATTUNE_STORE_ORDER);
    open_store();
    assert_int_equal(attune_incoming_begin(&store, id, 600, &offset), ATTUNE_STORE_OK);
    assert_int_equal(offset, 244);
    assert_int_equal(attune_incoming_write(&store, 244, bytes + 244, 357), ATTUNE_STORE_SIZE);
    assert_int_equal(attune_incoming_write(&store, 244, bytes + 244, 356), ATTUNE_STORE_OK);
    assert_int_equal(attune_incoming_read(&store, 0, found, 600), ATTUNE_STORE_OK);
    assert_memory_equal(found, bytes, 600);
    assert_int_equal(attune_incoming_read(&store, 590, found, 11), ATTUNE_STORE_DAMAGED);
    assert_int_equal(attune_incoming_begin(&store, other, 600, &offset), ATTUNE_STORE_OK);
    assert_int_equal(offset, 0);
    assert_int_equal(attune_incoming_end(&store), ATTUNE_STORE_OK);
    assert_int_equal(attune_incoming_end(&store), ATTUNE_STORE_OK);
    assert_int_equal(attune_incoming_read(&store, 0, found, 1), ATTUNE_STORE_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_of_flash),
        cmocka_unit_test_setup(an_erased_flash_is_made_once, fresh),
        cmocka_unit_test_setup(a_flash_that_does_not_answer_is_not_made_anew, fresh),
        cmocka_unit_test_setup(a_file_system_that_does_not_fit_stays, fresh),
        cmocka_unit_test_setup(keys_leave_the_sequence_number_alone, fresh),
        cmocka_unit_test_setup(sequence_numbers_only_rise, fresh),
        cmocka_unit_test_setup(the_last_tie_counts, fresh),
        cmocka_unit_test_setup(a_trial_is_committed_on_its_number, fresh),
        cmocka_unit_test_setup(what_is_refused_changes_nothing, fresh),
        cmocka_unit_test_setup(the_daemon_ends_a_trial, fresh),
        cmocka_unit_test_setup(a_trial_sees_three_restarts, fresh),
        cmocka_unit_test_setup(a_trial_ends_with_its_time, fresh),
        cmocka_unit_test_setup(rotten_cells_run_nothing_unverified, fresh),
        cmocka_unit_test_setup(an_update_goes_on_where_it_was, fresh),
        cmocka_unit_test_setup(a_slot_that_was_written_over_does_not_run, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
