/* ChaCha20-Poly1305 (RFC 8439) with a counter for a nonce, as the Noise specification (revision 34, 12.3) has it: four zero bytes,
 * then the counter in eight bytes, little endian. */
#ifndef ATTUNE_AEAD_H
#define ATTUNE_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_AEAD_KEY 32
#define ATTUNE_AEAD_TAG 16

/* Writes size bytes of ciphertext and the tag behind them. sealed may be text itself. A counter serves once a key. */
void attune_aead_seal(const uint8_t key[ATTUNE_AEAD_KEY], uint64_t counter, const uint8_t *ad, size_t ad_size,
                      const uint8_t *text, size_t size, uint8_t *sealed);

/* sealed_size counts the tag; text has room for what is left without it and may be sealed itself. Returns false, with text as it
 * was, unless key, counter, additional data and every byte are those of attune_aead_seal. */
bool attune_aead_open(const uint8_t key[ATTUNE_AEAD_KEY], uint64_t counter, const uint8_t *ad, size_t ad_size,
                      const uint8_t *sealed, size_t sealed_size, uint8_t *text);

#endif
