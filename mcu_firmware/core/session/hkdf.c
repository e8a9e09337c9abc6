#include "session/hkdf.h"

#include <monocypher.h>
#include <string.h>

#define BLOCK 128

/* Begins a hash with a block of the key, each byte combined with pad. */
static void begin(crypto_blake2b_ctx *context, const uint8_t key[ATTUNE_HASH], uint8_t pad) {
    uint8_t block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) {
        block[i] = i < ATTUNE_HASH ? key[i] ^ pad : pad;
    }
    crypto_blake2b_init(context, ATTUNE_HASH);
    crypto_blake2b_update(context, block, sizeof block);
    crypto_wipe(block, sizeof block);
}

void attune_hmac(const uint8_t key[ATTUNE_HASH], const uint8_t *data, size_t size, uint8_t mac[ATTUNE_HASH]) {
    crypto_blake2b_ctx context;
    uint8_t inner[ATTUNE_HASH];
    begin(&context, key, 0x36);
    crypto_blake2b_update(&context, data, size);
    crypto_blake2b_final(&context, inner);
    begin(&context, key, 0x5C);
    crypto_blake2b_update(&context, inner, sizeof inner);
    crypto_blake2b_final(&context, mac);
    crypto_wipe(inner, sizeof inner);
}

void attune_hkdf(const uint8_t key[ATTUNE_HASH], const uint8_t *input, size_t size, uint8_t outputs[][ATTUNE_HASH],
                 uint8_t count) {
    uint8_t drawn[ATTUNE_HASH];
    uint8_t block[ATTUNE_HASH + 1];
    attune_hmac(key, input, size, drawn);
    for (uint8_t i = 0; i < count; i++) {
        size_t before = i == 0 ? 0 : ATTUNE_HASH;
        if (before > 0) {
            memcpy(block, outputs[i - 1], before);
        }
        block[before] = (uint8_t)(i + 1);
        attune_hmac(drawn, block, before + 1, outputs[i]);
    }
    crypto_wipe(drawn, sizeof drawn);
    crypto_wipe(block, sizeof block);
}
