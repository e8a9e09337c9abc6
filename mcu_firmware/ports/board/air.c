/* Frames over Bluetooth, in parts. No frame carries the node's hint on the air: it is zeros there, and put in and taken out here. */
#include "ble/ble.h"
#include "board/carrier.h"
#include "board/sizes.h"
#include "framing/part.h"
#include "port.h"
#include "session/advertising.h"

#include <string.h>

/* What is quick stays so for a while: another pace takes the controllers several intervals to agree on, and what follows a handshake or a
 * part of an update comes within seconds. */
#define LINGER_MS 10000u

/* Kind, then the hint. */
#define HINT_AT 1

static struct {
    attune_ble ble;
    attune_advertising advertising;
    bool up;
    uint64_t fast_ms; /* the connection is wished fast until then */
    attune_part_cutter cutter;
    attune_part_joiner joiner;
    uint8_t in[ATTUNE_NODE_FRAME];
    uint8_t out[ATTUNE_PART_HEADER + ATTUNE_NODE_FRAME];
} carrier;

ATTUNE_HOLDS(board, ble, sizeof carrier.ble);
ATTUNE_HOLDS(board, framing, sizeof carrier.in + sizeof carrier.out + sizeof carrier.cutter + sizeof carrier.joiner);

static size_t send_hci(void *context, const uint8_t *bytes, size_t size) {
    (void)context;
    return attune_port_hci_send(bytes, size);
}

static size_t receive_hci(void *context, uint8_t *bytes, size_t capacity) {
    (void)context;
    return attune_port_hci_receive(bytes, capacity);
}

void attune_carrier_begin(void) {
    memset(&carrier, 0, sizeof carrier);
    attune_ble_init(&carrier.ble, &(attune_hci){.send = send_hci, .receive = receive_hci});
}

static void step(const attune_node *node) {
    attune_ble_wish wish;
    const uint64_t now_ms = attune_port_hci_ms();
    attune_advertising_poll(&carrier.advertising, &node->session, attune_port_now_ms());
    if (attune_node_hurries(node)) {
        carrier.fast_ms = now_ms + LINGER_MS;
    }
    wish.fast = now_ms < carrier.fast_ms;
    memcpy(wish.hint, carrier.advertising.hint, sizeof wish.hint);
    memcpy(wish.address, carrier.advertising.address, sizeof wish.address);
    attune_ble_step(&carrier.ble, &wish, now_ms);
}

/* Parts are numbered anew in each connection, and half a frame is worth nothing in the next one. */
static void watch(attune_node *node) {
    const bool up = attune_ble_part(&carrier.ble) > 0;
    if (up == carrier.up) {
        return;
    }
    carrier.up = up;
    carrier.cutter = (attune_part_cutter){.left = 0};
    attune_part_joiner_init(&carrier.joiner, carrier.in, sizeof carrier.in);
    attune_node_link(node, up);
}

/* What comes before the central listens is nobody's. Not inlined: the part is off the stack when the node takes its frame. */
__attribute__((noinline)) static bool take_part(unsigned *events) {
    uint8_t part[ATTUNE_BLE_PART];
    const size_t size = attune_ble_receive(&carrier.ble, part, sizeof part);
    *events = size > 0 && carrier.up ? attune_part_join(&carrier.joiner, part, size) : 0;
    return size > 0;
}

static void take_frame(attune_node *node) {
    if (carrier.joiner.size >= HINT_AT + ATTUNE_HINT) {
        memcpy(carrier.in + HINT_AT, node->identity.node_id, ATTUNE_HINT);
    }
    attune_node_receive(node, carrier.in, carrier.joiner.size);
}

bool attune_carrier_receive(attune_node *node) {
    unsigned events = 0;
    step(node);
    watch(node);
    const bool work = take_part(&events);
    if ((events & (ATTUNE_PART_DAMAGED | ATTUNE_PART_OVERSIZED)) != 0) {
        attune_node_damaged(node);
    }
    if ((events & ATTUNE_PART_READY) != 0) {
        take_frame(node);
    }
    return work;
}

static void next_frame(attune_node *node) {
    uint8_t *frame = carrier.out + ATTUNE_PART_HEADER;
    const size_t size = attune_node_send(node, frame, ATTUNE_NODE_FRAME);
    memset(frame + HINT_AT, 0, ATTUNE_HINT);
    attune_part_begin(&carrier.cutter, frame, size);
}

bool attune_carrier_send(attune_node *node) {
    const uint16_t largest = attune_ble_part(&carrier.ble);
    const uint8_t *part = NULL;
    bool work = false;
    if (largest == 0) {
        return false;
    }
    if (carrier.cutter.left == 0) {
        next_frame(node);
    }
    for (size_t size; (size = attune_part_next(&carrier.cutter, largest, &part)) > 0; work = true) {
        if (!attune_ble_send(&carrier.ble, part, size)) {
            return work;
        }
        attune_part_sent(&carrier.cutter);
    }
    return work;
}
