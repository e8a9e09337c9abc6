/* What holds of a node at all times, whatever it was sent. */
#ifndef SOUND_NODE_H
#define SOUND_NODE_H

#include "node/node.h"

/* Ends the process unless filter and head agree in their classes, probabilities add up to one, log and backlog keep to their sizes,
 * each model is its release and its log and nothing else, and its state is one that may be stored: finite, and in order. */
void must_be_sound(const attune_node *node);

#endif
