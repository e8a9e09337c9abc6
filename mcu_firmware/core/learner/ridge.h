/* Ridge regression on one-hot classes by recursive least squares, read as a linear discriminant.
 *
 * State, of the samples' centred features X and class indicators Y with weights w: the mean of each feature, the weight n_k of each
 * class, and the factors U (unit upper triangle) and D (diagonal) of A = X'wX + P = U'DU, with z = D^-1 U^-T X'wY for all classes but
 * class 0, whose indicator is one less the others'. A sample is one rank-one update by rotations without square roots
 * (Gentleman 1973, "Least squares computations by Givens transformations without square roots"; Miller 1992, AS 274).
 * In float32, rotations with square roots end ten times further off: their cosines are rounded so close to one. What rounding takes
 * from U is kept in 16 more bits a coefficient (Kahan 1965).
 *
 * Regularisation P = ATTUNE_RIDGE_WEIGHT * ATTUNE_RIDGE_VARIANCE on the diagonal. It is part of U and D from the beginning, counted
 * once by merge and unmerge. Where drift is above 0, a feature's part of P grows by drift for each unit of weight
 * up to ATTUNE_RIDGE_DRIFT_SPAN of them, in steps of d units, one feature after another: so P depends on the sum of weights
 * alone, and a learn has one rotation more. Such a P keeps A well conditioned, and the 16 bits are left out.
 *
 * Evidence is that of the linear discriminant with the pooled covariance W / N (Fisher 1936), W = A - C diag(1 / n) C' with C = X'wY,
 * N = sum of weights + ATTUNE_RIDGE_WEIGHT: N (mean_k - mean_0)' W^-1 (x - (mean_k + mean_0) / 2). Woodbury's identity gives
 * W^-1 (mean_k - mean) = U^-1 z (diag(n) - z'Dz)^-1 e_k, so one back substitution a class solves it.
 *
 * A missing feature has the mean of what was learned before it; a feature that was never seen is held to have been what it is when it
 * is first seen. Memory: 3 d^2 + 5 d + 4 d (K - 1) + 4 K bytes (float32), and 4 (d + 1) (K - 1) for the solution. Operations: learn
 * 4 d^2, and d^2 (K - 1) for the solution; predict 2 d (K - 1). Additive: U, D, z, n and means by rotating the rows of the other
 * state in, or out by the same rotations with negative weight. */
#ifndef ATTUNE_RIDGE_H
#define ATTUNE_RIDGE_H

#include "learner/format.h"
#include "learner/means.h"

/* Before anything is learned the spread of a feature within a class is held to be that of so many windows with this variance, in
 * squared units of q / 1024, which a schema's scales make the order of one. By cross-validation over days of train splits a tenth of both
 * predicts worse at every number of labels from 2 to 500, ten times as much from 10 to 50. */
#define ATTUNE_RIDGE_WEIGHT ATTUNE_REAL(10.0)
#define ATTUNE_RIDGE_VARIANCE ATTUNE_REAL(1.0)

/* Weight up to which drift adds to the regularisation: about a day of minutes. More windows come from several days, and how far those
 * lie apart is in W itself. */
#define ATTUNE_RIDGE_DRIFT_SPAN ATTUNE_REAL(1500.0)

/* Least weight that forgetting may leave of a class. */
#define ATTUNE_RIDGE_MIN_N ATTUNE_REAL(1e-6)

#define ATTUNE_RIDGE_CELLS (ATTUNE_MAX_FEATURES * (ATTUNE_MAX_FEATURES + 1) / 2)

typedef struct attune_ridge {
    attune_sensors sensors;
    uint8_t classes;
    attune_real drift; /* 0 after init; another head may set it before anything is learned */
    uint32_t seen;     /* bit i: feature i was learned */
    attune_real n[ATTUNE_MAX_CLASSES];
    attune_real mean[ATTUNE_MAX_FEATURES];
    attune_real u[ATTUNE_RIDGE_CELLS];                      /* row i: D_ii, then U_ij for j > i */
    uint16_t low[ATTUNE_RIDGE_CELLS - ATTUNE_MAX_FEATURES]; /* upper half of a float: what U_ij lacks */
    attune_real z[ATTUNE_MAX_FEATURES][ATTUNE_MAX_CLASSES - 1];
    /* The solution: evidence of class k + 1 = bias[k] + sum of weight[k][i] (x_i - mean_i). */
    attune_real weight[ATTUNE_MAX_CLASSES - 1][ATTUNE_MAX_FEATURES];
    attune_real bias[ATTUNE_MAX_CLASSES - 1];
} attune_ridge;

/* What head.c calls; the contracts of head.h are checked there: class_index and weight are in range, sensors is valid. */

void attune_ridge_init(attune_ridge *ridge, const attune_sensors *sensors);

/* Evidence for classes 1..classes-1, which head.c bounds; a class that was never taught is far below all others. False if class 0 or
 * all others were never taught, or no feature is present that was ever seen. */
bool attune_ridge_predict(const attune_ridge *ridge, const int16_t *x, attune_real *evidence);

/* False, and nothing changed, if the sum of weights would pass ATTUNE_MAX_N. */
bool attune_ridge_learn(attune_ridge *ridge, const int16_t *x, uint8_t class_index, attune_real weight);

/* Sets a state without classes and samples to what is known of classes 0 and 1 beforehand, each worth weight samples: known is a bit for
 * each feature that counts, middle[d] the mean of both classes' means, apart[d] the mean of class 1 less that of class 0, spread[d]
 * the sum of their variances, all zero where nothing is known. Features are held to vary independently within a class, so A is a
 * diagonal and one row. Worked in float, so that both builds have the same state. */
void attune_ridge_prior(attune_ridge *ridge, float weight, uint32_t known, const float *middle, const float *apart,
                        const float *spread);

/* Scales the weight of all that was learned by 0 < factor <= 1. False, and nothing changed, for another factor or if less than
 * ATTUNE_RIDGE_MIN_N would be left of a class. */
bool attune_ridge_forget(attune_ridge *ridge, attune_real factor);

/* False, and nothing changed, if the result is no valid state. Both have the same sensors. Each works on a copy, on the stack. */
bool attune_ridge_merge(attune_ridge *ridge, const attune_ridge *other);
bool attune_ridge_unmerge(attune_ridge *ridge, const attune_ridge *other);

/* The state in a format: seen (4 bytes, little endian), n[classes] in float32, mean[d], and the triangle.
 *
 * float32: D and U as they are, each row of U with 2 bytes a coefficient that hold what a float lacks; then z, a block a class from 1
 * on. The others hold the means in float16, log(D / N) in one block, U in a block a row, and in place of z for each class the
 * regression's weights times the features' remaining deviations sqrt(D / N), and at the end the Cholesky triangle of z'Dz (float32), a
 * row a class: as it was, because far classes hang on the little that is left of it. Evidence then differs by less than 0.005
 * nats (float16) or 0.1 nats (int8) on average, tested on 24 features with a common cause. */
size_t attune_ridge_size(const attune_sensors *sensors, uint8_t classes, attune_format format);

/* The same for a ridge with drift, whose float32 coefficients have no 2 bytes more. */
size_t attune_ridge_drifting_size(const attune_sensors *sensors, uint8_t classes, attune_format format);
void attune_ridge_export(const attune_ridge *ridge, attune_format format, uint8_t *bytes);

/* Reads what export wrote of a state with ridge's sensors. False, and the rest of the state undefined, if it is no valid state. */
bool attune_ridge_import(attune_ridge *ridge, uint8_t classes, attune_format format, const uint8_t *bytes);

/* The ridge regression on the indicator of a class k < classes: weight[d] and intercept for features in units of q / 1024. */
void attune_ridge_solution(const attune_ridge *ridge, uint8_t k, attune_real *weight, attune_real *intercept);

#endif
