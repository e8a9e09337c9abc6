/* What the files of the node share among themselves; not for ports. */
#ifndef ATTUNE_NODE_PARTS_H
#define ATTUNE_NODE_PARTS_H

#include "node/node.h"

/* --- release.c --- */

/* The factory release, as long as nothing else is known. */
void attune_node_start_factory(attune_node *node);

/* What the slots say, once attune_node_start_slots has looked at them, and the label log on top. */
void attune_node_start_releases(attune_node *node);

/* The release of a slot without what labels taught. False, and the factory release, where the slot holds none of this node. */
bool attune_node_load(const attune_node *node, uint8_t slot, attune_model *model);

/* Whether there is a release beside the committed one. */
bool attune_node_on_trial(const attune_node *node);

/* Who learns from the node's label log: what is committed, and what is on trial. */
attune_pupil attune_node_pupil(attune_node *node);

/* Teaches the log to the trial, which is its release. */
void attune_node_teach_trial(attune_node *node);

/* The filter starts cold, or follows a changed number of classes. */
void attune_node_start_filter(attune_node *node);
void attune_node_follow_classes(attune_node *node);

/* What was on trial, and has become the committed release, is what runs. */
void attune_node_run_trial(attune_node *node);

/* --- trial.c --- */

/* The first look at the slots after a start: a trial may end by it. */
ATTUNE_CHECKED attune_store_result attune_node_start_slots(attune_node *node, attune_store *store);

/* node->trial is the release that has been installed. */
void attune_node_start_trial(attune_node *node);
void attune_node_end_trial(attune_node *node, attune_v1_TrialEnd how);
void attune_node_decide(attune_node *node, const attune_v1_TrialDecision *decision);
void attune_node_trial_poll(attune_node *node);

void attune_node_fill_running(const attune_node *node, attune_v1_Running *running);

/* What both make of a window's features, into its report; and the filter's next step. */
#define ATTUNE_TRIAL_DIFFERS 16
void attune_node_weigh(attune_node *node, attune_report *report);

/* --- update.c --- */

/* Messages about updates; others are passed over. */
void attune_node_take_update(attune_node *node, const attune_v1_DaemonMessage *message);
void attune_node_take_signing_key(attune_node *node, const uint8_t *bytes, size_t size);

/* Judges an envelope that is all there. */
void attune_node_update_poll(attune_node *node);

/* The next answer; false if there is none. A connection begins without any. */
bool attune_node_fill_update(const attune_node *node, attune_v1_NodeMessage *message);
void attune_node_update_sent(attune_node *node, const attune_v1_NodeMessage *message);
void attune_node_updates_restart(attune_node *node);

/* --- keep.c, learn.c, link.c --- */

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

/* Oldest report that the node holds, in RAM or in flash; the next number if none. */
uint32_t attune_node_first_seq(const attune_node *node);

/* The daemon waits for reports that it will never get: they made room for newer ones, or it has lost those that it acknowledged. */
bool attune_node_has_gap(const attune_node *node);

/* Learns the windows of one label message, brings the filter to the head's number of classes, and queues the answer. */
void attune_node_learn(attune_node *node, const attune_v1_Label *label);

/* Forgets a label as if it had never been told, brings the filter to the head's number of classes, and queues the answer. */
void attune_node_unlearn(attune_node *node, const attune_v1_Unlearn *unlearn);

/* Starts the retries of hello and reports that are due, and the next health. */
void attune_node_link_poll(attune_node *node);

#endif
