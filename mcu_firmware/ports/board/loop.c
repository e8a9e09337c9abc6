#include "board/loop.h"

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
    attune_frame_decoder_init(&loop->decoder);
    attune_identity identity;
    if (!attune_port_identity(&identity)) {
        return false;
    }
    if (!open_node(loop, &identity, attune_port_node_type())) {
        attune_port_say("The flash cannot be read or written, so this node does not start: replace the board.\n");
        return false;
    }
    attune_port_board(&loop->node.board);
    return true;
}

static void watch_link(attune_loop *loop) {
    const bool up = attune_port_link_up();
    if (up == loop->link_up) {
        return;
    }
    loop->link_up = up;
    /* Half a frame of the old connection must not run into the first of the new one: the lone zero ends what the other
     * side may still hold. */
    attune_frame_decoder_init(&loop->decoder);
    loop->stream[0] = 0;
    loop->stream_size = up ? 1 : 0;
    loop->stream_sent = 0;
    attune_node_link(&loop->node, up);
}

static void take_byte(attune_loop *loop, uint8_t byte) {
    switch (attune_frame_decode(&loop->decoder, byte)) {
    case ATTUNE_FRAME_READY:
        attune_node_receive(&loop->node, loop->decoder.buffer, loop->decoder.size);
        break;
    case ATTUNE_FRAME_DAMAGED:
    case ATTUNE_FRAME_OVERSIZED:
        attune_node_damaged(&loop->node);
        break;
    case ATTUNE_FRAME_NONE:
        break;
    }
}

static bool receive(attune_loop *loop) {
    uint8_t bytes[ATTUNE_LOOP_BYTES];
    const size_t size = attune_port_link_receive(bytes, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        take_byte(loop, bytes[i]);
    }
    return size > 0;
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

static bool transmit(attune_loop *loop) {
    if (loop->stream_sent == loop->stream_size) {
        uint8_t *frame = loop->stream + ATTUNE_STREAM_AHEAD(ATTUNE_NODE_FRAME);
        const size_t size = attune_node_send(&loop->node, frame, ATTUNE_NODE_FRAME);
        loop->stream_sent = 0;
        loop->stream_size =
            size == 0 ? 0 : (uint16_t)attune_frame_encode(frame, size, loop->stream, sizeof loop->stream);
    }
    const size_t left = (size_t)(loop->stream_size - loop->stream_sent);
    const size_t taken = left == 0 ? 0 : attune_port_link_send(loop->stream + loop->stream_sent, left);
    loop->stream_sent = (uint16_t)(loop->stream_sent + taken);
    return taken > 0;
}

bool attune_loop_step(attune_loop *loop) {
    watch_link(loop);
    bool work = receive(loop);
    work = measure(loop) || work;
    work = take_press(loop) || work;
    pass_time(loop);
    show(loop);
    work = transmit(loop) || work;
    attune_port_watchdog_kick();
    return work;
}
