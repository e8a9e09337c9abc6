#include "session/keys.h"

#include "session/code.h"
#include "store/store.h"

#include <monocypher.h>
#include <string.h>

void attune_keys_set(attune_keys *keys, attune_key which, const uint8_t *bytes, size_t size) {
    memset(keys->key[which], 0, ATTUNE_KEY_SIZE);
    memcpy(keys->key[which], bytes, size);
    keys->held = (uint8_t)(keys->held | 1u << which);
}

void attune_keys_drop(attune_keys *keys, attune_key which) {
    crypto_wipe(keys->key[which], ATTUNE_KEY_SIZE);
    keys->held = (uint8_t)(keys->held & ~(1u << which));
}

void attune_keys_set_signer(attune_keys *keys, uint32_t number, const uint8_t key[ATTUNE_KEY_SIZE]) {
    attune_keys_set(keys, ATTUNE_KEY_SIGNING, key, ATTUNE_KEY_SIZE);
    keys->signing_number = number;
}

void attune_keys_drop_signer(attune_keys *keys) {
    attune_keys_drop(keys, ATTUNE_KEY_SIGNING);
    keys->signing_number = 0;
}

static void draw(attune_keys *keys, attune_key which, size_t size, const attune_keeper *keeper) {
    uint8_t bytes[ATTUNE_KEY_SIZE];
    keeper->entropy(keeper->context, bytes, size);
    attune_keys_set(keys, which, bytes, size);
    crypto_wipe(bytes, sizeof bytes);
}

bool attune_keys_open(attune_store *store, const attune_keeper *keeper) {
    const attune_keys *kept = attune_store_keys(store);
    if (attune_keys_hold(kept, ATTUNE_KEY_NODE) && attune_keys_hold(kept, ATTUNE_KEY_CODE)) {
        return true;
    }
    attune_keys keys = {.held = 0};
    draw(&keys, ATTUNE_KEY_NODE, ATTUNE_KEY_SIZE, keeper);
    draw(&keys, ATTUNE_KEY_CODE, ATTUNE_CODE_BITS, keeper);
    const bool made = attune_store_write_keys(store, &keys) == ATTUNE_STORE_OK;
    crypto_wipe(&keys, sizeof keys);
    return made;
}
