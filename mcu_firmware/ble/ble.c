#include "ble/gatt.h"
#include "ble/host.h"

#include <string.h>

#define NOTIFICATION 0x1B

void attune_ble_init(attune_ble *ble, const attune_hci *hci) {
    memset(ble, 0, sizeof *ble);
    ble->hci = *hci;
    attune_ble_begin(ble);
}

void attune_ble_step(attune_ble *ble, const attune_ble_wish *wish, uint64_t now_ms) {
    ble->now_ms = (uint32_t)now_ms;
    attune_ble_watch_setup(ble, wish);
    /* Nothing is late while something waits to be read. */
    if (attune_ble_read(ble)) {
        attune_ble_watch_commands(ble);
        attune_ble_watch_link(ble);
    }
    attune_ble_write(ble);
}

uint16_t attune_ble_part(const attune_ble *ble) { return ble->link.listening ? (uint16_t)(ble->link.mtu - 3) : 0; }

bool attune_ble_send(attune_ble *ble, const uint8_t *part, size_t size) {
    if (size == 0 || size > attune_ble_part(ble) ||
        attune_ble_l2cap_reserve(ble, 3 + size + ATTUNE_BLE_PACKET + ATTUNE_BLE_SHORT_ANSWERS) == NULL) {
        return false; /* an answer, and short ones, always find room behind it */
    }
    uint8_t *payload = attune_ble_l2cap_reserve(ble, 3 + size);
    payload[0] = NOTIFICATION;
    put16(payload + 1, HANDLE_OUTBOX);
    memcpy(payload + 3, part, size);
    attune_ble_l2cap_commit(ble, CHANNEL_ATT, 3 + size);
    return true;
}

bool attune_ble_inbox_put(attune_ble *ble, const uint8_t *part, size_t size) {
    attune_ble_inbox *inbox = &ble->inbox;
    if (inbox->size + 1 + size > sizeof inbox->parts) {
        return false;
    }
    inbox->parts[inbox->size] = (uint8_t)size;
    memcpy(inbox->parts + inbox->size + 1, part, size);
    inbox->size = (uint16_t)(inbox->size + 1 + size);
    ble->link.quiet_ms = ble->now_ms;
    return true;
}

size_t attune_ble_receive(attune_ble *ble, uint8_t *part, size_t capacity) {
    attune_ble_inbox *inbox = &ble->inbox;
    if (inbox->size == 0) {
        return 0;
    }
    const size_t size = inbox->parts[0];
    const size_t taken = size < capacity ? size : capacity;
    memcpy(part, inbox->parts + 1, taken);
    inbox->size = (uint16_t)(inbox->size - 1 - size);
    memmove(inbox->parts, inbox->parts + 1 + size, inbox->size);
    return taken;
}
