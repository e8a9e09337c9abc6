/* A Bluetooth LE peripheral host over HCI (Core Specification, volume 4), for the H4 UART transport: any controller with that interface serves.
 * One connection, no pairing (the sealed session above it is the security), static memory. transport.h is how a node uses it. */
#ifndef ATTUNE_BLE_H
#define ATTUNE_BLE_H

#include "ble/transport.h"

/* The bytes of an H4 UART with flow control by hardware. Neither function waits. */
typedef struct attune_hci {
    void *context;
    size_t (*send)(void *context, const uint8_t *bytes, size_t size);  /* returns how many it took, 0 if it is busy */
    size_t (*receive)(void *context, uint8_t *bytes, size_t capacity); /* returns how many there were */
} attune_hci;

/* The largest ATT MTU, and a whole L2CAP packet of it: 251 bytes, the longest payload of the link layer. */
#define ATTUNE_BLE_MTU (ATTUNE_BLE_PART + 3)
#define ATTUNE_BLE_PACKET (4 + ATTUNE_BLE_MTU)

struct attune_ble {
    attune_hci hci;
    uint8_t reserved[1600];
};

/* The controller is set up by the steps that follow. */
void attune_ble_init(attune_ble *ble, const attune_hci *hci);

#endif
