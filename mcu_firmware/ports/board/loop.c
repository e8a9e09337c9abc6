#include "board/loop.h"

#include "board/carrier.h"

#include <string.h>

#define BOARD_MS 1000u

static void entropy(void *context, uint8_t *bytes, size_t size) {
    (void)context;
    attune_port_entropy(bytes, size);
}

/* Keys, releases, labels and reports are in the store: it opens before anything else. */
static bool open_node(attune_loop *loop, const attune_identity *identity, const attune_node_type *type) {
    return attune_store_open(&loop->store, attune_port_flash()) == ATTUNE_STORE_OK &&
           attune_node_init(&loop->node, identity, type->sensor, type->sensors, type->window_s) == ATTUNE_SCHEMA_OK &&
           attune_node_keep(&loop->node, &loop->store) == ATTUNE_STORE_OK &&
           attune_node_open_keys(&loop->node, &(attune_keeper){.entropy = entropy});
}

bool attune_loop_init(attune_loop *loop) {
    memset(loop, 0, sizeof *loop);
    attune_identity identity;
    if (!attune_port_identity(&identity)) {
        return false;
    }
    if (!open_node(loop, &identity, attune_port_node_type())) {
        attune_port_say("The flash cannot be read or written, so this node does not start: replace the board.\n");
        return false;
    }
    attune_port_board(&loop->node.board);
    attune_carrier_begin();
    return true;
}

static bool measure(attune_loop *loop) {
    attune_reading reading;
    for (int i = 0; i < ATTUNE_LOOP_READINGS; i++) {
        if (!attune_port_reading(&reading)) {
            return i > 0;
        }
        /* What the node refuses it counts itself. */
        (void)attune_node_sample(&loop->node, reading.sensor, reading.tick_ms, reading.value);
    }
    return true;
}

/* One at a time: nobody presses faster than the loop turns. */
static bool take_press(attune_loop *loop) {
    attune_button_event event;
    if (!attune_port_button(&event)) {
        return false;
    }
    attune_node_press(&loop->node, event.tick_ms, event.class_index);
    return true;
}

static void pass_time(attune_loop *loop) {
    const uint64_t now_ms = attune_port_now_ms();
    if (now_ms - loop->board_ms >= BOARD_MS) {
        loop->board_ms = now_ms;
        attune_port_board(&loop->node.board);
    }
    attune_node_poll(&loop->node, now_ms);
}

static void show(attune_loop *loop) {
    const bool on = attune_node_blinks(&loop->node) && loop->node.now_ms / ATTUNE_LOOP_LAMP_MS % 2 == 0;
    if (on != loop->lamp) {
        loop->lamp = on;
        attune_port_lamp(on);
    }
}

bool attune_loop_step(attune_loop *loop) {
    bool work = attune_carrier_receive(&loop->node);
    work = measure(loop) || work;
    work = take_press(loop) || work;
    pass_time(loop);
    show(loop);
    work = attune_carrier_send(&loop->node) || work;
    attune_port_watchdog_kick();
    return work;
}
