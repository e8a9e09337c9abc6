/* A NOR flash in RAM that loses its power at the n-th program or erase, counts what wears it, and refuses what NOR cells cannot do.
 *
 * What was programmed since the last sync is in a cache that the power may take: how much of it depends on the way of the cut. */
#ifndef EMULATED_FLASH_H
#define EMULATED_FLASH_H

#include "store/flash.h"

#include <stdbool.h>

#define EMULATED_BLOCKS 64u
#define EMULATED_SIZE (EMULATED_BLOCKS * ATTUNE_FLASH_BLOCK)
#define EMULATED_UNIT 16u
#define EMULATED_PENDING 1024

typedef enum cut_way {
    CUT_BETWEEN = 0, /* the operation never began; everything before it is there */
    CUT_WITHIN, /* some units of it are done and one is half programmed; an erasure has reached a part of the block */
    CUT_LAST_LOST, /* the last program before it is gone as well, unless a sync came after */
    CUT_REORDERED, /* of all units since the last sync, and of its own, any are there and any are not */
    CUT_WAYS
} cut_way;

typedef struct emulated_flash {
    attune_flash port;
    uint8_t cells[EMULATED_SIZE];       /* what reads see */
    uint8_t kept[EMULATED_SIZE];        /* without what was programmed since the last sync */
    uint32_t pending[EMULATED_PENDING]; /* units programmed since then, by address */
    uint32_t pendings;
    uint32_t last_program; /* index of the first pending unit of the last program */

    uint64_t cut_at; /* the operation, counted from 1, at which the power fails; 0 for never */
    cut_way way;
    uint64_t random;
    bool dead;

    uint64_t operations; /* programs and erasures since the power came on */
    uint64_t erases;     /* since the counter was last set to 0 */
} emulated_flash;

/* Erased, with power. */
void emulated_flash_init(emulated_flash *flash);

/* From now on the power fails at an operation; seed makes what happens then the same on every run. */
void emulated_flash_cut(emulated_flash *flash, uint64_t at, cut_way way, uint64_t seed);

/* The power fails now, if it has not. */
void emulated_flash_power_off(emulated_flash *flash);

/* The power comes back, for good. */
void emulated_flash_power_on(emulated_flash *flash);

#endif
