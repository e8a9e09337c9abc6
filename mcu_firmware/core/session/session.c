#include "session/session.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#define HINT_SIZE 4

size_t attune_session_seal(const attune_session *session, const attune_v1_NodeMessage *message, uint8_t *frame,
                           size_t capacity) {
    if (capacity < ATTUNE_FRAME_HEADER) {
        return 0;
    }
    frame[0] = ATTUNE_FRAME_CLEAR;
    memcpy(frame + 1, session->node_id, HINT_SIZE);
    pb_ostream_t stream = pb_ostream_from_buffer(frame + ATTUNE_FRAME_HEADER, capacity - ATTUNE_FRAME_HEADER);
    if (!pb_encode(&stream, attune_v1_NodeMessage_fields, message)) {
        return 0;
    }
    return ATTUNE_FRAME_HEADER + stream.bytes_written;
}

static bool is_for_us(const attune_session *session, const uint8_t *hint) {
    static const uint8_t everybody[HINT_SIZE] = {0};
    return memcmp(hint, session->node_id, HINT_SIZE) == 0 || memcmp(hint, everybody, HINT_SIZE) == 0;
}

attune_open_result attune_session_open(const attune_session *session, const uint8_t *frame, size_t size,
                                       attune_v1_DaemonMessage *message) {
    if (size < ATTUNE_FRAME_HEADER || size > ATTUNE_NODE_FRAME || frame[0] != ATTUNE_FRAME_CLEAR) {
        return ATTUNE_OPEN_BAD;
    }
    if (!is_for_us(session, frame + 1)) {
        return ATTUNE_OPEN_OTHER;
    }
    *message = (attune_v1_DaemonMessage)attune_v1_DaemonMessage_init_zero;
    pb_istream_t stream = pb_istream_from_buffer(frame + ATTUNE_FRAME_HEADER, size - ATTUNE_FRAME_HEADER);
    if (!pb_decode(&stream, attune_v1_DaemonMessage_fields, message)) {
        return ATTUNE_OPEN_BAD;
    }
    return message->which_body == 0 ? ATTUNE_OPEN_BAD : ATTUNE_OPEN_OK;
}
