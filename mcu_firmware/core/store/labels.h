/* The label log in flash: head = release + log holds after every start.
 *
 * New windows go to small files, three to one, which cost no block of their own; after ATTUNE_LABEL_FILES of them one snapshot of the whole
 * log takes their place. One log serves both slots: attune_slot_info.labels says from which label on it teaches each. So a
 * label that is acknowledged during a trial is there whichever of the two goes on. */
#ifndef ATTUNE_STORE_LABELS_H
#define ATTUNE_STORE_LABELS_H

#include "learner/label_log.h"
#include "store/store.h"

/* Small files before a snapshot. Eight hold a label of 24 windows; both fewer and more erase more. */
#define ATTUNE_LABEL_FILES 8

/* The log as it was last acknowledged; empty if there was none. Windows of another number of features are left out, as is what does not
 * pass its check. */
ATTUNE_CHECKED attune_store_result attune_labels_load(attune_store *store, uint8_t features, attune_label_log *log);

/* Makes durable what attune_label_log_learn has put at the end of the log: the last learned entries, at most all. On a failure the next
 * call writes the whole log, so nothing that is in RAM is ever taken for durable. */
ATTUNE_CHECKED attune_store_result attune_labels_append(attune_store *store, uint8_t features,
                                                        const attune_label_log *log, uint16_t learned);

/* Writes the whole log in place of what there is, as after attune_label_log_forget. */
ATTUNE_CHECKED attune_store_result attune_labels_rewrite(attune_store *store, uint8_t features,
                                                         const attune_label_log *log);

#endif
