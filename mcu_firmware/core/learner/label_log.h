/* Labelled windows beside a release: head = release + log, replayed in the log's order, always.
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

/* A release, wherever it is kept: RAM for a copy of it would be for nothing else. */
typedef struct attune_release {
    void (*load)(const void *from, attune_head *head); /* sets head to it */
    const void *from;
    uint32_t
        through; /* the highest label number that it was built from: entries up to it are not replayed. 0 if none */
} attune_release;

typedef enum attune_label_result {
    ATTUNE_LABEL_LEARNED = 0,
    ATTUNE_LABEL_KNOWN,      /* this label was already learned on this window: nothing changes */
    ATTUNE_LABEL_SUPERSEDED, /* a newer label holds the window, or newer labels fill the log */
    ATTUNE_LABEL_REFUSED     /* class or weight out of range, or the head is full */
} attune_label_result;

void attune_label_log_init(attune_label_log *log);

/* Adds one labelled window and brings head up to date with release + log: by one learn step where that gives the same state as
 * a replay would (an append), by a replay otherwise. */
attune_label_result attune_label_log_learn(attune_label_log *log, const attune_label_entry *entry,
                                           const attune_release *release, attune_head *head);

/* Puts an entry where attune_label_log_learn has put it, without a head: what was learned once is placed again in the same order
 * when a log is read back. */
void attune_label_log_place(attune_label_log *log, const attune_label_entry *entry);

/* Takes every window of a label out of the log; head = release + what is left, replayed. Returns how many windows went, and leaves
 * the head alone if none did. */
uint16_t attune_label_log_forget(attune_label_log *log, uint32_t number, const attune_release *release,
                                 attune_head *head);

/* head = release + log. */
void attune_label_log_replay(const attune_label_log *log, const attune_release *release, attune_head *head);

#endif
