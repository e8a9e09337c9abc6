/* Evidence of a window: for each class k > 0 the log-likelihood ratio against class 0, in nats, with every prior left out. */
#ifndef ATTUNE_EVIDENCE_H
#define ATTUNE_EVIDENCE_H

#include "real/real.h"

#include <stdint.h>

/* Evidence of a class that nobody has taught: below what any limit lets through. */
#define ATTUNE_UNTAUGHT ATTUNE_REAL(-1e9)

/* Lifts every class that lies more than limit below the most likely one to there, then counts from class 0: each ratio is within
 * +-limit (with two classes that is a clamp) and the best class stays the best. evidence[classes - 1]. */
void attune_evidence_bound(attune_real *evidence, uint8_t classes, attune_real limit);

#endif
