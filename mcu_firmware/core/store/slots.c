#include "store/slots.h"

#include "store/bytes.h"
#include "store/files.h"

#include <monocypher.h>

#define FILE_NAME "slots"
#define INFO_SIZE (4 + 4 + 2 + ATTUNE_DIGEST)
#define SLOTS_SIZE (4 + 4 + ATTUNE_SLOTS * INFO_SIZE)
#define FULL_DIGEST 64
#define PIECE 64
#define HOUR_S 3600u

static const char *const slot_name[ATTUNE_SLOTS] = {"slot-a", "slot-b"};

static attune_store_result write_slots(attune_store *store, const attune_slots *slots) {
    uint8_t bytes[SLOTS_SIZE];
    uint8_t *at = bytes;
    attune_put(&at, slots->committed, 1);
    attune_put(&at, slots->way_back, 1);
    attune_put(&at, slots->trial, 1);
    attune_put(&at, slots->restarts, 1);
    attune_put(&at, slots->left_s, 4);
    for (int i = 0; i < ATTUNE_SLOTS; i++) {
        attune_put(&at, slots->info[i].sequence, 4);
        attune_put(&at, slots->info[i].labels, 4);
        attune_put(&at, slots->info[i].size, 2);
        attune_put_bytes(&at, slots->info[i].digest, ATTUNE_DIGEST);
    }
    attune_store_result result = attune_record_write(store, FILE_NAME, bytes, sizeof bytes);
    if (result == ATTUNE_STORE_OK) {
        store->slots = *slots;
    }
    return result;
}

static void parse(const uint8_t *at, attune_slots *slots) {
    slots->committed = (uint8_t)attune_get(&at, 1);
    slots->way_back = (uint8_t)attune_get(&at, 1);
    slots->trial = (uint8_t)attune_get(&at, 1);
    slots->restarts = (uint8_t)attune_get(&at, 1);
    slots->left_s = (uint32_t)attune_get(&at, 4);
    for (int i = 0; i < ATTUNE_SLOTS; i++) {
        slots->info[i].sequence = (uint32_t)attune_get(&at, 4);
        slots->info[i].labels = (uint32_t)attune_get(&at, 4);
        slots->info[i].size = (uint16_t)attune_get(&at, 2);
        attune_get_bytes(&at, slots->info[i].digest, ATTUNE_DIGEST);
    }
}

static bool possible(const attune_slots *slots) {
    return slots->committed <= ATTUNE_SLOT_FACTORY && slots->way_back <= ATTUNE_SLOT_FACTORY &&
           slots->trial <= ATTUNE_SLOT_NONE && slots->trial != ATTUNE_SLOT_FACTORY &&
           slots->trial != slots->committed && slots->trial != slots->way_back;
}

/* A record that is damaged or makes no sense leaves the factory release. */
attune_store_result attune_slots_open(attune_store *store) {
    const attune_slots factory = {
        .committed = ATTUNE_SLOT_FACTORY, .way_back = ATTUNE_SLOT_FACTORY, .trial = ATTUNE_SLOT_NONE};
    uint8_t bytes[SLOTS_SIZE];
    store->slots = factory;
    attune_store_result result = attune_record_read(store, FILE_NAME, bytes, sizeof bytes);
    if (result == ATTUNE_STORE_OK) {
        parse(bytes, &store->slots);
    }
    if (!possible(&store->slots)) {
        store->slots = factory;
    }
    return result == ATTUNE_STORE_FLASH ? result : ATTUNE_STORE_OK;
}

static void finish_digest(crypto_blake2b_ctx *blake, uint8_t digest[ATTUNE_DIGEST]) {
    uint8_t full[FULL_DIGEST];
    crypto_blake2b_final(blake, full);
    memcpy(digest, full, ATTUNE_DIGEST);
}

static attune_store_result digest_of_file(attune_store *store, const char *name, uint8_t digest[ATTUNE_DIGEST],
                                          size_t size) {
    crypto_blake2b_ctx blake;
    uint8_t piece[PIECE];
    crypto_blake2b_init(&blake, FULL_DIGEST);
    for (size_t at = 0; at < size; at += sizeof piece) {
        size_t take = size - at < sizeof piece ? size - at : sizeof piece;
        attune_store_result result = attune_file_read(store, name, at, piece, take);
        if (result != ATTUNE_STORE_OK) {
            return result;
        }
        crypto_blake2b_update(&blake, piece, take);
    }
    finish_digest(&blake, digest);
    return ATTUNE_STORE_OK;
}

static bool fits(const uint8_t digest[ATTUNE_DIGEST], const attune_slot_info *info) {
    return crypto_verify16(digest, info->digest) == 0;
}

/* OK if a slot holds what info says. */
static attune_store_result verify(attune_store *store, uint8_t slot, const attune_slot_info *info) {
    uint8_t digest[ATTUNE_DIGEST];
    size_t size = 0;
    attune_store_result result = attune_file_check(store, slot_name[slot], &size);
    if (result == ATTUNE_STORE_OK && size != info->size) {
        result = ATTUNE_STORE_DAMAGED;
    }
    if (result == ATTUNE_STORE_OK) {
        result = digest_of_file(store, slot_name[slot], digest, size);
    }
    return result == ATTUNE_STORE_OK && !fits(digest, info) ? ATTUNE_STORE_DAMAGED : result;
}

/* What does not pass becomes the factory release; only a flash that does not answer is an error. */
static attune_store_result replace_damaged(attune_store *store, uint8_t *slot, const attune_slots *slots,
                                           uint8_t instead) {
    if (*slot >= ATTUNE_SLOTS) {
        return ATTUNE_STORE_OK;
    }
    attune_store_result result = verify(store, *slot, &slots->info[*slot]);
    if (result == ATTUNE_STORE_FLASH) {
        return result;
    }
    if (result != ATTUNE_STORE_OK) {
        *slot = instead;
    }
    return ATTUNE_STORE_OK;
}

static void end_trial(attune_slots *slots) {
    slots->trial = ATTUNE_SLOT_NONE;
    slots->restarts = 0;
    slots->left_s = 0;
}

attune_store_result attune_slots_start(attune_store *store) {
    attune_slots next = store->slots;
    attune_store_result result = replace_damaged(store, &next.way_back, &next, ATTUNE_SLOT_FACTORY);
    if (result == ATTUNE_STORE_OK) {
        result = replace_damaged(store, &next.committed, &next, next.way_back);
    }
    if (next.way_back == next.committed) {
        next.way_back = ATTUNE_SLOT_FACTORY;
    }
    if (result == ATTUNE_STORE_OK) {
        result = replace_damaged(store, &next.trial, &next, ATTUNE_SLOT_NONE);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    if (next.trial == ATTUNE_SLOT_NONE || next.restarts == 0) {
        end_trial(&next);
    } else {
        next.restarts -= 1;
    }
    /* Fields alone are compared: between them lies what nobody sets. */
    bool same = next.committed == store->slots.committed && next.way_back == store->slots.way_back &&
                next.trial == store->slots.trial && next.restarts == store->slots.restarts;
    return same ? ATTUNE_STORE_OK : write_slots(store, &next);
}

static bool bytes_fit(const uint8_t *bytes, const attune_slot_info *info) {
    uint8_t digest[FULL_DIGEST];
    crypto_blake2b(digest, sizeof digest, bytes, info->size);
    return fits(digest, info);
}

static attune_store_result fill_slot(attune_store *store, uint8_t slot, const attune_slot_info *info,
                                     const uint8_t *bytes) {
    attune_file file;
    attune_file_begin(&file, store, slot_name[slot]);
    attune_file_put(&file, bytes, info->size);
    attune_store_result result = attune_file_end(&file);
    return result == ATTUNE_STORE_OK ? verify(store, slot, info) : result;
}

/* The slot that does not run; no longer a way back before it is written. */
static attune_store_result free_slot(attune_store *store, uint8_t *slot) {
    attune_slots next = store->slots;
    *slot = next.committed == ATTUNE_SLOT_A ? ATTUNE_SLOT_B : ATTUNE_SLOT_A;
    if (next.way_back != *slot) {
        return ATTUNE_STORE_OK;
    }
    next.way_back = ATTUNE_SLOT_FACTORY;
    return write_slots(store, &next);
}

static attune_store_result start_trial(attune_store *store, uint8_t slot, const attune_slot_info *info,
                                       uint32_t trial_s) {
    attune_slots next = store->slots;
    next.info[slot] = *info;
    next.trial = slot;
    next.restarts = ATTUNE_TRIAL_RESTARTS;
    next.left_s = trial_s;
    return write_slots(store, &next);
}

attune_store_result attune_slots_install(attune_store *store, const attune_slot_info *info, const uint8_t *bytes,
                                         uint32_t trial_s) {
    uint8_t slot = ATTUNE_SLOT_NONE;
    if (info->size == 0 || info->size > ATTUNE_RELEASE_MAX) {
        return ATTUNE_STORE_SIZE;
    }
    if (info->sequence <= store->sequence || store->slots.trial != ATTUNE_SLOT_NONE) {
        return ATTUNE_STORE_ORDER;
    }
    if (!bytes_fit(bytes, info)) {
        return ATTUNE_STORE_DAMAGED;
    }
    attune_store_result result = free_slot(store, &slot);
    if (result == ATTUNE_STORE_OK) {
        result = fill_slot(store, slot, info, bytes);
    }
    /* The number before the trial: a node that runs an update has always accepted it. */
    if (result == ATTUNE_STORE_OK) {
        result = attune_store_accept(store, info->sequence);
    }
    return result == ATTUNE_STORE_OK ? start_trial(store, slot, info, trial_s) : result;
}

static bool brought(const attune_slots *slots, uint8_t slot, uint32_t sequence) {
    return slot < ATTUNE_SLOTS && slots->info[slot].sequence == sequence;
}

attune_store_result attune_slots_commit(attune_store *store, uint32_t sequence) {
    attune_slots next = store->slots;
    if (!brought(&next, next.trial, sequence)) {
        return ATTUNE_STORE_ORDER;
    }
    next.way_back = next.committed;
    next.committed = next.trial;
    end_trial(&next);
    return write_slots(store, &next);
}

static attune_store_result drop_trial(attune_store *store) {
    attune_slots next = store->slots;
    end_trial(&next);
    return write_slots(store, &next);
}

attune_store_result attune_slots_end(attune_store *store, uint32_t sequence) {
    return brought(&store->slots, store->slots.trial, sequence) ? drop_trial(store) : ATTUNE_STORE_ORDER;
}

uint32_t attune_slots_left_s(const attune_store *store, uint32_t tick_s) {
    const uint32_t passed = tick_s - store->trial_poll_s;
    return passed < store->slots.left_s ? store->slots.left_s - passed : 0;
}

attune_store_result attune_slots_poll(attune_store *store, uint32_t tick_s) {
    uint32_t passed = tick_s - store->trial_poll_s;
    attune_slots next = store->slots;
    if (next.trial == ATTUNE_SLOT_NONE) {
        store->trial_poll_s = tick_s;
        return ATTUNE_STORE_OK;
    }
    if (passed >= next.left_s) {
        return drop_trial(store);
    }
    if (passed < HOUR_S) {
        return ATTUNE_STORE_OK;
    }
    next.left_s -= passed;
    store->trial_poll_s = tick_s;
    return write_slots(store, &next);
}

attune_store_result attune_slots_read(attune_store *store, attune_slot slot, uint8_t *bytes, size_t capacity) {
    if (slot >= ATTUNE_SLOT_FACTORY) {
        return ATTUNE_STORE_NONE;
    }
    const attune_slot_info *info = &store->slots.info[slot];
    if (info->size > capacity) {
        return ATTUNE_STORE_SIZE;
    }
    attune_store_result result = verify(store, (uint8_t)slot, info);
    return result == ATTUNE_STORE_OK ? attune_file_read(store, slot_name[slot], 0, bytes, info->size) : result;
}
