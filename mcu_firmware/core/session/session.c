#include "session/session.h"

#include <monocypher.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

static bool holds(const attune_session *session, attune_key which) {
    return attune_keys_hold(attune_store_keys(session->store), which);
}

static const uint8_t *key(const attune_session *session, attune_key which) {
    return attune_store_keys(session->store)->key[which];
}

static bool owned(const attune_session *session) { return holds(session, ATTUNE_KEY_DAEMON); }

bool attune_session_init(attune_session *session, const uint8_t node_id[8], bool test, const attune_keeper *keeper,
                         attune_store *store) {
    memset(session, 0, sizeof *session);
    memcpy(session->node_id, node_id, sizeof session->node_id);
    session->test = test;
    session->keeper = *keeper;
    if (!attune_keys_open(store, keeper)) {
        return false;
    }
    session->store = store;
    attune_key_pair_from(&session->own, key(session, ATTUNE_KEY_NODE));
    return true;
}

void attune_session_code(const attune_session *session, char text[ATTUNE_CODE_TEXT]) {
    attune_code_write(session->node_id, key(session, ATTUNE_KEY_CODE), text);
}

/* The change happens wholly, in flash and in RAM, or not at all. */
static bool save(attune_session *session, attune_keys *keys) {
    const bool saved = attune_store_write_keys(session->store, keys) == ATTUNE_STORE_OK;
    crypto_wipe(keys, sizeof *keys);
    return saved;
}

static bool save_owner(attune_session *session, const uint8_t public_key[ATTUNE_NOISE_KEY], bool is_new) {
    attune_keys keys = *attune_store_keys(session->store);
    attune_keys_set(&keys, ATTUNE_KEY_DAEMON, public_key, ATTUNE_NOISE_KEY);
    attune_keys_drop(&keys, ATTUNE_KEY_NEXT_DAEMON);
    if (is_new) {
        attune_keys_drop_signer(&keys);
    }
    return save(session, &keys);
}

static uint8_t about(const attune_session *session) {
    return (uint8_t)((owned(session) ? ATTUNE_ABOUT_OWNED : 0) | (session->test ? ATTUNE_ABOUT_TEST : 0));
}

static void begin_kk(attune_session *session, const uint8_t *ephemeral) {
    session->other = !session->other && holds(session, ATTUNE_KEY_NEXT_DAEMON);
    const uint8_t *daemon = key(session, session->other ? ATTUNE_KEY_NEXT_DAEMON : ATTUNE_KEY_DAEMON);
    attune_handshake_begin_kk(&session->handshake, session->node_id, &session->own, daemon, ephemeral);
}

static void begin_xxpsk0(attune_session *session, const uint8_t *ephemeral) {
    uint8_t psk[32];
    attune_code_psk(session->node_id, key(session, ATTUNE_KEY_CODE), psk);
    attune_handshake_begin_xxpsk0(&session->handshake, session->node_id, &session->own, psk, ephemeral);
    crypto_wipe(psk, sizeof psk);
}

static void write(attune_session *session, const uint8_t *payload, size_t size) {
    session->frame_size =
        (uint8_t)attune_handshake_write(&session->handshake, payload, size, session->frame, sizeof session->frame);
    session->frame_due = session->frame_size > 0;
}

static void write_first(attune_session *session) {
    uint8_t payload[ATTUNE_ABOUT_SIZE] = {about(session)};
    memcpy(payload + 1, key(session, ATTUNE_KEY_DAEMON), sizeof payload - 1);
    const size_t size = session->phase == ATTUNE_SESSION_KK ? 0 : owned(session) ? sizeof payload : 1;
    write(session, payload, size);
}

static void begin(attune_session *session, attune_session_phase phase) {
    uint8_t ephemeral[ATTUNE_NOISE_KEY];
    /* Whoever hears a frame under keys that the node has not confirmed would take them for confirmed. */
    if (session->phase == ATTUNE_SESSION_CONFIRM) {
        attune_sealed_back(&session->sealed);
    }
    session->keeper.entropy(session->keeper.context, ephemeral, sizeof ephemeral);
    session->phase = phase;
    session->tries = 0;
    if (phase == ATTUNE_SESSION_KK) {
        begin_kk(session, ephemeral);
    } else {
        begin_xxpsk0(session, ephemeral);
    }
    crypto_wipe(ephemeral, sizeof ephemeral);
    write_first(session);
}

static void begin_due(attune_session *session) {
    begin(session, owned(session) ? ATTUNE_SESSION_KK : ATTUNE_SESSION_XX);
}

static void rest(attune_session *session) {
    session->phase = ATTUNE_SESSION_IDLE;
    session->frame_due = false;
    attune_noise_wipe(&session->handshake.noise);
}

static void connect(attune_session *session, uint64_t now_ms) {
    attune_retry_start(&session->retry, now_ms, ATTUNE_HANDSHAKE_RETRY_MS);
    session->greets = true;
    session->other = false;
    begin_due(session);
}

void attune_session_link(attune_session *session, bool up, uint64_t now_ms) {
    session->up = up && session->store != NULL;
    session->fresh = false;
    attune_sealed_wipe(&session->sealed);
    rest(session);
    if (session->up) {
        connect(session, now_ms);
    }
}

/* A node that was asked to be commissioned again, in vain, goes on as it was. */
static void give_up(attune_session *session) {
    const bool goes_on = session->phase != ATTUNE_SESSION_KK && owned(session) && session->sealed.current.live &&
                         session->sealed.current.next_receive > 0;
    if (goes_on && !session->greets) {
        rest(session);
    } else {
        begin_due(session);
    }
}

void attune_session_poll(attune_session *session, uint64_t now_ms) {
    if (!session->up) {
        return;
    }
    if (session->phase == ATTUNE_SESSION_IDLE) {
        if (attune_sealed_wants_keys(&session->sealed, now_ms)) {
            attune_session_rekey(session, now_ms);
        }
    } else if (!session->frame_due && attune_retry_due(&session->retry, now_ms)) {
        session->tries++;
        session->frame_due = true;
        if (session->tries >= ATTUNE_HANDSHAKE_TRIES) {
            give_up(session);
        }
    }
}

void attune_session_rekey(attune_session *session, uint64_t now_ms) {
    if (session->phase == ATTUNE_SESSION_IDLE && session->up) {
        connect(session, now_ms);
        session->greets = false;
    }
}

bool attune_session_announce(attune_session *session, const uint8_t public_key[ATTUNE_NOISE_KEY]) {
    attune_keys keys = *attune_store_keys(session->store);
    attune_keys_set(&keys, ATTUNE_KEY_NEXT_DAEMON, public_key, ATTUNE_NOISE_KEY);
    return save(session, &keys);
}

bool attune_session_follow_signer(attune_session *session, uint32_t number, const uint8_t signer[ATTUNE_KEY_SIZE]) {
    attune_keys keys = *attune_store_keys(session->store);
    attune_keys_set_signer(&keys, number, signer);
    return save(session, &keys);
}

void attune_session_disown(attune_session *session, uint64_t now_ms) {
    attune_keys keys = *attune_store_keys(session->store);
    attune_keys_drop(&keys, ATTUNE_KEY_DAEMON);
    attune_keys_drop(&keys, ATTUNE_KEY_NEXT_DAEMON);
    attune_keys_drop_signer(&keys);
    /* Where that cannot be saved the node comes back, to a daemon that does not know it. */
    (void)save(session, &keys);
    attune_session_link(session, session->up, now_ms);
}

size_t attune_session_send(attune_session *session, uint8_t *frame, size_t capacity) {
    if (!session->up || !session->frame_due || capacity < session->frame_size) {
        return 0;
    }
    session->frame_due = false;
    memcpy(frame, session->frame, session->frame_size);
    return session->frame_size;
}

bool attune_session_ready(const attune_session *session) {
    return session->up && session->sealed.current.live && session->phase != ATTUNE_SESSION_CONFIRM;
}

size_t attune_session_seal(attune_session *session, const attune_v1_NodeMessage *message, uint8_t *frame,
                           size_t capacity) {
    if (!attune_session_ready(session) || capacity < ATTUNE_SEALED_AROUND) {
        return 0;
    }
    pb_ostream_t stream = pb_ostream_from_buffer(frame + ATTUNE_SEALED_TEXT, capacity - ATTUNE_SEALED_AROUND);
    if (!pb_encode(&stream, attune_v1_NodeMessage_fields, message)) {
        return 0;
    }
    return attune_sealed_seal(&session->sealed, session->node_id, frame, stream.bytes_written, capacity);
}

/* Calls come from anybody: as many as a daemon needs, and too few to keep a node busy. */
static bool may_answer(attune_session *session, uint64_t now_ms) {
    const uint64_t from_ms = session->calls_ms > now_ms ? session->calls_ms : now_ms;
    if (from_ms - now_ms >= ATTUNE_CALLS_AT_ONCE * ATTUNE_CALL_PAUSE_MS) {
        return false;
    }
    session->calls_ms = from_ms + ATTUNE_CALL_PAUSE_MS;
    return true;
}

static void take_call(attune_session *session, bool commission, uint64_t now_ms) {
    if (!may_answer(session, now_ms)) {
        return;
    }
    if (commission) {
        attune_retry_start(&session->retry, now_ms, ATTUNE_HANDSHAKE_RETRY_MS);
        session->greets = session->greets && session->phase != ATTUNE_SESSION_IDLE;
        begin(session, ATTUNE_SESSION_XX);
    } else if (session->phase == ATTUNE_SESSION_KK || session->phase == ATTUNE_SESSION_XX) {
        session->frame_due = true;
        session->greets = true;
    } else {
        connect(session, now_ms);
    }
}

static attune_open_result open_call(attune_session *session, const uint8_t *frame, size_t size, uint64_t now_ms) {
    static const uint8_t everybody[ATTUNE_HINT] = {0};
    if (size != ATTUNE_CALL_SIZE || frame[5] > ATTUNE_CALL_COMMISSION) {
        return ATTUNE_OPEN_BAD;
    }
    const bool ours = memcmp(frame + 1, session->node_id, ATTUNE_HINT) == 0;
    const bool commission = frame[5] == ATTUNE_CALL_COMMISSION;
    if (session->up && (ours || (!commission && memcmp(frame + 1, everybody, ATTUNE_HINT) == 0))) {
        take_call(session, commission, now_ms);
    }
    return ATTUNE_OPEN_OTHER;
}

static void finish_kk(attune_session *session, uint64_t now_ms) {
    attune_noise_keys keys;
    if (attune_handshake_finish(&session->handshake, &keys) == ATTUNE_NOISE_OK) {
        attune_sealed_adopt(&session->sealed, &keys, now_ms);
        session->fresh = session->greets;
    }
    if (session->other) {
        /* Unsaved, both keys go on being tried. */
        (void)save_owner(session, keys.remote, false);
    }
    session->other = false;
    crypto_wipe(&keys, sizeof keys);
    rest(session);
}

static void finish_xxpsk0(attune_session *session, uint64_t now_ms) {
    uint8_t payload[ATTUNE_ABOUT_SIZE] = {about(session)};
    attune_noise_keys keys;
    memcpy(payload + 1, session->node_id, sizeof session->node_id);
    write(session, payload, sizeof payload);
    if (attune_handshake_finish(&session->handshake, &keys) == ATTUNE_NOISE_OK) {
        attune_sealed_adopt(&session->sealed, &keys, now_ms);
        memcpy(session->suitor, keys.remote, sizeof session->suitor);
        session->phase = ATTUNE_SESSION_CONFIRM;
        session->tries = 0;
        attune_retry_start(&session->retry, now_ms, ATTUNE_HANDSHAKE_RETRY_MS);
    }
    crypto_wipe(&keys, sizeof keys);
}

static attune_open_result open_handshake(attune_session *session, const uint8_t *frame, size_t size, uint64_t now_ms) {
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    size_t payload_size;
    if (session->phase != ATTUNE_SESSION_KK && session->phase != ATTUNE_SESSION_XX) {
        return ATTUNE_OPEN_OTHER; /* an answer that came twice */
    }
    if (attune_handshake_read(&session->handshake, frame, size, payload, &payload_size) != ATTUNE_NOISE_OK) {
        return ATTUNE_OPEN_BAD;
    }
    if (session->phase == ATTUNE_SESSION_KK) {
        finish_kk(session, now_ms);
    } else {
        finish_xxpsk0(session, now_ms);
    }
    return ATTUNE_OPEN_OTHER;
}

/* The daemon has the node's key on its disk: from now on it owns the node. */
static void confirm(attune_session *session) {
    /* Whoever has the code says anew who signs updates. */
    if (save_owner(session, session->suitor, true)) {
        session->fresh = true;
        rest(session);
    } else {
        attune_sealed_wipe(&session->sealed);
        session->greets = true;
    }
}

static attune_open_result open_sealed(attune_session *session, uint8_t *frame, size_t size,
                                      attune_v1_DaemonMessage *message) {
    size_t text_size;
    uint8_t *text = frame + ATTUNE_SEALED_TEXT;
    if (attune_sealed_open(&session->sealed, frame, size, text, &text_size) != ATTUNE_SEALED_OK) {
        return ATTUNE_OPEN_BAD;
    }
    if (session->phase == ATTUNE_SESSION_CONFIRM && session->sealed.current.next_receive > 0) {
        confirm(session);
    }
    if (session->phase == ATTUNE_SESSION_CONFIRM) {
        return ATTUNE_OPEN_OTHER;
    }
    *message = (attune_v1_DaemonMessage)attune_v1_DaemonMessage_init_zero;
    pb_istream_t stream = pb_istream_from_buffer(text, text_size);
    if (!pb_decode(&stream, attune_v1_DaemonMessage_fields, message) || message->which_body == 0) {
        return ATTUNE_OPEN_BAD;
    }
    return ATTUNE_OPEN_OK;
}

attune_open_result attune_session_open(attune_session *session, uint8_t *frame, size_t size, uint64_t now_ms,
                                       attune_v1_DaemonMessage *message) {
    if (size < ATTUNE_FRAME_HEADER || size > ATTUNE_NODE_FRAME) {
        return ATTUNE_OPEN_BAD;
    }
    const uint8_t kind = frame[0];
    if (kind == ATTUNE_FRAME_CALL) {
        return open_call(session, frame, size, now_ms);
    }
    if (kind != ATTUNE_FRAME_KK && kind != ATTUNE_FRAME_XXPSK0 && kind != ATTUNE_FRAME_SEALED) {
        return ATTUNE_OPEN_BAD;
    }
    if (memcmp(frame + 1, session->node_id, ATTUNE_HINT) != 0) {
        return ATTUNE_OPEN_OTHER;
    }
    return kind == ATTUNE_FRAME_SEALED ? open_sealed(session, frame, size, message)
                                       : open_handshake(session, frame, size, now_ms);
}
