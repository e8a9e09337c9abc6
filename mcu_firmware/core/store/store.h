/* What a node keeps through a loss of power: keys, sequence number, tie, releases, labels, reports. One littlefs on the port's flash.
 *
 * Each kind of thing has a header of its own in this folder. All functions are synchronous and use the store's static memory
 * alone. ATTUNE_STORE_OK from a function that changes something means that the change is synced: no loss of power can undo it.
 * Any other result means that the change happened either wholly or not at all; attune_store_open finds out which. Power may fail
 * between any two operations of the flash, and within one. */
#ifndef ATTUNE_STORE_H
#define ATTUNE_STORE_H

#include "session/keys.h"
#include "store/flash.h"

#include <lfs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of each of the three caches of littlefs; files up to this size live in the metadata and cost no block of their own. Three
 * labelled windows fit. */
#define ATTUNE_STORE_CACHE 256

/* Blocks that the backlog leaves to everything else: fourteen of metadata, two each for the slots, for the next contents of one and
 * for an incoming update, two for the label log and its next contents; the rest is room to move in. */
#define ATTUNE_STORE_RESERVED 28

/* Bytes of a release in its slot, and of an update on its way: two blocks. A mixture of eight classes takes 4,312 in float32. */
#define ATTUNE_RELEASE_MAX 8000

#define ATTUNE_DIGEST 16

#define ATTUNE_CHECKED __attribute__((warn_unused_result))

typedef enum attune_store_result {
    ATTUNE_STORE_OK = 0,
    ATTUNE_STORE_FLASH,   /* the flash failed; nothing can be kept until it answers again */
    ATTUNE_STORE_FULL,    /* no block is left */
    ATTUNE_STORE_NONE,    /* nothing of the kind is kept */
    ATTUNE_STORE_DAMAGED, /* what is kept does not pass its check */
    ATTUNE_STORE_SIZE,    /* larger than the place for it */
    ATTUNE_STORE_ORDER /* not now: a number that is not above the last one, an offset that is not the next, no trial to end */
} attune_store_result;

/* Where a release is kept. The factory release is part of the firmware and always there. */
typedef enum attune_slot {
    ATTUNE_SLOT_A = 0,
    ATTUNE_SLOT_B = 1,
    ATTUNE_SLOT_FACTORY = 2,
    ATTUNE_SLOT_NONE = 3
} attune_slot;

#define ATTUNE_SLOTS 2

typedef struct attune_slot_info {
    uint32_t sequence; /* of the update that brought it */
    uint32_t labels;   /* the highest label number that it was built from: the label log teaches it later ones only */
    uint16_t size;     /* bytes, 1 to ATTUNE_RELEASE_MAX */
    uint8_t digest[ATTUNE_DIGEST];
} attune_slot_info;

/* See slots.h. */
typedef struct attune_slots {
    uint8_t committed; /* what the node runs, and the way back of a trial: a slot or the factory release */
    uint8_t way_back;  /* of the committed release: a slot or the factory release */
    uint8_t trial;     /* runs beside it: a slot or ATTUNE_SLOT_NONE */
    uint8_t restarts;  /* that the trial may still see */
    uint32_t left_s;   /* that the trial has left, at the last time that it was written */
    attune_slot_info info[ATTUNE_SLOTS];
} attune_slots;

/* Everything is the store's own business; the other headers say what is to be had. A store must stay where it is. */
typedef struct attune_store {
    const attune_flash *flash;
    bool made; /* opening found no file system and made one: this node has no keys yet, or has lost everything */

    uint32_t sequence;
    attune_keys keys;
    attune_slots slots;
    uint32_t trial_poll_s; /* tick of the last poll that was counted */

    uint8_t label_parts; /* in flash, beside the snapshot */
    uint32_t label_part; /* number of the next one */
    bool labels_behind;  /* the log in RAM has more than flash has: only a snapshot helps */

    uint32_t batches;            /* of reports */
    uint32_t first_batch;        /* number of the oldest, if there is one */
    uint32_t next_batch;         /* number of the next one */
    uint32_t summarised_reports; /* since the store was opened: reports that became part of a summary */
    uint32_t
        lost_reports; /* since the store was opened: reports whose summary made room for another, or whose batch was damaged */

    lfs_t lfs;
    struct lfs_config config;
    uint64_t lookahead;
    uint8_t read_cache[ATTUNE_STORE_CACHE];
    uint8_t program_cache[ATTUNE_STORE_CACHE];
    uint8_t file_cache[ATTUNE_STORE_CACHE];
} attune_store;

/* Mounts the file system, or makes one where there is none, reads what is small, and finishes what a loss of power cut short.
 * ATTUNE_STORE_SIZE for a flash of a shape that flash.h does not allow. After an error the store must not be used. A record that does not pass its check counts as absent,
 * except the one with the keys; for that one, and for a file system of another shape, ATTUNE_STORE_DAMAGED: the node must not run
 * as if it had never had any. */
ATTUNE_CHECKED attune_store_result attune_store_open(attune_store *store, const attune_flash *flash);

/* --- Keys and sequence number --- */

const attune_keys *attune_store_keys(const attune_store *store);

/* All keys at once, so that a change of several happens wholly or not at all. The sequence number stays. */
ATTUNE_CHECKED attune_store_result attune_store_write_keys(attune_store *store, const attune_keys *keys);

/* The highest sequence number ever accepted; 0 before the first. */
uint32_t attune_store_sequence(const attune_store *store);

/* Accepts a number. ATTUNE_STORE_ORDER unless it is above the highest: it never falls. */
ATTUNE_CHECKED attune_store_result attune_store_accept(attune_store *store, uint32_t sequence);

/* --- Tie of ticks to UTC --- */

typedef struct attune_tie {
    uint32_t boot;    /* whose ticks */
    uint64_t tick_ms; /* ... and the UTC that one of them stands for */
    uint64_t utc_ms;
} attune_tie;

/* The last tie. To be written hourly: each costs 100 bytes of a metadata block, a day of them less than one erasure. */
ATTUNE_CHECKED attune_store_result attune_store_write_tie(attune_store *store, const attune_tie *tie);
ATTUNE_CHECKED attune_store_result attune_store_read_tie(attune_store *store, attune_tie *tie);

/* --- Whose measurements these are --- */

#define ATTUNE_STORE_SCHEMA 8

/* The hash of the schema (window/schema.h) by which reports, summaries and labels are to be read. ATTUNE_STORE_NONE where nobody has
 * written one, as in stores of versions that did not. */
ATTUNE_CHECKED attune_store_result attune_store_write_schema(attune_store *store,
                                                             const uint8_t hash[ATTUNE_STORE_SCHEMA]);
ATTUNE_CHECKED attune_store_result attune_store_read_schema(attune_store *store, uint8_t hash[ATTUNE_STORE_SCHEMA]);

#endif
