/* The keys of the nodes of one process: in a file, or in memory only; random, or made of a seed for tests. */
#ifndef ATTUNE_HOST_IDENTITIES_H
#define ATTUNE_HOST_IDENTITIES_H

#include "roster.h"
#include "session/keys.h"

#include <stdbool.h>
#include <stdint.h>

/* What the file holds of a node, in the order of the roster: node id, held, keys. */
#define IDENTITY_RECORD (8 + 1 + ATTUNE_KEYS * ATTUNE_KEY_SIZE)

struct identities;

typedef struct identity_slot {
    struct identities *all;
    uint32_t index;
} identity_slot;

typedef struct identities {
    const roster_entry *entries;
    uint32_t nodes;
    int fd;      /* -1: in memory */
    bool seeded; /* the nodes are test nodes and say so */
    uint64_t seed;
    identity_slot *slot;
} identities;

/* path may be NULL. Ends the process with a sentence if the file cannot be opened. */
void identities_open(identities *all, const roster_entry *entries, uint32_t nodes, const char *path);

/* Keys of first starts follow from seed and hint from now on: BLAKE2b-256, keyed with the seed (8 bytes, little endian), of the
 * key's number in attune_key and the hint. */
void identities_seed(identities *all, uint64_t seed);

attune_keeper identities_keeper(identities *all, uint32_t index);

/* A line `NODE_ID CODE` a node on standard output. */
void identities_print(identities *all);

void identities_close(identities *all);

#endif
