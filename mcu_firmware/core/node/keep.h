/* What a node keeps in flash. */
#ifndef ATTUNE_KEEP_H
#define ATTUNE_KEEP_H

#include "store/store.h"

/* Ties are written so often at most. */
#define ATTUNE_TIE_MS 3600000u

typedef struct attune_keep {
    attune_store *store;
    bool tied;       /* a tie of this boot is in flash */
    uint64_t tie_ms; /* tick of the last one */
} attune_keep;

struct attune_node;

/* Right after attune_node_init: the node goes on from an opened store. It runs the committed release, or the factory release where that
 * one is of another schema, and learns its label log again. The store must stay where it is. */
ATTUNE_CHECKED attune_store_result attune_node_keep(struct attune_node *node, attune_store *store);

#endif
