/* Handshakes of the Noise Protocol Framework (revision 34): Noise_KK_25519_ChaChaPoly_BLAKE2b between two that know each other's
 * keys, Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b between two that share a secret and exchange keys.
 *
 * Bytes in, bytes out: no heap, no clock, no random numbers of its own. A message that does not open changes nothing, so
 * forged ones cannot end a handshake; whoever waits for an answer decides how long. */
#ifndef ATTUNE_NOISE_H
#define ATTUNE_NOISE_H

#include "session/aead.h"
#include "session/hkdf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_NOISE_KEY 32

/* What a handshake message may carry beside keys. */
#define ATTUNE_NOISE_PAYLOAD 64

/* The largest message, the second one of XXpsk0: two keys, two tags, payload. */
#define ATTUNE_NOISE_MESSAGE (2 * ATTUNE_NOISE_KEY + 2 * ATTUNE_AEAD_TAG + ATTUNE_NOISE_PAYLOAD)

typedef struct attune_key_pair {
    uint8_t secret_key[ATTUNE_NOISE_KEY];
    uint8_t public_key[ATTUNE_NOISE_KEY];
} attune_key_pair;

/* Makes the pair of 32 random bytes; any bytes will do (RFC 7748, section 5). */
void attune_key_pair_from(attune_key_pair *pair, const uint8_t secret_key[ATTUNE_NOISE_KEY]);

typedef enum attune_noise_pattern { ATTUNE_NOISE_KK = 0, ATTUNE_NOISE_XXPSK0 } attune_noise_pattern;

typedef enum attune_noise_result {
    ATTUNE_NOISE_OK = 0,
    ATTUNE_NOISE_ORDER, /* not what comes next, or there is no handshake; nothing was done */
    ATTUNE_NOISE_SIZE,  /* payload or message too long, message too short, or no room for it; nothing was done */
    ATTUNE_NOISE_FORGED /* not what the other side wrote for us; nothing has changed */
} attune_noise_result;

/* The state of one handshake. All zeros: none. */
typedef struct attune_noise {
    attune_noise_pattern pattern;
    bool initiator;
    uint8_t next;  /* number of the message that comes next, from 0 */
    uint8_t last;  /* messages of the pattern */
    uint8_t nonce; /* messages sealed under key */
    uint8_t key[ATTUNE_AEAD_KEY];
    uint8_t chaining[ATTUNE_HASH];
    uint8_t hash[ATTUNE_HASH];
    attune_key_pair own;
    attune_key_pair ephemeral;
    uint8_t remote[ATTUNE_NOISE_KEY];
    uint8_t remote_ephemeral[ATTUNE_NOISE_KEY];
} attune_noise;

/* What the two sides bring along. own stays the caller's and is copied. */
typedef struct attune_noise_setup {
    bool initiator; /* writes the first message */
    const attune_key_pair *own;
    const uint8_t *ephemeral; /* 32 random bytes that serve no second handshake */
    const uint8_t *prologue;  /* what both must agree on; NULL if prologue_size is 0 */
    size_t prologue_size;
} attune_noise_setup;

/* Begins KK with the other side's public key. */
void attune_noise_begin_kk(attune_noise *noise, const attune_noise_setup *setup,
                           const uint8_t remote[ATTUNE_NOISE_KEY]);

/* Begins XXpsk0 with a shared secret of 32 bytes, which is not kept. */
void attune_noise_begin_xxpsk0(attune_noise *noise, const attune_noise_setup *setup, const uint8_t psk[32]);

/* Writes the next message; *written is its size. ORDER, SIZE. */
attune_noise_result attune_noise_write(attune_noise *noise, const uint8_t *payload, size_t size, uint8_t *message,
                                       size_t capacity, size_t *written);

/* Reads the next message; *size is that of the payload. ORDER, SIZE, FORGED. */
attune_noise_result attune_noise_read(attune_noise *noise, const uint8_t *message, size_t message_size,
                                      uint8_t payload[ATTUNE_NOISE_PAYLOAD], size_t *size);

/* What a handshake leaves. */
typedef struct attune_noise_keys {
    uint8_t send[ATTUNE_AEAD_KEY];
    uint8_t receive[ATTUNE_AEAD_KEY];
    uint8_t remote[ATTUNE_NOISE_KEY]; /* the other side's public key */
} attune_noise_keys;

/* After the last message: gives the keys and wipes the handshake. ORDER. */
attune_noise_result attune_noise_split(attune_noise *noise, attune_noise_keys *keys);

/* Wipes a handshake, finished or not. */
void attune_noise_wipe(attune_noise *noise);

#endif
