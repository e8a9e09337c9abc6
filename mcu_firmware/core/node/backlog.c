#include "node/backlog.h"

#include <stddef.h>
#include <string.h>

void attune_backlog_init(attune_backlog *backlog) {
    memset(backlog, 0, sizeof *backlog);
    backlog->next_seq = 1;
}

static attune_report *slot(attune_backlog *backlog, uint16_t i) {
    return &backlog->report[(backlog->head + i) % ATTUNE_BACKLOG];
}

const attune_report *attune_backlog_at(const attune_backlog *backlog, uint16_t i) {
    return &backlog->report[(backlog->head + i) % ATTUNE_BACKLOG];
}

static void drop_head(attune_backlog *backlog) {
    backlog->head = (uint16_t)((backlog->head + 1) % ATTUNE_BACKLOG);
    backlog->count -= 1;
}

/* What is at the head waits: holes are let go of as soon as they get there. */
static void drop_holes(attune_backlog *backlog) {
    while (backlog->count > 0 && slot(backlog, 0)->seq == 0) {
        drop_head(backlog);
    }
}

void attune_backlog_push(attune_backlog *backlog, const attune_report *report) {
    if (backlog->count == ATTUNE_BACKLOG) {
        backlog->dropped += 1;
        drop_head(backlog);
        drop_holes(backlog);
    }
    attune_report *last = slot(backlog, backlog->count);
    *last = *report;
    last->seq = backlog->next_seq;
    backlog->next_seq += 1;
    backlog->count += 1;
}

bool attune_backlog_names(uint32_t seq, uint32_t through, uint32_t more) {
    if (seq <= through) {
        return true;
    }
    uint32_t beyond = seq - through;
    return beyond >= 2 && beyond < 34 && (more >> (beyond - 2) & 1u) != 0;
}

void attune_backlog_acknowledge(attune_backlog *backlog, uint32_t through, uint32_t more) {
    for (uint16_t i = 0; i < backlog->count; i++) {
        attune_report *report = slot(backlog, i);
        if (attune_backlog_names(report->seq, through, more)) {
            report->seq = 0;
        }
    }
    drop_holes(backlog);
}

const attune_report *attune_backlog_next(const attune_backlog *backlog, uint32_t after) {
    for (uint16_t i = 0; i < backlog->count; i++) {
        const attune_report *report = attune_backlog_at(backlog, i);
        if (report->seq > after) {
            return report;
        }
    }
    return NULL;
}

uint32_t attune_backlog_first_seq(const attune_backlog *backlog) {
    return backlog->count > 0 ? attune_backlog_at(backlog, 0)->seq : backlog->next_seq;
}

uint16_t attune_backlog_waiting_through(const attune_backlog *backlog, uint32_t through) {
    uint16_t waiting = 0;
    for (uint16_t i = 0; i < backlog->count; i++) {
        uint32_t seq = attune_backlog_at(backlog, i)->seq;
        waiting += seq != 0 && seq <= through;
    }
    return waiting;
}

uint16_t attune_backlog_waiting(const attune_backlog *backlog) {
    return attune_backlog_waiting_through(backlog, UINT32_MAX);
}
