#include "learner/evidence.h"

static attune_real below_best(attune_real x, attune_real best, attune_real limit) {
    return x - best > -limit ? x - best : -limit;
}

/* Clamping each ratio by itself would make all classes alike that are far from class 0. */
void attune_evidence_bound(attune_real *evidence, uint8_t classes, attune_real limit) {
    attune_real best = 0;
    for (uint8_t k = 1; k < classes; k++) {
        best = evidence[k - 1] > best ? evidence[k - 1] : best;
    }
    attune_real free = below_best(0, best, limit);
    for (uint8_t k = 1; k < classes; k++) {
        evidence[k - 1] = below_best(evidence[k - 1], best, limit) - free;
    }
}
