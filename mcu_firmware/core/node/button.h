/* Presses of a node's button that the daemon has not acknowledged yet. */
#ifndef ATTUNE_BUTTON_H
#define ATTUNE_BUTTON_H

#include "session/retry.h"

/* Presses that wait for a link. A person who presses more often meant the last ones. */
#define ATTUNE_PRESSES 8

/* First pause until presses are sent again, as long as that of reports. */
#define ATTUNE_PRESS_RETRY_MS 15000u

typedef struct attune_press {
    uint64_t tick_ms;
    uint32_t number; /* counts from 1 in a boot */
    uint8_t class_index;
} attune_press;

typedef struct attune_button {
    uint32_t pressed; /* number of the last press */
    uint32_t dropped; /* presses that made room for newer ones */
    uint8_t waiting;
    uint8_t sent; /* of those that wait, since they were last due */
    attune_retry retry;
    attune_press press[ATTUNE_PRESSES]; /* oldest first */
} attune_button;

/* Keeps a press and gives it the next number. The oldest is dropped, and counted, if ATTUNE_PRESSES wait. */
void attune_button_press(attune_button *button, uint64_t tick_ms, uint8_t class_index);

/* All that waits is due now. */
void attune_button_restart(attune_button *button, uint64_t now_ms);

/* All that waits is due again if nobody has acknowledged it for long. */
void attune_button_poll(attune_button *button, uint64_t now_ms);

/* The next press to send, or NULL; attune_button_sent says that it has gone. */
const attune_press *attune_button_next(const attune_button *button);
void attune_button_sent(attune_button *button);

/* Lets go of a press; one that does not wait is no error. */
void attune_button_acknowledge(attune_button *button, uint32_t number);

#endif
