/* The backlog in flash: what the ring in RAM hands on while no session takes reports.
 *
 * Reports move in batches of most of an hour of them, each a file of one block. Where the flash has no more room for batches the oldest
 * becomes a summary of a hundred bytes, and where there are ATTUNE_SUMMARIES of those the oldest is let go of; both are counted. In
 * 64 blocks 28 hours of reports fit at one a minute, and summaries of the 19 hours before. */
#ifndef ATTUNE_STORE_REPORTS_H
#define ATTUNE_STORE_REPORTS_H

#include "node/backlog.h"
#include "store/store.h"

/* Reports of one batch, at most; fewer where they do not fit a block. */
#define ATTUNE_BATCH 48

/* Reports in RAM from which on a batch is worth moving: what is lost at most with the power, less than an hour. */
#define ATTUNE_BATCH_WAITING 50

#define ATTUNE_SUMMARIES 24

typedef struct attune_batch {
    uint32_t number;
    uint32_t boot;
    uint32_t last_seq;
    uint8_t reports;
    uint8_t features;
    uint8_t evidences; /* room for so many in each report */
} attune_batch;

/* What is left of a batch. */
typedef struct attune_summary {
    uint32_t number; /* grows with time */
    uint32_t boot;
    uint32_t first_seq;
    uint32_t last_seq;
    uint32_t end_s; /* of the last window, in seconds since the start of that boot */
    uint8_t reports;
    uint8_t class_reports[ATTUNE_MAX_CLASSES]; /* by the class of the node's own filter */
    int16_t features[ATTUNE_MAX_FEATURES];     /* means of what is not missing; INT16_MIN where all are */
} attune_summary;

/* Moves the oldest reports of the ring into a batch, and lets go of them in RAM once they are durable. ATTUNE_STORE_NONE if none wait. */
ATTUNE_CHECKED attune_store_result attune_reports_move(attune_store *store, uint32_t boot, uint8_t features,
                                                       attune_backlog *backlog);

/* The oldest batch; ATTUNE_STORE_NONE if there is none. Batches of another number of features and damaged ones are let go of. */
ATTUNE_CHECKED attune_store_result attune_reports_oldest(attune_store *store, uint8_t features, attune_batch *batch);

/* The oldest batch of a boot; ATTUNE_STORE_NONE if there is none. */
ATTUNE_CHECKED attune_store_result attune_reports_of_boot(attune_store *store, uint8_t features, uint32_t boot,
                                                          attune_batch *batch);

/* One report of a batch, 0 the oldest; ATTUNE_STORE_NONE at index batch->reports and above. */
ATTUNE_CHECKED attune_store_result attune_reports_read(attune_store *store, const attune_batch *batch, uint8_t index,
                                                       attune_report *report);

/* Lets go of a batch; ATTUNE_STORE_DAMAGED if there is none of this number. */
ATTUNE_CHECKED attune_store_result attune_reports_remove(attune_store *store, uint32_t number);

/* The oldest summary; ATTUNE_STORE_NONE if there is none. */
ATTUNE_CHECKED attune_store_result attune_summaries_oldest(attune_store *store, uint8_t features,
                                                           attune_summary *summary);

/* Lets go of a summary that has been delivered. */
ATTUNE_CHECKED attune_store_result attune_summaries_remove(attune_store *store, uint32_t number);

#endif
