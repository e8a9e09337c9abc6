/* Reports that the daemon has not acknowledged yet, in a ring in RAM. When it is full the oldest is dropped and counted. */
#ifndef ATTUNE_BACKLOG_H
#define ATTUNE_BACKLOG_H

#include "config.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct attune_report {
    uint32_t seq; /* 0 marks a slot that has been acknowledged out of order */
    uint32_t end_s;
    uint8_t evidences : 3; /* 0 if the head knew nothing */
    uint8_t trial : 5;     /* attune_v1_Report.trial */
    uint8_t state;
    int16_t evidence[ATTUNE_MAX_CLASSES - 1]; /* 1/256 nat */
    int16_t features[ATTUNE_MAX_FEATURES];
} attune_report;

typedef struct attune_backlog {
    uint32_t next_seq;
    uint32_t dropped; /* reports that made room for newer ones */
    uint16_t head;    /* slot of the oldest */
    uint16_t count;   /* slots in use, acknowledged holes included */
    attune_report report[ATTUNE_BACKLOG];
} attune_backlog;

void attune_backlog_init(attune_backlog *backlog);

/* Stores a report and gives it the next sequence number. */
void attune_backlog_push(attune_backlog *backlog, const attune_report *report);

/* Whether an acknowledgement names a report: seq <= through, or a bit of the bitmap (bit i: through + 2 + i). */
bool attune_backlog_names(uint32_t seq, uint32_t through, uint32_t more);

/* Drops every report that an acknowledgement names. */
void attune_backlog_acknowledge(attune_backlog *backlog, uint32_t through, uint32_t more);

/* The waiting report with the lowest seq > after, or NULL. */
const attune_report *attune_backlog_next(const attune_backlog *backlog, uint32_t after);

/* Oldest seq still held; next_seq if none. */
uint32_t attune_backlog_first_seq(const attune_backlog *backlog);

/* The report in slot i (0 the oldest, below count); its seq is 0 if it has been acknowledged. */
const attune_report *attune_backlog_at(const attune_backlog *backlog, uint16_t i);

/* Reports that wait, and those of them with seq <= through. */
uint16_t attune_backlog_waiting_through(const attune_backlog *backlog, uint32_t through);

/* Reports that wait. */
uint16_t attune_backlog_waiting(const attune_backlog *backlog);

#endif
