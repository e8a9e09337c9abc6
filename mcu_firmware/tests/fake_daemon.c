#include "fake_daemon.h"

#include "check.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

void fake_daemon_init(fake_daemon *daemon, attune_node *node) {
    memset(daemon, 0, sizeof *daemon);
    daemon->node = node;
    daemon->random = 1;
}

static bool lost(fake_daemon *daemon) { return random_below(&daemon->random, 100) < daemon->loss; }

size_t fake_daemon_frame(const fake_daemon *daemon, const attune_v1_DaemonMessage *message, uint8_t *frame) {
    pb_ostream_t stream = pb_ostream_from_buffer(frame + 5, ATTUNE_NODE_FRAME - 5);
    frame[0] = 1;
    memcpy(frame + 1, daemon->node->identity.node_id, 4);
    assert_true(pb_encode(&stream, attune_v1_DaemonMessage_fields, message));
    return 5 + stream.bytes_written;
}

void fake_daemon_say(fake_daemon *daemon, const attune_v1_DaemonMessage *message) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    size_t size = fake_daemon_frame(daemon, message, frame);
    if (!lost(daemon)) {
        attune_node_receive(daemon->node, frame, size);
    }
}

void fake_daemon_acknowledge(fake_daemon *daemon) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_report_ack_tag};
    while (daemon->have[daemon->through + 1]) {
        daemon->through++;
    }
    message.body.report_ack.through = daemon->through;
    for (uint32_t bit = 0; bit < 32; bit++) {
        if (daemon->have[daemon->through + 2 + bit]) {
            message.body.report_ack.more |= 1u << bit;
        }
    }
    fake_daemon_say(daemon, &message);
}

static void give_up_below(fake_daemon *daemon, uint32_t first_seq) {
    if (first_seq > daemon->through + 1) {
        daemon->through = first_seq - 1;
    }
}

static void take_hello(fake_daemon *daemon, const attune_v1_Hello *hello) {
    daemon->hellos++;
    daemon->hello = *hello;
    give_up_below(daemon, hello->first_seq);
    if (!daemon->keeps_silent_on_hello) {
        attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_time_tag};
        message.body.time = (attune_v1_Time){
            .echo_tick_ms = hello->tick_ms, .utc_ms = 1700000000000u + hello->tick_ms, .quiet = daemon->wants_quiet};
        fake_daemon_say(daemon, &message);
    }
}

static void take_report(fake_daemon *daemon, const attune_v1_Report *report) {
    daemon->arrivals++;
    assert_in_range(report->seq, 1, FAKE_REPORTS);
    if (daemon->have[report->seq]) {
        assert_memory_equal(report->features.bytes, daemon->report[report->seq].features.bytes, report->features.size);
    }
    daemon->have[report->seq] = true;
    daemon->report[report->seq] = *report;
    give_up_below(daemon, report->first_seq);
    if (!daemon->keeps_silent_on_reports) {
        fake_daemon_acknowledge(daemon);
    }
}

static void take_label_ack(fake_daemon *daemon, const attune_v1_LabelAck *ack) {
    daemon->label_acks++;
    daemon->label_ack = *ack;
    daemon->learned += ack->learned;
    daemon->refused += ack->refused;
}

static void take_button(fake_daemon *daemon, const attune_v1_Button *button) {
    daemon->presses++;
    daemon->button = *button;
    if (!daemon->keeps_silent_on_presses) {
        attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_button_ack_tag};
        message.body.button_ack = (attune_v1_ButtonAck){.boot = daemon->hello.boot, .press = button->press};
        fake_daemon_say(daemon, &message);
    }
}

static void take_sketch(fake_daemon *daemon, const attune_v1_DriftSketch *sketch) {
    daemon->sketches++;
    daemon->sketch = *sketch;
    if (!daemon->keeps_silent_on_sketches) {
        attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_sketch_ack_tag};
        message.body.sketch_ack = (attune_v1_SketchAck){.boot = daemon->hello.boot, .number = sketch->number};
        fake_daemon_say(daemon, &message);
    }
}

static void take(fake_daemon *daemon, const attune_v1_NodeMessage *message) {
    switch (message->which_body) {
    case attune_v1_NodeMessage_hello_tag:
        take_hello(daemon, &message->body.hello);
        break;
    case attune_v1_NodeMessage_time_ack_tag:
        daemon->time_acks++;
        daemon->time_ack = message->body.time_ack;
        break;
    case attune_v1_NodeMessage_report_tag:
        take_report(daemon, &message->body.report);
        break;
    case attune_v1_NodeMessage_label_ack_tag:
        take_label_ack(daemon, &message->body.label_ack);
        break;
    case attune_v1_NodeMessage_button_tag:
        take_button(daemon, &message->body.button);
        break;
    case attune_v1_NodeMessage_drift_sketch_tag:
        take_sketch(daemon, &message->body.drift_sketch);
        break;
    case attune_v1_NodeMessage_health_tag:
        daemon->healths++;
        daemon->health = message->body.health;
        break;
    default:
        fail_msg("The node sent an empty message.");
    }
}

void fake_daemon_exchange(fake_daemon *daemon) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    size_t size;
    int frames = 0;
    while ((size = attune_node_send(daemon->node, frame, sizeof frame)) > 0) {
        attune_v1_NodeMessage message = attune_v1_NodeMessage_init_zero;
        assert_true(size > 5 && frames++ < 500);
        assert_int_equal(frame[0], 1);
        assert_memory_equal(frame + 1, daemon->node->identity.node_id, 4);
        pb_istream_t stream = pb_istream_from_buffer(frame + 5, size - 5);
        assert_true(pb_decode(&stream, attune_v1_NodeMessage_fields, &message));
        if (!lost(daemon)) {
            take(daemon, &message);
        }
    }
}

static void add_window(attune_v1_Label *label, uint32_t boot, const attune_v1_Report *report) {
    attune_v1_LabelWindow *window = &label->windows[label->windows_count++];
    window->boot = boot;
    window->seq = report->seq;
    window->features.size = report->features.size;
    memcpy(window->features.bytes, report->features.bytes, report->features.size);
}

void fake_daemon_label(fake_daemon *daemon, uint32_t number, uint32_t class_index, uint32_t first, uint32_t last) {
    uint32_t part = 0;
    for (uint32_t seq = first; seq <= last; part++) {
        attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_label_tag};
        attune_v1_Label *label = &message.body.label;
        label->number = number;
        label->part = part;
        label->class_index = class_index;
        label->weight = 256;
        for (; seq <= last && label->windows_count < ATTUNE_LABEL_PART; seq++) {
            assert_true(daemon->have[seq]);
            add_window(label, daemon->hello.boot, &daemon->report[seq]);
        }
        fake_daemon_say(daemon, &message);
        fake_daemon_exchange(daemon);
    }
}

double fake_daemon_evidence(const fake_daemon *daemon, uint32_t seq, int k) {
    const attune_v1_Report *report = &daemon->report[seq];
    assert_true(daemon->have[seq]);
    assert_true(report->evidence.size >= 2 * k);
    const uint8_t *bytes = report->evidence.bytes + 2 * (k - 1);
    return (int16_t)(bytes[0] | bytes[1] << 8) / 256.0;
}
