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

/* Parts that wait for the node: two of the largest, or many short ones, each with a byte for its length. */
#define ATTUNE_BLE_INBOX (2 * (1 + ATTUNE_BLE_PART))

/* Short answers on the signalling and security channels, which must not wait behind an answer of ATT and a notification: three rejections. */
#define ATTUNE_BLE_SHORT_ANSWERS 36
#define ATTUNE_BLE_OUTBOX (2 * ATTUNE_BLE_PACKET + ATTUNE_BLE_SHORT_ANSWERS)

/* The longest command is that with the advertising data; of events that are longer than what is looked at the rest is skipped. */
#define ATTUNE_BLE_COMMAND 36
#define ATTUNE_BLE_EVENT 36

/* What is read of the controller now. */
typedef struct attune_ble_reader {
    uint8_t stage;
    uint8_t type;
    uint8_t head[4];
    uint8_t event[ATTUNE_BLE_EVENT];
    uint16_t have; /* bytes of the stage that have come */
    uint16_t size; /* bytes of the packet behind its head */
} attune_ble_reader;

/* The one packet that is on its way to the controller: its bytes, and for data what follows from the outbox. */
typedef struct attune_ble_writer {
    uint8_t bytes[ATTUNE_BLE_COMMAND];
    uint8_t size;
    uint8_t sent;
    uint16_t body; /* bytes still to go */
    uint16_t body_at;
} attune_ble_writer;

/* One command is under way at a time. */
typedef struct attune_ble_commands {
    uint16_t pending; /* opcode; 0 none */
    uint8_t credits;  /* how many the controller takes */
    uint32_t sent_ms;
} attune_ble_commands;

typedef struct attune_ble_setup {
    uint8_t phase;
    uint8_t step;
    uint8_t features;  /* the first byte of what the controller's link layer can */
    uint32_t reset_ms; /* of the last reset */
    uint32_t done_ms;
} attune_ble_setup;

/* The controller's buffers for data. */
typedef struct attune_ble_buffers {
    uint16_t length;
    uint16_t count;
    uint16_t used;
} attune_ble_buffers;

typedef struct attune_ble_link {
    bool connected;
    bool listening; /* the central has notifications on */
    bool lengthen;  /* longer packets are still to be asked for */
    bool by_l2cap;  /* connection parameters are asked for by L2CAP, since one of the two controllers cannot */
    uint8_t asked;  /* for which parameters */
    uint8_t closing;
    uint8_t identifier; /* of the last request on the signalling channel */
    uint16_t handle;
    uint16_t interval; /* 1.25 ms */
    uint16_t latency;
    uint16_t mtu;
    uint32_t quiet_ms; /* when the central last did what keeps its connection */
    uint32_t asked_ms;
    uint32_t polled_ms;
    uint32_t closing_ms;
} attune_ble_link;

/* The packet that is put together of what the central sends. */
typedef struct attune_ble_incoming {
    bool begun; /* further pieces belong to it */
    bool held;  /* a part for which the inbox has no room: nothing more is read */
    uint16_t size;
    uint8_t packet[ATTUNE_BLE_PACKET];
} attune_ble_incoming;

/* Packets for the central, the oldest first. */
typedef struct attune_ble_outgoing {
    uint16_t size;
    uint16_t sent; /* bytes of the first one */
    uint8_t packets[ATTUNE_BLE_OUTBOX];
} attune_ble_outgoing;

typedef struct attune_ble_inbox {
    uint16_t size;
    uint8_t parts[ATTUNE_BLE_INBOX];
} attune_ble_inbox;

struct attune_ble {
    attune_hci hci;
    attune_ble_wish wish;
    uint32_t now_ms; /* wraps: only differences count */
    attune_ble_reader reader;
    attune_ble_writer writer;
    attune_ble_commands commands;
    attune_ble_setup setup;
    attune_ble_buffers buffers;
    attune_ble_link link;
    attune_ble_incoming incoming;
    attune_ble_outgoing outgoing;
    attune_ble_inbox inbox;
};

/* Nothing is sent yet: the steps that follow reset the controller and set it up. */
void attune_ble_init(attune_ble *ble, const attune_hci *hci);

#endif
