/* Who signs updates, and how that changes: a statement in which the old key names the new one.
 *
 * Keys are numbered from 1. A statement is format (1), number of the new key (4, little endian), the new key (32), signature by the
 * key before it (64) of: domain string, format, number, old key, new key. The daemon keeps all of them; a node that slept through several
 * changes gets them as a chain, one after the other, and follows from where it is. */
#ifndef ATTUNE_UPDATE_KEYS_H
#define ATTUNE_UPDATE_KEYS_H

#include "update/ed25519.h"

#define ATTUNE_STATEMENT 101
#define ATTUNE_STATEMENT_FORMAT 1

/* Statements in one chain: as many signature checks in one go. A longer chain comes in several. */
#define ATTUNE_MAX_CHAIN 4

typedef struct attune_signer {
    uint32_t number; /* > 0 */
    uint8_t key[ATTUNE_ED25519_KEY];
} attune_signer;

/* The numbers are wire format. */
typedef enum attune_chain_result {
    ATTUNE_CHAIN_OK = 1,        /* the signer is the last one of the chain, or the chain ended before it */
    ATTUNE_CHAIN_SIZE = 2,      /* no whole statements, or too many */
    ATTUNE_CHAIN_FORMAT = 3,    /* a format that this node does not know */
    ATTUNE_CHAIN_SIGNATURE = 4, /* a statement is not signed with the key before it */
    ATTUNE_CHAIN_GAP = 5        /* the key after the signer's, or one between two statements, is not named */
} attune_chain_result;

/* Follows a chain; statements up to the signer's own number are passed over. The signer is unchanged unless the result is
 * ATTUNE_CHAIN_OK; the caller makes it durable before it counts. */
attune_chain_result attune_signer_follow(attune_signer *signer, const uint8_t *chain, size_t size);

#endif
