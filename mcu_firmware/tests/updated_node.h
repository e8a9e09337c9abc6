/* A node of 24 features on a flash, owned by a daemon that signs updates for it as tests/unit/update_world.py does. */
#ifndef UPDATED_NODE_H
#define UPDATED_NODE_H

#include "emulated_flash.h"
#include "fake_daemon.h"
#include "node/parts.h"
#include "store/slots.h"
#include "update_signer.h"

#include "check.h"

/* Number of the golden envelopes. */
#define GOLDEN_SEQUENCE 300

typedef struct envelope {
    uint8_t bytes[ATTUNE_MAX_ENVELOPE];
    size_t size;
} envelope;

typedef struct updated_world {
    emulated_flash flash;
    attune_store store;
    attune_node node;
    fake_daemon daemon;
    update_signer signer;
} updated_world;

extern updated_world updated;

/* A setup: the base of the golden envelopes is committed, as update 1, and the node knows the first signing key. */
int updated_fresh(void **state);

/* Power off and on, with a new boot. */
void updated_restart(void);

/* The link comes up. */
void updated_connect_link(void);

/* The daemon says it, the node's time passes, and both hear each other out. */
void updated_say(const attune_v1_DaemonMessage *message);
void updated_give_key(uint32_t number, const update_signer *who);
void updated_decide(uint32_t sequence, bool commit);

/* What the node says it runs, in a hello that it was asked for. */
const attune_v1_Running *updated_running(void);

/* So many windows of readings at random, reported. */
void updated_run_windows(uint32_t count, uint64_t seed);

/* A file of tests/vectors/updates. */
envelope updated_read_golden(const char *name);

/* What an envelope for the node, as it is now, has to be made for. */
attune_update_own updated_own_of_node(void);

/* An update of what is committed, signed as the daemon would; the smallest, in which stays are 256 times what is said; and a model that was
 * taught windows by a seed, and all labels up to a number. */
envelope updated_made(attune_update_kind kind, uint32_t sequence, const uint8_t *payload, size_t size);
envelope updated_calibration(uint32_t sequence, uint8_t stay);
envelope updated_model_update(uint32_t sequence, uint32_t through_label, uint64_t seed);

/* Sends an envelope, or a part of it. */
void updated_say_whole(const envelope *sent);
void updated_say_chunk(const envelope *sent, uint32_t offset, uint32_t count);

/* Sends it whole, or from where the node is in chunks; exactly one verdict comes of it. */
uint32_t updated_verdict_of(const envelope *sent);

/* Both models are what the node makes of its flash alone. */
void updated_expect_what_a_restart_gives(void);

#endif
