/* Forward filter of a hidden Markov chain over the classes (Rabiner 1989, section III A), without look-ahead.
 *
 * p(k) <- evidence(k) * sum_j p(j) A(j, k), normalised. The chain leaves class j after a mean dwell time, into the other classes
 * alike, and starts at its stationary distribution. Works on log-odds against class 0, so evidence simply adds. */
#ifndef ATTUNE_FILTER_H
#define ATTUNE_FILTER_H

#include "config.h"
#include "real/real.h"

#include <stdint.h>

/* Mean stay in class 0 (free) and in each other class, in seconds, until dwell times are learned from labels. */
#define ATTUNE_DWELL_FREE_S 14400u
#define ATTUNE_DWELL_OTHER_S 3600u

/* Mean stays are held within a minute and two weeks, and never below two steps: shorter ones no window would show, and the chain
 * would hop to and fro. */
#define ATTUNE_MIN_DWELL_S 60u
#define ATTUNE_MAX_DWELL_S 1209600u

/* Log-odds at which a state stands that one window has just turned around, in nats: 95 %. */
#define ATTUNE_TURN_NATS ATTUNE_REAL(3.0)

typedef struct attune_filter {
    uint8_t classes;
    attune_real limit;                           /* nats that one window may say; see attune_filter_update */
    attune_real leave[ATTUNE_MAX_CLASSES];       /* probability to leave the class within one window, 0..1 */
    attune_real probability[ATTUNE_MAX_CLASSES]; /* sums to one */
} attune_filter;

/* Cold start at the stationary distribution. classes 2..ATTUNE_MAX_CLASSES, step_s the time between steps, dwell_s the mean stay
 * in each class in seconds, held within the bounds above; NULL for the stays above. */
void attune_filter_init(attune_filter *filter, uint8_t classes, uint16_t step_s, const uint32_t *dwell_s);

/* Changes the number of classes (2..ATTUNE_MAX_CLASSES). A new class begins with its stationary share, which the others give in
 * proportion; a class that goes leaves its share to the others in proportion. Classes that stay keep their dwell time, new ones
 * get ATTUNE_DWELL_OTHER_S. No change if the number is the same. */
void attune_filter_resize(attune_filter *filter, uint8_t classes, uint16_t step_s);

/* Changes the mean stays, in seconds as in attune_filter_init; the probabilities stay. */
void attune_filter_retime(attune_filter *filter, uint16_t step_s, const uint32_t *dwell_s);

/* One step in time without evidence: the probabilities that the chain alone predicts. */
void attune_filter_predict(attune_filter *filter);

/* Weighs the predicted probabilities with the evidence: classes - 1 log-likelihood ratios against class 0, in nats; NaN counts
 * as 0. A class that lies more than filter->limit below the most likely one is lifted to there (with two classes a clamp).
 *
 * limit = ATTUNE_TURN_NATS - log(smallest probability of going over from one class into another within a window). So a window
 * at the limit turns every state around at once, whatever the window's length and the dwell times; and a window is held to be
 * wrong altogether e^-3, a twentieth, as often as the rarest change happens. */
void attune_filter_update(attune_filter *filter, const attune_real *evidence);

/* Most probable class; the lower index wins a tie. */
uint8_t attune_filter_class(const attune_filter *filter);

/* Log-odds of class k > 0 against class 0, nats, within +-30. */
attune_real attune_filter_log_odds(const attune_filter *filter, uint8_t k);

#endif
