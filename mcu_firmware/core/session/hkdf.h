/* HMAC (RFC 2104) and the chain of keys (Noise specification, revision 34, 4.3) over BLAKE2b with hashes of 64 bytes. */
#ifndef ATTUNE_HKDF_H
#define ATTUNE_HKDF_H

#include <stddef.h>
#include <stdint.h>

#define ATTUNE_HASH 64

/* Keys of one hash length only, which is all that Noise asks for. */
void attune_hmac(const uint8_t key[ATTUNE_HASH], const uint8_t *data, size_t size, uint8_t mac[ATTUNE_HASH]);

/* Writes count outputs, 2 or 3. */
void attune_hkdf(const uint8_t key[ATTUNE_HASH], const uint8_t *input, size_t size, uint8_t outputs[][ATTUNE_HASH],
                 uint8_t count);

#endif
