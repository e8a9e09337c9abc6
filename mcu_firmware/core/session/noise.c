#include "session/noise.h"

#include <monocypher.h>
#include <string.h>

enum token { TOKEN_END = 0, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE, TOKEN_SS };

#define MOST_MESSAGES 3
#define MOST_TOKENS 5

typedef struct pattern_table {
    char name[ATTUNE_HASH]; /* filled up with zeros, which is what the hash begins as (section 5.2) */
    uint8_t messages;
    uint8_t tokens[MOST_MESSAGES][MOST_TOKENS];
} pattern_table;

/* Specification, sections 7.5 and 9.4. The psk of XXpsk0 comes before all else, and is mixed when the handshake begins. */
static const pattern_table patterns[] = {
    [ATTUNE_NOISE_KK] = {.name = "Noise_KK_25519_ChaChaPoly_BLAKE2b",
                         .messages = 2,
                         .tokens = {{TOKEN_E, TOKEN_ES, TOKEN_SS}, {TOKEN_E, TOKEN_EE, TOKEN_SE}}},
    [ATTUNE_NOISE_XXPSK0] = {.name = "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b",
                             .messages = 3,
                             .tokens = {{TOKEN_E}, {TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES}, {TOKEN_S, TOKEN_SE}}},
};

void attune_key_pair_from(attune_key_pair *pair, const uint8_t secret_key[ATTUNE_NOISE_KEY]) {
    memcpy(pair->secret_key, secret_key, sizeof pair->secret_key);
    crypto_x25519_public_key(pair->public_key, secret_key);
}

/* --- The symmetric state, specification 5.2 --- */

static void mix_hash(attune_noise *noise, const uint8_t *data, size_t size) {
    crypto_blake2b_ctx context;
    crypto_blake2b_init(&context, ATTUNE_HASH);
    crypto_blake2b_update(&context, noise->hash, ATTUNE_HASH);
    crypto_blake2b_update(&context, data, size);
    crypto_blake2b_final(&context, noise->hash);
}

static void take_keys(attune_noise *noise, const uint8_t *chaining, const uint8_t *key) {
    memcpy(noise->chaining, chaining, ATTUNE_HASH);
    memcpy(noise->key, key, ATTUNE_AEAD_KEY);
    noise->nonce = 0;
}

static void mix_key(attune_noise *noise, const uint8_t input[32]) {
    uint8_t outputs[2][ATTUNE_HASH];
    attune_hkdf(noise->chaining, input, 32, outputs, 2);
    take_keys(noise, outputs[0], outputs[1]);
    crypto_wipe(outputs, sizeof outputs);
}

static void mix_key_and_hash(attune_noise *noise, const uint8_t input[32]) {
    uint8_t outputs[3][ATTUNE_HASH];
    attune_hkdf(noise->chaining, input, 32, outputs, 3);
    take_keys(noise, outputs[0], outputs[2]);
    mix_hash(noise, outputs[1], ATTUNE_HASH);
    crypto_wipe(outputs, sizeof outputs);
}

/* Both patterns have a key before anything is sealed, so there is no message in the clear here. */
static uint8_t *encrypt_and_hash(attune_noise *noise, const uint8_t *text, size_t size, uint8_t *at) {
    attune_aead_seal(noise->key, noise->nonce++, noise->hash, ATTUNE_HASH, text, size, at);
    mix_hash(noise, at, size + ATTUNE_AEAD_TAG);
    return at + size + ATTUNE_AEAD_TAG;
}

static bool decrypt_and_hash(attune_noise *noise, const uint8_t *sealed, size_t sealed_size, uint8_t *text) {
    if (!attune_aead_open(noise->key, noise->nonce++, noise->hash, ATTUNE_HASH, sealed, sealed_size, text)) {
        return false;
    }
    mix_hash(noise, sealed, sealed_size);
    return true;
}

/* --- Tokens, specification 5.3 --- */

static void mix_dh(attune_noise *noise, enum token token) {
    bool own_ephemeral = token == TOKEN_EE || token == (noise->initiator ? TOKEN_ES : TOKEN_SE);
    bool remote_ephemeral = token == TOKEN_EE || token == (noise->initiator ? TOKEN_SE : TOKEN_ES);
    uint8_t shared[32];
    crypto_x25519(shared, own_ephemeral ? noise->ephemeral.secret_key : noise->own.secret_key,
                  remote_ephemeral ? noise->remote_ephemeral : noise->remote);
    mix_key(noise, shared);
    crypto_wipe(shared, sizeof shared);
}

static void mix_ephemeral(attune_noise *noise, const uint8_t public_key[ATTUNE_NOISE_KEY]) {
    mix_hash(noise, public_key, ATTUNE_NOISE_KEY);
    if (noise->pattern == ATTUNE_NOISE_XXPSK0) {
        mix_key(noise, public_key);
    }
}

static uint8_t *write_token(attune_noise *noise, enum token token, uint8_t *at) {
    switch (token) {
    case TOKEN_E:
        memcpy(at, noise->ephemeral.public_key, ATTUNE_NOISE_KEY);
        mix_ephemeral(noise, at);
        return at + ATTUNE_NOISE_KEY;
    case TOKEN_S:
        return encrypt_and_hash(noise, noise->own.public_key, ATTUNE_NOISE_KEY, at);
    default:
        mix_dh(noise, token);
        return at;
    }
}

/* Where the rest of the message begins; NULL if the token is forged. */
static const uint8_t *read_token(attune_noise *noise, enum token token, const uint8_t *at) {
    switch (token) {
    case TOKEN_E:
        memcpy(noise->remote_ephemeral, at, ATTUNE_NOISE_KEY);
        mix_ephemeral(noise, at);
        return at + ATTUNE_NOISE_KEY;
    case TOKEN_S:
        return decrypt_and_hash(noise, at, ATTUNE_NOISE_KEY + ATTUNE_AEAD_TAG, noise->remote)
                   ? at + ATTUNE_NOISE_KEY + ATTUNE_AEAD_TAG
                   : NULL;
    default:
        mix_dh(noise, token);
        return at;
    }
}

/* --- Messages --- */

static const uint8_t *tokens_of_next(const attune_noise *noise) { return patterns[noise->pattern].tokens[noise->next]; }

/* Bytes of the next message around its payload. */
static size_t size_around(const attune_noise *noise) {
    size_t size = ATTUNE_AEAD_TAG;
    for (const uint8_t *token = tokens_of_next(noise); *token != TOKEN_END; token++) {
        size += *token == TOKEN_E ? ATTUNE_NOISE_KEY : 0;
        size += *token == TOKEN_S ? ATTUNE_NOISE_KEY + ATTUNE_AEAD_TAG : 0;
    }
    return size;
}

/* The initiator writes messages 0 and 2. */
static bool is_turn(const attune_noise *noise, bool writing) {
    return noise->next < noise->last && (noise->next % 2 == 0) == (noise->initiator == writing);
}

attune_noise_result attune_noise_write(attune_noise *noise, const uint8_t *payload, size_t size, uint8_t *message,
                                       size_t capacity, size_t *written) {
    if (!is_turn(noise, true)) {
        return ATTUNE_NOISE_ORDER;
    }
    if (size > ATTUNE_NOISE_PAYLOAD || capacity < size_around(noise) + size) {
        return ATTUNE_NOISE_SIZE;
    }
    uint8_t *at = message;
    for (const uint8_t *token = tokens_of_next(noise); *token != TOKEN_END; token++) {
        at = write_token(noise, (enum token) * token, at);
    }
    *written = (size_t)(encrypt_and_hash(noise, payload, size, at) - message);
    noise->next++;
    return ATTUNE_NOISE_OK;
}

static bool read_all(attune_noise *noise, const uint8_t *message, size_t message_size, uint8_t *payload) {
    const uint8_t *at = message;
    for (const uint8_t *token = tokens_of_next(noise); *token != TOKEN_END; token++) {
        at = read_token(noise, (enum token) * token, at);
        if (at == NULL) {
            return false;
        }
    }
    return decrypt_and_hash(noise, at, message_size - (size_t)(at - message), payload);
}

attune_noise_result attune_noise_read(attune_noise *noise, const uint8_t *message, size_t message_size,
                                      uint8_t payload[ATTUNE_NOISE_PAYLOAD], size_t *size) {
    if (!is_turn(noise, false)) {
        return ATTUNE_NOISE_ORDER;
    }
    size_t around = size_around(noise);
    if (message_size < around || message_size - around > ATTUNE_NOISE_PAYLOAD) {
        return ATTUNE_NOISE_SIZE;
    }
    attune_noise before = *noise;
    bool opened = read_all(noise, message, message_size, payload);
    if (opened) {
        noise->next++;
        *size = message_size - around;
    } else {
        *noise = before;
    }
    crypto_wipe(&before, sizeof before);
    return opened ? ATTUNE_NOISE_OK : ATTUNE_NOISE_FORGED;
}

/* --- Beginning and end --- */

static void begin(attune_noise *noise, attune_noise_pattern pattern, const attune_noise_setup *setup) {
    attune_noise_wipe(noise);
    noise->pattern = pattern;
    noise->initiator = setup->initiator;
    noise->last = patterns[pattern].messages;
    noise->own = *setup->own;
    attune_key_pair_from(&noise->ephemeral, setup->ephemeral);
    memcpy(noise->hash, patterns[pattern].name, ATTUNE_HASH);
    memcpy(noise->chaining, noise->hash, ATTUNE_HASH);
    mix_hash(noise, setup->prologue, setup->prologue_size);
}

void attune_noise_begin_kk(attune_noise *noise, const attune_noise_setup *setup,
                           const uint8_t remote[ATTUNE_NOISE_KEY]) {
    begin(noise, ATTUNE_NOISE_KK, setup);
    memcpy(noise->remote, remote, ATTUNE_NOISE_KEY);
    mix_hash(noise, noise->initiator ? noise->own.public_key : noise->remote, ATTUNE_NOISE_KEY);
    mix_hash(noise, noise->initiator ? noise->remote : noise->own.public_key, ATTUNE_NOISE_KEY);
}

void attune_noise_begin_xxpsk0(attune_noise *noise, const attune_noise_setup *setup, const uint8_t psk[32]) {
    begin(noise, ATTUNE_NOISE_XXPSK0, setup);
    mix_key_and_hash(noise, psk);
}

attune_noise_result attune_noise_split(attune_noise *noise, attune_noise_keys *keys) {
    if (noise->last == 0 || noise->next < noise->last) {
        return ATTUNE_NOISE_ORDER;
    }
    uint8_t outputs[2][ATTUNE_HASH];
    attune_hkdf(noise->chaining, NULL, 0, outputs, 2);
    memcpy(keys->send, outputs[noise->initiator ? 0 : 1], ATTUNE_AEAD_KEY);
    memcpy(keys->receive, outputs[noise->initiator ? 1 : 0], ATTUNE_AEAD_KEY);
    memcpy(keys->remote, noise->remote, ATTUNE_NOISE_KEY);
    crypto_wipe(outputs, sizeof outputs);
    attune_noise_wipe(noise);
    return ATTUNE_NOISE_OK;
}

void attune_noise_wipe(attune_noise *noise) { crypto_wipe(noise, sizeof *noise); }
