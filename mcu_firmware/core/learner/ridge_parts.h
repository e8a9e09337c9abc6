/* What the files of the ridge head share. */
#ifndef ATTUNE_RIDGE_PARTS_H
#define ATTUNE_RIDGE_PARTS_H

#include "learner/ridge.h"

/* The diagonal of P. */
#define ATTUNE_RIDGE_DIAGONAL (ATTUNE_RIDGE_WEIGHT * ATTUNE_RIDGE_VARIANCE)

/* A row of X and Y. */
typedef struct attune_ridge_sample {
    attune_real x[ATTUNE_MAX_FEATURES];
    attune_real y[ATTUNE_MAX_CLASSES - 1];
} attune_ridge_sample;

/* Where row i of the triangle begins in u; in low it is i places before. */
static inline uint16_t attune_ridge_row(uint8_t d, uint8_t i) { return (uint16_t)(i * (2 * d - i + 1) / 2); }

static inline bool attune_ridge_has_seen(const attune_ridge *ridge, uint8_t i) { return (ridge->seen >> i & 1) != 0; }

/* Sum of the weights of all classes. */
attune_real attune_ridge_total(const attune_ridge *ridge);

/* Adds a weighted row, which is zero before feature `first`, to A and to X'wY; a negative weight takes it out. The sample is used
 * up. False, and the state undefined, if what is left would be less than half of the regularisation. */
bool attune_ridge_rotate(attune_ridge *ridge, attune_ridge_sample *sample, uint8_t first, attune_real weight);

/* Adds a row that is 1 in feature i and zero elsewhere. As attune_ridge_rotate. */
bool attune_ridge_rotate_unit(attune_ridge *ridge, uint8_t i, attune_real weight);

/* Steps of drift that feature i of d has had where the sum of weights is n. */
uint32_t attune_ridge_steps(uint8_t d, uint8_t i, attune_real n);

/* Feature i's part of the regularisation P where the sum of weights is n. */
attune_real attune_ridge_regularisation(const attune_ridge *ridge, uint8_t i, attune_real n);

/* Adds what drift makes of P when the sum of weights has grown from `before` to that of the ridge. */
void attune_ridge_drift(attune_ridge *ridge, attune_real before);

/* Parts of a coefficient that float32 cannot hold, as the upper half of a float. */
attune_real attune_ridge_widen(uint16_t low);
uint16_t attune_ridge_narrow(attune_real x);

/* Brings weight and bias up to date with the state. */
void attune_ridge_solve(attune_ridge *ridge);

/* z[:, k - 1]' D z[:, j - 1]: what the features explain of the indicators of classes k and j > 0, together. */
attune_real attune_ridge_explained(const attune_ridge *ridge, uint8_t k, uint8_t j);

/* Solves U b = b for b[d]. */
void attune_ridge_substitute(const attune_ridge *ridge, attune_real *b);

/* The state is one that learning can give, but for rounding. */
bool attune_ridge_valid(const attune_ridge *ridge);

#endif
