/* Whatever a controller and a central may legally do, in any order and any pieces: parts arrive whole, in order and once, buffers are counted right,
 * and after each loss the node advertises again. */
#include "ble_world.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS 60
#define STEPS 3000

/* A silent loss of all state is found by the next refresh, or by the next question about a connection. */
#define RECOVERY_MS 65000

typedef struct disorder {
    ble_world world;
    uint64_t random;
    unsigned written; /* parts of this connection: by the central */
    unsigned taken;   /*                           by the node */
    unsigned sent;    /* notified */
    unsigned heard;
    unsigned said_seen;
    size_t longest; /* part that is notified in this connection */
    bool asking;    /* an answer is awaited */
} disorder;

static disorder all;

static bool one_in(uint32_t n) { return random_below(&all.random, n) == 0; }

static size_t size_of(unsigned number, size_t limit) { return 1 + number * 37 % limit; }

static void fill(uint8_t *part, size_t size, unsigned number) {
    for (size_t i = 0; i < size; i++) {
        part[i] = (uint8_t)(number * 17 + i);
    }
}

static void start(uint64_t seed) {
    ble_controller *controller = &all.world.controller;
    memset(&all, 0, sizeof all);
    all.random = seed;
    ble_world_init(&all.world);
    controller->buffer_length = (uint16_t)(27 + random_below(&all.random, 300));
    controller->buffers = (uint8_t)(1 + random_below(&all.random, 6));
    controller->shared = one_in(3);
    controller->features = (uint8_t)random_below(&all.random, 256);
    controller->credits = (uint8_t)(1 + random_below(&all.random, 3));
    controller->chunk = one_in(2) ? 0 : 1 + random_below(&all.random, 40);
    controller->keeps_completed = true;
    controller->late_answers = true;
}

/* --- The central --- */

static size_t largest_part(void) { return (size_t)all.world.ble.link.mtu - 3; }

static void central_writes(void) {
    uint8_t pdu[ATTUNE_BLE_MTU] = {0x52, 9, 0};
    const size_t size = size_of(all.written, largest_part());
    pdu[3] = (uint8_t)all.written;
    pdu[4] = (uint8_t)size;
    fill(pdu + 5, size > 2 ? size - 2 : 0, all.written);
    all.written++;
    ble_controller_send(&all.world.controller, 4, pdu, 3 + (size < 2 ? 2 : size), 1 + random_below(&all.random, 251));
}

static void central_asks(void) {
    static const uint8_t requests[][5] = {{0x0A, 5, 0}, {0x12, 12, 0, 1, 0}, {0x04, 1, 0, 3, 0}};
    const uint32_t which = random_below(&all.random, 3);
    ble_controller_send(&all.world.controller, 4, requests[which], which == 0 ? 3 : 5,
                        1 + random_below(&all.random, 9));
    all.asking = true;
}

static void central_begins(void) {
    all.written = all.taken = all.sent = all.heard = 0;
    all.said_seen = all.world.controller.said_count;
    ble_controller_connect(&all.world.controller, (uint16_t)random_below(&all.random, 0xF00));
    const uint16_t mtu = (uint16_t)(23 + random_below(&all.random, 300));
    all.longest = mtu < ATTUNE_BLE_MTU ? mtu - 3u : ATTUNE_BLE_PART;
    ble_controller_send(&all.world.controller, 4, (uint8_t[]){0x02, mtu & 0xFFu, (uint8_t)(mtu >> 8)}, 3, 7);
    all.asking = true;
}

static void central_goes(void) {
    ble_controller_disconnect(&all.world.controller, 0x08);
    all.asking = false;
}

static void central_does_something(void) {
    if (all.world.controller.handle == BLE_NOBODY) {
        if (all.world.controller.advertising && one_in(10)) {
            central_begins();
        }
        return;
    }
    if (one_in(300)) {
        central_goes();
    } else if (!all.asking && one_in(20)) {
        central_asks();
    } else if (!all.asking && one_in(5)) {
        central_writes();
    }
}

/* --- The controller --- */

static void controller_does_something(void) {
    ble_controller *controller = &all.world.controller;
    if (one_in(3)) {
        ble_controller_answer(controller);
    }
    if (controller->filled > 0 && one_in(3)) {
        ble_controller_complete(controller, 1 + random_below(&all.random, controller->filled));
    }
    if (one_in(100)) {
        ble_controller_event(controller, 0xFF, (uint8_t[]){1, 2, 3}, 3);
    }
}

/* --- The node --- */

static void expect_taken(const uint8_t *part, size_t size) {
    uint8_t expected[ATTUNE_BLE_PART];
    assert_true(size >= 2 && part[0] == (uint8_t)all.taken && (part[1] == size || part[1] < 2));
    fill(expected, size - 2, all.taken);
    assert_memory_equal(part + 2, expected, size - 2);
    all.taken++;
}

static void node_does_something(void) {
    uint8_t part[ATTUNE_BLE_PART];
    const uint16_t most = attune_ble_part(&all.world.ble);
    if (one_in(2)) {
        const size_t size = attune_ble_receive(&all.world.ble, part, sizeof part);
        if (size > 0) {
            expect_taken(part, size);
        }
    }
    if (most > 0 && one_in(2)) {
        const size_t size = size_of(all.sent, all.longest);
        fill(part, size, all.sent);
        all.sent += attune_ble_send(&all.world.ble, part, size);
    }
    if (one_in(500)) {
        all.world.wish.fast = !all.world.wish.fast;
    }
    if (one_in(2000)) {
        all.world.wish.hint[0]++;
    }
}

/* What the central has heard: notifications in order, and answers that it waits for. */
static void hear(void) {
    ble_controller *controller = &all.world.controller;
    for (; all.said_seen < controller->said_count; all.said_seen++) {
        const ble_packet *packet = &controller->said[all.said_seen % BLE_SAID];
        if (packet->channel != 4) {
            continue;
        }
        if (packet->payload[0] != 0x1B) {
            assert_true(all.asking && (packet->payload[0] & 1u) != 0);
            all.asking = false;
            continue;
        }
        uint8_t expected[ATTUNE_BLE_PART];
        const size_t size = size_of(all.heard, all.longest);
        fill(expected, size, all.heard++);
        assert_int_equal(packet->size, 3 + size);
        assert_memory_equal(packet->payload + 3, expected, size);
    }
}

static void step(void) {
    central_does_something();
    controller_does_something();
    if (!one_in(10)) { /* now and then the node is busy */
        ble_world_run(&all.world, BLE_STEP_MS);
        node_does_something();
    }
    hear();
    if (all.world.controller.fault != NULL) {
        fail_msg("%s", all.world.controller.fault);
    }
}

/* Everybody behaves again; what is under way ends. */
static void settle(void) {
    all.world.controller.late_answers = false;
    all.world.controller.keeps_completed = false;
    for (int i = 0; i < 500; i++) {
        ble_controller_answer(&all.world.controller);
        ble_controller_complete(&all.world.controller, all.world.controller.filled);
        ble_world_run(&all.world, BLE_STEP_MS);
        uint8_t part[ATTUNE_BLE_PART];
        const size_t size = attune_ble_receive(&all.world.ble, part, sizeof part);
        if (size > 0) {
            expect_taken(part, size);
        }
        hear();
    }
}

static void all_arrives_in_any_legal_disorder(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        start(seed * 0x9E3779B97F4A7C15u);
        for (int i = 0; i < STEPS; i++) {
            step();
        }
        settle();
        assert_int_equal(all.world.ble.buffers.used, 0);
        assert_true(all.world.controller.advertising || all.world.controller.handle != BLE_NOBODY);
        if (all.world.controller.handle != BLE_NOBODY) {
            assert_int_equal(all.taken, all.written);
            assert_int_equal(all.heard, all.sent);
            assert_false(all.asking);
        }
        assert_null(all.world.controller.fault);
    }
}

/* --- Resets --- */

static void expect_advertising(uint32_t within_ms) {
    for (uint32_t ms = 0; ms < within_ms && !all.world.controller.advertising; ms += BLE_STEP_MS) {
        ble_controller_answer(&all.world.controller);
        ble_world_run(&all.world, BLE_STEP_MS);
        uint8_t part[ATTUNE_BLE_PART];
        (void)attune_ble_receive(&all.world.ble, part, sizeof part);
    }
    ble_world_run(&all.world, BLE_STEP_MS);
    assert_true(all.world.controller.advertising);
    assert_memory_equal(all.world.controller.advertised + 22, all.world.wish.hint, ATTUNE_BLE_HINT);
    assert_int_equal(all.world.ble.buffers.used, 0);
    assert_int_equal(attune_ble_part(&all.world.ble), 0);
}

/* A controller loses all, in the middle of whatever there is, and says so or not. Then it serves as before. */
static void advertises_again_after_a_reset_at_any_moment(void **state) {
    (void)state;
    for (uint64_t moment = 0; moment < 400; moment++) {
        start(0xA5A5 + moment / 20);
        for (uint64_t i = 0; i < moment; i++) {
            step();
        }
        const bool says = moment % 2 == 0;
        ble_controller *controller = &all.world.controller;
        ble_controller_forget(controller);
        if (says) {
            if (one_in(2)) {
                controller->to_host_at = controller->to_host_size; /* and what it was about to say is lost, too */
                ble_controller_event(controller, 0x0E, (uint8_t[]){1, 0, 0}, 3);
            }
            ble_controller_event(controller, 0x10, (uint8_t[]){0}, 1);
        }
        expect_advertising(RECOVERY_MS);
        central_begins();
        for (int i = 0; i < 100; i++) {
            step();
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_arrives_in_any_legal_disorder),
        cmocka_unit_test(advertises_again_after_a_reset_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
