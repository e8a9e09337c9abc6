/* The flash of a node on a machine: NOR rules, in memory and in a file, and what the file looks like. */
#include "host/flash.h"
#include "random.h"
#include "store/store.h"

#include "check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ATTUNE_FLASH_BLOCK

static host_flash flash;
static FILE *file;

static int in_memory(void **state) {
    (void)state;
    host_flash_in_memory(&flash);
    return 0;
}

/* Behind a block of somebody else's. */
static int in_file(void **state) {
    (void)state;
    file = tmpfile();
    assert_non_null(file);
    host_flash_in_file(&flash, fileno(file), BLOCK);
    return 0;
}

static int close_memory(void **state) {
    (void)state;
    host_flash_close(&flash);
    return 0;
}

static int close_file(void **state) {
    (void)state;
    host_flash_close(&flash);
    return fclose(file);
}

static void rules_of_nor(void **state) {
    (void)state;
    const attune_flash *port = &flash.port;
    uint8_t bytes[64];
    uint8_t found[64];
    memset(bytes, 0xA5, sizeof bytes);
    assert_int_equal(port->read(&flash, HOST_FLASH_SIZE - 64, found, 64), ATTUNE_FLASH_OK);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(found[i], 0xFF);
    }
    assert_int_equal(port->program(&flash, 3 * BLOCK + 32, bytes, 64), ATTUNE_FLASH_OK);
    assert_int_equal(port->program(&flash, 3 * BLOCK + 80, bytes, 16), ATTUNE_FLASH_NOT_ERASED);
    assert_int_equal(port->program(&flash, 3 * BLOCK + 96, bytes, 15), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->program(&flash, 3 * BLOCK + 97, bytes, 16), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->program(&flash, 4 * BLOCK - 16, bytes, 32), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->program(&flash, HOST_FLASH_SIZE, bytes, 16), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->read(&flash, UINT32_MAX, found, 2), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->erase(&flash, 16), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->erase(&flash, HOST_FLASH_SIZE), ATTUNE_FLASH_RANGE);
    assert_int_equal(port->read(&flash, 3 * BLOCK + 32, found, 64), ATTUNE_FLASH_OK);
    assert_memory_equal(found, bytes, 64);
    assert_int_equal(port->erase(&flash, 3 * BLOCK), ATTUNE_FLASH_OK);
    assert_int_equal(port->read(&flash, 3 * BLOCK + 32, found, 64), ATTUNE_FLASH_OK);
    assert_int_equal(found[0] & found[63], 0xFF);
    assert_int_equal(port->sync(&flash), ATTUNE_FLASH_OK);
}

/* Against an array that does what cells do. */
static void it_holds_what_cells_would(void **state) {
    (void)state;
    static uint8_t cells[HOST_FLASH_SIZE];
    static uint8_t found[BLOCK];
    uint8_t bytes[256];
    uint64_t seed = 4;
    memset(cells, 0xFF, sizeof cells);
    for (int step = 0; step < 3000; step++) {
        const uint32_t block = random_below(&seed, 8) * 9;
        const uint32_t at = block * BLOCK + random_below(&seed, BLOCK / HOST_FLASH_UNIT - 16) * HOST_FLASH_UNIT;
        const uint32_t size = HOST_FLASH_UNIT * (1 + random_below(&seed, 16));
        if (random_below(&seed, 20) == 0) {
            assert_int_equal(flash.port.erase(&flash, block * BLOCK), ATTUNE_FLASH_OK);
            memset(cells + block * BLOCK, 0xFF, BLOCK);
        }
        bool erased = true;
        for (uint32_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)next_random(&seed);
            erased = erased && cells[at + i] == 0xFF;
        }
        const attune_flash_result result = flash.port.program(&flash, at, bytes, size);
        assert_int_equal(result, erased ? ATTUNE_FLASH_OK : ATTUNE_FLASH_NOT_ERASED);
        if (erased) {
            memcpy(cells + at, bytes, size);
        }
        assert_int_equal(flash.port.read(&flash, block * BLOCK, found, BLOCK), ATTUNE_FLASH_OK);
        assert_memory_equal(found, cells + block * BLOCK, BLOCK);
    }
}

/* A store that was opened and written takes a few blocks of the disk, and opens again from the file alone. */
static void a_file_is_sparse_and_outlives_the_process(void **state) {
    (void)state;
    static attune_store store;
    struct stat found;
    attune_keys keys = {.held = 5};
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_store_write_keys(&store, &keys), ATTUNE_STORE_OK);
    assert_int_equal(fstat(fileno(file), &found), 0);
    assert_true(found.st_blocks * 512 <= 8 * (blkcnt_t)BLOCK);
    host_flash_in_file(&flash, fileno(file), BLOCK);
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK);
    assert_false(store.made);
    assert_int_equal(attune_store_keys(&store)->held, 5);
}

static void a_file_that_cannot_be_written_is_silent(void **state) {
    (void)state;
    const uint8_t bytes[16] = {0};
    uint8_t found[16];
    host_flash_in_file(&flash, 1 << 20, 0); /* no file has that number */
    assert_int_equal(flash.port.read(&flash, 0, found, 16), ATTUNE_FLASH_SILENT);
    assert_int_equal(flash.port.program(&flash, 0, bytes, 16), ATTUNE_FLASH_SILENT);
    assert_int_equal(flash.port.erase(&flash, 0), ATTUNE_FLASH_SILENT);
    assert_int_equal(flash.port.sync(&flash), ATTUNE_FLASH_SILENT);
}

/* A node that has just been started takes little of the memory. */
static void memory_is_taken_as_it_is_needed(void **state) {
    (void)state;
    static attune_store store;
    uint32_t held = 0;
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK);
    for (uint32_t i = 0; i < HOST_FLASH_BLOCKS; i++) {
        held += flash.held[i];
    }
    assert_in_range(held, 1, 2048);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_of_nor, in_memory, close_memory),
        cmocka_unit_test_setup_teardown(rules_of_nor, in_file, close_file),
        cmocka_unit_test_setup_teardown(it_holds_what_cells_would, in_memory, close_memory),
        cmocka_unit_test_setup_teardown(it_holds_what_cells_would, in_file, close_file),
        cmocka_unit_test_setup_teardown(a_file_is_sparse_and_outlives_the_process, in_file, close_file),
        cmocka_unit_test(a_file_that_cannot_be_written_is_silent),
        cmocka_unit_test_setup_teardown(memory_is_taken_as_it_is_needed, in_memory, close_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
