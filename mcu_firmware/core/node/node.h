/* A whole node as a value: samples and frames in, frames out. No I/O, no clock, no heap, no globals.
 *
 * A port calls attune_node_sample for each reading, attune_node_poll often (at least once a second), attune_node_receive for
 * each frame, and sends what attune_node_send hands out whenever the link takes it (docs/porting.md). */
#ifndef ATTUNE_NODE_H
#define ATTUNE_NODE_H

#include "filter/filter.h"
#include "learner/factory.h"
#include "learner/label_log.h"
#include "node/backlog.h"
#include "node/button.h"
#include "node/earlier.h"
#include "node/keep.h"
#include "node/quiet.h"
#include "node/update.h"
#include "session/session.h"
#include "update/model.h"
#include "window/window.h"

/* Retries: first after so long, doubled each time up to ATTUNE_RETRY_MAX_MS. A hello is answered at once; a report may wait ten seconds
 * in the daemon for company before it is committed and acknowledged. */
#define ATTUNE_HELLO_RETRY_MS 5000u
#define ATTUNE_REPORT_RETRY_MS 15000u

/* Health goes out after the first time message and then every ten minutes, in quiet mode every hour. */
#define ATTUNE_HEALTH_MS 600000u
#define ATTUNE_QUIET_HEALTH_MS 3600000u

/* After a jump of more than this past the open window's end, window and filter start cold; shorter ones close each window. */
#define ATTUNE_GAP_MS 3600000u

/* Label acknowledgements that may wait for the link to take them; past that the oldest is dropped, and its label comes again. */
#define ATTUNE_LABEL_ACKS 4

/* What a port knows about its hardware; copied. */
typedef struct attune_identity {
    uint8_t node_id[8];
    uint32_t boot; /* random, new at each start */
    char firmware[24];
    char hardware[16];    /* name of the board */
    uint8_t reset_reason; /* attune_v1_ResetReason */
    uint32_t reset_pc;
    bool test; /* a test image: its keys come from a seed that others may know */
} attune_identity;

/* Measurements that only the port can make; set whenever they change. */
typedef struct attune_board {
    uint32_t stack_free; /* bytes never used; 0 if not measured */
    uint32_t battery_mv; /* 0 if powered otherwise */
} attune_board;

typedef struct attune_counters {
    uint32_t bad_frames;
    uint32_t refused_samples;
    uint32_t refused_labels;
} attune_counters;

/* Everything from now_ms on is the node's own business. A node must stay where it is: its parts point at each other. */
typedef struct attune_node {
    attune_identity identity;
    attune_board board;
    attune_schema schema;
    attune_window window;
    attune_model model; /* the committed release, and what the label log adds to it */
    attune_model trial; /* likewise the one on trial */
    attune_filter filter;
    attune_label_log log;
    attune_backlog backlog;
    attune_button button;
    attune_quiet quiet;
    attune_keep keep;
    attune_earlier earlier;
    attune_session session;
    attune_updates updates;
    attune_counters counters;
    uint8_t release_digest[16]; /* of the committed release */

    uint64_t now_ms;
    bool link_up;
    bool hello_due;
    uint64_t blink_ms; /* the node makes itself seen until then */
    bool timed;        /* a time message has come since the link came up: reports may go */
    bool time_ack_due;
    bool health_due;
    attune_retry hello_retry;
    attune_retry report_retry; /* due_ms moves on while no report is in flight */
    uint64_t health_ms;        /* when the next health is due, once timed */
    uint32_t sent_seq;         /* highest report sent since the last retry */
    uint32_t ever_sent_seq;    /* highest report sent in this boot */
    uint32_t through;          /* highest contiguous acknowledgement */
    attune_v1_TimeAck time_ack;
    uint8_t label_acks;
    attune_v1_LabelAck label_ack[ATTUNE_LABEL_ACKS]; /* oldest first */
} attune_node;

/* Starts a node at tick 0 with its link down, on the factory release; attune_node_keep follows. */
attune_schema_error attune_node_init(attune_node *node, const attune_identity *identity, const uint8_t *sensors,
                                     size_t count, uint16_t window_s);

/* Opens the node's keys in its store, after attune_node_keep; without them it says nothing. False if they cannot be kept. */
bool attune_node_open_keys(attune_node *node, const attune_keeper *keeper);

/* One reading. Closes windows that ended before tick_ms first. What is refused is counted. */
attune_sample_result attune_node_sample(attune_node *node, uint8_t sensor, uint64_t tick_ms, attune_real value);

/* Somebody pressed the node's button: of the ten minutes up to then, the room was in this class (below ATTUNE_MAX_CLASSES; the
 * daemon refuses one that it does not know). The daemon makes a label of it, once, and the node learns it as any other. */
void attune_node_press(attune_node *node, uint64_t tick_ms, uint8_t class_index);

/* Time passes: closes every window with end <= now_ms and starts retries that are due. now_ms never goes back (a lower value is
 * ignored). Give the samples of a tick before the poll of that tick: on a window's end they would be late. */
void attune_node_poll(attune_node *node, uint64_t now_ms);

/* The link came up or went down. Up starts with a handshake, and once there are keys with a hello. */
void attune_node_link(attune_node *node, bool up);

/* A damaged frame arrived (counted), as the port's decoder tells. */
void attune_node_damaged(attune_node *node);

/* True while the node has been told to blink, so that somebody finds it. */
bool attune_node_blinks(const attune_node *node);

/* True while much is to be said soon: a handshake, a greeting, labels, an update, or reports that have piled up. */
bool attune_node_hurries(const attune_node *node);

/* One frame from the daemon, without stream framing; it is overwritten. Call attune_node_poll first: what is answered carries the node's last now_ms.
 * What makes no sense is counted and dropped. Labels and acknowledgements are taken only between a time message and the end of
 * the connection: before that they may be meant for an earlier boot. */
void attune_node_receive(attune_node *node, uint8_t *frame, size_t size);

/* The next frame to send, or 0 if there is none now. capacity at least ATTUNE_NODE_FRAME. */
size_t attune_node_send(attune_node *node, uint8_t *frame, size_t capacity);

#endif
