/* What the backlog in flash keeps of its oldest hours. Not for ports. */
#ifndef ATTUNE_STORE_SUMMARIES_H
#define ATTUNE_STORE_SUMMARIES_H

#include "store/reports.h"

#define ATTUNE_SUMMARY_LETTER 's'

/* Reads a batch through. */
ATTUNE_CHECKED attune_store_result attune_summary_make(attune_store *store, const attune_batch *batch,
                                                       attune_summary *summary);

/* Keeps a summary; where there are too many the oldest is let go of first. */
ATTUNE_CHECKED attune_store_result attune_summary_write(attune_store *store, uint8_t features,
                                                        const attune_summary *summary);

#endif
