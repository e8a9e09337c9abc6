/* The flash that a node keeps its data in, as a port hands it to the store.
 *
 * NOR rules: an erased byte is 0xFF, programming only clears bits, erasing works on whole blocks. What was programmed or erased
 * stays through a loss of power once attune_flash.sync has returned ATTUNE_FLASH_OK; before that, any of the bytes that were named
 * since the last sync may hold the old, the new or something in between, in any order within a block, but no others change. */
#ifndef ATTUNE_FLASH_H
#define ATTUNE_FLASH_H

#include <stdint.h>

/* Bytes of a block, the unit of erasing. */
#define ATTUNE_FLASH_BLOCK 4096u

typedef enum attune_flash_result {
    ATTUNE_FLASH_OK = 0,
    ATTUNE_FLASH_RANGE,      /* outside the flash, or no multiple of the unit; nothing was done */
    ATTUNE_FLASH_NOT_ERASED, /* a bit would have to go from 0 to 1; nothing was programmed */
    ATTUNE_FLASH_WORN,       /* the cells do not hold what was written */
    ATTUNE_FLASH_SILENT      /* the part does not answer; what it did is not known */
} attune_flash_result;

/* Addresses are bytes from the start of the store's region. Every function returns when it is done and may be called again at
 * once; none is called from an interrupt. */
typedef struct attune_flash {
    void *context; /* handed to every function */

    /* Blocks of the region, 32 to 256: 128 KiB to 1 MiB. 64 hold a day and a half of reports. */
    uint32_t blocks;

    /* Bytes that are programmed at once: a power of two, 1 to 256. What is programmed is a multiple of it, and its address is. A
     * unit is programmed once between two erasures, as parts with error correction demand. */
    uint32_t program_size;

    /* Reads any bytes of the region. */
    attune_flash_result (*read)(void *context, uint32_t address, uint8_t *bytes, uint32_t size);

    /* Programs bytes within one block. */
    attune_flash_result (*program)(void *context, uint32_t address, const uint8_t *bytes, uint32_t size);

    /* Sets a block to 0xFF; address is its first byte. Everything programmed in the block before is durable or gone. */
    attune_flash_result (*erase)(void *context, uint32_t address);

    /* Returns once everything before is durable. A part without a cache of its own has nothing to do. */
    attune_flash_result (*sync)(void *context);
} attune_flash;

#endif
