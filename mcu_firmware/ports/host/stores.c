#include "stores.h"

#include "machine.h"
#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <monocypher.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What stands at the beginning of a node's region, before its id. */
static const uint8_t mark[8] = "attune 1";

#define ID_SIZE 8
#define REGION (ATTUNE_FLASH_BLOCK + HOST_FLASH_SIZE)

static int open_file(const char *path) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        machine_fail(2, "The flash in %s cannot be opened (%s).", path, strerror(errno));
    }
    if (fcntl(fd, F_SETLK, &whole) != 0) {
        machine_fail(1, "The flash in %s is in use: end the other process first.", path);
    }
    return fd;
}

/* A region where nothing was ever written is the node's from now on. */
static void claim(const stores *all, uint32_t index, const char *path) {
    const uint8_t *id = all->entries[index].id;
    const off_t begin = (off_t)index * REGION;
    uint8_t found[sizeof mark + ID_SIZE] = {0};
    uint8_t wanted[sizeof found];
    static const uint8_t nothing[sizeof found];
    memcpy(wanted, mark, sizeof mark);
    memcpy(wanted + sizeof mark, id, ID_SIZE);
    if (pread(all->fd, found, sizeof found, begin) < 0) {
        machine_fail(1, "The flash in %s cannot be read (%s).", path, strerror(errno));
    }
    if (memcmp(found, nothing, sizeof found) == 0) {
        if (pwrite(all->fd, wanted, sizeof wanted, begin) != (ssize_t)sizeof wanted) {
            machine_fail(1, "The flash in %s cannot be written; see whether the disk is full.", path);
        }
    } else if (memcmp(found, wanted, sizeof wanted) != 0) {
        machine_fail(2, "%s is not the flash of node %u; name a file of its own.", path, index);
    }
}

static void open_store(stores *all, uint32_t index, const char *path) {
    host_flash *flash = &all->flash[index];
    if (path == NULL) {
        host_flash_in_memory(flash);
    } else {
        claim(all, index, path);
        host_flash_in_file(flash, all->fd, (off_t)index * REGION + ATTUNE_FLASH_BLOCK);
    }
    if (attune_store_open(&all->store[index], &flash->port) != ATTUNE_STORE_OK) {
        machine_fail(1, "The flash of node %u cannot be read or written; see whether the disk is full.", index);
    }
}

void stores_open(stores *all, const roster_entry *entries, uint32_t nodes, const char *path) {
    memset(all, 0, sizeof *all);
    all->entries = entries;
    all->nodes = nodes;
    all->fd = path != NULL ? open_file(path) : -1;
    all->flash = machine_memory(nodes, sizeof *all->flash);
    all->store = machine_memory(nodes, sizeof *all->store);
    for (uint32_t i = 0; i < nodes; i++) {
        open_store(all, i, path);
    }
}

static void seed_key(const roster_entry *entry, uint64_t seed, attune_keys *keys, attune_key which, size_t size) {
    uint8_t key[ATTUNE_KEY_SIZE];
    uint8_t input[1 + ATTUNE_HINT] = {(uint8_t)which};
    memcpy(input + 1, entry->id, ATTUNE_HINT);
    crypto_blake2b_keyed(key, sizeof key, (const uint8_t *)&seed, sizeof seed, input, sizeof input);
    attune_keys_set(keys, which, key, size);
}

void stores_seed(stores *all, uint64_t seed) {
    all->seeded = true;
    for (uint32_t i = 0; i < all->nodes; i++) {
        attune_keys keys = *attune_store_keys(&all->store[i]);
        if (keys.held != 0) {
            continue;
        }
        seed_key(&all->entries[i], seed, &keys, ATTUNE_KEY_NODE, ATTUNE_KEY_SIZE);
        seed_key(&all->entries[i], seed, &keys, ATTUNE_KEY_CODE, ATTUNE_CODE_BITS);
        if (attune_store_write_keys(&all->store[i], &keys) != ATTUNE_STORE_OK) {
            machine_fail(1, "The keys of node %u cannot be kept; see whether the disk is full.", i);
        }
    }
}

void stores_close(stores *all) {
    for (uint32_t i = 0; i < all->nodes; i++) {
        host_flash_close(&all->flash[i]);
    }
    if (all->fd >= 0) {
        (void)close(all->fd);
    }
    free(all->flash);
    free(all->store);
}

static void entropy(void *context, uint8_t *bytes, size_t size) {
    (void)context;
    machine_entropy(bytes, size);
}

attune_keeper stores_keeper(void) { return (attune_keeper){.entropy = entropy}; }

void stores_print_codes(stores *all) {
    const attune_keeper keeper = stores_keeper();
    for (uint32_t i = 0; i < all->nodes; i++) {
        const uint8_t *id = all->entries[i].id;
        char code[ATTUNE_CODE_TEXT];
        if (!attune_keys_open(&all->store[i], &keeper)) {
            machine_fail(1, "The keys of node %u cannot be kept; see whether the disk is full.", i);
        }
        attune_code_write(id, attune_store_keys(&all->store[i])->key[ATTUNE_KEY_CODE], code);
        for (int byte = 0; byte < ID_SIZE; byte++) {
            (void)printf("%02x", id[byte]);
        }
        (void)printf(" %s\n", code);
    }
    (void)fflush(stdout);
}
