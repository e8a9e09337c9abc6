/* Gaussian naive Bayes with weighted, missing-aware, additive statistics.
 *
 * State: for each class the weight n of each sensor, and the mean and M2 of each feature, the weighted sum of squared differences
 * from the mean: K (S + 2 d) numbers for K classes, d features, S sensors. Additive: means.h; merge and unmerge are exact but
 * for rounding. The variance used is M2 / n + ATTUNE_LEAST_VARIANCE. Operations of a learn: 6 d; of a predict: 20 d (K - 1), and a
 * logarithm for each class. */
#ifndef ATTUNE_GNB_H
#define ATTUNE_GNB_H

#include "learner/format.h"
#include "learner/means.h"

#include <stddef.h>

/* Ratios of variances that are multiplied before their power of two is taken out. Variances lie within ATTUNE_LEAST_VARIANCE and
 * ATTUNE_LARGEST_VARIANCE with the former added, so a ratio is within 4.1e6 either way and five of them stay within float32. */
#define ATTUNE_GNB_RATIOS 5

/* A feature that lies further from a class's mean than three deviations counts as if it lay there: tails of real features are
 * heavier than normal ones, and one feature that is off must not silence all others (Huber 1964, "Robust estimation of a
 * location parameter"). Cross-validation over days of train splits is for it. */
#define ATTUNE_GNB_SQUARE ATTUNE_REAL(9.0)

typedef struct attune_gnb_class {
    attune_means means;
    attune_real m2[ATTUNE_MAX_FEATURES]; /* 0 where the sensor's weight is */
} attune_gnb_class;

typedef struct attune_gnb {
    attune_sensors sensors;
    uint8_t classes;
    attune_gnb_class of[ATTUNE_MAX_CLASSES];
} attune_gnb;

/* What head.c calls; the contracts of head.h are checked there: sensors, class_index and weight are in range. */

void attune_gnb_init(attune_gnb *gnb, const attune_sensors *sensors);

/* Evidence for classes 1..classes-1, which head.c bounds. A sensor counts for class k if it is present and both k and 0 know it; a
 * class that was never taught is far below all others. False if no class can be compared. */
bool attune_gnb_predict(const attune_gnb *gnb, const int16_t *x, attune_real *evidence);

/* False, and nothing changed, if a weight would pass ATTUNE_MAX_N. */
bool attune_gnb_learn(attune_gnb *gnb, const int16_t *x, uint8_t class_index, attune_real weight);

/* False, and nothing changed, if the result is no valid state. Both have the same sensors. */
bool attune_gnb_merge(attune_gnb *gnb, const attune_gnb *other);
bool attune_gnb_unmerge(attune_gnb *gnb, const attune_gnb *other);

bool attune_gnb_valid(const attune_gnb_class *of, const attune_sensors *sensors);

/* The state in a format. For each class: a block of the weights by sensor, one of the spreads, one of the means.
 *
 * float32: n, M2, mean as they are. The others: means_state.h; int8 keeps the means of class 0 in float16, and those of the
 * others as differences from them in units of the class's own deviation. */
size_t attune_gnb_size(const attune_sensors *sensors, uint8_t classes, attune_format format);
void attune_gnb_export(const attune_gnb *gnb, attune_format format, uint8_t *bytes);

/* Reads what export wrote of a state with the same sensors. False, and nothing changed, if it is no valid state. */
bool attune_gnb_import(attune_gnb *gnb, uint8_t classes, attune_format format, const uint8_t *bytes);

#endif
