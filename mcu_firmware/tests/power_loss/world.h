/* A node on an emulated flash, its reports in a ring of their own, and beside them the truth: what was acknowledged.
 *
 * Every step changes the truth only when the store has said OK. After a loss of power the store may be where the truth says or one
 * step further, where the answer did not get out any more; never behind, and never anywhere else. */
#ifndef POWER_LOSS_WORLD_H
#define POWER_LOSS_WORLD_H

#include "emulated_flash.h"
#include "node/parts.h"
#include "release.h"
#include "store/incoming.h"
#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#define WORLD_BOOT 77u

typedef struct truth {
    uint32_t sequence;  /* highest that was accepted */
    uint32_t keys;      /* which set of keys was written last */
    uint32_t signer;    /* number of the key that signs updates; 0 before there is one */
    uint32_t ties;      /* which tie */
    uint32_t moved;     /* reports up to this one are in flash */
    uint32_t taken;     /* reports up to this one are with the daemon */
    uint32_t committed; /* release */
    uint32_t trial;     /* release, 0 for none */
    attune_label_log log;
} truth;

typedef struct world {
    emulated_flash flash;
    attune_store store;
    attune_node node;
    attune_backlog ring;
    truth known;           /* acknowledged */
    truth tried;           /* as it is if the step under way has happened */
    uint32_t highest_seen; /* sequence number, over all starts */
} world;

/* Erased flash, no truth. */
void world_init(world *world);

/* The node starts: opens the store, decides what to run, reads its label log. False if the power failed again. */
bool world_start(world *world);

/* After a start: why the world is not as it has to be; NULL if it is. The releases that may run are in a bit mask. */
const char *world_violation(world *world, uint32_t may_run);

/* After that: what has happened is now known, and what has not is not tried any more. */
void world_settle(world *world);

/* --- Steps: false if the power failed. What has happened before a step is called is not done again. --- */

bool step_keys(world *world, uint32_t which);
bool step_tie(world *world, uint32_t which);

/* The signer with this number hands over to the next one. */
bool step_rotate(world *world, uint32_t number);

/* A label of so many windows, at most ATTUNE_LABEL_PART; its number is that of the last one and one more. */
bool step_label(world *world, uint16_t windows);
bool step_forget(world *world, uint32_t number);

/* So many reports are measured and moved to flash; the daemon takes those of the oldest batch. */
bool step_backlog(world *world, uint16_t reports);
bool step_take(world *world);

/* An update in parts of 200 bytes, of which so many bytes arrive; then its trial; then the daemon's word. */
bool step_receive(world *world, uint32_t release, uint32_t through);
bool step_install(world *world, uint32_t release);
bool step_commit(world *world);

/* An envelope is received, and its image is put into the slot as that of another release, of the same size. */
bool step_splice(world *world, uint32_t received, uint32_t said);

bool step_end(world *world);
bool step_deadline(world *world);
bool step_restart(world *world);

#endif
