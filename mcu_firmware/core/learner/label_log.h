/* Labelled windows beside a release, or several: head = release + log, replayed in the log's order, always.
 *
 * A window is known by (boot, seq). A label with a higher number supersedes a lower one on the same window. When the
 * log is full the entry of the lowest label number (then the oldest) makes room; what it taught is gone with it. */
#ifndef ATTUNE_LABEL_LOG_H
#define ATTUNE_LABEL_LOG_H

#include "learner/head.h"

typedef struct attune_label_entry {
    uint32_t number; /* of the label */
    uint32_t boot;
    uint32_t seq;
    uint16_t weight; /* 256 is one person's word */
    uint8_t class_index;
    int16_t features[ATTUNE_MAX_FEATURES];
} attune_label_entry;

typedef struct attune_label_log {
    uint16_t count;
    attune_label_entry entry[ATTUNE_LABEL_LOG];
} attune_label_log;

/* Who learns from a log: one or more heads, each beside its release. */
typedef struct attune_pupil {
    void *who; /* handed to both */

    /* Every head becomes its release again. */
    void (*restart)(void *who);

    /* Teaches an entry to every head whose release was not built from its label. What is not ATTUNE_HEAD_OK is not to be in the log. */
    attune_head_result (*teach)(void *who, const attune_label_entry *entry);
} attune_pupil;

typedef enum attune_label_result {
    ATTUNE_LABEL_LEARNED = 0,
    ATTUNE_LABEL_KNOWN,      /* this label was already learned on this window: nothing changes */
    ATTUNE_LABEL_SUPERSEDED, /* a newer label holds the window, or newer labels fill the log */
    ATTUNE_LABEL_REFUSED     /* class or weight out of range, or the head is full */
} attune_label_result;

void attune_label_log_init(attune_label_log *log);

/* Adds one labelled window and brings the pupil up to date with release + log: by one step where that gives the same state as
 * a replay would (an append), by a replay otherwise. */
attune_label_result attune_label_log_learn(attune_label_log *log, const attune_label_entry *entry,
                                           const attune_pupil *pupil);

/* Puts an entry where attune_label_log_learn has put it, without a pupil: what was learned once is placed again in the same order
 * when a log is read back. */
void attune_label_log_place(attune_label_log *log, const attune_label_entry *entry);

/* Takes every window of a label out of the log; what is left is replayed. Returns how many windows went, and leaves the pupil alone
 * if none did. */
uint16_t attune_label_log_forget(attune_label_log *log, uint32_t number, const attune_pupil *pupil);

/* Every head = release + log. */
void attune_label_log_replay(const attune_label_log *log, const attune_pupil *pupil);

#endif
