#include "update/keys.h"

#include "update/little.h"

#include <string.h>

static const uint8_t domain[16] = "attune-rotate-01";

#define NUMBER 1
#define KEY 5
#define SIGNATURE 37

static attune_chain_result follow_one(attune_signer *signer, const uint8_t *statement) {
    const uint32_t number = attune_little_read(statement + NUMBER);
    if (statement[0] != ATTUNE_STATEMENT_FORMAT) {
        return ATTUNE_CHAIN_FORMAT;
    }
    if (number <= signer->number) {
        return ATTUNE_CHAIN_OK;
    }
    if (number - signer->number != 1) {
        return ATTUNE_CHAIN_GAP;
    }
    const attune_part parts[] = {
        {domain, sizeof domain},
        {statement, KEY},
        {signer->key, sizeof signer->key},
        {statement + KEY, ATTUNE_ED25519_KEY},
    };
    if (!attune_ed25519_check(statement + SIGNATURE, signer->key, parts, sizeof parts / sizeof parts[0])) {
        return ATTUNE_CHAIN_SIGNATURE;
    }
    signer->number = number;
    memcpy(signer->key, statement + KEY, sizeof signer->key);
    return ATTUNE_CHAIN_OK;
}

/* Statements name keys without a gap, those that the signer passes over too. */
static bool is_in_order(const uint8_t *chain, size_t size) {
    for (const uint8_t *next = chain + ATTUNE_STATEMENT; next < chain + size; next += ATTUNE_STATEMENT) {
        if (attune_little_read(next + NUMBER) - attune_little_read(next - ATTUNE_STATEMENT + NUMBER) != 1) {
            return false;
        }
    }
    return true;
}

attune_chain_result attune_signer_follow(attune_signer *signer, const uint8_t *chain, size_t size) {
    attune_signer last = *signer;
    if (size == 0 || size % ATTUNE_STATEMENT != 0 || size > (size_t)ATTUNE_MAX_CHAIN * ATTUNE_STATEMENT) {
        return ATTUNE_CHAIN_SIZE;
    }
    if (!is_in_order(chain, size)) {
        return ATTUNE_CHAIN_GAP;
    }
    for (const uint8_t *statement = chain; statement < chain + size; statement += ATTUNE_STATEMENT) {
        attune_chain_result result = follow_one(&last, statement);
        if (result != ATTUNE_CHAIN_OK) {
            return result;
        }
    }
    *signer = last;
    return ATTUNE_CHAIN_OK;
}
