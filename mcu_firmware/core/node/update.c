#include "node/parts.h"

#include "store/incoming.h"
#include "store/slots.h"
#include "update/envelope.h"
#include "update/keys.h"
#include "update/little.h"
#include "update/transfer.h"

#include <string.h>

#define SEQUENCE 2 /* in an envelope, with the digest of the result behind it */
#define RESULT 6
#define SIGNING_KEY (4 + ATTUNE_KEY_SIZE)

static void answer_verdict(attune_node *node, uint32_t sequence, attune_update_verdict verdict) {
    node->updates.verdict = (attune_v1_UpdateVerdict){.sequence = sequence, .result = (attune_v1_UpdateResult)verdict};
    node->updates.verdict_due = true;
}

/* --- On its way --- */

static attune_transfer find_transfer(attune_store *store) {
    attune_transfer transfer = {.size = 0};
    if (attune_incoming_look(store, transfer.id, &transfer.size, &transfer.have) != ATTUNE_STORE_OK) {
        transfer.size = 0; /* no envelope has that size */
    }
    return transfer;
}

/* False if the flash does not take it: the sender hears nothing, and comes again. */
static bool store_chunk(attune_store *store, attune_transfer *transfer, const attune_chunk *chunk,
                        const uint8_t *bytes) {
    uint32_t offset = chunk->offset;
    attune_store_result result = ATTUNE_STORE_OK;
    switch (attune_transfer_look(transfer, chunk)) {
    case ATTUNE_CHUNK_FIRST:
        result = attune_incoming_begin(store, chunk->id, chunk->size, &offset);
        break;
    case ATTUNE_CHUNK_NEXT:
        break;
    default:
        return true;
    }
    if (result == ATTUNE_STORE_OK) {
        result = attune_incoming_write(store, offset, bytes, chunk->count);
    }
    if (result == ATTUNE_STORE_OK) {
        (void)attune_transfer_stored(transfer, chunk);
    }
    return result == ATTUNE_STORE_OK;
}

static bool possible(uint32_t size) { return size > ATTUNE_ENVELOPE_AROUND && size <= ATTUNE_MAX_ENVELOPE; }

static void take_chunk(attune_node *node, const attune_v1_UpdateChunk *sent) {
    attune_store *store = node->keep.store;
    attune_chunk chunk = {.size = sent->size, .offset = sent->offset, .count = sent->data.size};
    attune_transfer transfer = find_transfer(store);
    memcpy(chunk.id, sent->id, sizeof chunk.id);
    if (!possible(chunk.size)) {
        answer_verdict(node, 0, ATTUNE_UPDATE_SIZE);
        return;
    }
    if (attune_transfer_look(&transfer, &chunk) == ATTUNE_CHUNK_REFUSED) {
        attune_node_damaged(node);
        return;
    }
    if (store_chunk(store, &transfer, &chunk, sent->data.bytes)) {
        attune_v1_UpdateAck *ack = &node->updates.ack;
        memcpy(ack->id, sent->id, sizeof ack->id);
        ack->offset = attune_transfer_offset(&transfer, &chunk);
        node->updates.ack_due = true;
        node->updates.whole = node->updates.whole || ack->offset == chunk.size;
    }
}

/* One chunk that is all there is, and that may find a part of itself here. */
static void take_update(attune_node *node, const uint8_t *bytes, uint32_t size) {
    attune_store *store = node->keep.store;
    attune_chunk chunk = {.size = size};
    attune_transfer transfer = find_transfer(store);
    if (!possible(size)) {
        answer_verdict(node, size >= RESULT ? attune_little_read(bytes + SEQUENCE) : 0, ATTUNE_UPDATE_SIZE);
        return;
    }
    attune_model_digest(bytes, size, chunk.id);
    chunk.offset = attune_transfer_offset(&transfer, &chunk);
    chunk.count = size - chunk.offset;
    if (store_chunk(store, &transfer, &chunk, bytes + chunk.offset)) {
        node->updates.whole = true;
    }
}

/* --- All there --- */

static attune_update_own own_of(const attune_node *node) {
    attune_update_own own = {.highest = attune_store_sequence(node->keep.store)};
    memcpy(own.key, attune_store_keys(node->keep.store)->key[ATTUNE_KEY_SIGNING], sizeof own.key);
    memcpy(own.base, node->release_digest, sizeof own.base);
    attune_audience(false, node->identity.node_id, node->schema.hash, node->identity.hardware, own.node);
    return own;
}

static bool brought(const attune_slots *slots, uint8_t slot, const uint8_t *envelope) {
    return slot < ATTUNE_SLOTS && slots->info[slot].sequence == attune_little_read(envelope + SEQUENCE) &&
           memcmp(slots->info[slot].digest, envelope + RESULT, ATTUNE_DIGEST) == 0;
}

/* A verdict got lost: what is there already is there. Nothing comes of it, so nothing else of it matters, and its base has changed
 * if it was committed. */
static bool is_installed(const attune_slots *slots, const uint8_t *envelope) {
    return brought(slots, slots->trial, envelope) || brought(slots, slots->committed, envelope);
}

/* The envelope's bytes become those of the image; node->trial, which holds the base, becomes what they say. */
static attune_update_verdict install(attune_node *node, const attune_update *update, uint8_t *scratch, size_t capacity,
                                     bool *kept) {
    size_t size;
    attune_slot_info info = {.sequence = update->sequence};
    memcpy(info.digest, update->result, sizeof info.digest);
    attune_update_verdict verdict =
        attune_update_apply(update, node->schema.hash, &node->trial, scratch, capacity, &size);
    if (verdict == ATTUNE_UPDATE_OK) {
        info.size = (uint16_t)size;
        info.labels = node->trial.through_label;
        *kept = attune_slots_install(node->keep.store, &info, scratch, ATTUNE_TRIAL_S) == ATTUNE_STORE_OK;
    }
    return verdict;
}

/* Nobody may sign for a node without a key: one of zeros has signatures that anybody can make. */
static attune_update_verdict check(const attune_node *node, const uint8_t *envelope, size_t size,
                                   attune_update *update) {
    const attune_update_own own = own_of(node);
    const attune_update_verdict verdict = attune_keys_hold(attune_store_keys(node->keep.store), ATTUNE_KEY_SIGNING)
                                              ? attune_update_check(&own, envelope, size, update)
                                              : ATTUNE_UPDATE_SIGNATURE;
    return verdict == ATTUNE_UPDATE_OK && attune_node_on_trial(node) ? ATTUNE_UPDATE_BUSY : verdict;
}

/* False if the flash fails: no verdict, and whoever asks again gets one. */
static bool judge(attune_node *node, uint32_t size) {
    /* For the envelope, then for the image in its place: there is no room for both. */
    uint8_t scratch[ATTUNE_MAX_IMAGE > ATTUNE_MAX_ENVELOPE ? ATTUNE_MAX_IMAGE : ATTUNE_MAX_ENVELOPE];
    attune_store *store = node->keep.store;
    attune_update update;
    if (attune_incoming_read(store, 0, scratch, size) != ATTUNE_STORE_OK) {
        return false;
    }
    const uint32_t sequence = attune_little_read(scratch + SEQUENCE);
    if (is_installed(&store->slots, scratch)) {
        answer_verdict(node, sequence, ATTUNE_UPDATE_OK);
        return true;
    }
    bool kept = true;
    attune_update_verdict verdict = check(node, scratch, size, &update);
    if (verdict == ATTUNE_UPDATE_OK) {
        verdict = install(node, &update, scratch, sizeof scratch, &kept);
    }
    if (!kept) {
        return false;
    }
    answer_verdict(node, sequence, verdict);
    if (verdict == ATTUNE_UPDATE_OK) {
        attune_node_start_trial(node);
    }
    return true;
}

void attune_node_update_poll(attune_node *node) {
    if (!node->updates.whole) {
        return;
    }
    node->updates.whole = false;
    const attune_transfer transfer = find_transfer(node->keep.store);
    if (!possible(transfer.size) || transfer.have != transfer.size) {
        return;
    }
    /* The release to build on takes the place of the one on trial, which there is none of when it is needed. Read before the envelope
     * is, it lies in the same part of the stack. */
    if (!attune_node_on_trial(node)) {
        (void)attune_node_load(node, node->keep.store->slots.committed, &node->trial);
    }
    if (judge(node, transfer.size)) {
        (void)!attune_incoming_end(node->keep.store);
    }
}

/* --- Who signs --- */

static void answer_key(attune_node *node, attune_v1_SigningKeyResult result) {
    node->updates.key_ack =
        (attune_v1_SigningKeyAck){.number = attune_store_keys(node->keep.store)->signing_number, .result = result};
    node->updates.key_ack_due = true;
}

/* Unless it is durable it does not count, and the daemon hears nothing. */
static void adopt(attune_node *node, uint32_t number, const uint8_t *key) {
    if (attune_session_follow_signer(&node->session, number, key)) {
        node->health_due = node->health_due || node->timed;
        answer_key(node, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    }
}

void attune_node_take_signing_key(attune_node *node, const uint8_t *bytes, size_t size) {
    const attune_keys *keys = attune_store_keys(node->keep.store);
    const uint32_t number = size == SIGNING_KEY ? attune_little_read(bytes) : 0;
    const bool held = attune_keys_hold(keys, ATTUNE_KEY_SIGNING);
    if (number == 0) {
        answer_key(node, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIZE);
    } else if (!held) {
        adopt(node, number, bytes + 4);
    } else if (number == keys->signing_number &&
               memcmp(bytes + 4, keys->key[ATTUNE_KEY_SIGNING], ATTUNE_KEY_SIZE) == 0) {
        answer_key(node, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    } else {
        answer_key(node, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    }
}

static void follow(attune_node *node, const uint8_t *chain, size_t size) {
    const attune_keys *keys = attune_store_keys(node->keep.store);
    attune_signer signer = {.number = keys->signing_number};
    memcpy(signer.key, keys->key[ATTUNE_KEY_SIGNING], sizeof signer.key);
    if (!attune_keys_hold(keys, ATTUNE_KEY_SIGNING)) {
        answer_key(node, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_GAP);
        return;
    }
    const attune_chain_result result = attune_signer_follow(&signer, chain, size);
    if (result == ATTUNE_CHAIN_OK && signer.number != keys->signing_number) {
        adopt(node, signer.number, signer.key);
    } else {
        answer_key(node, (attune_v1_SigningKeyResult)result);
    }
}

/* --- The conversation --- */

void attune_node_updates_restart(attune_node *node) {
    node->updates.ack_due = false;
    node->updates.verdict_due = false;
    node->updates.key_ack_due = false;
}

void attune_node_take_update(attune_node *node, const attune_v1_DaemonMessage *message) {
    switch (message->which_body) {
    case attune_v1_DaemonMessage_update_tag:
        take_update(node, message->body.update.bytes, message->body.update.size);
        break;
    case attune_v1_DaemonMessage_update_chunk_tag:
        take_chunk(node, &message->body.update_chunk);
        break;
    case attune_v1_DaemonMessage_signing_keys_tag:
        follow(node, message->body.signing_keys.bytes, message->body.signing_keys.size);
        break;
    case attune_v1_DaemonMessage_trial_decision_tag:
        attune_node_decide(node, &message->body.trial_decision);
        break;
    default:
        break;
    }
}

bool attune_node_fill_update(const attune_node *node, attune_v1_NodeMessage *message) {
    const attune_updates *updates = &node->updates;
    if (updates->ack_due) {
        message->which_body = attune_v1_NodeMessage_update_ack_tag;
        message->body.update_ack = updates->ack;
    } else if (updates->verdict_due) {
        message->which_body = attune_v1_NodeMessage_update_verdict_tag;
        message->body.update_verdict = updates->verdict;
    } else if (updates->key_ack_due) {
        message->which_body = attune_v1_NodeMessage_signing_key_ack_tag;
        message->body.signing_key_ack = updates->key_ack;
    } else {
        return false;
    }
    return true;
}

void attune_node_update_sent(attune_node *node, const attune_v1_NodeMessage *message) {
    attune_updates *updates = &node->updates;
    switch (message->which_body) {
    case attune_v1_NodeMessage_update_ack_tag:
        updates->ack_due = false;
        break;
    case attune_v1_NodeMessage_update_verdict_tag:
        updates->verdict_due = false;
        break;
    default:
        updates->key_ack_due = false;
    }
}
