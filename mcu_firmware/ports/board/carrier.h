/* How the frames of a board's one node travel: over a stream of bytes (stream.c) or over Bluetooth (air.c). An image is linked with one
 * of the two, which keeps its state in itself. */
#ifndef ATTUNE_BOARD_CARRIER_H
#define ATTUNE_BOARD_CARRIER_H

#include "node/node.h"

#include <stdbool.h>

/* Before anything else, once the node has its keys. */
void attune_carrier_begin(void);

/* Tells the node whether its link is up, and hands it what has come, a little at a time. Returns true if there was work. */
bool attune_carrier_receive(attune_node *node);

/* Sends what the node has to say, as far as the link takes it. Returns true if there was work. */
bool attune_carrier_send(attune_node *node);

#endif
