/* Ridge's part of compact.h. */
#ifndef ATTUNE_COMPACT_RIDGE_H
#define ATTUNE_COMPACT_RIDGE_H

#include "learner/gnb.h"
#include "learner/ridge.h"

/* Makes the state of a ridge without one: ridge->n[classes] and weight[classes - 1][d] (nats for a unit of q / 1024) are what it is to
 * have, gnb the means and variances of the features that are known (bit i of known). False, and the state undefined, if there is no
 * such state. */
bool attune_compact_ridge(attune_ridge *ridge, const attune_gnb *gnb, uint32_t known);

#endif
