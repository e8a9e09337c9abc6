#include "emulated_flash.h"

#include "random.h"

#include <stdlib.h>
#include <string.h>

#define ERASED 0xFF

static bool inside(uint32_t address, uint32_t size) {
    return address <= EMULATED_SIZE && size <= EMULATED_SIZE - address;
}

static attune_flash_result read_cells(void *context, uint32_t address, uint8_t *bytes, uint32_t size) {
    const emulated_flash *flash = context;
    if (flash->dead) {
        return ATTUNE_FLASH_SILENT;
    }
    if (!inside(address, size)) {
        return ATTUNE_FLASH_RANGE;
    }
    memcpy(bytes, flash->cells + address, size);
    return ATTUNE_FLASH_OK;
}

static bool chance(emulated_flash *flash) { return random_below(&flash->random, 2) == 0; }

static void keep_unit(emulated_flash *flash, uint32_t address) {
    memcpy(flash->kept + address, flash->cells + address, EMULATED_UNIT);
}

/* What the power leaves of the cache. */
static void settle(emulated_flash *flash, cut_way way) {
    uint32_t end = way == CUT_LAST_LOST ? flash->last_program : flash->pendings;
    for (uint32_t i = 0; i < end; i++) {
        if (way != CUT_REORDERED || chance(flash)) {
            keep_unit(flash, flash->pending[i]);
        }
    }
    flash->pendings = 0;
    flash->last_program = 0;
}

void emulated_flash_power_off(emulated_flash *flash) {
    if (!flash->dead) {
        settle(flash, flash->way);
        flash->dead = true;
    }
}

static bool is_cut(emulated_flash *flash) {
    flash->operations += 1;
    return flash->operations == flash->cut_at;
}

/* Some bits of a unit are programmed. */
static void half_program(emulated_flash *flash, uint32_t address, const uint8_t *bytes) {
    for (uint32_t i = 0; i < EMULATED_UNIT; i++) {
        flash->kept[address + i] &= (uint8_t)(bytes[i] | next_random(&flash->random) >> 24);
    }
}

static void cut_program(emulated_flash *flash, uint32_t address, const uint8_t *bytes, uint32_t size) {
    emulated_flash_power_off(flash);
    uint32_t units = size / EMULATED_UNIT;
    uint32_t whole = flash->way == CUT_WITHIN ? random_below(&flash->random, units) : 0;
    for (uint32_t i = 0; i < units; i++) {
        uint32_t at = i * EMULATED_UNIT;
        if (i < whole || (flash->way == CUT_REORDERED && chance(flash))) {
            memcpy(flash->kept + address + at, bytes + at, EMULATED_UNIT);
        }
    }
    if (flash->way == CUT_WITHIN) {
        half_program(flash, address + whole * EMULATED_UNIT, bytes + (size_t)whole * EMULATED_UNIT);
    }
}

static void remember(emulated_flash *flash, uint32_t address, uint32_t size) {
    if (flash->pendings + size / EMULATED_UNIT > EMULATED_PENDING) {
        abort(); /* nobody syncs */
    }
    flash->last_program = flash->pendings;
    for (uint32_t at = 0; at < size; at += EMULATED_UNIT) {
        flash->pending[flash->pendings] = address + at;
        flash->pendings += 1;
    }
}

static attune_flash_result program_cells(void *context, uint32_t address, const uint8_t *bytes, uint32_t size) {
    emulated_flash *flash = context;
    if (flash->dead) {
        return ATTUNE_FLASH_SILENT;
    }
    bool crosses = address / ATTUNE_FLASH_BLOCK != (address + size - 1) / ATTUNE_FLASH_BLOCK;
    if (!inside(address, size) || address % EMULATED_UNIT != 0 || size % EMULATED_UNIT != 0 || size == 0 || crosses) {
        return ATTUNE_FLASH_RANGE;
    }
    for (uint32_t i = 0; i < size; i++) {
        if (flash->cells[address + i] != ERASED) {
            return ATTUNE_FLASH_NOT_ERASED;
        }
    }
    if (is_cut(flash)) {
        cut_program(flash, address, bytes, size);
        return ATTUNE_FLASH_SILENT;
    }
    memcpy(flash->cells + address, bytes, size);
    remember(flash, address, size);
    return ATTUNE_FLASH_OK;
}

/* An erasure waits for what was programmed in its block, and what it erases is gone from the cache. */
static void forget_block(emulated_flash *flash, uint32_t address) {
    uint32_t left = 0;
    for (uint32_t i = 0; i < flash->pendings; i++) {
        if (flash->pending[i] / ATTUNE_FLASH_BLOCK != address / ATTUNE_FLASH_BLOCK) {
            flash->pending[left] = flash->pending[i];
            left += 1;
        }
    }
    flash->pendings = left;
    flash->last_program = left;
}

static void cut_erase(emulated_flash *flash, uint32_t address) {
    emulated_flash_power_off(flash);
    if (flash->way == CUT_WITHIN || (flash->way == CUT_REORDERED && chance(flash))) {
        uint32_t size = random_below(&flash->random, ATTUNE_FLASH_BLOCK + 1);
        memset(flash->kept + address, ERASED, size);
    }
}

static attune_flash_result erase_cells(void *context, uint32_t address) {
    emulated_flash *flash = context;
    if (flash->dead) {
        return ATTUNE_FLASH_SILENT;
    }
    if (!inside(address, ATTUNE_FLASH_BLOCK) || address % ATTUNE_FLASH_BLOCK != 0) {
        return ATTUNE_FLASH_RANGE;
    }
    if (is_cut(flash)) {
        cut_erase(flash, address);
        return ATTUNE_FLASH_SILENT;
    }
    forget_block(flash, address);
    memset(flash->cells + address, ERASED, ATTUNE_FLASH_BLOCK);
    memset(flash->kept + address, ERASED, ATTUNE_FLASH_BLOCK);
    flash->erases += 1;
    return ATTUNE_FLASH_OK;
}

static attune_flash_result sync_cells(void *context) {
    emulated_flash *flash = context;
    if (flash->dead) {
        return ATTUNE_FLASH_SILENT;
    }
    settle(flash, CUT_BETWEEN);
    return ATTUNE_FLASH_OK;
}

void emulated_flash_init(emulated_flash *flash) {
    memset(flash, 0, sizeof *flash);
    flash->port = (attune_flash){.context = flash,
                                 .blocks = EMULATED_BLOCKS,
                                 .program_size = EMULATED_UNIT,
                                 .read = read_cells,
                                 .program = program_cells,
                                 .erase = erase_cells,
                                 .sync = sync_cells};
    memset(flash->cells, ERASED, sizeof flash->cells);
    memset(flash->kept, ERASED, sizeof flash->kept);
    flash->random = 1;
}

void emulated_flash_cut(emulated_flash *flash, uint64_t at, cut_way way, uint64_t seed) {
    flash->operations = 0;
    flash->cut_at = at;
    flash->way = way;
    flash->random = seed * 0x9E3779B97F4A7C15u + 1;
}

void emulated_flash_power_on(emulated_flash *flash) {
    emulated_flash_power_off(flash);
    memcpy(flash->cells, flash->kept, sizeof flash->cells);
    flash->dead = false;
    flash->operations = 0;
    flash->cut_at = 0;
    flash->way = CUT_BETWEEN;
}
