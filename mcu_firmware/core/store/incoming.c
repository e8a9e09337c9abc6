#include "store/incoming.h"

#include "store/bytes.h"
#include "store/files.h"

#define FILE_NAME "incoming"
#define HEADER (ATTUNE_INCOMING_ID + 4)

typedef struct header {
    uint8_t id[ATTUNE_INCOMING_ID];
    uint32_t size;
    uint32_t offset;
} header;

/* No CRC: what is here is read again when its signature is checked. */
static int read_header(attune_store *store, lfs_file_t *file, header *found) {
    uint8_t bytes[HEADER];
    const uint8_t *at = bytes;
    lfs_soff_t end = lfs_file_size(&store->lfs, file);
    if (end < HEADER) {
        return end < 0 ? (int)end : LFS_ERR_NOENT;
    }
    int read = lfs_file_read(&store->lfs, file, bytes, sizeof bytes);
    attune_get_bytes(&at, found->id, sizeof found->id);
    found->size = (uint32_t)attune_get(&at, 4);
    found->offset = (uint32_t)(end - HEADER);
    return read < 0 || read == HEADER ? read : LFS_ERR_CORRUPT;
}

static int write_header(attune_store *store, lfs_file_t *file, const header *made) {
    uint8_t bytes[HEADER];
    uint8_t *at = bytes;
    attune_put_bytes(&at, made->id, sizeof made->id);
    attune_put(&at, made->size, 4);
    int error = lfs_file_truncate(&store->lfs, file, 0);
    if (error >= 0) {
        error = lfs_file_seek(&store->lfs, file, 0, LFS_SEEK_SET);
    }
    return error < 0 ? error : lfs_file_write(&store->lfs, file, bytes, sizeof bytes);
}

static int open_incoming(attune_store *store, lfs_file_t *file, struct lfs_file_config *config, int flags) {
    *config = (struct lfs_file_config){.buffer = store->file_cache};
    return lfs_file_opencfg(&store->lfs, file, FILE_NAME, flags, config);
}

static attune_store_result close_incoming(attune_store *store, lfs_file_t *file, int error) {
    int closed = lfs_file_close(&store->lfs, file);
    return attune_store_result_of(error < 0 ? error : closed);
}

attune_store_result attune_incoming_begin(attune_store *store, const uint8_t id[ATTUNE_INCOMING_ID], uint32_t size,
                                          uint32_t *offset) {
    struct lfs_file_config config;
    lfs_file_t file;
    header found = {.size = 0};
    if (size == 0 || size > ATTUNE_RELEASE_MAX) {
        return ATTUNE_STORE_SIZE;
    }
    int error = open_incoming(store, &file, &config, LFS_O_RDWR | LFS_O_CREAT);
    if (error < 0) {
        return attune_store_result_of(error);
    }
    error = read_header(store, &file, &found);
    bool same = error >= 0 && memcmp(found.id, id, sizeof found.id) == 0 && found.size == size && found.offset <= size;
    if (!same && error != LFS_ERR_IO) {
        found = (header){.size = size, .offset = 0};
        memcpy(found.id, id, sizeof found.id);
        error = write_header(store, &file, &found);
    }
    *offset = found.offset;
    return close_incoming(store, &file, error);
}

attune_store_result attune_incoming_look(attune_store *store, uint8_t id[ATTUNE_INCOMING_ID], uint32_t *size,
                                         uint32_t *offset) {
    struct lfs_file_config config;
    lfs_file_t file;
    header found;
    int error = open_incoming(store, &file, &config, LFS_O_RDONLY);
    if (error < 0) {
        return attune_store_result_of(error);
    }
    error = read_header(store, &file, &found);
    if (error >= 0) {
        memcpy(id, found.id, sizeof found.id);
        *size = found.size;
        *offset = found.offset;
    }
    return close_incoming(store, &file, error);
}

attune_store_result attune_incoming_write(attune_store *store, uint32_t offset, const uint8_t *bytes, size_t size) {
    struct lfs_file_config config;
    lfs_file_t file;
    header found;
    int error = open_incoming(store, &file, &config, LFS_O_RDWR);
    if (error < 0) {
        return attune_store_result_of(error);
    }
    error = read_header(store, &file, &found);
    attune_store_result refused = ATTUNE_STORE_OK;
    if (error >= 0 && offset != found.offset) {
        refused = ATTUNE_STORE_ORDER;
    } else if (error >= 0 && size > found.size - offset) {
        refused = ATTUNE_STORE_SIZE;
    } else if (error >= 0) {
        error = lfs_file_seek(&store->lfs, &file, 0, LFS_SEEK_END);
        error = error < 0 ? error : lfs_file_write(&store->lfs, &file, bytes, (lfs_size_t)size);
    }
    attune_store_result closed = close_incoming(store, &file, error);
    return refused != ATTUNE_STORE_OK ? refused : closed;
}

attune_store_result attune_incoming_read(attune_store *store, uint32_t offset, uint8_t *bytes, size_t size) {
    struct lfs_file_config config;
    lfs_file_t file;
    int error = open_incoming(store, &file, &config, LFS_O_RDONLY);
    if (error < 0) {
        return attune_store_result_of(error);
    }
    error = lfs_file_seek(&store->lfs, &file, (lfs_soff_t)(HEADER + offset), LFS_SEEK_SET);
    if (error >= 0) {
        error = lfs_file_read(&store->lfs, &file, bytes, (lfs_size_t)size);
        error = error < 0 || (size_t)error == size ? error : LFS_ERR_CORRUPT;
    }
    return close_incoming(store, &file, error);
}

attune_store_result attune_incoming_end(attune_store *store) {
    attune_store_result result = attune_file_remove(store, FILE_NAME);
    return result == ATTUNE_STORE_NONE ? ATTUNE_STORE_OK : result;
}
