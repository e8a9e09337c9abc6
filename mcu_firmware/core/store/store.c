#include "store/store.h"

#include "store/files.h"

#include <string.h>

#define LEAST_BLOCKS 32u
#define MOST_BLOCKS 256u

/* Erasures of a metadata block before littlefs moves it: what its documentation suggests for flash of 100,000 cycles. */
#define BLOCK_CYCLES 500

static int error_of(attune_flash_result result) {
    switch (result) {
    case ATTUNE_FLASH_OK:
        return LFS_ERR_OK;
    case ATTUNE_FLASH_NOT_ERASED:
    case ATTUNE_FLASH_WORN:
        return LFS_ERR_CORRUPT; /* littlefs takes another block */
    default:
        return LFS_ERR_IO;
    }
}

static int read_flash(const struct lfs_config *config, lfs_block_t block, lfs_off_t at, void *bytes, lfs_size_t size) {
    const attune_flash *flash = config->context;
    return error_of(flash->read(flash->context, block * ATTUNE_FLASH_BLOCK + at, bytes, size));
}

static int program_flash(const struct lfs_config *config, lfs_block_t block, lfs_off_t at, const void *bytes,
                         lfs_size_t size) {
    const attune_flash *flash = config->context;
    return error_of(flash->program(flash->context, block * ATTUNE_FLASH_BLOCK + at, bytes, size));
}

static int erase_flash(const struct lfs_config *config, lfs_block_t block) {
    const attune_flash *flash = config->context;
    return error_of(flash->erase(flash->context, block * ATTUNE_FLASH_BLOCK));
}

static int sync_flash(const struct lfs_config *config) {
    const attune_flash *flash = config->context;
    return error_of(flash->sync(flash->context));
}

static bool shape_allowed(const attune_flash *flash) {
    uint32_t unit = flash->program_size;
    return flash->blocks >= LEAST_BLOCKS && flash->blocks <= MOST_BLOCKS && unit >= 1 && unit <= ATTUNE_STORE_CACHE &&
           (unit & (unit - 1)) == 0;
}

static void configure(attune_store *store, const attune_flash *flash) {
    store->flash = flash;
    store->config = (struct lfs_config){
        .context = (void *)(uintptr_t)flash,
        .read = read_flash,
        .prog = program_flash,
        .erase = erase_flash,
        .sync = sync_flash,
        .read_size = 1,
        .prog_size = flash->program_size,
        .block_size = ATTUNE_FLASH_BLOCK,
        .block_count = flash->blocks,
        .block_cycles = BLOCK_CYCLES,
        .cache_size = ATTUNE_STORE_CACHE,
        .lookahead_size = sizeof store->lookahead,
        .read_buffer = store->read_cache,
        .prog_buffer = store->program_cache,
        .lookahead_buffer = &store->lookahead,
    };
}

/* A loss of power in the first formatting leaves what no file system is either, so this cannot be told from a flash that has lost
 * everything; in both cases there are no keys, and nothing is accepted before the node is commissioned. A file system of another
 * shape or a later version is one, and stays. */
static int mount_or_make(attune_store *store) {
    int error = lfs_mount(&store->lfs, &store->config);
    if (error != LFS_ERR_CORRUPT) {
        return error;
    }
    store->made = true;
    error = lfs_format(&store->lfs, &store->config);
    return error < 0 ? error : lfs_mount(&store->lfs, &store->config);
}

attune_store_result attune_store_open(attune_store *store, const attune_flash *flash) {
    static attune_store_result (*const parts[])(attune_store *) = {attune_identity_open, attune_slots_open,
                                                                   attune_labels_open, attune_reports_open};
    memset(store, 0, sizeof *store);
    if (!shape_allowed(flash)) {
        return ATTUNE_STORE_SIZE;
    }
    configure(store, flash);
    attune_store_result result = attune_store_result_of(mount_or_make(store));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && result == ATTUNE_STORE_OK; i++) {
        result = parts[i](store);
    }
    return result;
}
