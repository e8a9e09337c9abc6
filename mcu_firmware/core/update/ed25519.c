#include "update/ed25519.h"

#include "update/sha512.h"

#include <monocypher.h>

bool attune_ed25519_check(const uint8_t signature[ATTUNE_ED25519_SIGNATURE], const uint8_t key[ATTUNE_ED25519_KEY],
                          const attune_part *parts, size_t count) {
    uint8_t expanded[ATTUNE_SHA512];
    uint8_t h[32];
    attune_sha512 sha;
    attune_sha512_init(&sha);
    attune_sha512_update(&sha, signature, 32);
    attune_sha512_update(&sha, key, ATTUNE_ED25519_KEY);
    for (size_t i = 0; i < count; i++) {
        attune_sha512_update(&sha, parts[i].bytes, parts[i].size);
    }
    attune_sha512_final(&sha, expanded);
    crypto_eddsa_reduce(h, expanded);
    return crypto_eddsa_check_equation(signature, key, h) == 0;
}
