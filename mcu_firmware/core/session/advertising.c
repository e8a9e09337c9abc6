#include "session/advertising.h"

#include <monocypher.h>
#include <string.h>

#define DOMAIN "attune-advertising-1"

/* The two highest bits of a static address; of the others not all may be alike. */
#define STATIC_ADDRESS 0xC0u

void attune_advertising_key(const uint8_t hint[ATTUNE_HINT], const uint8_t bits[ATTUNE_CODE_BITS],
                            uint8_t key[ATTUNE_ADVERTISING_KEY]) {
    crypto_blake2b_ctx hash;
    crypto_blake2b_init(&hash, ATTUNE_ADVERTISING_KEY);
    crypto_blake2b_update(&hash, (const uint8_t *)DOMAIN, sizeof DOMAIN - 1);
    crypto_blake2b_update(&hash, hint, ATTUNE_HINT);
    crypto_blake2b_update(&hash, bits, ATTUNE_CODE_BITS);
    crypto_blake2b_final(&hash, key);
}

void attune_advertised_hint(const uint8_t key[ATTUNE_ADVERTISING_KEY], const uint8_t random[ATTUNE_ADVERTISED_RANDOM],
                            uint8_t advertised[ATTUNE_ADVERTISED]) {
    uint8_t digest[32];
    crypto_blake2b_keyed(digest, sizeof digest, key, ATTUNE_ADVERTISING_KEY, random, ATTUNE_ADVERTISED_RANDOM);
    memcpy(advertised, random, ATTUNE_ADVERTISED_RANDOM);
    memcpy(advertised + ATTUNE_ADVERTISED_RANDOM, digest, ATTUNE_ADVERTISED - ATTUNE_ADVERTISED_RANDOM);
}

static void draw_hint(attune_advertising *advertising, const attune_session *session) {
    uint8_t key[ATTUNE_ADVERTISING_KEY];
    uint8_t random[ATTUNE_ADVERTISED_RANDOM];
    attune_advertising_key(session->node_id, attune_store_keys(session->store)->key[ATTUNE_KEY_CODE], key);
    session->keeper.entropy(session->keeper.context, random, sizeof random);
    attune_advertised_hint(key, random, advertising->hint);
    crypto_wipe(key, sizeof key);
}

static void draw_address(attune_advertising *advertising, const attune_session *session) {
    uint8_t *address = advertising->address;
    session->keeper.entropy(session->keeper.context, address, ATTUNE_ADDRESS);
    address[ATTUNE_ADDRESS - 1] |= STATIC_ADDRESS;
    uint8_t ones = address[ATTUNE_ADDRESS - 1];
    uint8_t any = (uint8_t)(address[ATTUNE_ADDRESS - 1] & (uint8_t)~STATIC_ADDRESS);
    for (unsigned i = 0; i < ATTUNE_ADDRESS - 1; i++) {
        ones &= address[i];
        any |= address[i];
    }
    if (any == 0 || ones == 0xFF) {
        address[0] ^= 1;
    }
}

void attune_advertising_poll(attune_advertising *advertising, const attune_session *session, uint64_t now_ms) {
    if (now_ms < advertising->due_ms) {
        return;
    }
    draw_hint(advertising, session);
    draw_address(advertising, session);
    advertising->due_ms = now_ms + ATTUNE_ADVERTISING_MS;
}
