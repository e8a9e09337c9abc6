#include "node/parts.h"

#include <string.h>

/* Reports in RAM at which those go to flash that a silent daemon has not taken. */
#define NEARLY_FULL (ATTUNE_BACKLOG - 8)

/* Pause until removing a batch is tried again: trying may cost erasures. */
#define CLOSE_AGAIN_MS 600000u

/* --- From RAM to flash --- */

static void find_first(attune_node *node) {
    attune_batch batch;
    attune_report report = {.seq = 0};
    attune_store *store = node->keep.store;
    if (attune_reports_of_boot(store, node->schema.features, node->identity.boot, &batch) == ATTUNE_STORE_OK) {
        (void)!attune_reports_read(store, &batch, 0, &report);
    }
    node->earlier.first_seq = report.seq;
}

static void look_for_summaries(attune_node *node) {
    attune_earlier *earlier = &node->earlier;
    const uint32_t gone = node->keep.store->summarised_reports;
    earlier->none_left = earlier->none_left && gone == earlier->seen;
    earlier->seen = gone;
}

static void move(attune_node *node) {
    attune_earlier *earlier = &node->earlier;
    if (attune_reports_move(node->keep.store, node->identity.boot, node->schema.features, &node->backlog) !=
        ATTUNE_STORE_OK) {
        /* Trying costs erasures: once more before a report is dropped, then no more of them than if it went well. */
        const uint16_t room = ATTUNE_BACKLOG - node->backlog.count;
        earlier->move_seq = node->backlog.next_seq + (room > 0 ? room : ATTUNE_BATCH);
    }
    find_first(node);
    look_for_summaries(node);
}

static void move_if_due(attune_node *node) {
    const uint16_t limit = node->timed ? NEARLY_FULL : ATTUNE_BATCH_WAITING;
    if (attune_backlog_waiting(&node->backlog) >= limit && node->backlog.next_seq >= node->earlier.move_seq) {
        move(node);
    }
}

void attune_earlier_add(attune_node *node, const attune_report *report) {
    attune_backlog_push(&node->backlog, report);
    move_if_due(node);
}

/* --- Batches --- */

static bool is_open(const attune_earlier *earlier) { return earlier->batch.reports > 0; }

static void open_next(attune_node *node) {
    attune_earlier *earlier = &node->earlier;
    attune_store *store = node->keep.store;
    const uint32_t before = earlier->batch.boot;
    attune_batch batch;
    attune_store_result result = ATTUNE_STORE_NONE;
    if (earlier->first_seq != 0) {
        result = attune_reports_of_boot(store, node->schema.features, node->identity.boot, &batch);
    } else if (store->batches > 0) {
        result = attune_reports_oldest(store, node->schema.features, &batch);
    }
    if (result != ATTUNE_STORE_OK) {
        return;
    }
    earlier->batch = batch;
    earlier->through = batch.boot == node->identity.boot ? node->through : batch.boot == before ? earlier->through : 0;
    earlier->next = 0;
    earlier->flying = 0;
    earlier->sent = 0;
    attune_retry_start(&earlier->retry, node->now_ms, ATTUNE_EARLIER_RETRY_MS);
}

static bool delivered(const attune_earlier *earlier) {
    return earlier->through >= earlier->batch.last_seq ||
           (earlier->next == earlier->batch.reports && earlier->flying == 0);
}

/* What cannot be removed now is removed later, or delivered once more after a restart; the daemon knows it then. */
static void close_batch(attune_node *node) {
    attune_earlier *earlier = &node->earlier;
    if (node->now_ms < earlier->close_ms) {
        return;
    }
    if (attune_reports_remove(node->keep.store, earlier->batch.number) != ATTUNE_STORE_OK) {
        earlier->close_ms = node->now_ms + CLOSE_AGAIN_MS;
        return;
    }
    earlier->batch.reports = 0;
    if (earlier->batch.boot == node->identity.boot) {
        find_first(node);
    }
}

/* The oldest batch made room for newer reports while it was open. */
static bool is_gone(const attune_node *node) {
    const attune_store *store = node->keep.store;
    return store->batches == 0 || node->earlier.batch.number < store->first_batch;
}

void attune_earlier_restart(attune_node *node) {
    attune_earlier *earlier = &node->earlier;
    earlier->sent = 0;
    earlier->summary_sent = false;
    earlier->none_left = false;
    attune_retry_start(&earlier->retry, node->now_ms, ATTUNE_EARLIER_RETRY_MS);
    attune_retry_start(&earlier->summary_retry, node->now_ms, ATTUNE_EARLIER_RETRY_MS);
}

static void retry(attune_earlier *earlier, uint64_t now_ms) {
    if (earlier->flying == 0) {
        attune_retry_rest(&earlier->retry, now_ms);
    } else if (attune_retry_due(&earlier->retry, now_ms)) {
        earlier->sent = 0;
    }
    if (!earlier->summary_sent) {
        attune_retry_rest(&earlier->summary_retry, now_ms);
    } else if (attune_retry_due(&earlier->summary_retry, now_ms)) {
        earlier->summary_sent = false;
    }
}

void attune_earlier_poll(attune_node *node) {
    attune_earlier *earlier = &node->earlier;
    move_if_due(node);
    if (is_open(earlier) && is_gone(node)) {
        earlier->batch.reports = 0;
    }
    if (is_open(earlier) && delivered(earlier)) {
        close_batch(node);
    }
    if (!node->timed) {
        return;
    }
    if (!is_open(earlier)) {
        open_next(node);
    }
    retry(earlier, node->now_ms);
}

/* --- Reports of the open batch --- */

static bool read_next(attune_node *node, uint8_t index, attune_report *report) {
    attune_earlier *earlier = &node->earlier;
    const attune_store_result result = attune_reports_read(node->keep.store, &earlier->batch, index, report);
    if (result != ATTUNE_STORE_OK && result != ATTUNE_STORE_FLASH && index == earlier->next) {
        node->keep.store->lost_reports += 1;
        earlier->next += 1;
    }
    return result == ATTUNE_STORE_OK;
}

/* The report that is due: one that is sent again, or the next one. */
static bool next_report(attune_node *node, attune_report *report) {
    attune_earlier *earlier = &node->earlier;
    if (!is_open(earlier) || is_gone(node)) {
        return false;
    }
    if (earlier->sent < earlier->flying) {
        return read_next(node, earlier->way[earlier->sent].index, report);
    }
    const bool full = earlier->flying + attune_node_in_flight(node) >= ATTUNE_IN_FLIGHT;
    while (!full && earlier->flying < ATTUNE_EARLIER_IN_FLIGHT && earlier->next < earlier->batch.reports) {
        if (!read_next(node, earlier->next, report)) {
            return false;
        }
        if (report->seq > earlier->through) {
            return true;
        }
        earlier->next += 1; /* the daemon had it before this start */
    }
    return false;
}

/* Of an earlier boot, and where the daemon waits for what will not come, it says which is the oldest that is still to come: what lies
 * before it the daemon has, or will never get. */
static void fill_report(const attune_node *node, const attune_report *report, attune_v1_Report *out) {
    const attune_earlier *earlier = &node->earlier;
    const uint32_t oldest = earlier->flying > 0 ? earlier->way[0].seq : report->seq;
    const bool other = earlier->batch.boot != node->identity.boot;
    attune_node_fill_report(node, report, out);
    out->boot = other ? earlier->batch.boot : 0;
    out->first_seq = other || oldest > earlier->through + 1 ? oldest : 0;
}

static void report_sent(attune_node *node, const attune_v1_Report *report) {
    attune_earlier *earlier = &node->earlier;
    if (earlier->sent == earlier->flying) {
        earlier->way[earlier->flying] = (attune_flying){report->seq, earlier->next};
        earlier->flying += 1;
        earlier->next += 1;
    }
    earlier->sent += 1;
    if (report->boot == 0 && report->seq > node->ever_sent_seq) {
        node->ever_sent_seq = report->seq;
    }
}

void attune_earlier_acknowledge(attune_node *node, uint32_t boot, uint32_t through, uint32_t more) {
    attune_earlier *earlier = &node->earlier;
    uint8_t left = 0;
    if (!is_open(earlier) || earlier->batch.boot != boot) {
        return;
    }
    const uint8_t flying = earlier->flying;
    const uint8_t sent = earlier->sent;
    for (uint8_t i = 0; i < flying; i++) {
        if (attune_backlog_names(earlier->way[i].seq, through, more)) {
            earlier->sent = (uint8_t)(earlier->sent - (i < sent));
        } else {
            earlier->way[left] = earlier->way[i];
            left += 1;
        }
    }
    earlier->flying = left;
    earlier->through = through > earlier->through ? through : earlier->through;
    if (left < flying) {
        attune_retry_start(&earlier->retry, node->now_ms, ATTUNE_EARLIER_RETRY_MS);
    }
    attune_earlier_poll(node);
}

bool attune_earlier_holds_up(const attune_node *node) { return node->earlier.first_seq != 0; }

/* --- Summaries --- */

static bool next_summary(attune_node *node, attune_summary *summary) {
    attune_earlier *earlier = &node->earlier;
    if (earlier->none_left || earlier->summary_sent) {
        return false;
    }
    const attune_store_result result = attune_summaries_oldest(node->keep.store, node->schema.features, summary);
    earlier->none_left = result != ATTUNE_STORE_OK;
    return result == ATTUNE_STORE_OK;
}

static void fill_summary(const attune_node *node, const attune_summary *summary, attune_v1_Summary *out) {
    *out = (attune_v1_Summary){.number = summary->number,
                               .boot = summary->boot,
                               .first_seq = summary->first_seq,
                               .last_seq = summary->last_seq,
                               .end_s = summary->end_s,
                               .reports = summary->reports};
    out->class_reports.size = sizeof summary->class_reports;
    memcpy(out->class_reports.bytes, summary->class_reports, sizeof summary->class_reports);
    out->features.size = attune_node_write_i16(out->features.bytes, summary->features, node->schema.features);
}

void attune_earlier_acknowledge_summary(attune_node *node, uint32_t number) {
    attune_earlier *earlier = &node->earlier;
    if (!earlier->summary_sent) {
        return;
    }
    /* Where it cannot be removed it is sent once more. */
    (void)!attune_summaries_remove(node->keep.store, number);
    earlier->summary_sent = false;
    attune_retry_start(&earlier->summary_retry, node->now_ms, ATTUNE_EARLIER_RETRY_MS);
}

/* --- Messages --- */

bool attune_earlier_fill(attune_node *node, attune_v1_NodeMessage *message) {
    attune_report report;
    attune_summary summary;
    if (!node->timed) {
        return false;
    }
    if (next_report(node, &report)) {
        message->which_body = attune_v1_NodeMessage_report_tag;
        fill_report(node, &report, &message->body.report);
    } else if (next_summary(node, &summary)) {
        message->which_body = attune_v1_NodeMessage_summary_tag;
        fill_summary(node, &summary, &message->body.summary);
    } else {
        return false;
    }
    return true;
}

void attune_earlier_sent(attune_node *node, const attune_v1_NodeMessage *message) {
    if (message->which_body == attune_v1_NodeMessage_summary_tag) {
        node->earlier.summary_sent = true;
    } else {
        report_sent(node, &message->body.report);
    }
}
