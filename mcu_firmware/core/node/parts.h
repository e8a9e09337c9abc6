/* What the files of the node share among themselves; not for ports. */
#ifndef ATTUNE_NODE_PARTS_H
#define ATTUNE_NODE_PARTS_H

#include "node/node.h"

/* What the node's label log stands beside. */
attune_release attune_node_release(const attune_node *node);

/* Make durable what was learned at the end of the log, and the whole log. */
bool attune_node_keep_labels(attune_node *node, uint16_t learned);
bool attune_node_keep_log(attune_node *node);

/* Keeps a tie now and then. */
void attune_node_keep_tie(attune_node *node, uint64_t tick_ms, uint64_t utc_ms);

/* Reports in RAM that are on their way. */
uint16_t attune_node_in_flight(const attune_node *node);

/* Writes numbers little endian; returns the bytes. */
uint16_t attune_node_write_i16(uint8_t *bytes, const int16_t *numbers, uint8_t count);

/* What every report says, wherever it was kept. */
void attune_node_fill_report(const attune_node *node, const attune_report *report, attune_v1_Report *out);

/* Time passes for what is in flash. */
void attune_node_keep_poll(attune_node *node);

/* Oldest report that the node holds, in RAM or in flash; the next number if none. */
uint32_t attune_node_first_seq(const attune_node *node);

/* Learns the windows of one label message, brings the filter to the head's number of classes, and queues the answer. */
void attune_node_learn(attune_node *node, const attune_v1_Label *label);

/* Forgets a label as if it had never been told, brings the filter to the head's number of classes, and queues the answer. */
void attune_node_unlearn(attune_node *node, const attune_v1_Unlearn *unlearn);

/* Starts the retries of hello and reports that are due, and the next health. */
void attune_node_link_poll(attune_node *node);

#endif
