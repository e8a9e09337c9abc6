/* A Bluetooth controller and a central at the other end of a host's H4 line, as far as a peripheral host can tell. It answers commands, keeps the
 * rules of HCI itself, and notes the first one that the host breaks. */
#ifndef BLE_CONTROLLER_H
#define BLE_CONTROLLER_H

#include "ble/ble.h"

#define BLE_NOBODY 0xFFFF

enum { BLE_LINE = 1 << 16, BLE_SAID = 64 };

/* A packet of L2CAP that the host has sent. */
typedef struct ble_packet {
    uint16_t channel;
    uint16_t size;
    uint8_t payload[ATTUNE_BLE_MTU];
} ble_packet;

typedef struct ble_controller {
    /* What it is; may be changed at any time. */
    uint16_t buffer_length;
    uint8_t buffers;
    bool shared;          /* its buffers are those of BR/EDR */
    uint8_t features;     /* first byte */
    bool mute;            /* answers nothing, does nothing */
    bool deaf;            /* its UART takes nothing */
    bool keeps_completed; /* says only when it is asked to what it has sent */
    bool late_answers;    /* keeps answers until ble_controller_answer() */
    uint8_t credits;      /* that answers give */
    size_t chunk;         /* bytes that the line moves in one call; 0 any */
    uint16_t failing;     /* opcode that fails */
    uint8_t failure;      /* with this status */

    /* What the host has made of it. */
    unsigned resets;
    unsigned commands;
    uint16_t last_opcode;
    uint8_t last[64];     /* parameters of the last command */
    unsigned count[0x40]; /* of LE commands by their lower bits */
    uint64_t event_mask;
    uint64_t le_event_mask;
    uint8_t address[6];
    uint8_t advertised[32]; /* length and data */
    uint8_t parameters[15];
    bool advertising;
    uint16_t handle;   /* of the connection, or BLE_NOBODY */
    unsigned filled;   /* buffers in use */
    bool lost;         /* its place on the line: it looks for a reset */
    uint8_t available; /* commands that the host may send */
    uint8_t answers[256];
    size_t answers_size;

    /* Packets of the host. */
    ble_packet said[BLE_SAID];
    unsigned said_count; /* of all; the last BLE_SAID of them are kept */
    uint8_t pieces[4 + 1024];
    size_t pieces_size;

    /* The two directions of the line. */
    uint8_t to_host[BLE_LINE];
    size_t to_host_size;
    size_t to_host_at;
    uint8_t from_host[4 + 0xFFFF];
    size_t from_host_size;
    void (*hear)(void *context, const uint8_t *packet, size_t size); /* each packet of the host */
    void *hear_context;

    const char *fault; /* the first rule that the host has broken */
} ble_controller;

void ble_controller_init(ble_controller *controller);
attune_hci ble_controller_hci(ble_controller *controller);

/* It has lost its power: nothing is known any more, and nothing said. */
void ble_controller_forget(ble_controller *controller);

void ble_controller_bytes(ble_controller *controller, const uint8_t *bytes, size_t size);
void ble_controller_event(ble_controller *controller, uint8_t code, const uint8_t *parameters, size_t size);

/* Sends the answers that were kept. */
void ble_controller_answer(ble_controller *controller);

/* A central connects; the host must be advertising. Interval 30 ms, latency 0. */
void ble_controller_connect(ble_controller *controller, uint16_t handle);
void ble_controller_disconnect(ble_controller *controller, uint8_t reason);

/* Says that so many packets have been sent. */
void ble_controller_complete(ble_controller *controller, unsigned packets);

/* One packet of data: flags 2 begins, 1 continues. */
void ble_controller_data(ble_controller *controller, unsigned flags, const uint8_t *bytes, size_t size);

/* A packet of L2CAP from the central, in pieces of at most piece bytes. */
void ble_controller_send(ble_controller *controller, uint16_t channel, const uint8_t *payload, size_t size,
                         size_t piece);

/* The last packet of the host on a channel, NULL if there is none among those that are kept. */
const ble_packet *ble_controller_heard(const ble_controller *controller, uint16_t channel);

#endif
