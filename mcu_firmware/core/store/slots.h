/* Two slots for releases, and which of them the node runs.
 *
 * A release is opaque bytes with a digest, the first 16 bytes of their BLAKE2b-512. A slot that runs, committed or on trial, is
 * never written. A new release goes to the other slot and starts as a trial beside the committed one; it is committed on the
 * daemon's word, and goes back by itself when its time is over or after ATTUNE_TRIAL_RESTARTS restarts. What runs has passed its
 * digest at this start of the node. The last way back is the factory release, which is part of the firmware.
 *
 *     committed --install--> committed + trial --commit--> the trial is committed, the one before is its way back
 *                                              --end, deadline, restarts, digest--> committed
 */
#ifndef ATTUNE_SLOTS_H
#define ATTUNE_SLOTS_H

#include "store/store.h"

/* Restarts that a trial may see. */
#define ATTUNE_TRIAL_RESTARTS 3

/* Once at each start of the node, before anything runs: counts the restart for a trial, checks the digests, and goes back where that
 * is due. Afterwards attune_store.slots says what to run. */
ATTUNE_CHECKED attune_store_result attune_slots_start(attune_store *store);

/* Puts a release into the slot that does not run, checks it there, accepts its sequence number and starts its trial of so many
 * seconds, in this order. ATTUNE_STORE_ORDER if the number is not above the highest or a trial runs already, ATTUNE_STORE_DAMAGED if
 * the bytes do not have the digest, ATTUNE_STORE_SIZE if they are too many or none. The release that the slot held is no way back any
 * more. */
ATTUNE_CHECKED attune_store_result attune_slots_install(attune_store *store, const attune_slot_info *info,
                                                        const uint8_t *bytes, uint32_t trial_s);

/* The daemon's word: the trial that this update brought becomes the committed release. ATTUNE_STORE_ORDER if it is not on trial. */
ATTUNE_CHECKED attune_store_result attune_slots_commit(attune_store *store, uint32_t sequence);

/* The daemon's word: the trial of this update is over, and the committed release goes on. ATTUNE_STORE_ORDER if it is not on trial: what is
 * committed stays until another update is. */
ATTUNE_CHECKED attune_store_result attune_slots_end(attune_store *store, uint32_t sequence);

/* Seconds that the trial has left at a tick; 0 without one. */
uint32_t attune_slots_left_s(const attune_store *store, uint32_t tick_s);

/* Time passes: seconds since the start of the node. Ends a trial whose time is over, and writes down hourly how much is left,
 * so that restarts give it at most an hour more each. */
ATTUNE_CHECKED attune_store_result attune_slots_poll(attune_store *store, uint32_t tick_s);

/* The bytes of a release, info.size of them. ATTUNE_STORE_SIZE if capacity is less, ATTUNE_STORE_DAMAGED if they do not have the
 * digest of the slot, ATTUNE_STORE_NONE for a slot that is no slot. */
ATTUNE_CHECKED attune_store_result attune_slots_read(attune_store *store, attune_slot slot, uint8_t *bytes,
                                                     size_t capacity);

#endif
