/* Updates of a node: envelopes that come in parts, their verdicts, the trial of the last one, and who may sign them.
 *
 * An envelope is kept in flash as it comes, whole or in parts, and judged once all of it is there, from the node's poll: size, format,
 * signature, sequence number, payload, and the digest of what it makes of the committed release. What passes goes to the slot that does
 * not run and starts its trial. Nothing that is refused changes anything, and any of it may come twice. */
#ifndef ATTUNE_NODE_UPDATE_H
#define ATTUNE_NODE_UPDATE_H

#include "attune_proto/v1/node.pb.h"

#include <stdbool.h>

/* A trial lasts so long without the daemon's word. */
#define ATTUNE_TRIAL_S 86400u

/* One answer of each kind waits for the link; a newer one takes its place, and what it answers is asked again. */
typedef struct attune_updates {
    bool whole; /* all of an envelope is in flash, to be judged */
    bool ack_due;
    bool verdict_due;
    bool key_ack_due;
    attune_v1_TrialEnd last_trial;
    attune_v1_UpdateAck ack;
    attune_v1_UpdateVerdict verdict;
    attune_v1_SigningKeyAck key_ack;
} attune_updates;

#endif
