/* What a node keeps in flash, if its port has one. Without a store a node keeps what it knows in RAM, and works. */
#ifndef ATTUNE_KEEP_H
#define ATTUNE_KEEP_H

#include "store/store.h"

/* Ties are written so often at most. */
#define ATTUNE_TIE_MS 3600000u

typedef struct attune_keep {
    attune_store *store; /* NULL: none */
    bool tied;           /* a tie of this boot is in flash */
    uint64_t tie_ms;     /* tick of the last one */
    uint32_t move_seq;   /* next_seq from which on moving is tried again after it failed */
    uint32_t first_seq;  /* oldest report of this boot that is in flash; 0 if none is */
    uint32_t loaded_seq; /* reports up to this one are in flash, and in RAM to be sent; 0 if none are */
} attune_keep;

struct attune_node;

/* Right after attune_node_init: the node goes on from an opened store. It runs the committed release, or the factory release where that
 * one is of another schema, and learns its label log again. The store must stay where it is. Reports of earlier boots stay in flash. */
ATTUNE_CHECKED attune_store_result attune_node_keep(struct attune_node *node, attune_store *store);

#endif
