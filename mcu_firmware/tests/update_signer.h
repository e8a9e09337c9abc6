/* The daemon's side of updates: envelopes and statements with signatures, made from what Monocypher offers below its own. Ed25519 gives one
 * signature for a key and a message, so the golden envelopes say whether they are right. */
#ifndef UPDATE_SIGNER_H
#define UPDATE_SIGNER_H

#include "update/envelope.h"
#include "update/keys.h"

typedef struct update_signer {
    uint8_t scalar[32];
    uint8_t prefix[32];
    uint8_t key[ATTUNE_ED25519_KEY];
} update_signer;

/* The key pair whose seed is this byte 32 times, as tests/unit/update_world.py has it. */
void update_signer_init(update_signer *signer, uint8_t seed);

/* Writes an envelope for a node that knows this of itself; returns its size. The payload must fit. */
size_t update_signer_envelope(const update_signer *signer, const attune_update_own *own, const attune_update *update,
                              uint8_t envelope[ATTUNE_MAX_ENVELOPE]);

/* Writes the statement by which the signer hands over to the next one. */
void update_signer_statement(const update_signer *signer, uint32_t number, const update_signer *next,
                             uint8_t statement[ATTUNE_STATEMENT]);

#endif
