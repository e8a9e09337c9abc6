/* Gaussian naive Bayes with weighted, missing-aware, additive statistics.
 *
 * State: for each class and feature the weight n, the mean, and M2, the weighted sum of squared differences from the
 * mean: 12 d K bytes (float32) and a few. Additive: two states merge by Chan, Golub and LeVeque (1979), "Updating
 * formulae and a pairwise algorithm for computing sample variances"; unmerge is its inverse. The variance used is
 * (M2 + ATTUNE_GNB_FLOOR * n) / n. Per sample: learn 5 d operations; predict 6 d K and K d logarithms. */
#ifndef ATTUNE_GNB_H
#define ATTUNE_GNB_H

#include "config.h"
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

/* Evidence for classes 1..classes-1: no class, 0 included, is held to be less likely than limit nats below the best one. A feature
 * counts for class k if it is present and both k and 0 know it; a class that was never taught is the least likely.
 * False if no class can be compared. */
bool attune_gnb_predict(const attune_gnb *gnb, const int16_t *x, attune_real limit, attune_real *evidence);

/* False, and nothing changed, if a weight would pass ATTUNE_GNB_MAX_N. */
bool attune_gnb_learn(attune_gnb *gnb, const int16_t *x, uint8_t class_index, attune_real weight);

/* False, and nothing changed, if the result is no valid state. Both have the same d. */
bool attune_gnb_merge(attune_gnb *gnb, const attune_gnb *other);
bool attune_gnb_unmerge(attune_gnb *gnb, const attune_gnb *other);

bool attune_gnb_cell_valid(const attune_gnb_cell *cell);

#endif
