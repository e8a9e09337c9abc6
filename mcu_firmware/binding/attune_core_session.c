#include "attune_core_api.h"

#include "session/handshake.h"

#include <monocypher.h>
#include <string.h>

void core_noise_begin(struct attune_noise *noise, int pattern, int initiator, const uint8_t *secret_key,
                      const uint8_t *ephemeral, const uint8_t *other, const uint8_t *prologue, size_t prologue_size) {
    attune_key_pair own;
    attune_key_pair_from(&own, secret_key);
    const attune_noise_setup setup = {.initiator = initiator != 0,
                                      .own = &own,
                                      .ephemeral = ephemeral,
                                      .prologue = prologue,
                                      .prologue_size = prologue_size};
    if (pattern == ATTUNE_NOISE_KK) {
        attune_noise_begin_kk(noise, &setup, other);
    } else {
        attune_noise_begin_xxpsk0(noise, &setup, other);
    }
    crypto_wipe(&own, sizeof own);
}

int core_noise_write(struct attune_noise *noise, const uint8_t *payload, size_t size, uint8_t *message, size_t capacity,
                     size_t *written) {
    return (int)attune_noise_write(noise, payload, size, message, capacity, written);
}

int core_noise_read(struct attune_noise *noise, const uint8_t *message, size_t message_size, uint8_t *payload,
                    size_t *size) {
    return (int)attune_noise_read(noise, message, message_size, payload, size);
}

static int give_keys(attune_noise_result result, attune_noise_keys *keys, uint8_t *send, uint8_t *receive,
                     uint8_t *remote) {
    if (result == ATTUNE_NOISE_OK) {
        memcpy(send, keys->send, sizeof keys->send);
        memcpy(receive, keys->receive, sizeof keys->receive);
        memcpy(remote, keys->remote, sizeof keys->remote);
        crypto_wipe(keys, sizeof *keys);
    }
    return (int)result;
}

int core_noise_finish(struct attune_noise *noise, uint8_t *send, uint8_t *receive, uint8_t *remote) {
    attune_noise_keys keys;
    return give_keys(attune_noise_split(noise, &keys), &keys, send, receive, remote);
}

void core_handshake_begin(struct attune_handshake *handshake, int pattern, const uint8_t *hint,
                          const uint8_t *secret_key, const uint8_t *ephemeral, const uint8_t *other) {
    attune_key_pair own;
    attune_key_pair_from(&own, secret_key);
    if (pattern == ATTUNE_NOISE_KK) {
        attune_handshake_begin_kk(handshake, hint, &own, other, ephemeral);
    } else {
        attune_handshake_begin_xxpsk0(handshake, hint, &own, other, ephemeral);
    }
    crypto_wipe(&own, sizeof own);
}

size_t core_handshake_write(struct attune_handshake *handshake, const uint8_t *payload, size_t size, uint8_t *frame,
                            size_t capacity) {
    return attune_handshake_write(handshake, payload, size, frame, capacity);
}

int core_handshake_read(struct attune_handshake *handshake, const uint8_t *frame, size_t frame_size, uint8_t *payload,
                        size_t *size) {
    return (int)attune_handshake_read(handshake, frame, frame_size, payload, size);
}

int core_handshake_finish(struct attune_handshake *handshake, uint8_t *send, uint8_t *receive, uint8_t *remote) {
    attune_noise_keys keys;
    return give_keys(attune_handshake_finish(handshake, &keys), &keys, send, receive, remote);
}

void core_sealed_adopt(struct attune_sealed_pair *pair, const uint8_t *send, const uint8_t *receive, uint64_t now_ms) {
    attune_noise_keys keys = {.remote = {0}};
    memcpy(keys.send, send, sizeof keys.send);
    memcpy(keys.receive, receive, sizeof keys.receive);
    attune_sealed_adopt(pair, &keys, now_ms);
    crypto_wipe(&keys, sizeof keys);
}

size_t core_sealed_seal(struct attune_sealed_pair *pair, const uint8_t *hint, const uint8_t *text, size_t size,
                        uint8_t *frame, size_t capacity) {
    if (size > capacity || capacity - size < ATTUNE_SEALED_AROUND) {
        return 0;
    }
    memcpy(frame + ATTUNE_SEALED_TEXT, text, size);
    return attune_sealed_seal(pair, hint, frame, size, capacity);
}

int core_sealed_open(struct attune_sealed_pair *pair, const uint8_t *frame, size_t frame_size, uint8_t *text,
                     size_t *size) {
    return (int)attune_sealed_open(pair, frame, frame_size, text, size);
}

int core_sealed_wants_keys(const struct attune_sealed_pair *pair, uint64_t now_ms) {
    return attune_sealed_wants_keys(pair, now_ms);
}
