#include "session/handshake.h"

#include <string.h>

#define DOMAIN "attune-session-1"
#define DOMAIN_SIZE (sizeof DOMAIN - 1)
#define PROLOGUE (DOMAIN_SIZE + ATTUNE_HINT)

static attune_noise_setup set_up(attune_handshake *handshake, const uint8_t *hint, uint8_t prologue[PROLOGUE],
                                 const attune_key_pair *own, const uint8_t *ephemeral) {
    memcpy(handshake->hint, hint, ATTUNE_HINT);
    memcpy(prologue, DOMAIN, DOMAIN_SIZE);
    memcpy(prologue + DOMAIN_SIZE, hint, ATTUNE_HINT);
    return (attune_noise_setup){
        .initiator = true, .own = own, .ephemeral = ephemeral, .prologue = prologue, .prologue_size = PROLOGUE};
}

void attune_handshake_begin_kk(attune_handshake *handshake, const uint8_t hint[ATTUNE_HINT], const attune_key_pair *own,
                               const uint8_t daemon[ATTUNE_NOISE_KEY], const uint8_t ephemeral[ATTUNE_NOISE_KEY]) {
    uint8_t prologue[PROLOGUE];
    attune_noise_setup setup = set_up(handshake, hint, prologue, own, ephemeral);
    attune_noise_begin_kk(&handshake->noise, &setup, daemon);
}

void attune_handshake_begin_xxpsk0(attune_handshake *handshake, const uint8_t hint[ATTUNE_HINT],
                                   const attune_key_pair *own, const uint8_t psk[32],
                                   const uint8_t ephemeral[ATTUNE_NOISE_KEY]) {
    uint8_t prologue[PROLOGUE];
    attune_noise_setup setup = set_up(handshake, hint, prologue, own, ephemeral);
    attune_noise_begin_xxpsk0(&handshake->noise, &setup, psk);
}

static void write_header(const attune_handshake *handshake, uint8_t header[ATTUNE_HANDSHAKE_HEADER]) {
    header[0] = handshake->noise.pattern == ATTUNE_NOISE_KK ? ATTUNE_FRAME_KK : ATTUNE_FRAME_XXPSK0;
    memcpy(header + 1, handshake->hint, ATTUNE_HINT);
    header[1 + ATTUNE_HINT] = (uint8_t)(handshake->noise.next + 1);
}

size_t attune_handshake_write(attune_handshake *handshake, const uint8_t *payload, size_t payload_size, uint8_t *frame,
                              size_t capacity) {
    size_t size;
    if (capacity < ATTUNE_HANDSHAKE_HEADER) {
        return 0;
    }
    write_header(handshake, frame);
    attune_noise_result result =
        attune_noise_write(&handshake->noise, payload, payload_size, frame + ATTUNE_HANDSHAKE_HEADER,
                           capacity - ATTUNE_HANDSHAKE_HEADER, &size);
    return result == ATTUNE_NOISE_OK ? ATTUNE_HANDSHAKE_HEADER + size : 0;
}

attune_noise_result attune_handshake_read(attune_handshake *handshake, const uint8_t *frame, size_t size,
                                          uint8_t payload[ATTUNE_NOISE_PAYLOAD], size_t *payload_size) {
    uint8_t expected[ATTUNE_HANDSHAKE_HEADER];
    write_header(handshake, expected);
    if (size < ATTUNE_HANDSHAKE_HEADER) {
        return ATTUNE_NOISE_SIZE;
    }
    if (memcmp(frame, expected, ATTUNE_HANDSHAKE_HEADER) != 0) {
        return ATTUNE_NOISE_ORDER;
    }
    return attune_noise_read(&handshake->noise, frame + ATTUNE_HANDSHAKE_HEADER, size - ATTUNE_HANDSHAKE_HEADER,
                             payload, payload_size);
}

attune_noise_result attune_handshake_finish(attune_handshake *handshake, attune_noise_keys *keys) {
    return attune_noise_split(&handshake->noise, keys);
}
