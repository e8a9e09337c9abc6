/* An update on its way in parts, resumable after any interruption: each part is durable before it is acknowledged.
 *
 * There is one at a time. Its bytes are opaque and not checked here; the signature that they carry is. Up to ATTUNE_STORE_CACHE bytes
 * cost no block; beyond that each part costs one erasure. */
#ifndef ATTUNE_INCOMING_H
#define ATTUNE_INCOMING_H

#include "store/store.h"

/* Name of an update: its first 16 bytes, a digest, whatever both sides know it by. */
#define ATTUNE_INCOMING_ID 16

/* Starts or resumes an update of size bytes, at most ATTUNE_RELEASE_MAX. offset is how many of its first bytes are here; 0 where
 * another update was under way, whose bytes are let go of. */
ATTUNE_CHECKED attune_store_result attune_incoming_begin(attune_store *store, const uint8_t id[ATTUNE_INCOMING_ID],
                                                         uint32_t size, uint32_t *offset);

/* What is under way: its name, its size, and how many of its first bytes are here. ATTUNE_STORE_NONE without any. */
ATTUNE_CHECKED attune_store_result attune_incoming_look(attune_store *store, uint8_t id[ATTUNE_INCOMING_ID],
                                                        uint32_t *size, uint32_t *offset);

/* Adds the bytes from offset on. ATTUNE_STORE_ORDER if offset is not where the update ends, ATTUNE_STORE_SIZE if it grows beyond
 * its size, ATTUNE_STORE_NONE if none was begun. */
ATTUNE_CHECKED attune_store_result attune_incoming_write(attune_store *store, uint32_t offset, const uint8_t *bytes,
                                                         size_t size);

/* Reads bytes that are here; ATTUNE_STORE_DAMAGED for others. */
ATTUNE_CHECKED attune_store_result attune_incoming_read(attune_store *store, uint32_t offset, uint8_t *bytes,
                                                        size_t size);

/* Lets go of it: applied or refused. */
ATTUNE_CHECKED attune_store_result attune_incoming_end(attune_store *store);

#endif
