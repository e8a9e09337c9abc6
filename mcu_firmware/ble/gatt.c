#include "ble/gatt.h"

#include <string.h>

/* Of all 128 bits those that differ are bytes 12 and 13. */
#define UUID(number) 0xE5, 0x2D, 0x59, 0x9B, 0x57, 0x88, 0xA5, 0xBF, 0xF9, 0x45, 0xA0, 0x01, (number), 0x00, 0x7A, 0xC9

enum { CHARACTERISTIC = 0x2803, NOTIFICATIONS = 0x2902, DEVICE_NAME = 0x2A00, APPEARANCE = 0x2A01 };
enum { READ = 0x02, WRITE_WITHOUT_RESPONSE = 0x04, NOTIFY = 0x10 };

static const uint8_t gap[] = {0x00, 0x18};
static const uint8_t name_declaration[] = {READ, 3, 0, 0x00, 0x2A};
/* The same for all nodes: who listens shall not learn which one it is. */
static const uint8_t name[] = {'A', 't', 't', 'u', 'n', 'e'};
static const uint8_t appearance_declaration[] = {READ, 5, 0, 0x01, 0x2A};
static const uint8_t appearance[] = {0x40, 0x05}; /* a generic sensor */
static const uint8_t gatt[] = {0x01, 0x18};
static const uint8_t service[] = {UUID(ATTUNE_SERVICE)};
static const uint8_t inbox_declaration[] = {WRITE_WITHOUT_RESPONSE, HANDLE_INBOX, 0, UUID(ATTUNE_INBOX)};
static const uint8_t outbox_declaration[] = {NOTIFY, HANDLE_OUTBOX, 0, UUID(ATTUNE_OUTBOX)};

#define CONSTANT(type, bytes)                                                                                          \
    { (type), false, sizeof(bytes), (bytes) }

const attune_ble_attribute attune_ble_attributes[HANDLE_LAST] = {
    CONSTANT(GATT_PRIMARY_SERVICE, gap),
    CONSTANT(CHARACTERISTIC, name_declaration),
    CONSTANT(DEVICE_NAME, name),
    CONSTANT(CHARACTERISTIC, appearance_declaration),
    CONSTANT(APPEARANCE, appearance),
    CONSTANT(GATT_PRIMARY_SERVICE, gatt),
    CONSTANT(GATT_PRIMARY_SERVICE, service),
    CONSTANT(CHARACTERISTIC, inbox_declaration),
    {ATTUNE_INBOX, true, 0, NULL},
    CONSTANT(CHARACTERISTIC, outbox_declaration),
    {ATTUNE_OUTBOX, true, 0, NULL},
    {NOTIFICATIONS, false, 2, NULL},
};

void attune_ble_uuid(uint16_t number, uint8_t uuid[ATTUNE_UUID_SIZE]) {
    memcpy(uuid, service, ATTUNE_UUID_SIZE);
    uuid[12] = (uint8_t)(number & 0xFFu);
    uuid[13] = (uint8_t)(number >> 8);
}
