#include "attune_core_api.h"
#include "core_keeper.h"
#include "host/flash.h"

#include "node/node.h"
#include "session/advertising.h"

#include <monocypher.h>
#include <string.h>

struct attune_test_keeper {
    uint8_t seed[32];
    uint64_t drawn;
    host_flash flash;
    attune_store store;
};

size_t core_keeper_size(void) { return sizeof(struct attune_test_keeper); }

int core_keeper_init(struct attune_test_keeper *keeper, const uint8_t *seed, const uint8_t *record) {
    attune_keys keys = {.held = record[0]};
    memset(keeper, 0, sizeof *keeper);
    memcpy(keeper->seed, seed, sizeof keeper->seed);
    memcpy(keys.key, record + 1, sizeof keys.key);
    memcpy(&keys.signing_number, record + 1 + sizeof keys.key, sizeof keys.signing_number);
    host_flash_in_memory(&keeper->flash);
    attune_store_result result = attune_store_open(&keeper->store, &keeper->flash.port);
    if (result == ATTUNE_STORE_OK) {
        result = attune_store_write_keys(&keeper->store, &keys);
    }
    return (int)result;
}

void core_keeper_close(struct attune_test_keeper *keeper) { host_flash_close(&keeper->flash); }

void core_keeper_record(const struct attune_test_keeper *keeper, uint8_t *record) {
    const attune_keys *keys = attune_store_keys(&keeper->store);
    record[0] = keys->held;
    memcpy(record + 1, keys->key, sizeof keys->key);
    memcpy(record + 1 + sizeof keys->key, &keys->signing_number, sizeof keys->signing_number);
}

static attune_flash_result worn(void *context, uint32_t address, const uint8_t *bytes, uint32_t size) {
    (void)context, (void)address, (void)bytes, (void)size;
    return ATTUNE_FLASH_SILENT;
}

void core_keeper_break(struct attune_test_keeper *keeper) { keeper->flash.port.program = worn; }

static void entropy(void *context, uint8_t *bytes, size_t size) {
    struct attune_test_keeper *keeper = context;
    const uint64_t number = keeper->drawn++;
    crypto_blake2b_keyed(bytes, size, keeper->seed, sizeof keeper->seed, (const uint8_t *)&number, sizeof number);
}

int core_node_keep(struct attune_node *node, struct attune_test_keeper *keeper) {
    const attune_keeper functions = {.context = keeper, .entropy = entropy};
    return attune_node_keep(node, &keeper->store) == ATTUNE_STORE_OK && attune_node_open_keys(node, &functions);
}

void core_node_code(const struct attune_node *node, char *text) { attune_session_code(&node->session, text); }

void core_code_write(const uint8_t *hint, const uint8_t *bits, char *text) { attune_code_write(hint, bits, text); }

void core_code_psk(const uint8_t *hint, const uint8_t *bits, uint8_t *psk) { attune_code_psk(hint, bits, psk); }

void core_advertising_key(const uint8_t *hint, const uint8_t *bits, uint8_t *key) {
    attune_advertising_key(hint, bits, key);
}

void core_advertised_hint(const uint8_t *key, const uint8_t *random, uint8_t *advertised) {
    attune_advertised_hint(key, random, advertised);
}
