#include "node/parts.h"

#include <string.h>

uint16_t attune_node_in_flight(const attune_node *node) {
    return attune_backlog_waiting_through(&node->backlog, node->sent_seq);
}

/* Says hello and waits for the time; whatever was under way counts as lost. */
static void begin(attune_node *node) {
    node->hello_due = true;
    node->timed = false;
    node->time_ack_due = false;
    node->health_due = false;
    node->label_acks = 0;
    attune_node_updates_restart(node);
    node->sent_seq = 0;
    attune_earlier_restart(node);
    attune_button_restart(&node->button, node->now_ms);
    attune_quiet_restart(&node->quiet, node->now_ms);
    attune_retry_start(&node->hello_retry, node->now_ms, ATTUNE_HELLO_RETRY_MS);
    attune_retry_start(&node->report_retry, node->now_ms, ATTUNE_REPORT_RETRY_MS);
}

void attune_node_link(attune_node *node, bool up) {
    begin(node);
    node->link_up = up;
    attune_session_link(&node->session, up, node->now_ms);
}

void attune_node_damaged(attune_node *node) { node->counters.bad_frames += 1; }

void attune_node_link_poll(attune_node *node) {
    if (!node->link_up) {
        return;
    }
    attune_session_poll(&node->session, node->now_ms);
    attune_button_poll(&node->button, node->now_ms);
    attune_quiet_poll(&node->quiet, node->now_ms);
    if (!node->timed) {
        if (!node->hello_due && attune_retry_due(&node->hello_retry, node->now_ms)) {
            node->hello_due = true;
        }
        return;
    }
    if (attune_node_in_flight(node) == 0) {
        attune_retry_rest(&node->report_retry, node->now_ms);
    } else if (attune_retry_due(&node->report_retry, node->now_ms)) {
        node->sent_seq = 0;
    }
    if (node->now_ms >= node->health_ms) {
        node->health_due = true;
    }
}

static void take_time(attune_node *node, const attune_v1_Time *time) {
    /* It answers a tick that this boot has not reached: meant for an earlier one. */
    if (time->echo_tick_ms > node->now_ms) {
        attune_node_damaged(node);
        return;
    }
    node->time_ack = (attune_v1_TimeAck){.echo_tick_ms = time->echo_tick_ms, .tick_ms = node->now_ms};
    node->time_ack_due = true;
    node->hello_due = false;
    if (!node->timed) {
        node->health_due = true;
        /* What was sent before the daemon knew the ticks of this boot could not be dated. */
        attune_button_restart(&node->button, node->now_ms);
    }
    node->timed = true;
    attune_node_keep_tie(node, time->echo_tick_ms, time->utc_ms);
    attune_quiet_set(&node->quiet, time->quiet, time->utc_ms, time->echo_tick_ms);
}

static void take_report_ack(attune_node *node, const attune_v1_ReportAck *ack) {
    if (ack->boot != 0 && ack->boot != node->identity.boot) {
        attune_earlier_acknowledge(node, ack->boot, ack->through, ack->more);
        return;
    }
    if (ack->through > node->ever_sent_seq) {
        attune_node_damaged(node);
        return;
    }
    uint32_t first = attune_backlog_first_seq(&node->backlog);
    uint16_t waiting = attune_backlog_waiting(&node->backlog);
    attune_backlog_acknowledge(&node->backlog, ack->through, ack->more);
    node->through = ack->through > node->through ? ack->through : node->through;
    attune_earlier_acknowledge(node, node->identity.boot, ack->through, ack->more);
    if (attune_backlog_waiting(&node->backlog) < waiting) {
        node->report_retry.wait_ms = ATTUNE_REPORT_RETRY_MS;
    }
    /* While the oldest stays unacknowledged its retry draws near, whatever else gets through. */
    if (attune_backlog_first_seq(&node->backlog) != first) {
        attune_retry_start(&node->report_retry, node->now_ms, ATTUNE_REPORT_RETRY_MS);
    }
}

/* These name their boot, so they can be taken at any time. */
static void take_sketch_ack(attune_node *node, const attune_v1_SketchAck *ack) {
    if (ack->boot == node->identity.boot) {
        attune_quiet_acknowledge(&node->quiet, ack->number);
    }
}

static void take_button_ack(attune_node *node, const attune_v1_ButtonAck *ack) {
    if (ack->boot == node->identity.boot) {
        attune_button_acknowledge(&node->button, ack->press);
    }
}

bool attune_node_blinks(const attune_node *node) { return node->now_ms < node->blink_ms; }

bool attune_node_hurries(const attune_node *node) {
    const attune_updates *updates = &node->updates;
    const bool piled_up = attune_backlog_waiting(&node->backlog) > ATTUNE_IN_FLIGHT || node->keep.store->batches > 0;
    return node->link_up && (node->session.phase != ATTUNE_SESSION_IDLE || node->hello_due || node->label_acks > 0 ||
                             updates->whole || updates->ack_due || updates->verdict_due || (node->timed && piled_up));
}

/* Keys come before the handshake that they are for, and what ends the session comes last. */
static void take_command(attune_node *node, const attune_v1_Command *command) {
    if (command->identify_s > 0) {
        node->blink_ms = node->now_ms + (uint64_t)command->identify_s * 1000;
    }
    if (command->next_daemon.size == ATTUNE_NOISE_KEY) {
        (void)attune_session_announce(&node->session, command->next_daemon.bytes);
    }
    if (command->signing_key.size > 0) {
        attune_node_take_signing_key(node, command->signing_key.bytes, command->signing_key.size);
    }
    if (command->rekey) {
        attune_session_rekey(&node->session, node->now_ms);
    }
    if (command->disown) {
        attune_session_disown(&node->session, node->now_ms);
        begin(node);
    }
}

static void take(attune_node *node, const attune_v1_DaemonMessage *message) {
    if (message->which_body == attune_v1_DaemonMessage_time_tag) {
        take_time(node, &message->body.time);
    } else if (message->which_body == attune_v1_DaemonMessage_hello_request_tag) {
        begin(node);
    } else if (message->which_body == attune_v1_DaemonMessage_report_ack_tag && node->timed) {
        take_report_ack(node, &message->body.report_ack);
    } else if (message->which_body == attune_v1_DaemonMessage_label_tag && node->timed) {
        attune_node_learn(node, &message->body.label);
    } else if (message->which_body == attune_v1_DaemonMessage_unlearn_tag && node->timed) {
        attune_node_unlearn(node, &message->body.unlearn);
    } else if (message->which_body == attune_v1_DaemonMessage_button_ack_tag) {
        take_button_ack(node, &message->body.button_ack);
    } else if (message->which_body == attune_v1_DaemonMessage_sketch_ack_tag) {
        take_sketch_ack(node, &message->body.sketch_ack);
    } else if (message->which_body == attune_v1_DaemonMessage_command_tag) {
        take_command(node, &message->body.command);
    } else if (message->which_body == attune_v1_DaemonMessage_summary_ack_tag) {
        attune_earlier_acknowledge_summary(node, message->body.summary_ack.number);
    } else {
        attune_node_take_update(node, message);
    }
}

void attune_node_receive(attune_node *node, uint8_t *frame, size_t size) {
    attune_v1_DaemonMessage message;
    attune_open_result result = attune_session_open(&node->session, frame, size, node->now_ms, &message);
    if (result == ATTUNE_OPEN_BAD) {
        attune_node_damaged(node);
    }
    if (node->session.fresh) {
        node->session.fresh = false;
        begin(node);
    }
    if (result == ATTUNE_OPEN_OK && node->link_up) {
        take(node, &message);
    }
}

static void fill_hello(const attune_node *node, attune_v1_NodeMessage *message) {
    message->which_body = attune_v1_NodeMessage_hello_tag;
    attune_v1_Hello *hello = &message->body.hello;
    memcpy(hello->node_id, node->identity.node_id, sizeof hello->node_id);
    hello->boot = node->identity.boot;
    hello->tick_ms = node->now_ms;
    hello->window_s = node->schema.window_s;
    hello->sensors.size = node->schema.sensors;
    memcpy(hello->sensors.bytes, node->schema.sensor, node->schema.sensors);
    memcpy(hello->schema, node->schema.hash, sizeof hello->schema);
    memcpy(hello->release, node->release_digest, sizeof hello->release);
    hello->classes = attune_head_classes(&node->model.head);
    hello->first_seq = attune_node_first_seq(node);
    hello->next_seq = node->backlog.next_seq;
    hello->label_capacity = ATTUNE_LABEL_LOG;
    hello->label_windows = node->log.count;
    hello->test = node->identity.test;
    memcpy(hello->firmware, node->identity.firmware, sizeof hello->firmware);
    memcpy(hello->hardware, node->identity.hardware, sizeof hello->hardware);
    hello->class_capacity = ATTUNE_MAX_CLASSES;
    hello->has_running = true;
    attune_node_fill_running(node, &hello->running);
}

static void fill_health(const attune_node *node, attune_v1_NodeMessage *message) {
    message->which_body = attune_v1_NodeMessage_health_tag;
    attune_v1_Health *health = &message->body.health;
    health->uptime_s = (uint32_t)(node->now_ms / 1000);
    health->reset_reason = (attune_v1_ResetReason)node->identity.reset_reason;
    health->reset_pc = node->identity.reset_pc;
    health->stack_free = node->board.stack_free;
    health->battery_mv = node->board.battery_mv;
    health->dropped_reports = node->backlog.dropped + node->keep.store->lost_reports;
    health->bad_frames = node->counters.bad_frames;
    health->refused_samples = node->counters.refused_samples;
    health->refused_labels = node->counters.refused_labels;
    health->backlog = attune_backlog_waiting(&node->backlog);
    health->dropped_presses = node->button.dropped;
    health->has_running = true;
    health->summarised_reports = node->keep.store->summarised_reports;
    attune_node_fill_running(node, &health->running);
}

static void fill_button(const attune_press *press, attune_v1_NodeMessage *message) {
    message->which_body = attune_v1_NodeMessage_button_tag;
    message->body.button = (attune_v1_Button){
        .press = press->number,
        .class_index = press->class_index,
        .tick_ms = press->tick_ms,
    };
}

static void fill_report(const attune_node *node, const attune_report *report, attune_v1_NodeMessage *message) {
    message->which_body = attune_v1_NodeMessage_report_tag;
    attune_node_fill_report(node, report, &message->body.report);
    /* Said in every report until an acknowledgement has passed the gap: any one of them may get lost. */
    if (attune_node_has_gap(node)) {
        message->body.report.first_seq = attune_node_first_seq(node);
    }
}

/* Sketches go when reports may: they have to be dated. */
static const attune_v1_DriftSketch *next_sketch(const attune_node *node) {
    return node->timed ? attune_quiet_next(&node->quiet) : NULL;
}

static const attune_report *next_report(const attune_node *node) {
    const bool full = attune_node_in_flight(node) + node->earlier.flying >= ATTUNE_IN_FLIGHT;
    if (!node->timed || full || attune_earlier_holds_up(node)) {
        return NULL;
    }
    return attune_backlog_next(&node->backlog, node->sent_seq);
}

static bool fill_next(attune_node *node, const attune_report *report, attune_v1_NodeMessage *message) {
    const attune_press *press = attune_button_next(&node->button);
    const attune_v1_DriftSketch *sketch = next_sketch(node);
    if (node->hello_due) {
        fill_hello(node, message);
    } else if (node->time_ack_due) {
        message->which_body = attune_v1_NodeMessage_time_ack_tag;
        message->body.time_ack = node->time_ack;
    } else if (node->label_acks > 0) {
        message->which_body = attune_v1_NodeMessage_label_ack_tag;
        message->body.label_ack = node->label_ack[0];
    } else if (attune_node_fill_update(node, message)) {
        return true;
    } else if (press != NULL) {
        fill_button(press, message);
    } else if (node->health_due) {
        fill_health(node, message);
    } else if (report != NULL) {
        fill_report(node, report, message);
    } else if (sketch != NULL) {
        message->which_body = attune_v1_NodeMessage_drift_sketch_tag;
        message->body.drift_sketch = *sketch;
    } else {
        return attune_earlier_fill(node, message);
    }
    return true;
}

static void report_sent(attune_node *node, const attune_report *report) {
    node->sent_seq = report->seq;
    if (report->seq > node->ever_sent_seq) {
        node->ever_sent_seq = report->seq;
    }
}

static void message_sent(attune_node *node, const attune_report *report, const attune_v1_NodeMessage *message) {
    switch (message->which_body) {
    case attune_v1_NodeMessage_hello_tag:
        node->hello_due = false;
        node->hello_retry.due_ms = node->now_ms + node->hello_retry.wait_ms;
        break;
    case attune_v1_NodeMessage_time_ack_tag:
        node->time_ack_due = false;
        break;
    case attune_v1_NodeMessage_label_ack_tag:
        node->label_acks -= 1;
        memmove(&node->label_ack[0], &node->label_ack[1], node->label_acks * sizeof node->label_ack[0]);
        break;
    case attune_v1_NodeMessage_button_tag:
        attune_button_sent(&node->button);
        break;
    case attune_v1_NodeMessage_health_tag:
        node->health_due = false;
        node->health_ms = node->now_ms + (node->quiet.on ? ATTUNE_QUIET_HEALTH_MS : ATTUNE_HEALTH_MS);
        break;
    case attune_v1_NodeMessage_update_ack_tag:
    case attune_v1_NodeMessage_update_verdict_tag:
    case attune_v1_NodeMessage_signing_key_ack_tag:
        attune_node_update_sent(node, message);
        break;
    case attune_v1_NodeMessage_drift_sketch_tag:
        attune_quiet_sent(&node->quiet);
        break;
    default:
        if (report != NULL) {
            report_sent(node, report);
        } else {
            attune_earlier_sent(node, message);
        }
    }
}

size_t attune_node_send(attune_node *node, uint8_t *frame, size_t capacity) {
    size_t size = attune_session_send(&node->session, frame, capacity);
    if (size > 0 || !attune_session_ready(&node->session)) {
        return size;
    }
    attune_v1_NodeMessage message = attune_v1_NodeMessage_init_zero;
    const attune_report *report = next_report(node);
    if (!node->link_up || !fill_next(node, report, &message)) {
        return 0;
    }
    size = attune_session_seal(&node->session, &message, frame, capacity);
    if (size > 0) {
        message_sent(node, report, &message);
    }
    return size;
}
