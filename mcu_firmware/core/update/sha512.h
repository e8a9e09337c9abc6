/* SHA-512 (FIPS 180-4), for signatures alone; what else is hashed here is BLAKE2b, which the session needs anyway. */
#ifndef ATTUNE_SHA512_H
#define ATTUNE_SHA512_H

#include <stddef.h>
#include <stdint.h>

#define ATTUNE_SHA512 64

typedef struct attune_sha512 {
    uint64_t state[8];
    uint64_t size; /* bytes so far; 2^61 at most */
    uint8_t block[128];
} attune_sha512;

void attune_sha512_init(attune_sha512 *sha);
void attune_sha512_update(attune_sha512 *sha, const uint8_t *bytes, size_t size);
void attune_sha512_final(attune_sha512 *sha, uint8_t digest[ATTUNE_SHA512]);

#endif
