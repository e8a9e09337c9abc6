#include "attune_core_api.h"
#include "core_keeper.h"

#include "node/node.h"

#include <monocypher.h>
#include <string.h>

struct attune_test_keeper {
    uint8_t seed[32];
    uint64_t drawn;
    attune_keys keys;
    bool broken;
};

size_t core_keeper_size(void) { return sizeof(struct attune_test_keeper); }

void core_keeper_init(struct attune_test_keeper *keeper, const uint8_t *seed, const uint8_t *record) {
    memset(keeper, 0, sizeof *keeper);
    memcpy(keeper->seed, seed, sizeof keeper->seed);
    keeper->keys.held = record[0];
    memcpy(keeper->keys.key, record + 1, sizeof keeper->keys.key);
}

void core_keeper_record(const struct attune_test_keeper *keeper, uint8_t *record) {
    record[0] = keeper->keys.held;
    memcpy(record + 1, keeper->keys.key, sizeof keeper->keys.key);
}

void core_keeper_break(struct attune_test_keeper *keeper) { keeper->broken = true; }

static void entropy(void *context, uint8_t *bytes, size_t size) {
    struct attune_test_keeper *keeper = context;
    const uint64_t number = keeper->drawn++;
    crypto_blake2b_keyed(bytes, size, keeper->seed, sizeof keeper->seed, (const uint8_t *)&number, sizeof number);
}

static bool load(void *context, attune_keys *keys) {
    *keys = ((struct attune_test_keeper *)context)->keys;
    return true;
}

static bool save(void *context, const attune_keys *keys) {
    struct attune_test_keeper *keeper = context;
    if (!keeper->broken) {
        keeper->keys = *keys;
    }
    return !keeper->broken;
}

int core_node_open_keys(struct attune_node *node, struct attune_test_keeper *keeper) {
    const attune_keeper functions = {.context = keeper, .entropy = entropy, .load = load, .save = save};
    return attune_node_open_keys(node, &functions);
}

void core_node_code(const struct attune_node *node, char *text) { attune_session_code(&node->session, text); }

void core_code_write(const uint8_t *hint, const uint8_t *bits, char *text) { attune_code_write(hint, bits, text); }

void core_code_psk(const uint8_t *hint, const uint8_t *bits, uint8_t *psk) { attune_code_psk(hint, bits, psk); }
