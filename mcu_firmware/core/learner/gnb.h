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

#include <stdint.h>

/* Smallest variance, in squared units of q / 1024: a thirtieth of a typical indoor spread as deviation. */
#define ATTUNE_GNB_FLOOR ATTUNE_REAL(1e-3)

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

#endif
