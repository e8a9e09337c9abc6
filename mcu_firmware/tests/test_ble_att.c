/* The attribute server against the golden transcript of every opcode, golden/att.txt. */
#include "ble_world.h"
#include "check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRANSCRIPT "mcu_firmware/tests/golden/att.txt"

static ble_world world;

static size_t read_hex(const char *text, const char *end, uint8_t *bytes, size_t capacity) {
    size_t size = 0;
    for (const char *c = text; c < end; c++) {
        if (isxdigit((unsigned char)c[0])) {
            assert_true(size < capacity && isxdigit((unsigned char)c[1]));
            bytes[size++] = (uint8_t)strtoul((char[]){c[0], c[1], 0}, NULL, 16);
            c++;
        }
    }
    return size;
}

static void write_hex(const uint8_t *bytes, size_t size, char *text) {
    for (size_t i = 0; i < size; i++) {
        text += sprintf(text, "%s%02X", i == 0 ? "" : " ", bytes[i]);
    }
    *text = 0;
}

static void connect_anew(void) {
    ble_world_init(&world);
    ble_world_connect(&world, 0x40);
}

/* Sends the left side of a line, and compares the right one. */
static uint8_t expect_line(const char *line) {
    uint8_t request[ATTUNE_BLE_MTU], expected[ATTUNE_BLE_MTU], part[ATTUNE_BLE_PART];
    char said[4 * ATTUNE_BLE_MTU] = "-";
    char wanted[4 * ATTUNE_BLE_MTU] = "-";
    const char *arrow = strstr(line, "->");
    const char *end = strchr(line, '#') != NULL ? strchr(line, '#') : line + strlen(line);
    assert_non_null(arrow);
    const size_t size = read_hex(line, arrow, request, sizeof request);
    const size_t expected_size = read_hex(arrow + 2, end, expected, sizeof expected);
    const ble_packet *answer = ble_world_ask(&world, request, size);
    if (expected_size > 0) {
        write_hex(expected, expected_size, wanted);
    }
    if (answer != NULL) {
        write_hex(answer->payload, answer->size, said);
    }
    if (strcmp(said, wanted) != 0) {
        fail_msg("%.*s-> %s, and not %s", (int)(arrow - line), line, said, wanted);
    }
    assert_null(world.controller.fault);
    while (attune_ble_receive(&world.ble, part, sizeof part) > 0) {
    }
    return request[0];
}

static void answers_every_opcode_as_the_transcript_says(void **state) {
    (void)state;
    char line[1024];
    bool seen[256] = {false};
    FILE *file = fopen(TRANSCRIPT, "r");
    if (file == NULL) {
        fail_msg("%s is missing: run this test in the folder of the project.", TRANSCRIPT);
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "connect", 7) == 0) {
            connect_anew();
        } else if (isxdigit((unsigned char)line[0])) {
            seen[expect_line(line)] = true;
        }
    }
    fclose(file);
    for (int opcode = 0; opcode < 256; opcode++) {
        assert_true(seen[opcode]);
    }
}

static void nothing_is_no_request(void **state) {
    (void)state;
    connect_anew();
    assert_null(ble_world_ask(&world, (const uint8_t[]){0}, 0));
}

/* A central that does not wait for answers loses some of them, and nothing else. */
static void requests_without_waiting_are_harmless(void **state) {
    (void)state;
    connect_anew();
    ble_world_listen(&world, 247);
    world.controller.keeps_completed = true;
    for (int i = 0; i < 200; i++) {
        ble_controller_send(&world.controller, 4, (uint8_t[]){0x0E, 3, 0, 3, 0}, 5, 251);
        ble_controller_send(&world.controller, 6, (uint8_t[]){0x01, 3, 0, 1, 16, 0, 0}, 7, 251);
    }
    ble_world_run(&world, 1000);
    world.controller.keeps_completed = false;
    ble_controller_complete(&world.controller, world.controller.filled);
    ble_world_run(&world, 1000);
    const ble_packet *answer = ble_world_ask(&world, (uint8_t[]){0x0A, 5, 0}, 3);
    assert_non_null(answer);
    assert_memory_equal(answer->payload, ((uint8_t[]){0x0B, 0x40, 0x05}), 3);
    assert_null(world.controller.fault);
}

/* Random bytes: there is an answer or none, it fits the MTU, and the server goes on. */
static void any_bytes_are_harmless(void **state) {
    (void)state;
    uint64_t random = 77;
    uint8_t request[ATTUNE_BLE_MTU], part[ATTUNE_BLE_PART];
    connect_anew();
    for (int i = 0; i < 20000; i++) {
        const size_t size = random_below(&random, i % 2 == 0 ? 8 : sizeof request);
        for (size_t at = 0; at < size; at++) {
            request[at] = (uint8_t)random_below(&random, at > 0 && i % 3 > 0 ? 14 : 256);
        }
        ble_controller_send(&world.controller, 4, request, size, 1 + random_below(&random, 251));
        ble_world_run(&world, BLE_STEP_MS);
        while (attune_ble_receive(&world.ble, part, sizeof part) > 0) {
        }
        const ble_packet *answer = ble_controller_heard(&world.controller, 4);
        assert_true(answer == NULL || answer->size <= world.ble.link.mtu);
        assert_null(world.controller.fault);
    }
    connect_anew();
    assert_non_null(ble_world_ask(&world, (uint8_t[]){0x0A, 5, 0}, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_every_opcode_as_the_transcript_says),
        cmocka_unit_test(nothing_is_no_request),
        cmocka_unit_test(requests_without_waiting_are_harmless),
        cmocka_unit_test(any_bytes_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
