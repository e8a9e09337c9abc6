/* Messages in and out of frames: kind byte, node hint, message. In the clear; the only file that knows so.
 *
 * A frame is kind (1 byte), hint (4 bytes, the first of the node id), then one protobuf message. */
#ifndef ATTUNE_SESSION_H
#define ATTUNE_SESSION_H

#include "attune_proto/v1/node.pb.h"
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_FRAME_CLEAR 1
#define ATTUNE_FRAME_HEADER 5

typedef struct attune_session {
    uint8_t node_id[8];
} attune_session;

/* Writes the frame of one message; returns its size, 0 if it does not fit. */
size_t attune_session_seal(const attune_session *session, const attune_v1_NodeMessage *message, uint8_t *frame,
                           size_t capacity);

typedef enum attune_open_result {
    ATTUNE_OPEN_OK = 0,
    ATTUNE_OPEN_OTHER, /* meant for another node of the link: not an error */
    ATTUNE_OPEN_BAD    /* too short, unknown kind, or no message */
} attune_open_result;

/* Opens a frame of the daemon. A hint of zeros speaks to every node of the link. */
attune_open_result attune_session_open(const attune_session *session, const uint8_t *frame, size_t size,
                                       attune_v1_DaemonMessage *message);

#endif
