#include "flash.h"

#include "memory.h"
#include "port.h"

#include <string.h>

#define ERASED 0xFF

/* The store's region. */
#define STORE_BEGIN (2u * ATTUNE_FLASH_BLOCK)
#define STORE_BLOCKS 64u
#define STORE_UNIT 4u

static uint8_t *cells(uint32_t address) { return (uint8_t *)(FLASH_BEGIN + address); }

static bool image_there(const uint8_t *image) {
    for (uint32_t i = 0; i < FLASH_SIZE; i++) {
        if (image[i] != 0) {
            return true;
        }
    }
    return false;
}

void attune_flash_power_on(void) {
    const uint8_t *image = (const uint8_t *)FLASH_IMAGE;
    if (image_there(image)) {
        memcpy(cells(0), image, FLASH_SIZE);
    } else {
        memset(cells(0), ERASED, FLASH_SIZE);
    }
}

static bool inside(uint32_t address, uint32_t size) { return address <= FLASH_SIZE && size <= FLASH_SIZE - address; }

attune_flash_result attune_flash_read(uint32_t address, uint8_t *bytes, uint32_t size) {
    if (!inside(address, size)) {
        return ATTUNE_FLASH_RANGE;
    }
    memcpy(bytes, cells(address), size);
    return ATTUNE_FLASH_OK;
}

attune_flash_result attune_flash_program(uint32_t address, const uint8_t *bytes, uint32_t size) {
    if (!inside(address, size)) {
        return ATTUNE_FLASH_RANGE;
    }
    for (uint32_t i = 0; i < size; i++) {
        if ((bytes[i] & ~*cells(address + i)) != 0) {
            return ATTUNE_FLASH_NOT_ERASED;
        }
    }
    memcpy(cells(address), bytes, size);
    return ATTUNE_FLASH_OK;
}

attune_flash_result attune_flash_erase(uint32_t address) {
    if (address % ATTUNE_FLASH_BLOCK != 0 || !inside(address, ATTUNE_FLASH_BLOCK)) {
        return ATTUNE_FLASH_RANGE;
    }
    memset(cells(address), ERASED, ATTUNE_FLASH_BLOCK);
    return ATTUNE_FLASH_OK;
}

static bool inside_store(uint32_t address, uint32_t size) {
    return address <= STORE_BLOCKS * ATTUNE_FLASH_BLOCK && size <= STORE_BLOCKS * ATTUNE_FLASH_BLOCK - address;
}

static attune_flash_result read_store(void *context, uint32_t address, uint8_t *bytes, uint32_t size) {
    (void)context;
    return inside_store(address, size) ? attune_flash_read(STORE_BEGIN + address, bytes, size) : ATTUNE_FLASH_RANGE;
}

static attune_flash_result program_store(void *context, uint32_t address, const uint8_t *bytes, uint32_t size) {
    (void)context;
    return inside_store(address, size) ? attune_flash_program(STORE_BEGIN + address, bytes, size) : ATTUNE_FLASH_RANGE;
}

static attune_flash_result erase_store(void *context, uint32_t address) {
    (void)context;
    return inside_store(address, ATTUNE_FLASH_BLOCK) ? attune_flash_erase(STORE_BEGIN + address) : ATTUNE_FLASH_RANGE;
}

static attune_flash_result sync_store(void *context) {
    (void)context;
    return ATTUNE_FLASH_OK;
}

const attune_flash *attune_port_flash(void) {
    static const attune_flash flash = {.blocks = STORE_BLOCKS,
                                       .program_size = STORE_UNIT,
                                       .read = read_store,
                                       .program = program_store,
                                       .erase = erase_store,
                                       .sync = sync_store};
    return &flash;
}
