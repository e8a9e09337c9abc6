#include "identities.h"

#include "machine.h"
#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <monocypher.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void identities_open(identities *all, const roster_entry *entries, uint32_t nodes, const char *path) {
    memset(all, 0, sizeof *all);
    all->entries = entries;
    all->nodes = nodes;
    all->fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (path != NULL && all->fd < 0) {
        machine_fail(2, "The keys in %s cannot be kept (%s).", path, strerror(errno));
    }
    all->slot = machine_memory(nodes, sizeof *all->slot);
    for (uint32_t i = 0; i < nodes; i++) {
        all->slot[i] = (identity_slot){all, i};
    }
}

void identities_seed(identities *all, uint64_t seed) {
    all->seeded = true;
    all->seed = seed;
}

void identities_close(identities *all) {
    if (all->fd >= 0) {
        (void)close(all->fd);
    }
    free(all->slot);
}

static off_t place(const identity_slot *slot) { return (off_t)slot->index * IDENTITY_RECORD; }

static const uint8_t *id_of(const identity_slot *slot) { return slot->all->entries[slot->index].id; }

/* A record of another node, or none, is a first start. */
static void read_record(const identity_slot *slot, attune_keys *keys) {
    uint8_t record[IDENTITY_RECORD];
    const bool whole = pread(slot->all->fd, record, sizeof record, place(slot)) == (ssize_t)sizeof record;
    if (whole && memcmp(record, id_of(slot), 8) == 0) {
        keys->held = record[8];
        memcpy(keys->key, record + 9, sizeof keys->key);
    }
    crypto_wipe(record, sizeof record);
}

static void seed_key(const identity_slot *slot, attune_keys *keys, attune_key which, size_t size) {
    uint8_t key[ATTUNE_KEY_SIZE];
    uint8_t input[1 + ATTUNE_HINT] = {(uint8_t)which};
    memcpy(input + 1, id_of(slot), ATTUNE_HINT);
    crypto_blake2b_keyed(key, sizeof key, (const uint8_t *)&slot->all->seed, sizeof slot->all->seed, input,
                         sizeof input);
    attune_keys_set(keys, which, key, size);
}

static bool load(void *context, attune_keys *keys) {
    const identity_slot *slot = context;
    if (slot->all->fd >= 0) {
        read_record(slot, keys);
    }
    if (keys->held == 0 && slot->all->seeded) {
        seed_key(slot, keys, ATTUNE_KEY_NODE, ATTUNE_KEY_SIZE);
        seed_key(slot, keys, ATTUNE_KEY_CODE, ATTUNE_CODE_BITS);
    }
    return true;
}

static bool save(void *context, const attune_keys *keys) {
    const identity_slot *slot = context;
    uint8_t record[IDENTITY_RECORD];
    if (slot->all->fd < 0) {
        return true;
    }
    memcpy(record, id_of(slot), 8);
    record[8] = keys->held;
    memcpy(record + 9, keys->key, sizeof keys->key);
    const bool kept = pwrite(slot->all->fd, record, sizeof record, place(slot)) == (ssize_t)sizeof record &&
                      fsync(slot->all->fd) == 0;
    crypto_wipe(record, sizeof record);
    return kept;
}

static void entropy(void *context, uint8_t *bytes, size_t size) {
    (void)context;
    machine_entropy(bytes, size);
}

attune_keeper identities_keeper(identities *all, uint32_t index) {
    return (attune_keeper){.context = &all->slot[index], .entropy = entropy, .load = load, .save = save};
}

void identities_print(identities *all) {
    for (uint32_t i = 0; i < all->nodes; i++) {
        const attune_keeper keeper = identities_keeper(all, i);
        const uint8_t *id = all->entries[i].id;
        char code[ATTUNE_CODE_TEXT];
        attune_keys keys;
        if (!attune_keys_open(&keys, &keeper)) {
            machine_fail(1, "The keys of node %u cannot be kept; see whether the disk is full.", i);
        }
        attune_code_write(id, keys.key[ATTUNE_KEY_CODE], code);
        for (int byte = 0; byte < 8; byte++) {
            (void)printf("%02x", id[byte]);
        }
        (void)printf(" %s\n", code);
        crypto_wipe(&keys, sizeof keys);
    }
    (void)fflush(stdout);
}
