#include "session/aead.h"

#include <monocypher.h>

/* A context of its own for each message: Monocypher changes the key of one that is used again, which RFC 8439 does not. */
static void begin(crypto_aead_ctx *context, const uint8_t *key, uint64_t counter) {
    uint8_t nonce[12] = {0};
    for (unsigned i = 0; i < 8; i++) {
        nonce[4 + i] = (uint8_t)(counter >> (8 * i));
    }
    crypto_aead_init_ietf(context, key, nonce);
}

void attune_aead_seal(const uint8_t key[ATTUNE_AEAD_KEY], uint64_t counter, const uint8_t *ad, size_t ad_size,
                      const uint8_t *text, size_t size, uint8_t *sealed) {
    crypto_aead_ctx context;
    begin(&context, key, counter);
    crypto_aead_write(&context, sealed, sealed + size, ad, ad_size, text, size);
    crypto_wipe(&context, sizeof context);
}

bool attune_aead_open(const uint8_t key[ATTUNE_AEAD_KEY], uint64_t counter, const uint8_t *ad, size_t ad_size,
                      const uint8_t *sealed, size_t sealed_size, uint8_t *text) {
    if (sealed_size < ATTUNE_AEAD_TAG) {
        return false;
    }
    crypto_aead_ctx context;
    begin(&context, key, counter);
    size_t size = sealed_size - ATTUNE_AEAD_TAG;
    bool opened = crypto_aead_read(&context, text, sealed + size, ad, ad_size, sealed, size) == 0;
    crypto_wipe(&context, sizeof context);
    return opened;
}
