/* The connection: from the event that says it is there to that which says it is gone, and what is asked of the controller in between. */
#include "ble/host.h"

#include <string.h>

enum { LE_CONNECTED = 0x01, LE_UPDATED = 0x03 };

#define ROLE_PERIPHERAL 1

/* A central that does not turn notifications on is none of ours, and must not keep others out. Service discovery takes a slow one some seconds. */
#define DEAF_MS 30000u

/* Nor must one that turned them on and then writes nothing, as a curious person's telephone would: a daemon answers each report, hence every few
 * minutes at least, unless the node is quiet; then a gateway that still wants it connects again. */
#define MUTE_MS 900000u

/* A controller that has lost its state without a word does not know the connection any more: it is asked about it so often. */
#define POLL_MS 10000u

/* After a disconnection that was asked for, the central's silence is waited for as long as its supervision time-out, 32 s at most. */
#define CLOSING_MS 35000u
enum { OPEN, CLOSE, CLOSING };
#define REASON_USER 0x13

/* The longest payload of the link layer, and the time that it takes with its frame at 1 Mbit/s. */
#define LONGEST_PAYLOAD 251
#define LONGEST_TIME_US 2120

static void connected(attune_ble *ble, const uint8_t *event) {
    if (ble->link.connected || !attune_ble_may_connect(ble)) {
        attune_ble_restart(ble); /* it knows of a connection that cannot be */
        return;
    }
    if (event[1] != STATUS_OK || event[4] != ROLE_PERIPHERAL) {
        attune_ble_advertise(ble);
        return;
    }
    ble->link = (attune_ble_link){
        .connected = true,
        .lengthen = (ble->setup.features & FEATURE_DATA_LENGTH) != 0,
        .by_l2cap = (ble->setup.features & FEATURE_CONNECTION_PARAMETERS) == 0,
        .handle = get16(event + 2) & 0x0FFFu,
        .interval = get16(event + 12),
        .latency = get16(event + 14),
        .mtu = ATT_DEFAULT_MTU,
        .quiet_ms = ble->now_ms,
        .asked_ms = ble->now_ms,
        .polled_ms = ble->now_ms,
    };
}

void attune_ble_event_le(attune_ble *ble, const uint8_t *event, size_t size) {
    if (size >= 19 && event[0] == LE_CONNECTED) {
        connected(ble, event);
    } else if (size >= 10 && event[0] == LE_UPDATED && attune_ble_is_link(ble, get16(event + 2))) {
        attune_ble_updated(ble, event[1], get16(event + 4), get16(event + 6));
    }
}

bool attune_ble_is_link(const attune_ble *ble, uint16_t handle) {
    return ble->link.connected && (handle & 0x0FFFu) == ble->link.handle;
}

void attune_ble_link_down(attune_ble *ble) {
    ble->link.connected = false;
    ble->link.listening = false;
    ble->buffers.used = 0; /* the controller has thrown their contents away (part E, 4.3) */
    ble->incoming.begun = false;
    ble->incoming.held = false;
    ble->incoming.size = 0;
    ble->outgoing.size = 0;
    ble->outgoing.sent = 0;
    ble->inbox.size = 0;
}

void attune_ble_event_disconnected(attune_ble *ble, const uint8_t *event, size_t size) {
    if (size >= 4 && event[0] == STATUS_OK && attune_ble_is_link(ble, get16(event + 1))) {
        attune_ble_link_down(ble);
        attune_ble_advertise(ble);
    }
}

void attune_ble_event_completed_packets(attune_ble *ble, const uint8_t *event, size_t size) {
    attune_ble_buffers *buffers = &ble->buffers;
    const size_t handles = size > 0 ? event[0] : 0;
    for (size_t i = 0; i < handles && 1 + 4 * i + 4 <= size; i++) {
        const uint8_t *entry = event + 1 + 4 * i;
        const uint16_t completed = get16(entry + 2);
        if (attune_ble_is_link(ble, get16(entry))) {
            buffers->used = completed < buffers->used ? (uint16_t)(buffers->used - completed) : 0;
        }
    }
}

static void disconnect(attune_ble *ble) {
    uint8_t parameters[3];
    put16(parameters, ble->link.handle);
    parameters[2] = REASON_USER;
    ble->link.closing = CLOSING;
    ble->link.closing_ms = ble->now_ms;
    attune_ble_command(ble, OPCODE_DISCONNECT, parameters, sizeof parameters);
}

static void lengthen(attune_ble *ble) {
    uint8_t parameters[6];
    put16(parameters, ble->link.handle);
    put16(parameters + 2, LONGEST_PAYLOAD);
    put16(parameters + 4, LONGEST_TIME_US);
    ble->link.lengthen = false;
    attune_ble_command(ble, OPCODE_LE_SET_DATA_LENGTH, parameters, sizeof parameters);
}

static void poll(attune_ble *ble) {
    uint8_t parameters[2];
    put16(parameters, ble->link.handle);
    ble->link.polled_ms = ble->now_ms;
    attune_ble_command(ble, OPCODE_READ_RSSI, parameters, sizeof parameters);
}

bool attune_ble_link_command(attune_ble *ble) {
    const attune_ble_link *link = &ble->link;
    if (!link->connected) {
        return false;
    }
    if (link->closing == CLOSE) {
        disconnect(ble);
        return true;
    }
    if (link->lengthen) {
        lengthen(ble);
        return true;
    }
    if (ble->now_ms - link->polled_ms >= POLL_MS) {
        poll(ble);
        return true;
    }
    return attune_ble_ask_parameters(ble);
}

void attune_ble_link_answer(attune_ble *ble, uint16_t opcode, uint8_t status) {
    if (!ble->link.connected || status == STATUS_OK) {
        return;
    }
    if (status == STATUS_UNKNOWN_CONNECTION) {
        attune_ble_restart(ble);
    } else if (opcode == OPCODE_LE_CONNECTION_UPDATE) {
        attune_ble_ask_by_l2cap(ble);
    }
}

void attune_ble_listen(attune_ble *ble, bool listening) {
    if (listening != ble->link.listening) {
        ble->link.listening = listening;
        ble->link.quiet_ms = ble->now_ms;
    }
}

void attune_ble_watch_link(attune_ble *ble) {
    attune_ble_link *link = &ble->link;
    if (!link->connected) {
        return;
    }
    if (link->closing == CLOSING) {
        if (ble->now_ms - link->closing_ms >= CLOSING_MS) {
            attune_ble_restart(ble);
        }
    } else if (ble->now_ms - link->quiet_ms >= (link->listening ? MUTE_MS : DEAF_MS)) {
        link->closing = CLOSE;
    }
}
