/* The loop of a board that carries one node: moves frames (carrier.h), readings and time between a port (port.h) and the
 * node core. */
#ifndef ATTUNE_BOARD_LOOP_H
#define ATTUNE_BOARD_LOOP_H

#include "port.h"

/* Readings that one step takes at most, so that they keep neither the link nor the watchdog waiting. */
#define ATTUNE_LOOP_READINGS 16

/* A node that is looked for switches its lamp so often. */
#define ATTUNE_LOOP_LAMP_MS 250

typedef struct attune_loop {
    attune_node node;
    attune_store store;
    bool lamp;
    uint64_t board_ms; /* when the board was measured last */
} attune_loop;

/* Makes the node from the port's identity, flash and node type. Returns false if the port refuses to start, or if its flash fails, which it
 * is then told to say; the node type has to be a schema. */
bool attune_loop_init(attune_loop *loop);

/* One round: link, readings, time, sending, watchdog. Returns true if there was work; else the caller may sleep. */
bool attune_loop_step(attune_loop *loop);

#endif
