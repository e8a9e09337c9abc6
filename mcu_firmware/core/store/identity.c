#include "store/bytes.h"
#include "store/files.h"

#define FILE_NAME "identity"
#define TIE_NAME "tie"
#define SCHEMA_NAME "schema"
/* Without the number of the signing key, as versions wrote it that had no use for one. */
#define FIRST_SIZE (4 + 1 + ATTUNE_KEYS * ATTUNE_KEY_SIZE)
#define IDENTITY_SIZE (FIRST_SIZE + 4)
#define TIE_SIZE (4 + 8 + 8)

/* Keys and sequence number are one record: a change of keys can neither lose the number nor lower it. */
static attune_store_result write_identity(attune_store *store, uint32_t sequence, const attune_keys *keys) {
    uint8_t bytes[IDENTITY_SIZE];
    uint8_t *at = bytes;
    attune_put(&at, sequence, 4);
    attune_put(&at, keys->held, 1);
    attune_put_bytes(&at, &keys->key[0][0], sizeof keys->key);
    attune_put(&at, keys->signing_number, 4);
    attune_store_result result = attune_record_write(store, FILE_NAME, bytes, sizeof bytes);
    if (result == ATTUNE_STORE_OK) {
        store->sequence = sequence;
        store->keys = *keys;
    }
    return result;
}

attune_store_result attune_identity_open(attune_store *store) {
    uint8_t bytes[IDENTITY_SIZE];
    const uint8_t *at = bytes;
    size_t size = 0;
    attune_store_result result = attune_file_check(store, FILE_NAME, &size);
    if (result == ATTUNE_STORE_NONE) {
        return ATTUNE_STORE_OK;
    }
    if (result == ATTUNE_STORE_OK && size != FIRST_SIZE && size != IDENTITY_SIZE) {
        return ATTUNE_STORE_DAMAGED;
    }
    if (result == ATTUNE_STORE_OK) {
        result = attune_file_read(store, FILE_NAME, 0, bytes, size);
    }
    if (result == ATTUNE_STORE_OK) {
        store->sequence = (uint32_t)attune_get(&at, 4);
        store->keys.held = (uint8_t)attune_get(&at, 1);
        attune_get_bytes(&at, &store->keys.key[0][0], sizeof store->keys.key);
        store->keys.signing_number =
            size == IDENTITY_SIZE ? (uint32_t)attune_get(&at, 4) : attune_keys_hold(&store->keys, ATTUNE_KEY_SIGNING);
    }
    return result;
}

const attune_keys *attune_store_keys(const attune_store *store) { return &store->keys; }

attune_store_result attune_store_write_keys(attune_store *store, const attune_keys *keys) {
    return write_identity(store, store->sequence, keys);
}

uint32_t attune_store_sequence(const attune_store *store) { return store->sequence; }

attune_store_result attune_store_accept(attune_store *store, uint32_t sequence) {
    const attune_keys keys = store->keys;
    return sequence > store->sequence ? write_identity(store, sequence, &keys) : ATTUNE_STORE_ORDER;
}

attune_store_result attune_store_write_tie(attune_store *store, const attune_tie *tie) {
    uint8_t bytes[TIE_SIZE];
    uint8_t *at = bytes;
    attune_put(&at, tie->boot, 4);
    attune_put(&at, tie->tick_ms, 8);
    attune_put(&at, tie->utc_ms, 8);
    return attune_record_write(store, TIE_NAME, bytes, sizeof bytes);
}

attune_store_result attune_store_read_tie(attune_store *store, attune_tie *tie) {
    uint8_t bytes[TIE_SIZE];
    const uint8_t *at = bytes;
    attune_store_result result = attune_record_read(store, TIE_NAME, bytes, sizeof bytes);
    if (result == ATTUNE_STORE_OK) {
        tie->boot = (uint32_t)attune_get(&at, 4);
        tie->tick_ms = attune_get(&at, 8);
        tie->utc_ms = attune_get(&at, 8);
    }
    return result;
}

attune_store_result attune_store_write_schema(attune_store *store, const uint8_t hash[ATTUNE_STORE_SCHEMA]) {
    return attune_record_write(store, SCHEMA_NAME, hash, ATTUNE_STORE_SCHEMA);
}

attune_store_result attune_store_read_schema(attune_store *store, uint8_t hash[ATTUNE_STORE_SCHEMA]) {
    return attune_record_read(store, SCHEMA_NAME, hash, ATTUNE_STORE_SCHEMA);
}
