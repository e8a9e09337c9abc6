/* Gaussian naive Bayes with weighted, missing-aware, additive statistics.
 *
 * State: for each class and feature the weight n, the mean, and M2, the weighted sum of squared differences from the
 * mean: 12 d K bytes (float32) and a few. Additive: two states merge by Chan, Golub and LeVeque (1979), "Updating
 * formulae and a pairwise algorithm for computing sample variances"; unmerge is its inverse. The variance used is
 * (M2 + ATTUNE_GNB_FLOOR * n) / n. Per sample: learn 5 d operations; predict 6 d K and K d logarithms. */
#ifndef ATTUNE_GNB_H
#define ATTUNE_GNB_H

#include "config.h"
#include "learner/format.h"
#include "real/real.h"

#include <stdbool.h>
#include <stdint.h>

/* Smallest variance, in squared units of q / 1024: a thirtieth of a typical indoor spread as deviation. */
#define ATTUNE_GNB_FLOOR ATTUNE_REAL(1e-3)

/* Largest weight of a cell; float32 sums lose whole labels well before, and products of it stay finite. */
#define ATTUNE_GNB_MAX_N ATTUNE_REAL(1e9)

/* Coordinates lie within +-32767 / 1024. */
#define ATTUNE_GNB_MAX_X ATTUNE_REAL(32.0)

/* n >= 0; mean and m2 are 0 where n is. */
typedef struct attune_gnb_cell {
    attune_real n;
    attune_real mean;
    attune_real m2;
} attune_gnb_cell;

typedef struct attune_gnb {
    uint8_t d;
    uint8_t classes;
    attune_gnb_cell cell[ATTUNE_MAX_CLASSES][ATTUNE_MAX_FEATURES];
} attune_gnb;

/* What head.c calls; the contracts of head.h are checked there: d, class_index and weight are in range. */

void attune_gnb_init(attune_gnb *gnb, uint8_t d);

/* Evidence for classes 1..classes-1, which head.c bounds. A feature counts for class k if it is present and both k and 0 know it; a
 * class that was never taught is far below all others. False if no class can be compared. */
bool attune_gnb_predict(const attune_gnb *gnb, const int16_t *x, attune_real *evidence);

/* False, and nothing changed, if a weight would pass ATTUNE_GNB_MAX_N. */
bool attune_gnb_learn(attune_gnb *gnb, const int16_t *x, uint8_t class_index, attune_real weight);

/* False, and nothing changed, if the result is no valid state. Both have the same d. */
bool attune_gnb_merge(attune_gnb *gnb, const attune_gnb *other);
bool attune_gnb_unmerge(attune_gnb *gnb, const attune_gnb *other);

bool attune_gnb_cell_valid(const attune_gnb_cell *cell);

/* The state in a format. For each class, in blocks of d values: the weights, the spreads, the means.
 *
 * float32: n, M2, mean as they are. The others hold what predictions feel alike everywhere: sqrt(n), which stays in float16's
 * range; the spread as deviation sqrt(M2 / n) (float16) or log(M2 / n + ATTUNE_GNB_FLOOR) (int8). int8 keeps the means of
 * class 0 in float16, and those of the others as differences from them in units of the class's own deviation. */
size_t attune_gnb_size(uint8_t d, uint8_t classes, attune_format format);
void attune_gnb_export(const attune_gnb *gnb, attune_format format, uint8_t *bytes);

/* Reads what export wrote of a state with gnb's d. False, and nothing changed, if it is no valid state. */
bool attune_gnb_import(attune_gnb *gnb, uint8_t classes, attune_format format, const uint8_t *bytes);

#endif
