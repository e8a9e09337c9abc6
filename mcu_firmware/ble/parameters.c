/* Connection parameters: short intervals while there is much to say, long ones that spare the battery otherwise. */
#include "ble/host.h"

/* Interval from and to (1.25 ms), latency (intervals that the node may sleep over), supervision time-out (10 ms): as both requests carry them.
 * Fast is 15 ms, the shortest that all centrals grant. Slow is 0.4 to 0.5 s with every third one kept: a node that has nothing to say listens
 * every 1.5 s, and what is lost may be said three times before the link counts as lost after 6 s. */
typedef struct parameters {
    uint8_t bytes[8];
} parameters;

static const parameters fast = {{12, 0, 12, 0, 0, 0, 0x58, 0x02}};
static const parameters slow = {{0x40, 0x01, 0x90, 0x01, 2, 0, 0x58, 0x02}};

enum { ASKED_NOTHING, ASKED_FAST, ASKED_SLOW };

/* What is asked for: slow ones only so long after the last request, since the next thing to say often comes soon, and since a node should leave
 * a new connection alone so long (volume 3, part C, 9.3.12). */
#define PATIENCE_MS 5000u

static bool suits(const attune_ble_link *link, const uint8_t *wanted) {
    return link->interval >= get16(wanted) && link->interval <= get16(wanted + 2) && link->latency == get16(wanted + 4);
}

static bool ask_controller(attune_ble *ble, const uint8_t *wanted) {
    uint8_t command[14] = {0}; /* how long the events last is the controller's affair */
    put16(command, ble->link.handle);
    for (size_t i = 0; i < 8; i++) {
        command[2 + i] = wanted[i];
    }
    attune_ble_command(ble, OPCODE_LE_CONNECTION_UPDATE, command, sizeof command);
    return true;
}

bool attune_ble_ask_parameters(attune_ble *ble) {
    attune_ble_link *link = &ble->link;
    const bool hurry = ble->wish.fast;
    const uint8_t due = hurry ? ASKED_FAST : ASKED_SLOW;
    const bool early = !hurry && ble->now_ms - link->asked_ms < PATIENCE_MS;
    if (!link->listening || link->asked == due || early) {
        return false; /* a central that refused or chose others is not asked again for the same */
    }
    const uint8_t *wanted = hurry ? fast.bytes : slow.bytes;
    if (suits(link, wanted)) {
        link->asked = due;
        return false;
    }
    if (link->by_l2cap && !attune_ble_signal_parameters(ble, wanted)) {
        return false;
    }
    link->asked = due;
    link->asked_ms = ble->now_ms;
    return !link->by_l2cap && ask_controller(ble, wanted);
}

void attune_ble_ask_by_l2cap(attune_ble *ble) {
    if (!ble->link.by_l2cap) {
        ble->link.by_l2cap = true;
        ble->link.asked = ASKED_NOTHING;
        ble->link.asked_ms = ble->now_ms - PATIENCE_MS;
    }
}

void attune_ble_updated(attune_ble *ble, uint8_t status, uint16_t interval, uint16_t latency) {
    if (status == STATUS_OK) {
        ble->link.interval = interval;
        ble->link.latency = latency;
    } else if (status == STATUS_UNSUPPORTED_REMOTE_FEATURE) {
        attune_ble_ask_by_l2cap(ble);
    }
}
