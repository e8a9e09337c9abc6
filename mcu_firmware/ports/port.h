/* What a board owes the node core: every function of a port, with what it guarantees. docs/porting.md explains it.
 *
 * All functions are called from one thread (the loop of board/loop.h), never from an interrupt. None allocates. A
 * function that waits says so; all others return at once. */
#ifndef ATTUNE_PORT_H
#define ATTUNE_PORT_H

#include "node/node.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Clock --- */

/* Milliseconds since this start of the node. Never goes back, begins below one second, and does not wrap. It keeps
 * counting while the core sleeps. A crystal is good enough: the daemon ties ticks to UTC again every hour. */
uint64_t attune_port_now_ms(void);

/* --- Entropy --- */

/* Fills bytes with random numbers that nobody can guess and that no other call, start or board has given or will give: the
 * node's key and the ephemeral key of every handshake are made of them, so whoever can guess them is the node. size at most 64.
 * Called once attune_port_identity() has returned true; a board without such numbers returns false there. */
void attune_port_entropy(uint8_t *bytes, size_t size);

/* --- Identity and node type --- */

/* Who this node is: node_id the same for the life of the board, boot drawn anew at each start, the firmware's version,
 * and why the last run ended. Returns false if the board must not start; it has then said why where a person can read
 * it. */
bool attune_port_identity(attune_identity *identity);

typedef struct attune_node_type {
    uint16_t window_s;
    uint8_t sensors;
    uint8_t sensor[ATTUNE_MAX_SENSORS]; /* kind, with ATTUNE_SPREAD where the spread counts */
} attune_node_type;

/* The sensors of this board in their order. Constant: another order is another node type. */
const attune_node_type *attune_port_node_type(void);

/* --- Sensors --- */

typedef struct attune_reading {
    uint64_t tick_ms;  /* when it was measured */
    attune_real value; /* in the unit of the sensor's kind (window/schema.h); for events, how many */
    uint8_t sensor;    /* index into the node type */
} attune_reading;

/* Hands out the oldest reading that waits; false if none does. Readings come in order of their ticks. One whose tick ends a
 * window must be handed out before attune_port_now_ms() reaches it, or the node refuses it as late and counts it. A sensor
 * that fails gives none: it must not repeat its last value. */
bool attune_port_reading(attune_reading *reading);

/* --- Button --- */

typedef struct attune_button_event {
    uint64_t tick_ms; /* when it was pressed */
    uint8_t
        class_index; /* what the press says of the last ten minutes: 1 occupied (a short one), 0 free (a long one) */
} attune_button_event;

/* Hands out the oldest press that waits; false if none does, and always on a board without a button. A press is one event
 * however its contact bounces. */
bool attune_port_button(attune_button_event *event);

/* --- Lamp --- */

/* Switches the lamp by which somebody finds the node; a board without one says so where a person can read it. */
void attune_port_lamp(bool on);

/* --- Link: boards whose node is at the end of a stream of bytes (board/stream.c) --- */

/* True while bytes can reach a gateway, as far as the board can know. A wire without a carrier is always up: a daemon
 * that lost the node asks for a hello. */
bool attune_port_link_up(void);

/* Takes received bytes, in order, at most capacity; returns how many. What is lost or damaged on the way is lost by
 * whole bytes or changed: the CRC of the framing finds both. */
size_t attune_port_link_receive(uint8_t *bytes, size_t capacity);

/* Hands bytes to the link; returns how many it took, 0 if it is busy. What it took goes out in order, or the link goes
 * down. */
size_t attune_port_link_send(const uint8_t *bytes, size_t size);

/* --- Bluetooth: boards whose node is on the air (board/air.c) --- */

/* The bytes of the controller's UART (H4, with flow control by hardware): takes received ones, in order, at most capacity; returns
 * how many. None may be lost: an H4 stream has nothing to begin anew by but a reset of the controller. */
size_t attune_port_hci_receive(uint8_t *bytes, size_t capacity);

/* Hands bytes to the controller; returns how many it took, 0 if it is busy. */
size_t attune_port_hci_send(const uint8_t *bytes, size_t size);

/* Milliseconds that the controller lives by, for its time-outs. The node's clock on a board with sensors of its own. */
uint64_t attune_port_hci_ms(void);

/* --- Flash --- */

/* The flash for the node's data, by the rules of store/flash.h: constant, and the node's alone. The image of the firmware is not in it, nor
 * what the port keeps for itself. */
const attune_flash *attune_port_flash(void);

/* The node does not start: says a whole sentence where a person can read it. */
void attune_port_say(const char *sentence);

/* --- Watchdog, sleep, health --- */

/* Puts off the watchdog's reset. The port starts the watchdog before the loop begins and nothing stops it; its time is
 * at least twice the longest step of the loop and at most 30 s. */
void attune_port_watchdog_kick(void);

/* Waits until an interrupt, at most one second, with the processor asleep; returns at once if bytes or readings wait. */
void attune_port_sleep(void);

/* Measures stack and supply. Called once a second at most. */
void attune_port_board(attune_board *board);

#endif
