/* The connection of a node: signalling, parameters, and centrals and controllers that do not behave. */
#include "ble_link_world.h"
#include "check.h"

static ble_world world;

static int begin(void **state) {
    (void)state;
    ble_world_init(&world);
    return 0;
}

static void expect_command(uint16_t opcode, const uint8_t *parameters, size_t size) {
    assert_int_equal(world.controller.last_opcode, opcode);
    assert_memory_equal(world.controller.last, parameters, size);
}

/* --- Signalling and security --- */

static void rejects_what_it_does_not_understand(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    /* Volume 3, part A, 4.20: a request for connection parameters is none for a peripheral; 4.1: command not understood */
    ble_controller_send(&world.controller, 5, (uint8_t[]){0x12, 7, 8, 0, 6, 0, 6, 0, 0, 0, 100, 0}, 12, 251);
    ble_world_run(&world, BLE_STEP_MS);
    ble_link_expect_said(&world, 5, (uint8_t[]){0x01, 7, 2, 0, 0, 0}, 6);
    /* signalling MTU exceeded, and what it is; whether the command is read to its end or not */
    uint8_t command[300] = {0x14, 8, 22};
    for (size_t size = 24; size <= sizeof command; size += 69) {
        command[1]++;
        ble_controller_send(&world.controller, 5, command, size, 27);
        ble_world_run(&world, BLE_STEP_MS);
        ble_link_expect_said(&world, 5, (uint8_t[]){0x01, command[1], 4, 0, 1, 0, 23, 0}, 8);
    }
    const unsigned said = world.controller.said_count;
    ble_controller_send(&world.controller, 5, (uint8_t[]){0x01, 7, 2, 0, 0, 0}, 6, 251);
    ble_controller_send(&world.controller, 5, (uint8_t[]){0x13, 7, 2, 0, 1, 0}, 6, 251);
    ble_controller_send(&world.controller, 5, (uint8_t[]){0x14, 0, 0, 0}, 4, 251);
    ble_controller_send(&world.controller, 5, (uint8_t[]){0x14}, 1, 251);
    ble_world_run(&world, BLE_STEP_MS);
    assert_int_equal(world.controller.said_count, said);
}

static void pairs_with_nobody(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    ble_controller_send(&world.controller, 6, (uint8_t[]){0x01, 3, 0, 1, 16, 0, 0}, 7, 251);
    ble_world_run(&world, BLE_STEP_MS);
    ble_link_expect_said(&world, 6, (uint8_t[]){0x05, 0x05},
                         2); /* part H, 3.5.5: pairing failed, pairing not supported */
    const unsigned said = world.controller.said_count;
    for (unsigned code = 0; code < 256; code++) {
        const uint8_t bytes[] = {(uint8_t)code, 0};
        ble_controller_send(&world.controller, 6, bytes, code == 1 ? 0 : 2, 251);
    }
    ble_world_run(&world, 1000);
    assert_int_equal(world.controller.said_count, said);
}

/* --- Parameters --- */

static void asks_for_longer_packets_where_there_are_any(void **state) {
    (void)state;
    ble_world_connect(&world, BLE_LINK_HANDLE);
    /* 251 bytes in 2,120 us */
    expect_command(0x2022, (uint8_t[]){BLE_LINK_HANDLE, 0, 0xFB, 0x00, 0x48, 0x08}, 6);
    assert_int_equal(world.controller.count[0x22], 1);
    ble_world_init(&world);
    world.controller.features = 0;
    ble_world_connect(&world, BLE_LINK_HANDLE);
    assert_int_equal(world.controller.count[0x22], 0);
}

/* Volume 4, part E, 7.8.18: handle, intervals (1.25 ms), latency, time-out (10 ms), lengths of events. */
static const uint8_t ask_fast[] = {BLE_LINK_HANDLE, 0, 12, 0, 12, 0, 0, 0, 0x58, 0x02, 0, 0, 0, 0};
static const uint8_t ask_slow[] = {BLE_LINK_HANDLE, 0, 0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02, 0, 0, 0, 0};

static void asks_for_the_parameters_that_the_wish_means(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    assert_int_equal(world.controller.count[0x13], 0); /* slow is in no hurry */
    ble_world_run(&world, 5000);
    expect_command(0x2013, ask_slow, sizeof ask_slow);
    world.wish.fast = true;
    ble_world_run(&world, 5 * BLE_STEP_MS);
    expect_command(0x2013, ask_fast, sizeof ask_fast);
    assert_int_equal(world.controller.count[0x13], 2);
    world.wish.fast = false;
    ble_world_run(&world, 4000);
    assert_int_equal(world.controller.count[0x13], 2);
    ble_world_run(&world, 2000);
    expect_command(0x2013, ask_slow, sizeof ask_slow);
    ble_world_run(&world, 60000);
    assert_int_equal(world.controller.count[0x13], 3);
}

static void what_suits_is_not_asked_for(void **state) {
    (void)state;
    world.wish.fast = true;
    ble_world_connect(&world, BLE_LINK_HANDLE);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0, BLE_LINK_HANDLE, 0, 12, 0, 0, 0, 0x58, 0x02},
                         10);
    ble_world_listen(&world, 247);
    ble_world_run(&world, 8000);
    assert_int_equal(world.controller.count[0x13], 0);
}

/* Part A, 4.20: code 12, identifier, 8 bytes: intervals, latency, time-out. */
static void asks_by_l2cap_where_the_link_layer_cannot(void **state) {
    (void)state;
    world.controller.features = 0x20;
    world.wish.fast = true;
    ble_link_listen(&world, 247);
    ble_link_expect_said(&world, 5, (uint8_t[]){0x12, 1, 8, 0, 12, 0, 12, 0, 0, 0, 0x58, 0x02}, 12);
    assert_int_equal(world.controller.count[0x13], 0);
    world.wish.fast = false;
    ble_world_run(&world, 6000);
    ble_link_expect_said(&world, 5, (uint8_t[]){0x12, 2, 8, 0, 0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02}, 12);
}

static void asks_by_l2cap_if_the_controller_refuses(void **state) {
    (void)state;
    world.controller.failing = 0x2013;
    world.controller.failure = 0x11;
    world.wish.fast = true;
    ble_link_listen(&world, 247);
    ble_world_run(&world, 100);
    ble_link_expect_said(&world, 5, (uint8_t[]){0x12, 1, 8, 0, 12, 0, 12, 0, 0, 0, 0x58, 0x02}, 12);
    assert_int_equal(world.controller.count[0x13], 1);
}

static void asks_by_l2cap_if_the_other_controller_cannot(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0x1A, BLE_LINK_HANDLE, 0, 0, 0, 0, 0, 0, 0}, 10);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0x3B, BLE_LINK_HANDLE, 0, 0, 0, 0, 0, 0, 0}, 10);
    ble_world_run(&world, 100);
    ble_link_expect_said(&world, 5, (uint8_t[]){0x12, 1, 8, 0, 0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02}, 12);
    ble_world_run(&world, 30000);
    assert_int_equal(world.controller.count[0x13], 0);
}

/* --- Centrals and controllers that do not behave --- */

static void a_central_that_does_not_listen_is_sent_away(void **state) {
    (void)state;
    ble_world_connect(&world, BLE_LINK_HANDLE);
    ble_world_run(&world, 29000);
    assert_int_equal(world.controller.handle, BLE_LINK_HANDLE);
    ble_world_run(&world, 2000);
    assert_int_equal(world.controller.handle, BLE_NOBODY);
    ble_link_expect_advertising(&world);
    ble_link_listen(&world, 247);
    (void)ble_world_ask(&world, (uint8_t[]){0x12, 12, 0, 0, 0}, 5);
    ble_world_run(&world, 31000); /* it listened once and does no more */
    ble_link_expect_advertising(&world);
    assert_int_equal(world.controller.resets, 1);
}

static void a_central_that_only_listens_is_sent_away(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    for (int minute = 0; minute < 40; minute += 10) {
        ble_world_run(&world, 600000);
        ble_link_write(&world, 0, 1, 251);
        ble_link_expect_part(&world, 0, 1);
    }
    assert_int_equal(attune_ble_part(&world.ble), 244);
    ble_world_run(&world, 901000);
    ble_link_expect_advertising(&world);
}

static void a_disconnection_that_does_not_come_ends_in_a_reset(void **state) {
    (void)state;
    world.controller.failing = 0x0406;
    world.controller.failure = 0x0C;
    ble_world_connect(&world, BLE_LINK_HANDLE);
    ble_world_run(&world, 31000);
    assert_int_equal(world.controller.resets, 1);
    ble_world_run(&world, 36000);
    assert_int_equal(world.controller.resets, 2);
    ble_link_expect_advertising(&world);
}

static void a_connection_that_failed_is_none(void **state) {
    (void)state;
    ble_world_run(&world, 500);
    uint8_t event[19] = {0x01, 0x3E, BLE_LINK_HANDLE, 0, 1};
    world.controller.advertising = false;
    ble_controller_event(&world.controller, 0x3E, event, sizeof event);
    ble_world_run(&world, 100);
    ble_link_expect_advertising(&world);
    event[1] = 0;
    event[4] = 0; /* the role of a central */
    world.controller.advertising = false;
    ble_controller_event(&world.controller, 0x3E, event, sizeof event);
    ble_world_run(&world, 100);
    ble_link_expect_advertising(&world);
    assert_int_equal(world.controller.resets, 1);
}

static void a_connection_that_cannot_be_ends_in_a_reset(void **state) {
    (void)state;
    const uint8_t event[19] = {0x01, 0, 0x55, 0, 1};
    ble_link_listen(&world, 247);
    ble_controller_event(&world.controller, 0x3E, event, sizeof event);
    ble_world_run(&world, 100);
    ble_link_expect_advertising(&world);
    assert_int_equal(world.controller.resets, 2);
}

/* The answer to the command that lets centrals connect comes after one has connected, or has even gone again. */
static void a_central_may_be_faster_than_an_answer(void **state) {
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        ble_world_init(&world);
        ble_world_connect(&world, BLE_LINK_HANDLE);
        world.controller.late_answers = true;
        ble_controller_disconnect(&world.controller, 0x13);
        ble_world_run(&world, 100); /* the command has come, its answer is kept */
        ble_controller_connect(&world.controller, BLE_LINK_HANDLE);
        if (gone > 0) {
            ble_controller_disconnect(&world.controller, 0x3E);
        }
        ble_world_run(&world, 100);
        world.controller.late_answers = false;
        ble_controller_answer(&world.controller);
        ble_world_run(&world, 100);
        if (gone > 0) {
            ble_link_expect_advertising(&world);
        } else {
            ble_world_listen(&world, 247);
            assert_int_equal(attune_ble_part(&world.ble), 244);
        }
        assert_int_equal(world.controller.resets, 1);
        assert_null(world.controller.fault);
    }
}

static void events_of_other_connections_are_harmless(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    ble_controller_event(&world.controller, 0x05, (uint8_t[]){0, 0x42, 0, 0x13}, 4);
    ble_controller_event(&world.controller, 0x05, (uint8_t[]){0x0C, BLE_LINK_HANDLE, 0, 0x13}, 4); /* failed */
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0, 0x42, 0, 12, 0, 0, 0, 0x58, 0x02}, 10);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x0C, 0, BLE_LINK_HANDLE, 0, 2, 2}, 6); /* PHY update */
    ble_controller_event(&world.controller, 0x3E,
                         (uint8_t[]){0x07, BLE_LINK_HANDLE, 0, 0xFB, 0, 0x48, 8, 0xFB, 0, 0x48, 8},
                         11);                                                                /* data length change */
    ble_controller_event(&world.controller, 0x08, (uint8_t[]){0, BLE_LINK_HANDLE, 0, 1}, 4); /* encryption */
    ble_world_run(&world, 1000);
    assert_int_equal(attune_ble_part(&world.ble), 244);
    assert_int_equal(world.controller.resets, 1);
}

static void the_controller_is_asked_whether_it_knows_the_connection(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    ble_world_run(&world, 60000);
    assert_int_equal(world.controller.last_opcode, 0x1405);
    assert_int_equal(world.controller.resets, 1);
    world.controller.failing = 0x1405; /* it does not know the question */
    world.controller.failure = 0x01;
    ble_world_run(&world, 60000);
    assert_int_equal(world.controller.resets, 1);
    world.controller.mute = true;
    ble_world_run(&world, 15000);
    assert_int_equal(attune_ble_part(&world.ble), 0);
}

/* The host counts milliseconds in 32 bits, which are over after seven weeks: at any time of what it waits for. */
static void the_end_of_the_clock_is_a_moment_like_others(void **state) {
    (void)state;
    for (uint32_t before_ms = 0; before_ms < 80000; before_ms += 7010) {
        ble_world_init(&world);
        world.now_ms = UINT32_MAX - before_ms;
        ble_world_connect(&world, BLE_LINK_HANDLE);
        ble_world_run(&world, 29000);
        assert_int_equal(world.controller.handle, BLE_LINK_HANDLE);
        ble_world_run(&world, 2000);
        ble_link_expect_advertising(&world);
        assert_int_equal(world.controller.resets, 1);
        ble_link_listen(&world, 247);
        ble_world_run(&world, 30000);
        ble_link_write(&world, 0, 244, 251);
        ble_link_expect_part(&world, 0, 244);
        assert_true(ble_link_notify(&world, 1, 244));
        ble_world_run(&world, 100);
        ble_link_expect_notified(&world, 0, 1, 244);
        ble_controller_disconnect(&world.controller, 0x13);
        ble_link_expect_advertising(&world);
        assert_int_equal(world.controller.resets, 1);
        ble_world_run(&world, 59000);
        assert_int_equal(world.controller.resets, 1);
        ble_world_run(&world, 2000);
        assert_int_equal(world.controller.resets, 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rejects_what_it_does_not_understand, begin),
        cmocka_unit_test_setup(pairs_with_nobody, begin),
        cmocka_unit_test_setup(asks_for_longer_packets_where_there_are_any, begin),
        cmocka_unit_test_setup(asks_for_the_parameters_that_the_wish_means, begin),
        cmocka_unit_test_setup(what_suits_is_not_asked_for, begin),
        cmocka_unit_test_setup(asks_by_l2cap_where_the_link_layer_cannot, begin),
        cmocka_unit_test_setup(asks_by_l2cap_if_the_controller_refuses, begin),
        cmocka_unit_test_setup(asks_by_l2cap_if_the_other_controller_cannot, begin),
        cmocka_unit_test_setup(a_central_that_does_not_listen_is_sent_away, begin),
        cmocka_unit_test_setup(a_central_that_only_listens_is_sent_away, begin),
        cmocka_unit_test_setup(a_disconnection_that_does_not_come_ends_in_a_reset, begin),
        cmocka_unit_test_setup(a_connection_that_failed_is_none, begin),
        cmocka_unit_test_setup(a_connection_that_cannot_be_ends_in_a_reset, begin),
        cmocka_unit_test_setup(a_central_may_be_faster_than_an_answer, begin),
        cmocka_unit_test_setup(events_of_other_connections_are_harmless, begin),
        cmocka_unit_test_setup(the_controller_is_asked_whether_it_knows_the_connection, begin),
        cmocka_unit_test_setup(the_end_of_the_clock_is_a_moment_like_others, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
