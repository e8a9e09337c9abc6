/* Local time as features of a window: sine and cosine of the time of day, and whether it is a weekend.
 *
 * A sample of kind clock is the site's local time at the window's end, in seconds since Monday 00:00; of several in one
 * window the last counts. A node that has not been told the time yet gives none, and the features are missing. Time of day
 * is a shortcut: a learner that has it may repeat last week's habits and look away from the room. */
#ifndef ATTUNE_CLOCK_H
#define ATTUNE_CLOCK_H

#include "real/real.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTUNE_DAY_S 86400u
#define ATTUNE_WEEK_S 604800u

/* Whether week_s is a time of the week, 0 <= week_s < ATTUNE_WEEK_S; false for NaN. */
bool attune_clock_valid(attune_real week_s);

/* Sine and cosine of the angle of the day's one turn, midnight at 0, at the whole second; within 1e-6. */
attune_real attune_clock_sine(attune_real week_s);
attune_real attune_clock_cosine(attune_real week_s);

/* 1 on Saturday and Sunday, else 0. */
attune_real attune_clock_weekend(attune_real week_s);

#endif
