#include "flash.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERASED 0xFF

/* Bytes that are asked of the memory at a time. */
#define STEP 256u

static bool inside(uint32_t address, uint32_t size) {
    return address <= HOST_FLASH_SIZE && size <= HOST_FLASH_SIZE - address;
}

/* --- In a file --- */

static attune_flash_result read_file(const host_flash *flash, uint32_t address, uint8_t *bytes, uint32_t size) {
    const ssize_t got = pread(flash->fd, bytes, size, flash->begin + address);
    if (got < 0) {
        return ATTUNE_FLASH_SILENT;
    }
    memset(bytes + got, 0, size - (size_t)got);
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)~bytes[i];
    }
    return ATTUNE_FLASH_OK;
}

static attune_flash_result write_file(const host_flash *flash, uint32_t address, const uint8_t *bytes, uint32_t size) {
    uint8_t complement[ATTUNE_FLASH_BLOCK];
    for (uint32_t i = 0; i < size; i++) {
        complement[i] = (uint8_t)~bytes[i];
    }
    const bool written = pwrite(flash->fd, complement, size, flash->begin + address) == (ssize_t)size;
    return written ? ATTUNE_FLASH_OK : ATTUNE_FLASH_SILENT;
}

/* --- In memory --- */

static void read_memory(const host_flash *flash, uint32_t address, uint8_t *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        const uint32_t block = (address + i) / ATTUNE_FLASH_BLOCK;
        const uint32_t at = (address + i) % ATTUNE_FLASH_BLOCK;
        bytes[i] = at < flash->held[block] ? flash->block[block][at] : ERASED;
    }
}

static bool grow(host_flash *flash, uint32_t block, uint32_t size) {
    const uint32_t wanted = (size + STEP - 1) / STEP * STEP;
    if (wanted <= flash->held[block]) {
        return true;
    }
    uint8_t *more = realloc(flash->block[block], wanted);
    if (more == NULL) {
        return false;
    }
    memset(more + flash->held[block], ERASED, wanted - flash->held[block]);
    flash->block[block] = more;
    flash->held[block] = (uint16_t)wanted;
    return true;
}

static attune_flash_result write_memory(host_flash *flash, uint32_t address, const uint8_t *bytes, uint32_t size) {
    const uint32_t block = address / ATTUNE_FLASH_BLOCK;
    const uint32_t at = address % ATTUNE_FLASH_BLOCK;
    if (!grow(flash, block, at + size)) {
        return ATTUNE_FLASH_SILENT;
    }
    memcpy(flash->block[block] + at, bytes, size);
    return ATTUNE_FLASH_OK;
}

static void forget(host_flash *flash, uint32_t block) {
    free(flash->block[block]);
    flash->block[block] = NULL;
    flash->held[block] = 0;
}

/* --- The part --- */

static attune_flash_result read_cells(void *context, uint32_t address, uint8_t *bytes, uint32_t size) {
    const host_flash *flash = context;
    if (!inside(address, size)) {
        return ATTUNE_FLASH_RANGE;
    }
    if (flash->fd >= 0) {
        return read_file(flash, address, bytes, size);
    }
    read_memory(flash, address, bytes, size);
    return ATTUNE_FLASH_OK;
}

static bool erased(const uint8_t *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        if (bytes[i] != ERASED) {
            return false;
        }
    }
    return true;
}

static attune_flash_result program_cells(void *context, uint32_t address, const uint8_t *bytes, uint32_t size) {
    host_flash *flash = context;
    uint8_t before[ATTUNE_FLASH_BLOCK];
    const bool units = address % HOST_FLASH_UNIT == 0 && size % HOST_FLASH_UNIT == 0 && size > 0;
    if (!inside(address, size) || !units || address % ATTUNE_FLASH_BLOCK + size > ATTUNE_FLASH_BLOCK) {
        return ATTUNE_FLASH_RANGE;
    }
    const attune_flash_result result = read_cells(flash, address, before, size);
    if (result != ATTUNE_FLASH_OK || !erased(before, size)) {
        return result != ATTUNE_FLASH_OK ? result : ATTUNE_FLASH_NOT_ERASED;
    }
    return flash->fd >= 0 ? write_file(flash, address, bytes, size) : write_memory(flash, address, bytes, size);
}

static attune_flash_result erase_cells(void *context, uint32_t address) {
    host_flash *flash = context;
    uint8_t block[ATTUNE_FLASH_BLOCK];
    if (!inside(address, ATTUNE_FLASH_BLOCK) || address % ATTUNE_FLASH_BLOCK != 0) {
        return ATTUNE_FLASH_RANGE;
    }
    if (flash->fd < 0) {
        forget(flash, address / ATTUNE_FLASH_BLOCK);
        return ATTUNE_FLASH_OK;
    }
    const attune_flash_result result = read_file(flash, address, block, sizeof block);
    if (result != ATTUNE_FLASH_OK || erased(block, sizeof block)) {
        return result; /* a block that was never used stays a hole */
    }
    memset(block, ERASED, sizeof block);
    return write_file(flash, address, block, sizeof block);
}

static attune_flash_result sync_cells(void *context) {
    const host_flash *flash = context;
    return flash->fd < 0 || fdatasync(flash->fd) == 0 ? ATTUNE_FLASH_OK : ATTUNE_FLASH_SILENT;
}

void host_flash_in_memory(host_flash *flash) { host_flash_in_file(flash, -1, 0); }

void host_flash_in_file(host_flash *flash, int fd, off_t begin) {
    memset(flash, 0, sizeof *flash);
    flash->port = (attune_flash){.context = flash,
                                 .blocks = HOST_FLASH_BLOCKS,
                                 .program_size = HOST_FLASH_UNIT,
                                 .read = read_cells,
                                 .program = program_cells,
                                 .erase = erase_cells,
                                 .sync = sync_cells};
    flash->fd = fd;
    flash->begin = begin;
}

void host_flash_close(host_flash *flash) {
    for (uint32_t i = 0; i < HOST_FLASH_BLOCKS; i++) {
        forget(flash, i);
    }
}
