/* Nearest class mean under one diagonal covariance that all classes share, for classes taught with 1 to 5 labels.
 *
 * State: for each class the weight of each sensor and the mean of each feature; for each feature one sum of squares M2 about the means of
 * the classes: K (S + d) + d numbers for K classes, d features, S sensors. Additive: means.h; merge and unmerge are exact but for
 * rounding. A full covariance (d (d + 1) / 2 numbers) was no better with up to 100 labels a class on held-back days of
 * candanedo and robod: ridge is the head for many labels.
 *
 * Variance of a feature: (M2 + ATTUNE_PROTOTYPE_PRIOR) / (n - classes that know it + ATTUNE_PROTOTYPE_PRIOR), shrunk towards one
 * unit of q / 1024, the scale of the schema. A class's mean of n labels is uncertain by variance / n, so the likelihood is normal
 * with variance * (1 + 1 / n) (Bishop 2006, "Pattern Recognition and Machine Learning", section 2.3.6).
 *
 * Correction of new classes (TEEN: Wang et al. 2023, "Few-Shot Class-Incremental Learning via Training-Free Prototype
 * Calibration"): the mean of a class k > 0 of n labels is fused with those of the classes j that have more, n_j,
 *   mean <- (n mean + a sum_j s_j mean_j) / (n + a),   s_j ~ (1 - n / n_j) exp(ATTUNE_PROTOTYPE_SHARPNESS * cosine(mean, mean_j)),
 * where the s_j add up to 1 and cosines are taken about the middle of all classes under the shared variances. TEEN shifts by one half
 * whatever n is; here a = ATTUNE_PROTOTYPE_PULL * max_j (1 - n / n_j), so the shift is a half at one label among many and fades. Class 0,
 * free, is never new. The correction is computed anew in each predict; the state holds plain means and stays additive.
 *
 * Operations of a predict: about 30 d K; each pair of classes of which one has more labels adds 3 d, and 12 d + d K where a third
 * has more labels too. Of a learn: 6 d. */
#ifndef ATTUNE_PROTOTYPE_H
#define ATTUNE_PROTOTYPE_H

#include "learner/format.h"
#include "learner/means.h"

#include <stddef.h>

/* Labels' worth of the unit variance that shared variances are shrunk towards. */
#define ATTUNE_PROTOTYPE_PRIOR ATTUNE_REAL(4.0)

/* Weight of the correction, in labels; one reproduces TEEN's half-and-half for a class with one label. */
#define ATTUNE_PROTOTYPE_PULL ATTUNE_REAL(1.0)

/* How sharply similar classes are preferred; TEEN takes 16 for a hundred classes, and 4 was no worse for 4 to 6. */
#define ATTUNE_PROTOTYPE_SHARPNESS ATTUNE_REAL(4.0)

/* A class weighs as if it had at least this many labels: bounds the uncertainty of its mean. */
#define ATTUNE_PROTOTYPE_LEAST_N ATTUNE_REAL(0.5)

typedef struct attune_prototype {
    attune_sensors sensors;
    uint8_t classes;
    attune_means means[ATTUNE_MAX_CLASSES];
    attune_real m2[ATTUNE_MAX_FEATURES]; /* of all classes */
} attune_prototype;

/* What head.c calls; the contracts of head.h are checked there: class_index and weight are in range, sensors is valid. */

void attune_prototype_init(attune_prototype *prototype, const attune_sensors *sensors);

/* Evidence for classes 1..classes-1, which head.c bounds. A sensor counts for class k if it is present and both k and 0 know it.
 * False if no class can be compared. */
bool attune_prototype_predict(const attune_prototype *prototype, const int16_t *x, attune_real *evidence);

/* False, and nothing changed, if a weight would pass ATTUNE_MAX_N. */
bool attune_prototype_learn(attune_prototype *prototype, const int16_t *x, uint8_t class_index, attune_real weight);

/* False, and nothing changed, if the result is no valid state. Both have the same sensors. */
bool attune_prototype_merge(attune_prototype *prototype, const attune_prototype *other);
bool attune_prototype_unmerge(attune_prototype *prototype, const attune_prototype *other);

/* The state in a format: the weights by sensor and the means of each class, then the spreads. Import: false, and nothing
 * changed, if it is no valid state. */
size_t attune_prototype_size(const attune_sensors *sensors, uint8_t classes, attune_format format);
void attune_prototype_export(const attune_prototype *prototype, attune_format format, uint8_t *bytes);
bool attune_prototype_import(attune_prototype *prototype, uint8_t classes, attune_format format, const uint8_t *bytes);

#endif
