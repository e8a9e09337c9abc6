/* Parts on the connection of a node, both ways: in any pieces, with few buffers, and where nobody takes them. */
#include "ble_link_world.h"
#include "check.h"

static ble_world world;

static int begin(void **state) {
    (void)state;
    ble_world_init(&world);
    return 0;
}

static void notifies_in_pieces_of_any_buffer(void **state) {
    (void)state;
    static const uint16_t lengths[] = {27, 28, 69, 250, 251, 252, 1021};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ble_world_init(&world);
        world.controller.buffer_length = lengths[i];
        ble_link_listen(&world, 247);
        for (unsigned number = 0; number < 20; number++) {
            assert_true(ble_link_notify(&world, number, 1 + 243 * number / 19));
            ble_world_run(&world, 5 * BLE_STEP_MS);
            ble_link_expect_notified(&world, 0, number, 1 + 243 * number / 19);
        }
        assert_null(world.controller.fault);
        assert_int_equal(world.ble.buffers.used, 0);
    }
}

static void sends_nothing_that_nobody_can_take(void **state) {
    (void)state;
    ble_world_run(&world, 500);
    assert_false(ble_link_notify(&world, 0, 1));
    ble_world_connect(&world, BLE_LINK_HANDLE);
    assert_false(ble_link_notify(&world, 0, 1));
    ble_world_listen(&world, 50);
    assert_false(ble_link_notify(&world, 0, 48));
    assert_false(ble_link_notify(&world, 0, 0));
    assert_true(ble_link_notify(&world, 0, 47));
    (void)ble_world_ask(&world, (uint8_t[]){0x12, 12, 0, 0, 0}, 5);
    assert_int_equal(attune_ble_part(&world.ble), 0);
    assert_false(ble_link_notify(&world, 0, 1));
}

static void waits_for_buffers_and_answers_meanwhile(void **state) {
    (void)state;
    world.controller.buffers = 3;
    ble_link_listen(&world, 247);
    world.controller.keeps_completed = true;
    unsigned sent = 0;
    for (int i = 0; i < 20; i++) {
        sent += ble_link_notify(&world, sent, 244);
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_int_equal(world.controller.filled, 3);
    assert_int_equal(sent, 4); /* one waits in the node */
    const unsigned said = world.controller.said_count;
    assert_null(ble_world_ask(&world, (uint8_t[]){0x0A, 5, 0}, 3)); /* its answer waits behind it */
    ble_controller_complete(&world.controller, 2);
    ble_world_run(&world, 3 * BLE_STEP_MS);
    assert_int_equal(world.controller.said_count, said + 2);
    ble_link_expect_notified(&world, 1, 3, 244);
    ble_link_expect_said(&world, 4, (uint8_t[]){0x0B, 0x40, 0x05}, 3);
    assert_null(world.controller.fault);
}

static void a_disconnection_gives_all_buffers_back(void **state) {
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        world.controller.keeps_completed = false;
        ble_link_listen(&world, 247);
        world.controller.keeps_completed = true;
        for (unsigned number = 0; number < 10; number++) {
            (void)ble_link_notify(&world, number, 244);
            ble_world_run(&world, BLE_STEP_MS);
        }
        assert_int_equal(world.ble.buffers.used, 4);
        ble_controller_disconnect(&world.controller, 0x08); /* connection time-out */
        ble_link_expect_advertising(&world);
    }
    assert_int_equal(world.controller.resets, 1);
}

static void more_completed_than_sent_is_harmless(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    world.controller.keeps_completed = true;
    assert_true(ble_link_notify(&world, 0, 244));
    ble_world_run(&world, BLE_STEP_MS);
    ble_controller_event(&world.controller, 0x13, (uint8_t[]){2, 0x40, 0x00, 9, 0, BLE_LINK_HANDLE, 0x00, 0xFF, 0xFF},
                         9);
    ble_controller_event(&world.controller, 0x13, (uint8_t[]){200, BLE_LINK_HANDLE, 0x00, 1, 0}, 5);
    ble_world_run(&world, BLE_STEP_MS);
    assert_int_equal(world.ble.buffers.used, 0);
    for (int i = 0; i < 20; i++) {
        (void)ble_link_notify(&world, 1, 244);
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_int_equal(world.ble.buffers.used, 4);
}

static void takes_parts_in_any_pieces(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    for (size_t piece = 1; piece <= 251; piece += 7) {
        for (unsigned number = 0; number < 3; number++) {
            ble_link_write(&world, number, 1 + (piece * 29 + number) % 244, piece);
        }
        for (unsigned number = 0; number < 3; number++) {
            ble_link_expect_part(&world, number, 1 + (piece * 29 + number) % 244);
        }
    }
    uint8_t part[ATTUNE_BLE_PART];
    assert_int_equal(attune_ble_receive(&world.ble, part, sizeof part), 0);
    assert_null(world.controller.fault);
}

/* The node is busy for a minute: nothing is read, nothing is lost, and nobody takes the controller for dead. */
static void parts_that_nobody_takes_hold_the_line(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    for (unsigned number = 0; number < 12; number++) {
        ble_link_write(&world, number, 244, 27);
    }
    ble_world_run(&world, 60000);
    assert_true(world.controller.to_host_at < world.controller.to_host_size);
    for (unsigned number = 0; number < 12; number++) {
        ble_link_expect_part(&world, number, 244);
    }
    ble_world_run(&world, 1000);
    assert_int_equal(world.controller.resets, 1);
    assert_int_equal(attune_ble_part(&world.ble), 244);
    assert_null(world.controller.fault);
}

static void short_parts_fill_the_inbox_too(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    for (unsigned number = 0; number < 2000; number++) {
        ble_link_write(&world, number, 1, 251);
    }
    for (unsigned number = 0; number < 2000; number++) {
        ble_link_expect_part(&world, number, 1);
    }
}

/* Each takes a byte more than it has: 201 + 201 + 88 are all there are, and 89 one too many. */
static void the_inbox_is_filled_to_its_last_byte(void **state) {
    (void)state;
    for (size_t last = 87; last <= 88; last++) {
        ble_world_init(&world);
        ble_link_listen(&world, 247);
        ble_link_write(&world, 0, 200, 251);
        ble_link_write(&world, 1, 200, 251);
        ble_link_write(&world, 2, last, 251);
        ble_world_run(&world, 5 * BLE_STEP_MS);
        assert_int_equal(world.ble.inbox.size, last == 87 ? ATTUNE_BLE_INBOX : 402);
        assert_int_equal(world.ble.incoming.held, last == 88);
        ble_link_expect_part(&world, 0, 200);
        ble_link_expect_part(&world, 1, 200);
        ble_link_expect_part(&world, 2, last);
        assert_null(world.controller.fault);
    }
}

static void parts_of_a_central_that_is_gone_are_dropped(void **state) {
    (void)state;
    ble_link_listen(&world, 247);
    ble_link_write(&world, 0, 100, 251);
    ble_controller_data(&world.controller, 2, (uint8_t[]){50, 0, 4, 0, 0x52, 9, 0, 1}, 8); /* and half of one */
    ble_world_run(&world, BLE_STEP_MS);
    ble_controller_disconnect(&world.controller, 0x13);
    ble_link_expect_advertising(&world);
    ble_link_listen(&world, 247);
    uint8_t part[ATTUNE_BLE_PART];
    assert_int_equal(attune_ble_receive(&world.ble, part, sizeof part), 0);
    ble_link_write(&world, 1, 10, 251);
    ble_link_expect_part(&world, 1, 10);
}

static void parts_are_cut_to_the_capacity(void **state) {
    (void)state;
    uint8_t part[ATTUNE_BLE_PART];
    ble_link_listen(&world, 247);
    ble_link_write(&world, 0, 244, 251);
    ble_link_write(&world, 1, 5, 251);
    ble_world_run(&world, BLE_STEP_MS);
    assert_int_equal(attune_ble_receive(&world.ble, part, 10), 10);
    ble_link_expect_part(&world, 1, 5);
}

/* --- Pieces that make no sense --- */

static void senseless_pieces_are_harmless(void **state) {
    (void)state;
    static const uint8_t bytes[251] = {0};
    ble_link_listen(&world, 247);
    const uint8_t beginning[] = {0xFF, 0xFF, 4, 0, 0x52, 9, 0};
    ble_controller_data(&world.controller, 2, beginning, sizeof beginning);
    for (int i = 0; i < 150; i++) { /* fragments that never end */
        ble_controller_data(&world.controller, 1, bytes, sizeof bytes);
        ble_world_run(&world, BLE_STEP_MS);
    }
    ble_controller_data(&world.controller, 1, bytes, 10);                                 /* of nothing */
    ble_controller_data(&world.controller, 3, bytes, 10);                                 /* of no kind */
    ble_controller_data(&world.controller, 2, bytes, 0);                                  /* empty */
    ble_controller_data(&world.controller, 1, bytes, 3);                                  /* no whole head */
    ble_controller_data(&world.controller, 2, (uint8_t[]){1, 0, 4, 0, 0x0A, 5, 0}, 7);    /* longer than it says */
    ble_controller_data(&world.controller, 2, (uint8_t[]){3, 0, 0x40, 0, 0x0A, 5, 0}, 7); /* a channel that is not */
    ble_controller_data(&world.controller, 2, (uint8_t[]){0xF8, 0, 4, 0, 0x0A, 5, 0}, 7); /* 248 bytes */
    ble_controller_data(&world.controller, 0, (uint8_t[]){0, 0, 4, 0}, 4);                /* no opcode */
    ble_controller_data(&world.controller, 2, (uint8_t[]){3, 0, 4, 0, 0x0A}, 5);          /* cut by the next one */
    const uint16_t handle = world.controller.handle;
    world.controller.handle = 0x0123;
    ble_controller_data(&world.controller, 2, (uint8_t[]){3, 0, 4, 0, 0x0A, 5, 0}, 7); /* another connection's */
    world.controller.handle = handle;
    const unsigned said = world.controller.said_count;
    ble_world_run(&world, 100);
    assert_int_equal(world.controller.said_count, said);
    assert_non_null(ble_world_ask(&world, (uint8_t[]){0x0A, 5, 0}, 3));
    assert_int_equal(world.controller.resets, 1);
    assert_null(world.controller.fault);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(notifies_in_pieces_of_any_buffer, begin),
        cmocka_unit_test_setup(sends_nothing_that_nobody_can_take, begin),
        cmocka_unit_test_setup(waits_for_buffers_and_answers_meanwhile, begin),
        cmocka_unit_test_setup(a_disconnection_gives_all_buffers_back, begin),
        cmocka_unit_test_setup(more_completed_than_sent_is_harmless, begin),
        cmocka_unit_test_setup(takes_parts_in_any_pieces, begin),
        cmocka_unit_test_setup(parts_that_nobody_takes_hold_the_line, begin),
        cmocka_unit_test_setup(short_parts_fill_the_inbox_too, begin),
        cmocka_unit_test_setup(the_inbox_is_filled_to_its_last_byte, begin),
        cmocka_unit_test_setup(parts_of_a_central_that_is_gone_are_dropped, begin),
        cmocka_unit_test_setup(parts_are_cut_to_the_capacity, begin),
        cmocka_unit_test_setup(senseless_pieces_are_harmless, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
