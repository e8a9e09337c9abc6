/* What the nodes of one process keep: a store a node, in a file of flash or in memory only; keys are random, or made of a seed for tests.
 *
 * The file has a region a node, in the order of the roster: a block that names the node, then its flash (flash.h). */
#ifndef ATTUNE_HOST_STORES_H
#define ATTUNE_HOST_STORES_H

#include "flash.h"
#include "roster.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct stores {
    const roster_entry *entries;
    uint32_t nodes;
    int fd;      /* -1: in memory */
    bool seeded; /* the nodes are test nodes and say so */
    host_flash *flash;
    attune_store *store; /* one a node, open */
} stores;

/* path may be NULL. Ends the process with a sentence if the file cannot be opened, is in use or is of other nodes, or if a flash fails. */
void stores_open(stores *all, const roster_entry *entries, uint32_t nodes, const char *path);

/* Keys of first starts follow from seed and hint: BLAKE2b-256, keyed with the seed (8 bytes, little endian), of the key's number in
 * attune_key and the hint. */
void stores_seed(stores *all, uint64_t seed);

/* Random numbers of the machine. */
attune_keeper stores_keeper(void);

/* A line `NODE_ID CODE` a node on standard output. */
void stores_print_codes(stores *all);

void stores_close(stores *all);

#endif
