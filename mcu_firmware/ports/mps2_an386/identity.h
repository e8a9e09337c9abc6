/* Who the node is, and its random numbers. Both, and so its keys, come from the seed that was brought in, so this is a test image and says so.
 *
 * Flash block 0 holds the node id: made at the first start, read at every later one, whatever the seed is by then.
 * Flash block 1 counts the starts, a cleared bit each: no two starts with one seed draw the same numbers. */
#ifndef ATTUNE_MPS2_IDENTITY_H
#define ATTUNE_MPS2_IDENTITY_H

#include "reset.h"

#include <stdbool.h>

/* What attune_port_identity will say about the last run; it cannot find out itself. */
void attune_identity_begin(attune_reset_cause cause);

#endif
