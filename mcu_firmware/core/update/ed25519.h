/* Ed25519 signatures (RFC 8032, section 5.1), checked and not made: the node has no signing key. */
#ifndef ATTUNE_ED25519_H
#define ATTUNE_ED25519_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_ED25519_KEY 32
#define ATTUNE_ED25519_SIGNATURE 64

/* A message in parts, so that what both sides know need not be copied beside what was sent. */
typedef struct attune_part {
    const uint8_t *bytes;
    size_t size;
} attune_part;

/* True if signature is that of the parts, one after the other, under key. Signatures whose scalar is not reduced are none. */
bool attune_ed25519_check(const uint8_t signature[ATTUNE_ED25519_SIGNATURE], const uint8_t key[ATTUNE_ED25519_KEY],
                          const attune_part *parts, size_t count);

#endif
