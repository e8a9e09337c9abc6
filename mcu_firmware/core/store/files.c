#include "store/files.h"

#include <string.h>

#define FORMAT 1
#define CRC_SIZE 4
#define CRC_START 0xFFFFFFFFu
#define PIECE 64

attune_store_result attune_store_result_of(int error) {
    switch (error) {
    case LFS_ERR_NOENT:
        return ATTUNE_STORE_NONE;
    case LFS_ERR_NOSPC:
        return ATTUNE_STORE_FULL;
    case LFS_ERR_IO:
        return ATTUNE_STORE_FLASH;
    default:
        return error >= 0 ? ATTUNE_STORE_OK : ATTUNE_STORE_DAMAGED;
    }
}

static int open_file(attune_file *file, attune_store *store, const char *name, int flags) {
    file->store = store;
    file->crc = CRC_START;
    file->config = (struct lfs_file_config){.buffer = store->file_cache};
    return lfs_file_opencfg(&store->lfs, &file->file, name, flags, &file->config);
}

static void put_raw(attune_file *file, const uint8_t *bytes, size_t size) {
    if (file->error >= 0) {
        file->error = lfs_file_write(&file->store->lfs, &file->file, bytes, (lfs_size_t)size);
    }
}

void attune_file_begin(attune_file *file, attune_store *store, const char *name) {
    const uint8_t format = FORMAT;
    file->error = open_file(file, store, name, LFS_O_WRONLY | LFS_O_CREAT | LFS_O_TRUNC);
    file->open = file->error >= 0;
    attune_file_put(file, &format, 1);
}

void attune_file_put(attune_file *file, const uint8_t *bytes, size_t size) {
    file->crc = lfs_crc(file->crc, bytes, size);
    put_raw(file, bytes, size);
}

attune_store_result attune_file_end(attune_file *file) {
    uint8_t crc[CRC_SIZE];
    for (size_t i = 0; i < CRC_SIZE; i++) {
        crc[i] = (uint8_t)(file->crc >> (8 * i));
    }
    put_raw(file, crc, sizeof crc);
    /* After an error littlefs closes without a sync: what is half written is never seen. */
    int closed = file->open ? lfs_file_close(&file->store->lfs, &file->file) : 0;
    return attune_store_result_of(file->error < 0 ? file->error : closed);
}

attune_store_result attune_record_write(attune_store *store, const char *name, const uint8_t *bytes, size_t size) {
    attune_file file;
    attune_file_begin(&file, store, name);
    attune_file_put(&file, bytes, size);
    return attune_file_end(&file);
}

attune_store_result attune_record_read(attune_store *store, const char *name, uint8_t *bytes, size_t size) {
    size_t found = 0;
    attune_store_result result = attune_file_check(store, name, &found);
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    return found == size ? attune_file_read(store, name, 0, bytes, size) : ATTUNE_STORE_DAMAGED;
}

/* A CRC over everything, itself included, is 0. A file without contents was made and lost its power before they came: it counts as
 * absent. */
static int check_open(attune_file *file, size_t *size) {
    uint8_t piece[PIECE];
    int total = 0;
    int read = 0;
    while ((read = lfs_file_read(&file->store->lfs, &file->file, piece, sizeof piece)) > 0) {
        if (total == 0 && piece[0] != FORMAT) {
            return LFS_ERR_CORRUPT;
        }
        file->crc = lfs_crc(file->crc, piece, (size_t)read);
        total += read;
    }
    if (read < 0 || total == 0) {
        return read < 0 ? read : LFS_ERR_NOENT;
    }
    *size = (size_t)total - ATTUNE_FILE_FRAME;
    return total >= ATTUNE_FILE_FRAME && file->crc == 0 ? 0 : LFS_ERR_CORRUPT;
}

attune_store_result attune_file_check(attune_store *store, const char *name, size_t *size) {
    attune_file file;
    int error = open_file(&file, store, name, LFS_O_RDONLY);
    if (error >= 0) {
        error = check_open(&file, size);
        (void)lfs_file_close(&store->lfs, &file.file);
    }
    return attune_store_result_of(error);
}

static int read_open(attune_file *file, size_t offset, uint8_t *bytes, size_t size) {
    int error = lfs_file_seek(&file->store->lfs, &file->file, (lfs_soff_t)(offset + 1), LFS_SEEK_SET);
    if (error >= 0) {
        error = lfs_file_read(&file->store->lfs, &file->file, bytes, (lfs_size_t)size);
    }
    return error < 0 || (size_t)error == size ? error : LFS_ERR_CORRUPT;
}

attune_store_result attune_file_read(attune_store *store, const char *name, size_t offset, uint8_t *bytes,
                                     size_t size) {
    attune_file file;
    int error = open_file(&file, store, name, LFS_O_RDONLY);
    if (error >= 0) {
        error = read_open(&file, offset, bytes, size);
        (void)lfs_file_close(&store->lfs, &file.file);
    }
    return attune_store_result_of(error);
}

attune_store_result attune_file_remove(attune_store *store, const char *name) {
    return attune_store_result_of(lfs_remove(&store->lfs, name));
}

void attune_file_name(char name[ATTUNE_FILE_NAME], char letter, uint32_t number) {
    name[0] = letter;
    for (int i = 0; i < 8; i++) {
        name[1 + i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
    }
    name[9] = 0;
}

/* False for what is no numbered file. */
static bool read_name(const char *name, char letter, uint32_t *number) {
    *number = 0;
    for (int i = 1; i < ATTUNE_FILE_NAME - 1; i++) {
        char digit = name[i];
        bool above_nine = digit >= 'a' && digit <= 'f';
        if (!above_nine && (digit < '0' || digit > '9')) {
            return false;
        }
        *number = *number << 4 | (uint32_t)(above_nine ? digit - 'a' + 10 : digit - '0');
    }
    return name[0] == letter && name[ATTUNE_FILE_NAME - 1] == 0 && *number != UINT32_MAX;
}

static void widen(attune_range *range, uint32_t number) {
    range->lowest = range->count == 0 || number < range->lowest ? number : range->lowest;
    range->end = number >= range->end ? number + 1 : range->end;
    range->count += 1;
}

attune_store_result attune_file_range(attune_store *store, char letter, attune_range *range) {
    lfs_dir_t folder;
    struct lfs_info info;
    uint32_t number = 0;
    *range = (attune_range){.count = 0};
    int error = lfs_dir_open(&store->lfs, &folder, "/");
    if (error < 0) {
        return attune_store_result_of(error);
    }
    while ((error = lfs_dir_read(&store->lfs, &folder, &info)) > 0) {
        if (info.type == LFS_TYPE_REG && read_name(info.name, letter, &number)) {
            widen(range, number);
        }
    }
    (void)lfs_dir_close(&store->lfs, &folder);
    return attune_store_result_of(error);
}
