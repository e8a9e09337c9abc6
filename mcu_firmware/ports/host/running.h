/* What nodes run, for people who watch: said when it changes, and before anybody else hears of it. */
#ifndef ATTUNE_HOST_RUNNING_H
#define ATTUNE_HOST_RUNNING_H

#include "node/node.h"

#include <stdint.h>

/* What was said last of a node; zeroed before the first time. */
typedef struct running {
    uint8_t release[16];
    uint32_t highest;
    uint32_t trial;
} running;

/* A line on standard error, unless it would be the last one again: `Node 0 runs release HEX, highest update 3, on trial 0.` with the
 * digest of the committed release and sequence numbers, 0 for none. */
void running_tell(running *said, const attune_node *node, uint32_t index);

#endif
