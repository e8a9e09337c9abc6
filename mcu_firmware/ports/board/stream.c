#include "board/carrier.h"
#include "board/sizes.h"
#include "framing/frame.h"
#include "port.h"

#include <string.h>

/* Bytes that are taken at a time, so that they keep neither the rest of the loop nor the watchdog waiting. */
#define BYTES 64

static struct {
    attune_frame_decoder decoder;
    bool up;
    uint16_t sent;
    uint16_t size;
    uint8_t stream[ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME)];
} carrier;

ATTUNE_HOLDS(board, framing, sizeof carrier.decoder + sizeof carrier.stream);

void attune_carrier_begin(void) {
    memset(&carrier, 0, sizeof carrier);
    attune_frame_decoder_init(&carrier.decoder);
}

static void watch(attune_node *node) {
    const bool up = attune_port_link_up();
    if (up == carrier.up) {
        return;
    }
    carrier.up = up;
    /* Half a frame of the old connection must not run into the first of the new one: the lone zero ends what the other
     * side may still hold. */
    attune_frame_decoder_init(&carrier.decoder);
    carrier.stream[0] = 0;
    carrier.size = up ? 1 : 0;
    carrier.sent = 0;
    attune_node_link(node, up);
}

static void take_byte(attune_node *node, uint8_t byte) {
    switch (attune_frame_decode(&carrier.decoder, byte)) {
    case ATTUNE_FRAME_READY:
        attune_node_receive(node, carrier.decoder.buffer, carrier.decoder.size);
        break;
    case ATTUNE_FRAME_DAMAGED:
    case ATTUNE_FRAME_OVERSIZED:
        attune_node_damaged(node);
        break;
    case ATTUNE_FRAME_NONE:
        break;
    }
}

bool attune_carrier_receive(attune_node *node) {
    uint8_t bytes[BYTES];
    watch(node);
    const size_t size = attune_port_link_receive(bytes, sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        take_byte(node, bytes[i]);
    }
    return size > 0;
}

bool attune_carrier_send(attune_node *node) {
    if (carrier.sent == carrier.size) {
        uint8_t *frame = carrier.stream + ATTUNE_STREAM_AHEAD(ATTUNE_NODE_FRAME);
        const size_t size = attune_node_send(node, frame, ATTUNE_NODE_FRAME);
        carrier.sent = 0;
        carrier.size =
            size == 0 ? 0 : (uint16_t)attune_frame_encode(frame, size, carrier.stream, sizeof carrier.stream);
    }
    const size_t left = (size_t)(carrier.size - carrier.sent);
    const size_t taken = left == 0 ? 0 : attune_port_link_send(carrier.stream + carrier.sent, left);
    carrier.sent = (uint16_t)(carrier.sent + taken);
    return taken > 0;
}
