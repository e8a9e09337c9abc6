/* The attributes of a node (volume 3, parts F and G): a constant table. The handle of the first is 1, without gaps. */
#ifndef ATTUNE_BLE_GATT_H
#define ATTUNE_BLE_GATT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UUIDs that Bluetooth SIG has assigned have 16 bits. Attune's have 128 and differ in 16: c97aNNNN-01a0-45f9-bfa5-88579b592de5. */
enum { ATTUNE_SERVICE = 1, ATTUNE_INBOX = 2, ATTUNE_OUTBOX = 3 };
enum { GATT_PRIMARY_SERVICE = 0x2800, GATT_SECONDARY_SERVICE = 0x2801 };

enum { HANDLE_INBOX = 9, HANDLE_OUTBOX = 11, HANDLE_LISTEN = 12, HANDLE_LAST = 12 };

#define ATTUNE_UUID_SIZE 16

typedef struct attune_ble_attribute {
    uint16_t type; /* UUID, or the 16 bits that differ */
    bool own;      /* the type is one of Attune's */
    uint8_t size;
    const uint8_t *value; /* NULL: it cannot be read, or is not constant */
} attune_ble_attribute;

extern const attune_ble_attribute attune_ble_attributes[HANDLE_LAST];

/* One of Attune's UUIDs, its low byte first. */
void attune_ble_uuid(uint16_t number, uint8_t uuid[ATTUNE_UUID_SIZE]);

#endif
