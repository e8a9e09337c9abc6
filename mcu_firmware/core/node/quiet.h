/* Quiet mode of a node: reports where its state changes and hourly, and a drift sketch an hour in place of the others.
 *
 * Hours are those of UTC, as the last time message told them; a window belongs to the hour in which it ends. */
#ifndef ATTUNE_QUIET_H
#define ATTUNE_QUIET_H

#include "attune_proto/v1/node.pb.h"
#include "drift/sketch.h"
#include "node/backlog.h"
#include "session/retry.h"
#include "window/schema.h"

/* First pause until a sketch is sent again, as long as that of reports. */
#define ATTUNE_SKETCH_RETRY_MS 15000u

/* The sketch that counts, and the one that waits for its acknowledgement; until that comes, hours are counted together. */
typedef struct attune_quiet {
    bool on;
    bool sent;             /* the waiting sketch, since it was last due */
    uint32_t utc_ahead_ms; /* UTC less ticks, modulo an hour */
    uint32_t closed;       /* number of the last sketch that was closed */
    uint32_t end_s;        /* of the last window that counts; of no meaning while there is none */
    uint16_t windows;      /* in the sketch that counts */
    attune_retry retry;
    attune_sketch sketch;
    attune_v1_DriftSketch waiting; /* number 0: none */

    bool told;    /* a report has been made since the mode began */
    uint8_t last; /* class of the last report */
    uint32_t told_s;
    uint16_t
        said; /* windows since then in which the head said something, and the sums of their evidence in 1/256 nat */
    int32_t sum[ATTUNE_MAX_CLASSES - 1];
} attune_quiet;

/* Starts with the mode off. */
void attune_quiet_init(attune_quiet *quiet, const attune_schema *schema);

/* As a time message says. What a sketch that was not closed has counted is forgotten when the mode ends: the windows of that time were
 * not reported. */
void attune_quiet_set(attune_quiet *quiet, bool on, uint64_t utc_ms, uint64_t tick_ms);

/* Counts a window that has closed. Does nothing while the mode is off. */
void attune_quiet_count(attune_quiet *quiet, const attune_report *report, uint64_t now_ms);

/* Whether the window is to be reported: always while the mode is off. In an hourly report the evidence becomes the mean of the windows
 * since the last report, this one among them. */
bool attune_quiet_reports(attune_quiet *quiet, attune_report *report);

/* A sketch that waits is due now. */
void attune_quiet_restart(attune_quiet *quiet, uint64_t now_ms);

/* A sketch that waits is due again if nobody has acknowledged it for long. */
void attune_quiet_poll(attune_quiet *quiet, uint64_t now_ms);

/* The sketch to send, or NULL; attune_quiet_sent says that it has gone. */
const attune_v1_DriftSketch *attune_quiet_next(const attune_quiet *quiet);
void attune_quiet_sent(attune_quiet *quiet);

/* Lets go of a sketch; one that does not wait is no error. */
void attune_quiet_acknowledge(attune_quiet *quiet, uint32_t number);

#endif
