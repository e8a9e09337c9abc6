/* The keys that a node keeps through a loss of power. */
#ifndef ATTUNE_KEYS_H
#define ATTUNE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_KEY_SIZE 32

typedef enum attune_key {
    ATTUNE_KEY_NODE = 0,    /* the secret half of the node's own static key pair */
    ATTUNE_KEY_CODE,        /* the random bits of the node's code, the first ATTUNE_CODE_BITS bytes */
    ATTUNE_KEY_DAEMON,      /* the public key of the daemon that owns the node */
    ATTUNE_KEY_NEXT_DAEMON, /* the one that it has announced */
    ATTUNE_KEY_SIGNING,     /* the public key of who signs updates */
    ATTUNE_KEYS
} attune_key;

/* Bit 1 << attune_key of held is set for each key that there is. */
typedef struct attune_keys {
    uint8_t held;
    uint8_t key[ATTUNE_KEYS][ATTUNE_KEY_SIZE];
    uint32_t signing_number; /* of the signing key, from 1; 0 without one */
} attune_keys;

static inline bool attune_keys_hold(const attune_keys *keys, attune_key which) {
    return (keys->held >> which & 1) != 0;
}

void attune_keys_set(attune_keys *keys, attune_key which, const uint8_t *bytes, size_t size);
void attune_keys_drop(attune_keys *keys, attune_key which);

/* The signing key has a number beside it. */
void attune_keys_set_signer(attune_keys *keys, uint32_t number, const uint8_t key[ATTUNE_KEY_SIZE]);
void attune_keys_drop_signer(attune_keys *keys);

/* What a node's session asks of its port: attune_port_entropy. It gets context. */
typedef struct attune_keeper {
    void *context;
    void (*entropy)(void *context, uint8_t *bytes, size_t size);
} attune_keeper;

struct attune_store;

/* Makes and keeps the keys of a first start, the node's own and its code, unless the store has them. False if they cannot be kept. */
bool attune_keys_open(struct attune_store *store, const attune_keeper *keeper);

#endif
