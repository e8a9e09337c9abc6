/* L2CAP's fixed channels over an LE link (volume 3, part A): packets from and to pieces. */
#include "ble/host.h"

#include <string.h>

/* Flags of data: how a piece begins (volume 4, part E, 5.4.2). From the host 0 begins a packet, from the controller 2. */
#define BOUNDARY(flags) (((flags) >> 12) & 3u)
enum { BOUNDARY_FIRST = 0, BOUNDARY_CONTINUES = 1, BOUNDARY_FIRST_FLUSHABLE = 2 };

#define HEAD 4 /* length of the payload, channel */

bool attune_ble_l2cap_begin(attune_ble *ble, uint16_t handle_and_flags) {
    attune_ble_incoming *incoming = &ble->incoming;
    if (!attune_ble_is_link(ble, handle_and_flags)) {
        return false;
    }
    switch (BOUNDARY(handle_and_flags)) {
    case BOUNDARY_FIRST:
    case BOUNDARY_FIRST_FLUSHABLE:
        incoming->size = 0;
        incoming->begun = true;
        return true;
    case BOUNDARY_CONTINUES:
        return incoming->begun;
    default:
        return false;
    }
}

/* What no longer fits is not taken at all. */
void attune_ble_l2cap_add(attune_ble *ble, const uint8_t *bytes, size_t size) {
    attune_ble_incoming *incoming = &ble->incoming;
    if (size > sizeof incoming->packet - incoming->size) {
        incoming->begun = false;
    }
    if (incoming->begun) {
        memcpy(incoming->packet + incoming->size, bytes, size);
        incoming->size = (uint16_t)(incoming->size + size);
    }
}

/* False if it has to come again. */
static bool deliver(attune_ble *ble) {
    const uint8_t *payload = ble->incoming.packet + HEAD;
    const size_t size = get16(ble->incoming.packet);
    switch (get16(ble->incoming.packet + 2)) {
    case CHANNEL_ATT:
        return attune_ble_att(ble, payload, size);
    case CHANNEL_SIGNALLING:
        attune_ble_signal(ble, payload, size);
        return true;
    case CHANNEL_SECURITY:
        attune_ble_pairing(ble, payload, size);
        return true;
    default:
        return true;
    }
}

/* A packet that will be longer than any that is taken is dropped at once, with all its pieces. */
static void refuse(attune_ble *ble) {
    const attune_ble_incoming *incoming = &ble->incoming;
    if (get16(incoming->packet + 2) == CHANNEL_SIGNALLING && incoming->size >= HEAD + 2) {
        attune_ble_signal(ble, incoming->packet + HEAD, get16(incoming->packet));
    }
    ble->incoming.begun = false;
}

void attune_ble_l2cap_end(attune_ble *ble) {
    attune_ble_incoming *incoming = &ble->incoming;
    if (!incoming->begun || incoming->size < HEAD) {
        return;
    }
    const size_t whole = HEAD + (size_t)get16(incoming->packet);
    if (whole > sizeof incoming->packet) {
        refuse(ble);
    } else if (incoming->size >= whole) {
        incoming->begun = false;
        incoming->held = incoming->size == whole && !deliver(ble);
    }
}

bool attune_ble_l2cap_release(attune_ble *ble) {
    ble->incoming.held = ble->incoming.held && !deliver(ble);
    return !ble->incoming.held;
}

uint8_t *attune_ble_l2cap_reserve(attune_ble *ble, size_t size) {
    attune_ble_outgoing *outgoing = &ble->outgoing;
    const bool room = outgoing->size + HEAD + size <= sizeof outgoing->packets;
    return room ? outgoing->packets + outgoing->size + HEAD : NULL;
}

void attune_ble_l2cap_commit(attune_ble *ble, uint16_t channel, size_t size) {
    attune_ble_outgoing *outgoing = &ble->outgoing;
    put16(outgoing->packets + outgoing->size, (uint16_t)size);
    put16(outgoing->packets + outgoing->size + 2, channel);
    outgoing->size = (uint16_t)(outgoing->size + HEAD + size);
}

static uint16_t first_size(const attune_ble_outgoing *outgoing) {
    return outgoing->size == 0 ? 0 : (uint16_t)(HEAD + get16(outgoing->packets));
}

static void drop_first(attune_ble_outgoing *outgoing) {
    const uint16_t size = first_size(outgoing);
    outgoing->size = (uint16_t)(outgoing->size - size);
    outgoing->sent = 0;
    memmove(outgoing->packets, outgoing->packets + size, outgoing->size);
}

bool attune_ble_l2cap_fragment(attune_ble *ble) {
    attune_ble_outgoing *outgoing = &ble->outgoing;
    attune_ble_buffers *buffers = &ble->buffers;
    /* Its last piece has left: the line is empty. */
    if (outgoing->sent > 0 && outgoing->sent == first_size(outgoing)) {
        drop_first(outgoing);
    }
    const uint16_t left = (uint16_t)(first_size(outgoing) - outgoing->sent);
    if (left == 0 || buffers->used >= buffers->count) {
        return false;
    }
    const uint16_t flags = (uint16_t)((outgoing->sent > 0 ? BOUNDARY_CONTINUES : BOUNDARY_FIRST) << 12);
    const uint16_t size = left < buffers->length ? left : buffers->length;
    attune_ble_data(ble, ble->link.handle | flags, outgoing->sent, size);
    outgoing->sent = (uint16_t)(outgoing->sent + size);
    buffers->used++;
    return true;
}
