#include "update_signer.h"

#include "update/little.h"
#include "update/sha512.h"

#include <monocypher.h>
#include <string.h>

#define LARGEST_MESSAGE (ATTUNE_MAX_ENVELOPE + 256)

void update_signer_init(update_signer *signer, uint8_t seed) {
    uint8_t bytes[32];
    uint8_t expanded[ATTUNE_SHA512];
    attune_sha512 sha;
    memset(bytes, seed, sizeof bytes);
    attune_sha512_init(&sha);
    attune_sha512_update(&sha, bytes, sizeof bytes);
    attune_sha512_final(&sha, expanded);
    crypto_eddsa_trim_scalar(signer->scalar, expanded);
    memcpy(signer->prefix, expanded + 32, sizeof signer->prefix);
    crypto_eddsa_scalarbase(signer->key, signer->scalar);
}

/* RFC 8032, section 5.1.6: of up to three parts, the first one perhaps empty. */
static void hash(uint8_t reduced[32], const uint8_t *first, const uint8_t *second, const uint8_t *message,
                 size_t size) {
    uint8_t expanded[ATTUNE_SHA512];
    attune_sha512 sha;
    attune_sha512_init(&sha);
    attune_sha512_update(&sha, first, 32);
    attune_sha512_update(&sha, second, second == NULL ? 0 : 32);
    attune_sha512_update(&sha, message, size);
    attune_sha512_final(&sha, expanded);
    crypto_eddsa_reduce(reduced, expanded);
}

static void sign(const update_signer *signer, const uint8_t *message, size_t size, uint8_t signature[64]) {
    uint8_t r[32];
    uint8_t h[32];
    hash(r, signer->prefix, NULL, message, size);
    crypto_eddsa_scalarbase(signature, r);
    hash(h, signature, signer->key, message, size);
    crypto_eddsa_mul_add(signature + 32, h, signer->scalar, r);
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t size) {
    memcpy(at, bytes, size);
    return at + size;
}

static uint8_t *put_number(uint8_t *at, uint32_t number) {
    attune_little_write(number, at);
    return at + 4;
}

size_t update_signer_envelope(const update_signer *signer, const attune_update_own *own, const attune_update *update,
                              uint8_t envelope[ATTUNE_MAX_ENVELOPE]) {
    static uint8_t message[LARGEST_MESSAGE];
    const uint8_t kind = (uint8_t)update->kind;
    uint8_t *at = put(message, "attune-update-01", 16);
    at = put(at, (const uint8_t[]){ATTUNE_ENVELOPE_FORMAT}, 1);
    at = put_number(put(at, own->node, sizeof own->node), update->sequence);
    at = put(put(at, own->base, sizeof own->base), update->result, ATTUNE_DIGEST_SIZE);
    at = put(put(at, &kind, 1), update->payload, update->payload_size);
    envelope[0] = ATTUNE_ENVELOPE_FORMAT;
    envelope[1] = kind;
    uint8_t *end = put(put_number(envelope + 2, update->sequence), update->result, ATTUNE_DIGEST_SIZE);
    end = put(end, update->payload, update->payload_size);
    sign(signer, message, (size_t)(at - message), end);
    return update->payload_size + ATTUNE_ENVELOPE_AROUND;
}

void update_signer_statement(const update_signer *signer, uint32_t number, const update_signer *next,
                             uint8_t statement[ATTUNE_STATEMENT]) {
    uint8_t message[128];
    statement[0] = ATTUNE_STATEMENT_FORMAT;
    (void)put(put_number(statement + 1, number), next->key, sizeof next->key);
    uint8_t *at = put(put(message, "attune-rotate-01", 16), statement, 5);
    at = put(put(at, signer->key, sizeof signer->key), next->key, sizeof next->key);
    sign(signer, message, (size_t)(at - message), statement + 37);
}
