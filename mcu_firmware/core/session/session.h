/* A node's trust in one daemon: which handshake is due, when it is sent again, and messages in and out of sealed frames.
 *
 * A node that nobody owns begins XXpsk0 with the secret of its code, and saves the key of the daemon that has proved to know that
 * secret; from then on each connection begins with KK. Nothing leaves the node unsealed, and nothing unsealed does more
 * than have it begin a handshake. */
#ifndef ATTUNE_SESSION_H
#define ATTUNE_SESSION_H

#include "attune_proto/v1/node.pb.h"
#include "config.h"
#include "session/code.h"
#include "session/handshake.h"
#include "session/keys.h"
#include "session/retry.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the clear, and from anybody: kind, hint (zeros: every node of the link), what for. */
#define ATTUNE_FRAME_CALL 5
#define ATTUNE_CALL_SIZE 6
#define ATTUNE_CALL_CONNECT 0    /* begin the handshake that is due */
#define ATTUNE_CALL_COMMISSION 1 /* begin XXpsk0, whoever owns the node; not to every node at once */

#define ATTUNE_FRAME_HEADER 5

/* A handshake message is sent again after so long, then after doubled pauses; the third that stays unanswered begins anew. */
#define ATTUNE_HANDSHAKE_RETRY_MS 5000u
#define ATTUNE_HANDSHAKE_TRIES 3

/* Calls cost a handshake: four at once are answered, then one in ten seconds. */
#define ATTUNE_CALL_PAUSE_MS 10000u
#define ATTUNE_CALLS_AT_ONCE 4u

/* What commissioning says beside keys. The first message: flags, and if ATTUNE_ABOUT_OWNED the first 8 bytes of the owner's public
 * key. The last one: flags, node id (8 bytes). */
#define ATTUNE_ABOUT_OWNED 1
#define ATTUNE_ABOUT_TEST 2
#define ATTUNE_ABOUT_SIZE 9

typedef enum attune_session_phase {
    ATTUNE_SESSION_IDLE = 0,
    ATTUNE_SESSION_KK,     /* the first message of KK waits for its answer */
    ATTUNE_SESSION_XX,     /* the first message of XXpsk0 waits for its answer */
    ATTUNE_SESSION_CONFIRM /* the last message of XXpsk0 waits for a frame under the new keys */
} attune_session_phase;

typedef struct attune_session {
    attune_keeper keeper;
    attune_store *store; /* of the keys; NULL: they have not been opened */
    attune_key_pair own;
    uint8_t node_id[8];
    bool test; /* a test image, which says so */
    bool up;
    bool fresh;  /* keys were agreed on for a new connection: the node says hello, and clears this */
    bool greets; /* the handshake under way is for a new connection */
    bool other;  /* the handshake under way is with the key that the daemon announced, if there is one */
    bool frame_due;
    uint8_t tries;
    attune_session_phase phase;
    attune_retry retry;
    uint64_t calls_ms; /* calls are answered while this is less than their pauses ahead */
    attune_handshake handshake;
    uint8_t suitor[ATTUNE_NOISE_KEY]; /* the daemon's key, until it is confirmed */
    attune_sealed_pair sealed;
    uint8_t frame_size;
    uint8_t frame[ATTUNE_HANDSHAKE_HEADER + ATTUNE_NOISE_KEY + 2 * ATTUNE_AEAD_TAG + ATTUNE_ABOUT_SIZE];
} attune_session;

/* Opens the keys. False if the store cannot keep them: the node must not start. */
bool attune_session_init(attune_session *session, const uint8_t node_id[8], bool test, const attune_keeper *keeper,
                         attune_store *store);

/* The node's code, for people. */
void attune_session_code(const attune_session *session, char text[ATTUNE_CODE_TEXT]);

/* The link came up, which ends all sessions and begins a handshake, or went down. */
void attune_session_link(attune_session *session, bool up, uint64_t now_ms);

/* Time passes: sends again, gives up, and changes keys that have grown old. */
void attune_session_poll(attune_session *session, uint64_t now_ms);

/* A new handshake with the daemon that owns the node, while the session goes on. */
void attune_session_rekey(attune_session *session, uint64_t now_ms);

/* The daemon's next public key: from now on the node tries both. False if it cannot be saved. */
bool attune_session_announce(attune_session *session, const uint8_t public_key[ATTUNE_NOISE_KEY]);

/* From now on updates are signed with this key, number counted from 1. False, and all as it was, if it cannot be saved. */
bool attune_session_follow_signer(attune_session *session, uint32_t number, const uint8_t signer[ATTUNE_KEY_SIZE]);

/* Nobody owns the node any more, and nobody signs updates for it. */
void attune_session_disown(attune_session *session, uint64_t now_ms);

/* Writes the handshake frame that is due; 0 if none is. capacity at least ATTUNE_NODE_FRAME. */
size_t attune_session_send(attune_session *session, uint8_t *frame, size_t capacity);

/* True while messages can be sealed. */
bool attune_session_ready(const attune_session *session);

/* Writes the sealed frame of one message; returns its size, 0 if it does not fit or cannot be sealed now. */
size_t attune_session_seal(attune_session *session, const attune_v1_NodeMessage *message, uint8_t *frame,
                           size_t capacity);

typedef enum attune_open_result {
    ATTUNE_OPEN_OK = 0,
    ATTUNE_OPEN_OTHER, /* for another node of the link, or the session's own business */
    ATTUNE_OPEN_BAD    /* of no kind that there is, forged, repeated, late, or no message */
} attune_open_result;

/* Takes a frame and overwrites it; only OK gives a message. */
attune_open_result attune_session_open(attune_session *session, uint8_t *frame, size_t size, uint64_t now_ms,
                                       attune_v1_DaemonMessage *message);

#endif
