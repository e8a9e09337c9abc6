/* The connection of a node: parts both ways, buffers, parameters, and centrals that do not behave. */
#include "ble_world.h"
#include "check.h"

#include <string.h>

#define HANDLE 0x0041

static ble_world world;

static int begin(void **state) {
    (void)state;
    ble_world_init(&world);
    return 0;
}

static void listen(uint16_t mtu) {
    ble_world_connect(&world, HANDLE);
    ble_world_listen(&world, mtu);
    assert_int_equal(attune_ble_part(&world.ble), mtu - 3);
}

static void expect_advertising(void) {
    for (int i = 0; i < 200 && !world.controller.advertising; i++) {
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_true(world.controller.advertising);
    assert_int_equal(world.ble.buffers.used, 0);
    assert_int_equal(attune_ble_part(&world.ble), 0);
    assert_null(world.controller.fault);
}

/* A part whose bytes tell its number and size. */
static void make_part(uint8_t *part, size_t size, unsigned number) {
    for (size_t i = 0; i < size; i++) {
        part[i] = (uint8_t)(number * 31 + i);
    }
}

static void write_part(unsigned number, size_t size, size_t piece) {
    uint8_t pdu[3 + ATTUNE_BLE_PART] = {0x52, 9, 0};
    make_part(pdu + 3, size, number);
    ble_controller_send(&world.controller, 4, pdu, 3 + size, piece);
}

static void expect_part(unsigned number, size_t size) {
    uint8_t part[ATTUNE_BLE_PART], expected[ATTUNE_BLE_PART];
    make_part(expected, size, number);
    for (int i = 0; i < 10 && world.ble.inbox.size == 0; i++) {
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_int_equal(attune_ble_receive(&world.ble, part, sizeof part), size);
    assert_memory_equal(part, expected, size);
}

static void expect_notified(unsigned back, unsigned number, size_t size) {
    uint8_t expected[3 + ATTUNE_BLE_PART] = {0x1B, 11, 0};
    make_part(expected + 3, size, number);
    const ble_packet *packet = &world.controller.said[(world.controller.said_count - 1 - back) % BLE_SAID];
    assert_int_equal(packet->channel, 4);
    assert_int_equal(packet->size, 3 + size);
    assert_memory_equal(packet->payload, expected, 3 + size);
}

static bool notify(unsigned number, size_t size) {
    uint8_t part[ATTUNE_BLE_PART + 1];
    make_part(part, size, number);
    return attune_ble_send(&world.ble, part, size);
}

static void expect_said(uint16_t channel, const uint8_t *bytes, size_t size) {
    const ble_packet *packet = ble_controller_heard(&world.controller, channel);
    assert_non_null(packet);
    assert_int_equal(packet->size, size);
    assert_memory_equal(packet->payload, bytes, size);
}

static void expect_command(uint16_t opcode, const uint8_t *parameters, size_t size) {
    assert_int_equal(world.controller.last_opcode, opcode);
    assert_memory_equal(world.controller.last, parameters, size);
}

/* --- Parts --- */

static void notifies_in_pieces_of_any_buffer(void **state) {
    (void)state;
    static const uint16_t lengths[] = {27, 28, 69, 250, 251, 252, 1021};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        ble_world_init(&world);
        world.controller.buffer_length = lengths[i];
        listen(247);
        for (unsigned number = 0; number < 20; number++) {
            assert_true(notify(number, 1 + 243 * number / 19));
            ble_world_run(&world, 5 * BLE_STEP_MS);
            expect_notified(0, number, 1 + 243 * number / 19);
        }
        assert_null(world.controller.fault);
        assert_int_equal(world.ble.buffers.used, 0);
    }
}

static void sends_nothing_that_nobody_can_take(void **state) {
    (void)state;
    ble_world_run(&world, 500);
    assert_false(notify(0, 1));
    ble_world_connect(&world, HANDLE);
    assert_false(notify(0, 1));
    ble_world_listen(&world, 50);
    assert_false(notify(0, 48));
    assert_false(notify(0, 0));
    assert_true(notify(0, 47));
    (void)ble_world_ask(&world, (uint8_t[]){0x12, 12, 0, 0, 0}, 5);
    assert_int_equal(attune_ble_part(&world.ble), 0);
    assert_false(notify(0, 1));
}

static void waits_for_buffers_and_answers_meanwhile(void **state) {
    (void)state;
    world.controller.buffers = 3;
    listen(247);
    world.controller.keeps_completed = true;
    unsigned sent = 0;
    for (int i = 0; i < 20; i++) {
        sent += notify(sent, 244);
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_int_equal(world.controller.filled, 3);
    assert_int_equal(sent, 4); /* one waits in the node */
    const unsigned said = world.controller.said_count;
    assert_null(ble_world_ask(&world, (uint8_t[]){0x0A, 5, 0}, 3)); /* its answer waits behind it */
    ble_controller_complete(&world.controller, 2);
    ble_world_run(&world, 3 * BLE_STEP_MS);
    assert_int_equal(world.controller.said_count, said + 2);
    expect_notified(1, 3, 244);
    expect_said(4, (uint8_t[]){0x0B, 0x40, 0x05}, 3);
    assert_null(world.controller.fault);
}

static void a_disconnection_gives_all_buffers_back(void **state) {
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        world.controller.keeps_completed = false;
        listen(247);
        world.controller.keeps_completed = true;
        for (unsigned number = 0; number < 10; number++) {
            (void)notify(number, 244);
            ble_world_run(&world, BLE_STEP_MS);
        }
        assert_int_equal(world.ble.buffers.used, 4);
        ble_controller_disconnect(&world.controller, 0x08); /* connection time-out */
        expect_advertising();
    }
    assert_int_equal(world.controller.resets, 1);
}

static void more_completed_than_sent_is_harmless(void **state) {
    (void)state;
    listen(247);
    world.controller.keeps_completed = true;
    assert_true(notify(0, 244));
    ble_world_run(&world, BLE_STEP_MS);
    ble_controller_event(&world.controller, 0x13, (uint8_t[]){2, 0x40, 0x00, 9, 0, HANDLE, 0x00, 0xFF, 0xFF}, 9);
    ble_controller_event(&world.controller, 0x13, (uint8_t[]){200, HANDLE, 0x00, 1, 0}, 5);
    ble_world_run(&world, BLE_STEP_MS);
    assert_int_equal(world.ble.buffers.used, 0);
    for (int i = 0; i < 20; i++) {
        (void)notify(1, 244);
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_int_equal(world.ble.buffers.used, 4);
}

static void takes_parts_in_any_pieces(void **state) {
    (void)state;
    listen(247);
    for (size_t piece = 1; piece <= 251; piece += 7) {
        for (unsigned number = 0; number < 3; number++) {
            write_part(number, 1 + (piece * 29 + number) % 244, piece);
        }
        for (unsigned number = 0; number < 3; number++) {
            expect_part(number, 1 + (piece * 29 + number) % 244);
        }
    }
    uint8_t part[ATTUNE_BLE_PART];
    assert_int_equal(attune_ble_receive(&world.ble, part, sizeof part), 0);
    assert_null(world.controller.fault);
}

/* The node is busy for a minute: nothing is read, nothing is lost, and nobody takes the controller for dead. */
static void parts_that_nobody_takes_hold_the_line(void **state) {
    (void)state;
    listen(247);
    for (unsigned number = 0; number < 12; number++) {
        write_part(number, 244, 27);
    }
    ble_world_run(&world, 60000);
    assert_true(world.controller.to_host_at < world.controller.to_host_size);
    for (unsigned number = 0; number < 12; number++) {
        expect_part(number, 244);
    }
    ble_world_run(&world, 1000);
    assert_int_equal(world.controller.resets, 1);
    assert_int_equal(attune_ble_part(&world.ble), 244);
    assert_null(world.controller.fault);
}

static void short_parts_fill_the_inbox_too(void **state) {
    (void)state;
    listen(247);
    for (unsigned number = 0; number < 2000; number++) {
        write_part(number, 1, 251);
    }
    for (unsigned number = 0; number < 2000; number++) {
        expect_part(number, 1);
    }
}

/* Each takes a byte more than it has: 201 + 201 + 88 are all there are, and 89 one too many. */
static void the_inbox_is_filled_to_its_last_byte(void **state) {
    (void)state;
    for (size_t last = 87; last <= 88; last++) {
        ble_world_init(&world);
        listen(247);
        write_part(0, 200, 251);
        write_part(1, 200, 251);
        write_part(2, last, 251);
        ble_world_run(&world, 5 * BLE_STEP_MS);
        assert_int_equal(world.ble.inbox.size, last == 87 ? ATTUNE_BLE_INBOX : 402);
        assert_int_equal(world.ble.incoming.held, last == 88);
        expect_part(0, 200);
        expect_part(1, 200);
        expect_part(2, last);
        assert_null(world.controller.fault);
    }
}

static void parts_of_a_central_that_is_gone_are_dropped(void **state) {
    (void)state;
    listen(247);
    write_part(0, 100, 251);
    ble_controller_data(&world.controller, 2, (uint8_t[]){50, 0, 4, 0, 0x52, 9, 0, 1}, 8); /* and half of one */
    ble_world_run(&world, BLE_STEP_MS);
    ble_controller_disconnect(&world.controller, 0x13);
    expect_advertising();
    listen(247);
    uint8_t part[ATTUNE_BLE_PART];
    assert_int_equal(attune_ble_receive(&world.ble, part, sizeof part), 0);
    write_part(1, 10, 251);
    expect_part(1, 10);
}

static void parts_are_cut_to_the_capacity(void **state) {
    (void)state;
    uint8_t part[ATTUNE_BLE_PART];
    listen(247);
    write_part(0, 244, 251);
    write_part(1, 5, 251);
    ble_world_run(&world, BLE_STEP_MS);
    assert_int_equal(attune_ble_receive(&world.ble, part, 10), 10);
    expect_part(1, 5);
}

/* --- Pieces that make no sense --- */

static void senseless_pieces_are_harmless(void **state) {
    (void)state;
    static const uint8_t bytes[251] = {0};
    listen(247);
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

/* --- Signalling and security --- */

static void rejects_what_it_does_not_understand(void **state) {
    (void)state;
    listen(247);
    /* Volume 3, part A, 4.20: a request for connection parameters is none for a peripheral; 4.1: command not understood */
    ble_controller_send(&world.controller, 5, (uint8_t[]){0x12, 7, 8, 0, 6, 0, 6, 0, 0, 0, 100, 0}, 12, 251);
    ble_world_run(&world, BLE_STEP_MS);
    expect_said(5, (uint8_t[]){0x01, 7, 2, 0, 0, 0}, 6);
    /* signalling MTU exceeded, and what it is; whether the command is read to its end or not */
    uint8_t command[300] = {0x14, 8, 22};
    for (size_t size = 24; size <= sizeof command; size += 69) {
        command[1]++;
        ble_controller_send(&world.controller, 5, command, size, 27);
        ble_world_run(&world, BLE_STEP_MS);
        expect_said(5, (uint8_t[]){0x01, command[1], 4, 0, 1, 0, 23, 0}, 8);
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
    listen(247);
    ble_controller_send(&world.controller, 6, (uint8_t[]){0x01, 3, 0, 1, 16, 0, 0}, 7, 251);
    ble_world_run(&world, BLE_STEP_MS);
    expect_said(6, (uint8_t[]){0x05, 0x05}, 2); /* part H, 3.5.5: pairing failed, pairing not supported */
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
    ble_world_connect(&world, HANDLE);
    /* 251 bytes in 2,120 us */
    expect_command(0x2022, (uint8_t[]){HANDLE, 0, 0xFB, 0x00, 0x48, 0x08}, 6);
    assert_int_equal(world.controller.count[0x22], 1);
    ble_world_init(&world);
    world.controller.features = 0;
    ble_world_connect(&world, HANDLE);
    assert_int_equal(world.controller.count[0x22], 0);
}

/* Volume 4, part E, 7.8.18: handle, intervals (1.25 ms), latency, time-out (10 ms), lengths of events. */
static const uint8_t ask_fast[] = {HANDLE, 0, 12, 0, 12, 0, 0, 0, 0x58, 0x02, 0, 0, 0, 0};
static const uint8_t ask_slow[] = {HANDLE, 0, 0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02, 0, 0, 0, 0};

static void asks_for_the_parameters_that_the_wish_means(void **state) {
    (void)state;
    listen(247);
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
    ble_world_connect(&world, HANDLE);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0, HANDLE, 0, 12, 0, 0, 0, 0x58, 0x02}, 10);
    ble_world_listen(&world, 247);
    ble_world_run(&world, 8000);
    assert_int_equal(world.controller.count[0x13], 0);
}

/* Part A, 4.20: code 12, identifier, 8 bytes: intervals, latency, time-out. */
static void asks_by_l2cap_where_the_link_layer_cannot(void **state) {
    (void)state;
    world.controller.features = 0x20;
    world.wish.fast = true;
    listen(247);
    expect_said(5, (uint8_t[]){0x12, 1, 8, 0, 12, 0, 12, 0, 0, 0, 0x58, 0x02}, 12);
    assert_int_equal(world.controller.count[0x13], 0);
    world.wish.fast = false;
    ble_world_run(&world, 6000);
    expect_said(5, (uint8_t[]){0x12, 2, 8, 0, 0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02}, 12);
}

static void asks_by_l2cap_if_the_controller_refuses(void **state) {
    (void)state;
    world.controller.failing = 0x2013;
    world.controller.failure = 0x11;
    world.wish.fast = true;
    listen(247);
    ble_world_run(&world, 100);
    expect_said(5, (uint8_t[]){0x12, 1, 8, 0, 12, 0, 12, 0, 0, 0, 0x58, 0x02}, 12);
    assert_int_equal(world.controller.count[0x13], 1);
}

static void asks_by_l2cap_if_the_other_controller_cannot(void **state) {
    (void)state;
    listen(247);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0x1A, HANDLE, 0, 0, 0, 0, 0, 0, 0}, 10);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0x3B, HANDLE, 0, 0, 0, 0, 0, 0, 0}, 10);
    ble_world_run(&world, 100);
    expect_said(5, (uint8_t[]){0x12, 1, 8, 0, 0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02}, 12);
    ble_world_run(&world, 30000);
    assert_int_equal(world.controller.count[0x13], 0);
}

/* --- Centrals and controllers that do not behave --- */

static void a_central_that_does_not_listen_is_sent_away(void **state) {
    (void)state;
    ble_world_connect(&world, HANDLE);
    ble_world_run(&world, 29000);
    assert_int_equal(world.controller.handle, HANDLE);
    ble_world_run(&world, 2000);
    assert_int_equal(world.controller.handle, BLE_NOBODY);
    expect_advertising();
    listen(247);
    (void)ble_world_ask(&world, (uint8_t[]){0x12, 12, 0, 0, 0}, 5);
    ble_world_run(&world, 31000); /* it listened once and does no more */
    expect_advertising();
    assert_int_equal(world.controller.resets, 1);
}

static void a_central_that_only_listens_is_sent_away(void **state) {
    (void)state;
    listen(247);
    for (int minute = 0; minute < 40; minute += 10) {
        ble_world_run(&world, 600000);
        write_part(0, 1, 251);
        expect_part(0, 1);
    }
    assert_int_equal(attune_ble_part(&world.ble), 244);
    ble_world_run(&world, 901000);
    expect_advertising();
}

static void a_disconnection_that_does_not_come_ends_in_a_reset(void **state) {
    (void)state;
    world.controller.failing = 0x0406;
    world.controller.failure = 0x0C;
    ble_world_connect(&world, HANDLE);
    ble_world_run(&world, 31000);
    assert_int_equal(world.controller.resets, 1);
    ble_world_run(&world, 36000);
    assert_int_equal(world.controller.resets, 2);
    expect_advertising();
}

static void a_connection_that_failed_is_none(void **state) {
    (void)state;
    ble_world_run(&world, 500);
    uint8_t event[19] = {0x01, 0x3E, HANDLE, 0, 1};
    world.controller.advertising = false;
    ble_controller_event(&world.controller, 0x3E, event, sizeof event);
    ble_world_run(&world, 100);
    expect_advertising();
    event[1] = 0;
    event[4] = 0; /* the role of a central */
    world.controller.advertising = false;
    ble_controller_event(&world.controller, 0x3E, event, sizeof event);
    ble_world_run(&world, 100);
    expect_advertising();
    assert_int_equal(world.controller.resets, 1);
}

static void a_connection_that_cannot_be_ends_in_a_reset(void **state) {
    (void)state;
    const uint8_t event[19] = {0x01, 0, 0x55, 0, 1};
    listen(247);
    ble_controller_event(&world.controller, 0x3E, event, sizeof event);
    ble_world_run(&world, 100);
    expect_advertising();
    assert_int_equal(world.controller.resets, 2);
}

/* The answer to the command that lets centrals connect comes after one has connected, or has even gone again. */
static void a_central_may_be_faster_than_an_answer(void **state) {
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        ble_world_init(&world);
        ble_world_connect(&world, HANDLE);
        world.controller.late_answers = true;
        ble_controller_disconnect(&world.controller, 0x13);
        ble_world_run(&world, 100); /* the command has come, its answer is kept */
        ble_controller_connect(&world.controller, HANDLE);
        if (gone > 0) {
            ble_controller_disconnect(&world.controller, 0x3E);
        }
        ble_world_run(&world, 100);
        world.controller.late_answers = false;
        ble_controller_answer(&world.controller);
        ble_world_run(&world, 100);
        if (gone > 0) {
            expect_advertising();
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
    listen(247);
    ble_controller_event(&world.controller, 0x05, (uint8_t[]){0, 0x42, 0, 0x13}, 4);
    ble_controller_event(&world.controller, 0x05, (uint8_t[]){0x0C, HANDLE, 0, 0x13}, 4); /* failed */
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x03, 0, 0x42, 0, 12, 0, 0, 0, 0x58, 0x02}, 10);
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x0C, 0, HANDLE, 0, 2, 2}, 6); /* PHY update */
    ble_controller_event(&world.controller, 0x3E, (uint8_t[]){0x07, HANDLE, 0, 0xFB, 0, 0x48, 8, 0xFB, 0, 0x48, 8},
                         11);                                                       /* data length change */
    ble_controller_event(&world.controller, 0x08, (uint8_t[]){0, HANDLE, 0, 1}, 4); /* encryption */
    ble_world_run(&world, 1000);
    assert_int_equal(attune_ble_part(&world.ble), 244);
    assert_int_equal(world.controller.resets, 1);
}

static void the_controller_is_asked_whether_it_knows_the_connection(void **state) {
    (void)state;
    listen(247);
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
        ble_world_connect(&world, HANDLE);
        ble_world_run(&world, 29000);
        assert_int_equal(world.controller.handle, HANDLE);
        ble_world_run(&world, 2000);
        expect_advertising();
        assert_int_equal(world.controller.resets, 1);
        listen(247);
        ble_world_run(&world, 30000);
        write_part(0, 244, 251);
        expect_part(0, 244);
        assert_true(notify(1, 244));
        ble_world_run(&world, 100);
        expect_notified(0, 1, 244);
        ble_controller_disconnect(&world.controller, 0x13);
        expect_advertising();
        assert_int_equal(world.controller.resets, 1);
        ble_world_run(&world, 59000);
        assert_int_equal(world.controller.resets, 1);
        ble_world_run(&world, 2000);
        assert_int_equal(world.controller.resets, 2);
    }
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
