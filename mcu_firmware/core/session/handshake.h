/* The node's side of a handshake, in frames: kind (1 byte), hint (4 bytes), number of the message (1 byte, from 1), message of
 * session/noise.h. The node begins; what both sides agree on beside keys is "attune-session-1" and the hint. */
#ifndef ATTUNE_HANDSHAKE_H
#define ATTUNE_HANDSHAKE_H

#include "session/noise.h"
#include "session/sealed.h"

#include <stddef.h>
#include <stdint.h>

#define ATTUNE_FRAME_KK 2
#define ATTUNE_FRAME_XXPSK0 3
#define ATTUNE_HANDSHAKE_HEADER 6
#define ATTUNE_HANDSHAKE_FRAME (ATTUNE_HANDSHAKE_HEADER + ATTUNE_NOISE_MESSAGE)

typedef struct attune_handshake {
    attune_noise noise;
    uint8_t hint[ATTUNE_HINT];
} attune_handshake;

/* Begins with the daemon whose public key is known. ephemeral: 32 bytes of the port's entropy, drawn for this handshake. */
void attune_handshake_begin_kk(attune_handshake *handshake, const uint8_t hint[ATTUNE_HINT], const attune_key_pair *own,
                               const uint8_t daemon[ATTUNE_NOISE_KEY], const uint8_t ephemeral[ATTUNE_NOISE_KEY]);

/* Begins with whoever knows psk, the node's secret of 32 bytes. */
void attune_handshake_begin_xxpsk0(attune_handshake *handshake, const uint8_t hint[ATTUNE_HINT],
                                   const attune_key_pair *own, const uint8_t psk[32],
                                   const uint8_t ephemeral[ATTUNE_NOISE_KEY]);

/* Writes the frame of the next message, with a payload of at most ATTUNE_NOISE_PAYLOAD bytes. The node keeps the frame and
 * sends it again for as long as it waits. Returns its size; 0 if it is not the node's turn, or if it does not fit. */
size_t attune_handshake_write(attune_handshake *handshake, const uint8_t *payload, size_t payload_size, uint8_t *frame,
                              size_t capacity);

/* Reads a frame of the daemon, as attune_noise_read; ORDER also for a frame of another kind, hint or number. */
attune_noise_result attune_handshake_read(attune_handshake *handshake, const uint8_t *frame, size_t size,
                                          uint8_t payload[ATTUNE_NOISE_PAYLOAD], size_t *payload_size);

/* After the last message: attune_noise_split. */
attune_noise_result attune_handshake_finish(attune_handshake *handshake, attune_noise_keys *keys);

#endif
