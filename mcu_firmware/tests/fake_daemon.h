/* The daemon's side of the conversation, as little of it as a node can tell, over a link that may lose frames. */
#ifndef FAKE_DAEMON_H
#define FAKE_DAEMON_H

#include "emulated_flash.h"
#include "node/node.h"

#define FAKE_REPORTS 1000
#define FAKE_BOOTS 4
#define FAKE_SUMMARIES 64

/* What the daemon has of a boot before the one of the last hello. */
typedef struct fake_boot {
    uint32_t boot;
    uint32_t through;
    bool have[FAKE_REPORTS + 40];
    uint32_t end_s[FAKE_REPORTS + 40]; /* by seq */
} fake_boot;

typedef struct fake_daemon {
    attune_node *node;
    uint64_t random;
    uint32_t loss; /* percent of frames lost, each way */
    bool keeps_silent_on_hello;
    bool keeps_silent_on_reports;
    bool keeps_silent_on_presses;
    bool keeps_silent_on_sketches;
    bool keeps_silent_on_summaries;
    bool keeps_silent_on_earlier; /* reports of earlier boots */
    bool wants_quiet;
    bool never_answers_handshakes;
    void (*deliver)(uint8_t *frame, size_t size); /* NULL: the node gets its frames directly */

    emulated_flash flash; /* of a node that has none yet */
    attune_store store;
    uint32_t draws; /* of the node's random numbers */
    attune_key_pair own;
    uint8_t node_key[ATTUNE_NOISE_KEY];
    attune_sealed_pair sealed;
    uint32_t handshakes;
    uint8_t first[ATTUNE_NOISE_MESSAGE]; /* the node's last first message, and the answer to it */
    uint8_t reply[ATTUNE_HANDSHAKE_FRAME];
    size_t reply_size;

    uint32_t hellos;
    uint32_t time_acks;
    uint32_t healths;
    uint32_t label_acks;
    uint32_t presses; /* repeats included */
    uint32_t sketches;
    uint32_t update_acks;
    uint32_t verdicts;
    uint32_t key_acks;
    uint32_t arrivals; /* reports, repeats included */
    uint32_t learned;  /* sums over label acks */
    uint32_t refused;
    attune_v1_Hello hello; /* the last of each */
    attune_v1_TimeAck time_ack;
    attune_v1_Health health;
    attune_v1_LabelAck label_ack;
    attune_v1_Button button;
    attune_v1_DriftSketch sketch;
    attune_v1_UpdateAck update_ack;
    attune_v1_UpdateVerdict verdict;
    attune_v1_SigningKeyAck key_ack;

    fake_boot earlier[FAKE_BOOTS];
    uint8_t boots;
    uint32_t summaries; /* repeats included */
    attune_v1_Summary summary[FAKE_SUMMARIES];

    uint32_t through; /* highest number below which nothing is missing that the node still had */
    bool have[FAKE_REPORTS + 40];
    attune_v1_Report report[FAKE_REPORTS + 40]; /* by seq */
} fake_daemon;

/* Gives the node a store, if it has none, and keys, if there are none in it: it is owned by this daemon, and both know each other. */
void fake_daemon_init(fake_daemon *daemon, attune_node *node);

/* The node has started anew, with the store that it had: what the daemon has is of an earlier boot from now on. */
void fake_daemon_restarted(fake_daemon *daemon);

/* What the daemon has of an earlier boot; NULL if nothing. */
fake_boot *fake_daemon_earlier(fake_daemon *daemon, uint32_t boot);

/* The keys of a node that is owned. */
void fake_daemon_give_keys(attune_store *store);

/* Where the node's random numbers come from. */
attune_keeper fake_daemon_keeper(fake_daemon *daemon);

/* Asks the node for a handshake, as anybody may. */
void fake_daemon_call(fake_daemon *daemon);

/* Takes one frame of the node, and answers. */
void fake_daemon_take(fake_daemon *daemon, uint8_t *frame, size_t size);

/* Seals the text that lies at frame + ATTUNE_SEALED_TEXT; returns the size of the frame. */
size_t fake_daemon_seal(fake_daemon *daemon, uint8_t *frame, size_t text_size);

/* Takes all that the node has to send, and answers. */
void fake_daemon_exchange(fake_daemon *daemon);

/* Sends one message, unless the link loses it. */
void fake_daemon_say(fake_daemon *daemon, const attune_v1_DaemonMessage *message);

/* Bytes of the sealed frame that carries the message, or of one that nobody can open where there is no session. */
size_t fake_daemon_frame(fake_daemon *daemon, const attune_v1_DaemonMessage *message, uint8_t *frame);

void fake_daemon_acknowledge(fake_daemon *daemon);

/* So many windows of a node whose two sensors are light and CO2; what it says after each is taken. */
void fake_daemon_run_windows(fake_daemon *daemon, uint32_t count, float light, float co2);

/* A label for the windows first..last that the daemon has, in parts, with their features. */
void fake_daemon_label(fake_daemon *daemon, uint32_t number, uint32_t class_index, uint32_t first, uint32_t last);

/* Evidence of class k in a report, in nats; the report must have arrived. */
double fake_daemon_evidence(const fake_daemon *daemon, uint32_t seq, int k);

#endif
