/* From a reset of the controller to advertising, whatever the controller does meanwhile. */
#include "ble_world.h"
#include "check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A controller that loses its state in silence is found by the next refresh. */
#define RECOVERY_MS 65000

static ble_world world;

static int begin(void **state) {
    (void)state;
    ble_world_init(&world);
    return 0;
}

static size_t hex(const char *text, uint8_t *bytes) {
    size_t size = 0;
    for (const char *c = text; *c != 0; c++) {
        if (isxdigit((unsigned char)*c)) {
            bytes[size++] = (uint8_t)strtoul((char[]){c[0], c[1], 0}, NULL, 16);
            c++;
        }
    }
    return size;
}

/* --- The bytes of a bring-up, worked by hand from the Core Specification 5.4, volume 4, parts A and E --- */

typedef struct exchange {
    const char *host;       /* a packet of the host */
    const char *controller; /* and its answer */
} exchange;

static const exchange bring_up[] = {
    /* 7.3.2 Reset: packet type 01 command, opcode OGF 3 OCF 3 (0x0C03), no parameters; command complete (0E), 4 bytes, one command more */
    {"01 030C 00", "04 0E 04 01 030C 00"},
    /* 7.3.1 Set Event Mask: bits 4 (disconnection complete), 15 (hardware error), 25 (data buffer overflow), 61 (LE meta) */
    {"01 010C 08 1080000200000020", "04 0E 04 01 010C 00"},
    /* 7.3.79 Write LE Host Support: LE enabled, unused; a controller without BR/EDR does not know it */
    {"01 6D0C 02 01 00", "04 0E 04 01 6D0C 01"},
    /* 7.8.1 LE Set Event Mask: bits 0 (connection complete), 2 (connection update complete) */
    {"01 0120 08 0500000000000000", "04 0E 04 01 0120 00"},
    /* 7.8.3 LE Read Local Supported Features: bits 1 (connection parameters request), 5 (data packet length extension) */
    {"01 0320 00", "04 0E 0C 01 0320 00 2200000000000000"},
    /* 7.8.2 LE Read Buffer Size: 2 buffers of 27 bytes */
    {"01 0220 00", "04 0E 07 01 0220 00 1B00 02"},
    /* 7.8.4 LE Set Random Address C6:55:44:33:22:11, low byte first */
    {"01 0520 06 1122334455C6", "04 0E 04 01 0520 00"},
    /* 7.8.5 LE Set Advertising Parameters: 338 * 0.625 ms twice, ADV_IND, own address random, peer public and zero, channels 37 to 39, no filter */
    {"01 0620 0F 5201 5201 00 01 00 000000000000 07 00", "04 0E 04 01 0620 00"},
    /* 7.8.7 LE Set Advertising Data: 29 bytes; flags (06: general discoverable, no BR/EDR); 25 bytes of service data with the UUID
     * c97a0001-01a0-45f9-bfa5-88579b592de5 and the hint; two zeros up to 31 */
    {"01 0820 20 1D 020106 1921 E52D599B5788A5BFF945A00101007AC9 0102030405060708 0000", "04 0E 04 01 0820 00"},
    /* 7.8.9 LE Set Advertising Enable */
    {"01 0A20 01 01", "04 0E 04 01 0A20 00"},
};

typedef struct script {
    uint8_t said[1024];
    size_t said_size;
    uint8_t answer[1024];
    size_t answer_size;
    size_t answer_at;
} script;

static size_t script_send(void *context, const uint8_t *bytes, size_t size) {
    script *line = context;
    assert_true(line->said_size + size <= sizeof line->said);
    memcpy(line->said + line->said_size, bytes, size);
    line->said_size += size;
    return size;
}

static size_t script_receive(void *context, uint8_t *bytes, size_t capacity) {
    script *line = context;
    const size_t waiting = line->answer_size - line->answer_at;
    const size_t taken = waiting < capacity ? waiting : capacity;
    memcpy(bytes, line->answer + line->answer_at, taken);
    line->answer_at += taken;
    return taken;
}

static void brings_up_by_the_bytes_of_the_specification(void **state) {
    (void)state;
    static script line;
    memset(&line, 0, sizeof line);
    const attune_hci hci = {.context = &line, .send = script_send, .receive = script_receive};
    attune_ble_init(&world.ble, &hci);
    for (size_t i = 0; i < sizeof bring_up / sizeof bring_up[0]; i++) {
        uint8_t expected[64];
        line.said_size = 0;
        attune_ble_step(&world.ble, &world.wish, world.now_ms);
        attune_ble_step(&world.ble, &world.wish, world.now_ms);
        assert_int_equal(hex(bring_up[i].host, expected), line.said_size);
        assert_memory_equal(expected, line.said, line.said_size);
        line.answer_at = 0;
        line.answer_size = hex(bring_up[i].controller, line.answer);
    }
    line.said_size = 0;
    attune_ble_step(&world.ble, &world.wish, world.now_ms);
    assert_int_equal(line.said_size, 0);
    assert_int_equal(world.ble.buffers.length, 27);
    assert_int_equal(world.ble.buffers.count, 2);
}

/* --- What controllers do --- */

static void expect_advertising(uint32_t within_ms) {
    for (uint32_t ms = 0; ms < within_ms && !world.controller.advertising; ms += BLE_STEP_MS) {
        ble_world_run(&world, BLE_STEP_MS);
    }
    assert_true(world.controller.advertising);
    assert_memory_equal(world.controller.address, world.wish.address, ATTUNE_BLE_ADDRESS);
    assert_memory_equal(world.controller.advertised + 22, world.wish.hint, ATTUNE_BLE_HINT);
    assert_int_equal(world.controller.parameters[4], 0);
    assert_null(world.controller.fault);
}

static void advertises_whatever_the_line_moves_at_once(void **state) {
    (void)state;
    for (size_t chunk = 1; chunk <= 9; chunk++) {
        ble_world_init(&world);
        world.controller.chunk = chunk;
        expect_advertising(1000);
    }
}

static void takes_the_buffers_that_are_shared(void **state) {
    (void)state;
    world.controller.shared = true;
    world.controller.buffer_length = 0x1FD;
    world.controller.buffers = 7;
    expect_advertising(1000);
    assert_int_equal(world.ble.buffers.length, 0x1FD);
    assert_int_equal(world.ble.buffers.count, 7);
}

static void waits_for_a_controller_that_is_not_there_yet(void **state) {
    (void)state;
    world.controller.mute = true;
    ble_world_run(&world, 30000);
    assert_in_range(world.controller.commands, 10, 31); /* a reset every two to three seconds */
    world.controller.mute = false;
    expect_advertising(4000);
}

static void waits_for_a_line_that_takes_nothing(void **state) {
    (void)state;
    world.controller.deaf = true;
    ble_world_run(&world, 30000);
    world.controller.deaf = false;
    expect_advertising(4000);
}

static void tries_again_after_each_command_that_fails(void **state) {
    (void)state;
    static const uint16_t opcodes[] = {0x0C01, 0x2001, 0x2002, 0x2005, 0x2006, 0x2008, 0x200A};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        ble_world_init(&world);
        world.controller.failing = opcodes[i];
        world.controller.failure = 0x0C;
        ble_world_run(&world, 5000);
        assert_false(world.ble.setup.phase == 3); /* not ready */
        assert_in_range(world.controller.resets, 3, 6);
        world.controller.failing = 0;
        world.controller.advertising = false;
        expect_advertising(3000);
    }
}

static void does_without_what_it_can_do_without(void **state) {
    (void)state;
    static const uint16_t opcodes[] = {0x0C6D, 0x2003};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        ble_world_init(&world);
        world.controller.failing = opcodes[i];
        world.controller.failure = 0x01;
        expect_advertising(1000);
        assert_int_equal(world.controller.resets, 1);
    }
}

static void refuses_a_controller_without_buffers(void **state) {
    (void)state;
    world.controller.buffer_length = 26;
    ble_world_run(&world, 5000);
    assert_false(world.controller.advertising);
    ble_world_init(&world);
    world.controller.buffers = 0;
    world.controller.shared = true;
    ble_world_run(&world, 5000);
    assert_false(world.controller.advertising);
}

static void waits_until_the_controller_takes_commands(void **state) {
    (void)state;
    world.controller.credits = 0;
    ble_world_run(&world, 500);
    assert_int_equal(world.controller.commands, 1);
    world.controller.credits = 1;
    world.controller.available = 1;
    /* 7.7.14: an opcode of zero says no more than how many commands it takes */
    ble_controller_event(&world.controller, 0x0E, (uint8_t[]){1, 0, 0}, 3);
    expect_advertising(1000);
    assert_int_equal(world.controller.resets, 1);
}

static void resets_a_controller_that_never_takes_commands_again(void **state) {
    (void)state;
    world.controller.credits = 0;
    ble_world_run(&world, 10000);
    assert_in_range(world.controller.resets, 3, 6);
    world.controller.credits = 1;
    expect_advertising(4000);
}

static void starts_again_when_the_controller_says_that_it_failed(void **state) {
    (void)state;
    expect_advertising(1000);
    ble_controller_forget(&world.controller);
    ble_controller_event(&world.controller, 0x10, (uint8_t[]){0x42}, 1);
    expect_advertising(2000);
    ble_controller_forget(&world.controller);
    ble_controller_event(&world.controller, 0x1A, (uint8_t[]){0x01}, 1);
    expect_advertising(2000);
    assert_int_equal(world.controller.resets, 3);
}

static void finds_a_controller_that_has_lost_all_in_silence(void **state) {
    (void)state;
    expect_advertising(1000);
    ble_controller_forget(&world.controller);
    expect_advertising(RECOVERY_MS);
    ble_world_connect(&world, 0x40);
    ble_world_listen(&world, 247);
    assert_int_equal(attune_ble_part(&world.ble), 244);
    ble_controller_forget(&world.controller);
    expect_advertising(RECOVERY_MS);
    assert_int_equal(attune_ble_part(&world.ble), 0);
}

/* Some bytes have been lost, and what follows makes no sense. */
static void finds_its_place_again_in_garbage(void **state) {
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 200; i++) {
        ble_world_init(&world);
        ble_world_run(&world, random_below(&random, 300));
        for (uint32_t left = random_below(&random, 300); left > 0; left--) {
            const uint8_t byte = (uint8_t)random_below(&random, 256);
            ble_controller_bytes(&world.controller, &byte, 1);
        }
        ble_world_run(&world, 10000);
        world.controller.fault = NULL; /* it cannot count commands while it does not understand */
        ble_controller_forget(&world.controller);
        expect_advertising(RECOVERY_MS);
    }
}

static void a_second_answer_to_the_reset_is_harmless(void **state) {
    (void)state;
    world.controller.late_answers = true;
    ble_world_run(&world, 4000); /* the second reset is on its way */
    assert_int_equal(world.controller.resets, 2);
    world.controller.late_answers = false;
    ble_controller_event(&world.controller, 0x0E, (uint8_t[]){1, 0x03, 0x0C, 0}, 4);
    ble_controller_answer(&world.controller);
    expect_advertising(4000);
}

static void takes_up_another_hint_and_address(void **state) {
    (void)state;
    expect_advertising(1000);
    ble_world_run(&world, 5000);
    world.wish.hint[0] ^= 0xFF;
    ble_world_run(&world, 500);
    expect_advertising(BLE_STEP_MS);
    ble_world_run(&world, 1000);
    world.wish.address[3] ^= 0xFF;
    ble_world_run(&world, 500);
    expect_advertising(BLE_STEP_MS);
    assert_int_equal(world.controller.resets, 3); /* an address of this kind changes with a restart only */
}

static void another_address_waits_for_the_end_of_the_connection(void **state) {
    (void)state;
    ble_world_connect(&world, 0x40);
    ble_world_listen(&world, 247);
    world.wish.address[3] ^= 0xFF;
    ble_world_run(&world, 60000);
    assert_int_equal(world.controller.resets, 1);
    assert_int_equal(attune_ble_part(&world.ble), 244);
    ble_controller_disconnect(&world.controller, 0x13);
    ble_world_run(&world, 500);
    expect_advertising(BLE_STEP_MS);
    assert_int_equal(world.controller.resets, 2);
}

static void events_of_wrong_length_are_harmless(void **state) {
    (void)state;
    expect_advertising(1000);
    ble_world_connect(&world, 0x40);
    ble_world_listen(&world, 100);
    static const uint8_t codes[] = {0x05, 0x0E, 0x0F, 0x13, 0x3E, 0x57, 0xFF};
    static const uint8_t nothing[255] = {0};
    for (size_t i = 0; i < sizeof codes; i++) {
        for (size_t size = 0; size < 4; size++) {
            ble_controller_event(&world.controller, codes[i], nothing, codes[i] == 0x0E && size == 3 ? 2 : size);
            ble_world_run(&world, BLE_STEP_MS);
        }
        if (codes[i] != 0x0E && codes[i] != 0x0F) {
            ble_controller_event(&world.controller, codes[i], nothing, 255);
            ble_world_run(&world, BLE_STEP_MS);
        }
    }
    ble_controller_event(&world.controller, 0x0E, (uint8_t[]){1, 0, 0}, 3);
    ble_world_run(&world, 20000);
    assert_int_equal(attune_ble_part(&world.ble), 97);
    assert_int_equal(world.controller.resets, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(brings_up_by_the_bytes_of_the_specification, begin),
        cmocka_unit_test_setup(advertises_whatever_the_line_moves_at_once, begin),
        cmocka_unit_test_setup(takes_the_buffers_that_are_shared, begin),
        cmocka_unit_test_setup(waits_for_a_controller_that_is_not_there_yet, begin),
        cmocka_unit_test_setup(waits_for_a_line_that_takes_nothing, begin),
        cmocka_unit_test_setup(tries_again_after_each_command_that_fails, begin),
        cmocka_unit_test_setup(does_without_what_it_can_do_without, begin),
        cmocka_unit_test_setup(refuses_a_controller_without_buffers, begin),
        cmocka_unit_test_setup(waits_until_the_controller_takes_commands, begin),
        cmocka_unit_test_setup(resets_a_controller_that_never_takes_commands_again, begin),
        cmocka_unit_test_setup(starts_again_when_the_controller_says_that_it_failed, begin),
        cmocka_unit_test_setup(finds_a_controller_that_has_lost_all_in_silence, begin),
        cmocka_unit_test_setup(finds_its_place_again_in_garbage, begin),
        cmocka_unit_test_setup(a_second_answer_to_the_reset_is_harmless, begin),
        cmocka_unit_test_setup(takes_up_another_hint_and_address, begin),
        cmocka_unit_test_setup(another_address_waits_for_the_end_of_the_connection, begin),
        cmocka_unit_test_setup(events_of_wrong_length_are_harmless, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
