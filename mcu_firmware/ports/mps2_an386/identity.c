#include "identity.h"

#include "flash.h"
#include "framing/frame.h"
#include "memory.h"
#include "monocypher.h"
#include "port.h"
#include "uart.h"

#include <string.h>

#define IDENTITY_ADDRESS 0u
#define IDENTITY_MAGIC 0x44495441u
#define STARTS_ADDRESS ATTUNE_FLASH_BLOCK

typedef struct identity_record {
    uint32_t magic;
    uint8_t node_id[8];
    uint32_t check; /* CRC-16 of what stands before */
} identity_record;

static attune_reset_cause last_run;
static uint32_t starts;
static uint32_t draws;
static identity_record record;

void attune_identity_begin(attune_reset_cause cause) { last_run = cause; }

static const uint8_t *seed(void) { return (const uint8_t *)SEED_BEGIN; }

static bool seed_there(void) {
    uint8_t any = 0;
    for (uint32_t i = 0; i < SEED_SIZE; i++) {
        any |= seed()[i];
    }
    return any != 0;
}

static uint32_t record_check(void) {
    return attune_crc16(ATTUNE_CRC16_INIT, (const uint8_t *)&record, offsetof(identity_record, check));
}

static bool record_read(void) {
    return attune_flash_read(IDENTITY_ADDRESS, (uint8_t *)&record, sizeof record) == ATTUNE_FLASH_OK &&
           record.magic == IDENTITY_MAGIC && record.check == record_check();
}

static bool record_write(void) {
    record.check = record_check();
    return attune_flash_erase(IDENTITY_ADDRESS) == ATTUNE_FLASH_OK &&
           attune_flash_program(IDENTITY_ADDRESS, (const uint8_t *)&record, sizeof record) == ATTUNE_FLASH_OK;
}

/* Also mends a record that a loss of power cut short: the same seed makes the same node id, which nobody owns. */
static bool record_make(void) {
    memset(&record, 0, sizeof record);
    record.magic = IDENTITY_MAGIC;
    crypto_blake2b_keyed(record.node_id, sizeof record.node_id, seed(), SEED_SIZE, (const uint8_t *)"node id", 7);
    return record_write();
}

/* Clears the first bit of block 1 that is still set and returns how many were cleared before. A full block, after 32768
 * starts, is erased: from then on only a new seed keeps numbers from coming again. */
static uint32_t count_start(void) {
    uint8_t byte = 0;
    for (uint32_t i = 0; i < ATTUNE_FLASH_BLOCK; i++) {
        (void)attune_flash_read(STARTS_ADDRESS + i, &byte, 1);
        if (byte != 0) {
            const uint32_t cleared = (uint32_t)__builtin_ctz(byte);
            byte &= (uint8_t)(byte - 1u);
            (void)attune_flash_program(STARTS_ADDRESS + i, &byte, 1);
            return i * 8u + cleared;
        }
    }
    (void)attune_flash_erase(STARTS_ADDRESS);
    return ATTUNE_FLASH_BLOCK * 8u;
}

void attune_port_entropy(uint8_t *bytes, size_t size) {
    const uint32_t number[2] = {starts, draws++};
    crypto_blake2b_keyed(bytes, size, seed(), SEED_SIZE, (const uint8_t *)number, sizeof number);
}

bool attune_port_identity(attune_identity *identity) {
    if (!seed_there()) {
        attune_uart_say(
            "There is no seed, so this node does not start: load 32 random bytes to 0x21200000 and reset.\n");
        return false;
    }
    if (!record_read() && !record_make()) {
        attune_uart_say("The identity cannot be kept in flash, so this node does not start: replace the board.\n");
        return false;
    }
    starts = count_start();
    memset(identity, 0, sizeof *identity);
    memcpy(identity->node_id, record.node_id, sizeof identity->node_id);
    attune_port_entropy((uint8_t *)&identity->boot, sizeof identity->boot);
    memcpy(identity->firmware, ATTUNE_FIRMWARE, sizeof ATTUNE_FIRMWARE);
    memcpy(identity->hardware, ATTUNE_HARDWARE, sizeof ATTUNE_HARDWARE);
    identity->test = true;
    identity->reset_reason = (uint8_t)last_run.reason;
    identity->reset_pc = last_run.pc;
    return true;
}
