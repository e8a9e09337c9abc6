/* What a level has done lately: exponentially weighted averages over windows, a few numbers a sensor.
 *
 * All in units of the mean's coordinate (q / 1024). Mean and variance follow the usual recursion for exponentially
 * weighted samples: a <- a + (1 - e^(-window / T)) (x - a). A window without a reading changes nothing. */
#ifndef ATTUNE_HISTORY_H
#define ATTUNE_HISTORY_H

#include "real/real.h"

#include <stdbool.h>

/* Time constants in seconds. Long against a stay in a room, short against a day: a visit stands out from the long one,
 * the course of the day does not. Within the short one people stir the air, the light and the noise. */
#define ATTUNE_LONG_S ATTUNE_REAL(10800.0)
#define ATTUNE_SHORT_S ATTUNE_REAL(1800.0)

typedef struct attune_history {
    attune_real newest; /* the last mean taken */
    attune_real long_mean;
    attune_real short_mean;
    attune_real short_variance; /* about the short mean of its time */
    bool begun;                 /* a mean was taken since the cold start */
} attune_history;

/* What is kept of an average in one window: e^(-window / T). */
typedef struct attune_history_keep {
    attune_real long_share;
    attune_real short_share;
} attune_history_keep;

attune_history_keep attune_history_keep_of(attune_real window_s);

/* Takes the mean of a window as its feature tells it, q / 1024, so that what no coordinate can hold cannot enter an average; the first
 * one is where both averages start. */
void attune_history_add(attune_history *history, attune_history_keep keep, attune_real unit);

/* ATTUNE_SLOPE and ATTUNE_VARIATION after the newest mean. */
attune_real attune_history_slope(const attune_history *history);
attune_real attune_history_variation(const attune_history *history);

#endif
