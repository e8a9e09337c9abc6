/* Sealed frames: what node and daemon say to each other once a handshake has given them keys.
 *
 * A frame is kind (1 byte), hint (4 bytes), counter (4 bytes, little endian), then the sealed text with its tag. The counter is
 * the nonce; kind and hint are authenticated too. Only counters above the last one are taken, gaps allowed: a frame that is
 * lost, late, repeated, cut or changed is itself lost, and nothing else is. */
#ifndef ATTUNE_SEALED_H
#define ATTUNE_SEALED_H

#include "session/noise.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_FRAME_SEALED 4
#define ATTUNE_HINT 4

/* Where the text lies in a frame, and what a frame has more than its text. */
#define ATTUNE_SEALED_TEXT 9
#define ATTUNE_SEALED_AROUND (ATTUNE_SEALED_TEXT + ATTUNE_AEAD_TAG)

/* New keys are due after so many frames in one direction, or after a day. The session lives on until it has them. */
#define ATTUNE_REKEY_FRAMES 65536u
#define ATTUNE_REKEY_MS 86400000u

/* One session. All zeros: none. */
typedef struct attune_sealed {
    uint8_t send_key[ATTUNE_AEAD_KEY];
    uint8_t receive_key[ATTUNE_AEAD_KEY];
    uint64_t since_ms;     /* tick at which it got its keys */
    uint32_t next_send;    /* counter of the next frame; the largest number is never one, so counters do not wrap */
    uint32_t next_receive; /* lowest counter that is taken; above 0: the other side has these keys too */
    bool live;
} attune_sealed;

/* The session in use, and the one before it while the other side may still use that. */
typedef struct attune_sealed_pair {
    attune_sealed current;
    attune_sealed before;
} attune_sealed_pair;

/* Takes the keys of a handshake into use, at tick now_ms. The session that was confirmed last, if there is one, opens frames
 * until the first one of the new session has been opened. */
void attune_sealed_adopt(attune_sealed_pair *pair, const attune_noise_keys *keys, uint64_t now_ms);

/* Seals the text that lies at frame + ATTUNE_SEALED_TEXT in its place and writes what goes around it. Returns the size of the
 * frame; 0 without a session, without room, or if the session has counted to its end. */
size_t attune_sealed_seal(attune_sealed_pair *pair, const uint8_t hint[ATTUNE_HINT], uint8_t *frame, size_t text_size,
                          size_t capacity);

typedef enum attune_sealed_result {
    ATTUNE_SEALED_OK = 0,
    ATTUNE_SEALED_BAD, /* no sealed frame, or too short for one */
    ATTUNE_SEALED_OLD, /* its counter has been passed */
    ATTUNE_SEALED_FORGED
} attune_sealed_result;

/* Opens a frame of size bytes; text has room for size - ATTUNE_SEALED_AROUND and may lie in the frame, at
 * ATTUNE_SEALED_TEXT. Whose frame it is, by its hint, the caller has looked at. Only OK changes anything. */
attune_sealed_result attune_sealed_open(attune_sealed_pair *pair, const uint8_t *frame, size_t size, uint8_t *text,
                                        size_t *text_size);

/* True when the session in use has grown old: the node then begins a new handshake and goes on using it. */
bool attune_sealed_wants_keys(const attune_sealed_pair *pair, uint64_t now_ms);

/* Forgets the session in use, which nobody has confirmed: the one before it, if there is one, is used again. */
void attune_sealed_back(attune_sealed_pair *pair);

/* Forgets both sessions. */
void attune_sealed_wipe(attune_sealed_pair *pair);

#endif
