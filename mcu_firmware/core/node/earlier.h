/* What a node measured earlier and nobody has taken: batches of reports in flash, and the summaries of those that made room.
 *
 * Reports move from RAM to flash while no session takes them. With a session they are delivered from there, those of this boot first, for the
 * ones in RAM wait for them; then those of earlier boots, the oldest first. A batch is removed when the daemon has acknowledged all of it. */
#ifndef ATTUNE_EARLIER_H
#define ATTUNE_EARLIER_H

#include "attune_proto/v1/node.pb.h"
#include "config.h"
#include "session/retry.h"
#include "store/reports.h"

/* First pause until reports or a summary are sent again, as long as that of reports in RAM. */
#define ATTUNE_EARLIER_RETRY_MS 15000u

/* Reports on their way at the same time: the other half is for those that are measured now. */
#define ATTUNE_EARLIER_IN_FLIGHT (ATTUNE_IN_FLIGHT / 2)

/* A report of the open batch that is on its way. */
typedef struct attune_flying {
    uint32_t seq;
    uint8_t index; /* in the batch */
} attune_flying;

typedef struct attune_earlier {
    uint32_t move_seq;  /* next_seq from which on moving is tried again after it failed */
    uint32_t first_seq; /* oldest report of this boot that is in flash; 0 if none is */
    uint32_t seen;      /* reports that were summarised when summaries were last looked for */

    attune_batch batch;                          /* the one that is being delivered; no reports: none is */
    uint32_t through;                            /* reports of its boot up to this one are with the daemon */
    uint8_t next;                                /* index of the report that has not been sent yet */
    uint8_t flying;                              /* reports on their way */
    uint8_t sent;                                /* of those, since they were last due */
    attune_flying way[ATTUNE_EARLIER_IN_FLIGHT]; /* oldest first */
    attune_retry retry;
    uint64_t close_ms; /* before that, removing a delivered batch is not tried again */

    bool none_left;    /* there is no summary */
    bool summary_sent; /* the oldest one, since it was last due */
    attune_retry summary_retry;
} attune_earlier;

struct attune_node;

/* Keeps a new report: in RAM, from where it moves to flash where nobody takes it. */
void attune_earlier_add(struct attune_node *node, const attune_report *report);

/* A session begins: all that waits is due. */
void attune_earlier_restart(struct attune_node *node);

/* Moves reports, opens the next batch, removes one that is delivered, and starts retries that are due. */
void attune_earlier_poll(struct attune_node *node);

/* The next report of the open batch, or the oldest summary; attune_earlier_sent says that it has gone. False if there is none now. */
bool attune_earlier_fill(struct attune_node *node, attune_v1_NodeMessage *message);
void attune_earlier_sent(struct attune_node *node, const attune_v1_NodeMessage *message);

/* The daemon has reports of a boot. */
void attune_earlier_acknowledge(struct attune_node *node, uint32_t boot, uint32_t through, uint32_t more);

/* The daemon has a summary; one that is not there is no error. */
void attune_earlier_acknowledge_summary(struct attune_node *node, uint32_t number);

/* Reports of this boot that are in flash and have not been delivered keep those in RAM waiting. */
bool attune_earlier_holds_up(const struct attune_node *node);

#endif
