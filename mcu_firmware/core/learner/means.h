/* Weights and means of the windows of one class, and what they add to a sum of squares: the additive part of the heads.
 *
 * Learning is West's weighted update (1979, "Updating mean and variance estimates: an improved method"), merging that of Chan,
 * Golub and LeVeque (1979), "Updating formulae and a pairwise algorithm for computing sample variances", unmerging its
 * inverse. The sum of squares m2[features], about the class's mean, is the caller's: several classes may share one. */
#ifndef ATTUNE_MEANS_H
#define ATTUNE_MEANS_H

#include "learner/evidence.h"
#include "learner/sensors.h"
#include "real/real.h"
#include "window/schema.h"

/* Largest weight of a sensor; float32 sums lose whole labels well before, and products of it stay finite. */
#define ATTUNE_MAX_N ATTUNE_REAL(1e9)

/* Coordinates lie within +-32767 / 1024. */
#define ATTUNE_MAX_X ATTUNE_REAL(32.0)

/* Smallest variance that a head counts with, in squared units of q / 1024: a thirtieth of a typical indoor spread as deviation. */
#define ATTUNE_LEAST_VARIANCE ATTUNE_REAL(1e-3)

/* No variance is larger than the square of the coordinates' range. */
#define ATTUNE_LARGEST_VARIANCE (4 * ATTUNE_MAX_X * ATTUNE_MAX_X)

/* n >= 0; the means of a sensor are 0 where its n is. */
typedef struct attune_means {
    attune_real n[ATTUNE_MAX_FEATURES];    /* weight, by sensor */
    attune_real mean[ATTUNE_MAX_FEATURES]; /* by feature, in units of q / 1024 */
} attune_means;

/* A coordinate in units of q / 1024. */
static inline attune_real attune_unit(int16_t q) { return (attune_real)q / ATTUNE_UNIT; }

/* Adds a window with a weight > 0. False, and nothing changed, if a sensor's weight would pass ATTUNE_MAX_N. */
bool attune_means_learn(attune_means *means, attune_real *m2, const attune_sensors *sensors, const int16_t *x,
                        attune_real weight);

/* means += other and means -= other; m2 changes by the squares between the two means, not by other's own. False, and everything
 * undefined, if the result is not valid. Weights that rounding leaves of nothing become 0, and their means with them. */
bool attune_means_merge(attune_means *means, attune_real *m2, const attune_means *other, const attune_sensors *sensors);
bool attune_means_unmerge(attune_means *means, attune_real *m2, const attune_means *other,
                          const attune_sensors *sensors);

/* All weights and means are ones that learning can give. */
bool attune_means_valid(const attune_means *means, const attune_sensors *sensors);

/* Bit s is set if sensor s has a weight. */
uint32_t attune_means_known(const attune_means *means, const attune_sensors *sensors);

/* A sum of squares after unmerge: what rounding left below zero of `before` becomes 0, and 0 is all there is to a weight n of 0.
 * False if the sum is none that a weight of n can have. */
bool attune_squares_settle(attune_real *m2, attune_real before, attune_real n);
bool attune_squares_valid(attune_real m2, attune_real n);

#endif
