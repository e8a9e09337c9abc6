/* What the files of the node share among themselves; not for ports. */
#ifndef ATTUNE_NODE_PARTS_H
#define ATTUNE_NODE_PARTS_H

#include "node/node.h"

/* What the node's label log stands beside. */
attune_release attune_node_release(const attune_node *node);

/* Learns the windows of one label message, brings the filter to the head's number of classes, and queues the answer. */
void attune_node_learn(attune_node *node, const attune_v1_Label *label);

/* Forgets a label as if it had never been told, brings the filter to the head's number of classes, and queues the answer. */
void attune_node_unlearn(attune_node *node, const attune_v1_Unlearn *unlearn);

/* Starts the retries of hello and reports that are due, and the next health. */
void attune_node_link_poll(attune_node *node);

#endif
