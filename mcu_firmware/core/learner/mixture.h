/* The default head: ridge with drift, and Gaussian naive Bayes beside it.
 *
 * Ridge sees how features vary together, naive Bayes that classes vary differently and which sensors are missing. Each is bounded by
 * itself, so that neither outvotes the other where it is far too sure of itself:
 *   evidence = bounded ridge + ATTUNE_MIXTURE_SHARE * bounded gnb,
 * and the one that cannot tell says nothing. Chosen by cross-validation over days of train splits (docs/learning.md).
 *
 * Windows of one day are one sample of that day's weather and habits, however many they are: what the features are about on
 * another day is uncertain by more than the spread within a day. So the covariance of ridge is W / N + ATTUNE_MIXTURE_DRIFT I
 * as long as the windows are too few for several whole days (ridge.h), and less is added the more there are.
 *
 * Memory, operations: the sums of ridge.h and gnb.h, without ridge's 16 bits a coefficient and with a second rotation a learn. Additive:
 * both parts. */
#ifndef ATTUNE_MIXTURE_H
#define ATTUNE_MIXTURE_H

#include "learner/gnb.h"
#include "learner/ridge.h"

/* Variance of a feature between days, in squared units of q / 1024: 0.3 units as deviation. From 0.2 to 0.4 units it is as good. */
#define ATTUNE_MIXTURE_DRIFT ATTUNE_REAL(0.09)

#define ATTUNE_MIXTURE_SHARE ATTUNE_REAL(0.3)

/* Nats that either part may say: together enough for one window to turn any state that filter.h allows, at the longest stays 14.7. */
#define ATTUNE_MIXTURE_LIMIT ATTUNE_REAL(12.0)

typedef struct attune_mixture {
    attune_sensors sensors;
    uint8_t classes;
    attune_ridge ridge;
    attune_gnb gnb;
} attune_mixture;

/* What head.c calls; the contracts of head.h are checked there: class_index and weight are in range, sensors is valid. */

void attune_mixture_init(attune_mixture *mixture, const attune_sensors *sensors);

/* Evidence for classes 1..classes-1, which head.c bounds. False if neither part can tell. */
bool attune_mixture_predict(const attune_mixture *mixture, const int16_t *x, attune_real *evidence);

/* False, and nothing changed, if the sum of weights would pass ATTUNE_MAX_N. */
bool attune_mixture_learn(attune_mixture *mixture, const int16_t *x, uint8_t class_index, attune_real weight);

/* False, and nothing changed, if the result is no valid state. Both have the same sensors. */
bool attune_mixture_merge(attune_mixture *mixture, const attune_mixture *other);
bool attune_mixture_unmerge(attune_mixture *mixture, const attune_mixture *other);

/* The state of ridge in a format, then that of gnb. Evidence then differs on average by no more than ridge.h says. Import: false,
 * and the rest of the state undefined, if it is no valid state. */
size_t attune_mixture_size(const attune_sensors *sensors, uint8_t classes, attune_format format);
void attune_mixture_export(const attune_mixture *mixture, attune_format format, uint8_t *bytes);
bool attune_mixture_import(attune_mixture *mixture, uint8_t classes, attune_format format, const uint8_t *bytes);

#endif
