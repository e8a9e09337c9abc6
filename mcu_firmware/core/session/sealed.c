#include "session/sealed.h"

#include <monocypher.h>
#include <string.h>

#define HEADER (1 + ATTUNE_HINT)

void attune_sealed_adopt(attune_sealed_pair *pair, const attune_noise_keys *keys, uint64_t now_ms) {
    /* A session that nobody has answered in is no way back. */
    if (pair->current.next_receive > 0) {
        pair->before = pair->current;
    }
    crypto_wipe(&pair->current, sizeof pair->current);
    memcpy(pair->current.send_key, keys->send, ATTUNE_AEAD_KEY);
    memcpy(pair->current.receive_key, keys->receive, ATTUNE_AEAD_KEY);
    pair->current.since_ms = now_ms;
    pair->current.live = true;
}

static void write_counter(uint8_t *at, uint32_t counter) {
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(counter >> (8 * i));
    }
}

static uint32_t read_counter(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

size_t attune_sealed_seal(attune_sealed_pair *pair, const uint8_t hint[ATTUNE_HINT], uint8_t *frame, size_t text_size,
                          size_t capacity) {
    attune_sealed *session = &pair->current;
    if (!session->live || session->next_send == UINT32_MAX || capacity < ATTUNE_SEALED_AROUND ||
        text_size > capacity - ATTUNE_SEALED_AROUND) {
        return 0;
    }
    uint8_t *text = frame + ATTUNE_SEALED_TEXT;
    frame[0] = ATTUNE_FRAME_SEALED;
    memcpy(frame + 1, hint, ATTUNE_HINT);
    write_counter(frame + HEADER, session->next_send);
    attune_aead_seal(session->send_key, session->next_send, frame, HEADER, text, text_size, text);
    session->next_send++;
    return ATTUNE_SEALED_AROUND + text_size;
}

static attune_sealed_result open_in(attune_sealed *session, const uint8_t *frame, size_t size, uint8_t *text) {
    uint32_t counter = read_counter(frame + HEADER);
    if (!session->live) {
        return ATTUNE_SEALED_FORGED;
    }
    if (counter < session->next_receive || counter == UINT32_MAX) {
        return ATTUNE_SEALED_OLD;
    }
    if (!attune_aead_open(session->receive_key, counter, frame, HEADER, frame + ATTUNE_SEALED_TEXT,
                          size - ATTUNE_SEALED_TEXT, text)) {
        return ATTUNE_SEALED_FORGED;
    }
    session->next_receive = counter + 1;
    return ATTUNE_SEALED_OK;
}

attune_sealed_result attune_sealed_open(attune_sealed_pair *pair, const uint8_t *frame, size_t size, uint8_t *text,
                                        size_t *text_size) {
    if (size < ATTUNE_SEALED_AROUND || frame[0] != ATTUNE_FRAME_SEALED) {
        return ATTUNE_SEALED_BAD;
    }
    attune_sealed_result result = open_in(&pair->current, frame, size, text);
    if (result == ATTUNE_SEALED_OK) {
        crypto_wipe(&pair->before, sizeof pair->before);
    } else if (pair->before.live) {
        result = open_in(&pair->before, frame, size, text);
    }
    if (result == ATTUNE_SEALED_OK) {
        *text_size = size - ATTUNE_SEALED_AROUND;
    }
    return result;
}

bool attune_sealed_wants_keys(const attune_sealed_pair *pair, uint64_t now_ms) {
    const attune_sealed *session = &pair->current;
    return session->live &&
           (session->next_send >= ATTUNE_REKEY_FRAMES || session->next_receive >= ATTUNE_REKEY_FRAMES ||
            now_ms - session->since_ms >= ATTUNE_REKEY_MS);
}

void attune_sealed_back(attune_sealed_pair *pair) {
    pair->current = pair->before;
    crypto_wipe(&pair->before, sizeof pair->before);
}

void attune_sealed_wipe(attune_sealed_pair *pair) { crypto_wipe(pair, sizeof *pair); }
