#include "fake_daemon.h"

#include "check.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

/* More than all reports that a test lets a node gather: beyond it the node goes round in circles. */
#define EXCHANGE_FRAMES 1000

static void entropy(void *context, uint8_t *bytes, size_t size) {
    fake_daemon *daemon = context;
    memset(bytes, 0x5A, size);
    /* The lowest bits of a scalar do not count. */
    memcpy(bytes + 1, &daemon->draws, size > sizeof daemon->draws ? sizeof daemon->draws : size - 1);
    daemon->draws++;
}

static void node_secret(uint8_t secret[ATTUNE_KEY_SIZE]) { memset(secret, 8, ATTUNE_KEY_SIZE); }

static void make_own(attune_key_pair *own) {
    uint8_t secret[ATTUNE_KEY_SIZE];
    memset(secret, 7, sizeof secret);
    attune_key_pair_from(own, secret);
}

void fake_daemon_give_keys(attune_store *store) {
    uint8_t secret[ATTUNE_KEY_SIZE];
    attune_key_pair own;
    attune_keys keys = {.held = 0};
    make_own(&own);
    node_secret(secret);
    attune_keys_set(&keys, ATTUNE_KEY_NODE, secret, sizeof secret);
    attune_keys_set(&keys, ATTUNE_KEY_CODE, secret, ATTUNE_CODE_BITS);
    attune_keys_set(&keys, ATTUNE_KEY_DAEMON, own.public_key, ATTUNE_NOISE_KEY);
    assert_int_equal(attune_store_write_keys(store, &keys), ATTUNE_STORE_OK);
}

attune_keeper fake_daemon_keeper(fake_daemon *daemon) { return (attune_keeper){.context = daemon, .entropy = entropy}; }

static void give_store(fake_daemon *daemon) {
    emulated_flash_init(&daemon->flash);
    assert_int_equal(attune_store_open(&daemon->store, &daemon->flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_node_keep(daemon->node, &daemon->store), ATTUNE_STORE_OK);
}

void fake_daemon_init(fake_daemon *daemon, attune_node *node) {
    uint8_t secret[ATTUNE_KEY_SIZE];
    attune_key_pair of_node;
    memset(daemon, 0, sizeof *daemon);
    daemon->node = node;
    daemon->random = 1;
    make_own(&daemon->own);
    node_secret(secret);
    attune_key_pair_from(&of_node, secret);
    memcpy(daemon->node_key, of_node.public_key, sizeof daemon->node_key);
    if (node->keep.store == NULL) {
        give_store(daemon);
    }
    if (attune_store_keys(node->keep.store)->held == 0) {
        fake_daemon_give_keys(node->keep.store);
    }
    const attune_keeper keeper = fake_daemon_keeper(daemon);
    assert_true(attune_node_open_keys(node, &keeper));
}

fake_boot *fake_daemon_earlier(fake_daemon *daemon, uint32_t boot) {
    for (uint8_t i = 0; i < daemon->boots; i++) {
        if (daemon->earlier[i].boot == boot) {
            return &daemon->earlier[i];
        }
    }
    return NULL;
}

static fake_boot *earlier_boot(fake_daemon *daemon, uint32_t boot) {
    fake_boot *found = fake_daemon_earlier(daemon, boot);
    if (found == NULL) {
        assert_true(daemon->boots < FAKE_BOOTS);
        found = &daemon->earlier[daemon->boots++];
        found->boot = boot;
    }
    return found;
}

void fake_daemon_restarted(fake_daemon *daemon) {
    if (daemon->hellos > 0) {
        fake_boot *before = earlier_boot(daemon, daemon->hello.boot);
        before->through = daemon->through;
        memcpy(before->have, daemon->have, sizeof before->have);
        for (uint32_t seq = 0; seq < FAKE_REPORTS; seq++) {
            before->end_s[seq] = daemon->report[seq].end_s;
        }
    }
    memset(daemon->have, 0, sizeof daemon->have);
    daemon->through = 0;
    const attune_keeper keeper = fake_daemon_keeper(daemon);
    assert_true(attune_node_open_keys(daemon->node, &keeper));
}

static bool lost(fake_daemon *daemon) { return random_below(&daemon->random, 100) < daemon->loss; }

size_t fake_daemon_seal(fake_daemon *daemon, uint8_t *frame, size_t text_size) {
    return attune_sealed_seal(&daemon->sealed, daemon->node->identity.node_id, frame, text_size, ATTUNE_NODE_FRAME);
}

static void deliver(fake_daemon *daemon, uint8_t *frame, size_t size) {
    if (daemon->deliver != NULL) {
        daemon->deliver(frame, size);
    } else {
        attune_node_receive(daemon->node, frame, size);
    }
}

size_t fake_daemon_frame(fake_daemon *daemon, const attune_v1_DaemonMessage *message, uint8_t *frame) {
    pb_ostream_t stream = pb_ostream_from_buffer(frame + ATTUNE_SEALED_TEXT, ATTUNE_NODE_FRAME - ATTUNE_SEALED_AROUND);
    assert_true(pb_encode(&stream, attune_v1_DaemonMessage_fields, message));
    return fake_daemon_seal(daemon, frame, stream.bytes_written);
}

void fake_daemon_say(fake_daemon *daemon, const attune_v1_DaemonMessage *message) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    size_t size = fake_daemon_frame(daemon, message, frame);
    if (size > 0 && !lost(daemon)) {
        deliver(daemon, frame, size);
    }
}

static attune_noise_setup set_up(fake_daemon *daemon, uint8_t prologue[20], uint8_t ephemeral[32]) {
    memcpy(prologue, "attune-session-1", 16);
    memcpy(prologue + 16, daemon->node->identity.node_id, ATTUNE_HINT);
    memset(ephemeral, 9, 32);
    memcpy(ephemeral + 1, &daemon->handshakes, sizeof daemon->handshakes);
    return (attune_noise_setup){.own = &daemon->own, .ephemeral = ephemeral, .prologue = prologue, .prologue_size = 20};
}

/* Answers the beginning of a KK handshake, each one once. */
static void answer(fake_daemon *daemon, const uint8_t *frame, size_t size) {
    attune_noise noise;
    attune_noise_keys keys;
    uint8_t prologue[20], ephemeral[32], payload[ATTUNE_NOISE_PAYLOAD];
    size_t written;
    const attune_noise_setup setup = set_up(daemon, prologue, ephemeral);
    attune_noise_begin_kk(&noise, &setup, daemon->node_key);
    assert_int_equal(
        attune_noise_read(&noise, frame + ATTUNE_HANDSHAKE_HEADER, size - ATTUNE_HANDSHAKE_HEADER, payload, &written),
        ATTUNE_NOISE_OK);
    memcpy(daemon->reply, frame, ATTUNE_HANDSHAKE_HEADER);
    daemon->reply[5] = 2;
    assert_int_equal(
        attune_noise_write(&noise, NULL, 0, daemon->reply + ATTUNE_HANDSHAKE_HEADER, ATTUNE_NOISE_MESSAGE, &written),
        ATTUNE_NOISE_OK);
    daemon->reply_size = ATTUNE_HANDSHAKE_HEADER + written;
    assert_int_equal(attune_noise_split(&noise, &keys), ATTUNE_NOISE_OK);
    attune_sealed_adopt(&daemon->sealed, &keys, 0);
    daemon->handshakes++;
}

static void take_handshake(fake_daemon *daemon, const uint8_t *frame, size_t size) {
    uint8_t reply[ATTUNE_HANDSHAKE_FRAME];
    assert_int_equal(frame[0], ATTUNE_FRAME_KK);
    assert_int_equal(frame[5], 1);
    if (daemon->never_answers_handshakes) {
        return;
    }
    if (daemon->reply_size == 0 || memcmp(daemon->first, frame, size) != 0) {
        answer(daemon, frame, size);
        memcpy(daemon->first, frame, size);
    }
    if (!lost(daemon)) {
        memcpy(reply, daemon->reply, daemon->reply_size);
        deliver(daemon, reply, daemon->reply_size);
    }
}

void fake_daemon_call(fake_daemon *daemon) {
    uint8_t frame[ATTUNE_CALL_SIZE] = {ATTUNE_FRAME_CALL};
    if (!lost(daemon)) {
        deliver(daemon, frame, sizeof frame);
    }
}

static void acknowledge(fake_daemon *daemon, uint32_t boot, uint32_t *through, const bool *have) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_report_ack_tag};
    while (have[*through + 1]) {
        *through += 1;
    }
    message.body.report_ack = (attune_v1_ReportAck){.through = *through, .boot = boot};
    for (uint32_t bit = 0; bit < 32; bit++) {
        if (have[*through + 2 + bit]) {
            message.body.report_ack.more |= 1u << bit;
        }
    }
    fake_daemon_say(daemon, &message);
}

void fake_daemon_acknowledge(fake_daemon *daemon) { acknowledge(daemon, 0, &daemon->through, daemon->have); }

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

static void take_earlier(fake_daemon *daemon, const attune_v1_Report *report) {
    assert_int_not_equal(report->boot, daemon->hello.boot);
    fake_boot *boot = earlier_boot(daemon, report->boot);
    if (boot->have[report->seq]) {
        assert_int_equal(report->end_s, boot->end_s[report->seq]);
    }
    boot->have[report->seq] = true;
    boot->end_s[report->seq] = report->end_s;
    boot->through = report->first_seq > boot->through + 1 ? report->first_seq - 1 : boot->through;
    if (!daemon->keeps_silent_on_earlier) {
        acknowledge(daemon, report->boot, &boot->through, boot->have);
    }
}

static void take_summary(fake_daemon *daemon, const attune_v1_Summary *summary) {
    assert_true(daemon->summaries < FAKE_SUMMARIES);
    daemon->summary[daemon->summaries++] = *summary;
    if (!daemon->keeps_silent_on_summaries) {
        attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_summary_ack_tag};
        message.body.summary_ack.number = summary->number;
        fake_daemon_say(daemon, &message);
    }
}

static void take_report(fake_daemon *daemon, const attune_v1_Report *report) {
    daemon->arrivals++;
    assert_in_range(report->seq, 1, FAKE_REPORTS);
    if (report->boot != 0) {
        take_earlier(daemon, report);
        return;
    }
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

static void take_answer(fake_daemon *daemon, const attune_v1_NodeMessage *message) {
    switch (message->which_body) {
    case attune_v1_NodeMessage_update_ack_tag:
        daemon->update_acks++;
        daemon->update_ack = message->body.update_ack;
        break;
    case attune_v1_NodeMessage_update_verdict_tag:
        daemon->verdicts++;
        daemon->verdict = message->body.update_verdict;
        break;
    case attune_v1_NodeMessage_signing_key_ack_tag:
        daemon->key_acks++;
        daemon->key_ack = message->body.signing_key_ack;
        break;
    default:
        fail_msg("The node sent an empty message.");
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
    case attune_v1_NodeMessage_summary_tag:
        take_summary(daemon, &message->body.summary);
        break;
    default:
        take_answer(daemon, message);
    }
}

void fake_daemon_take(fake_daemon *daemon, uint8_t *frame, size_t size) {
    attune_v1_NodeMessage message = attune_v1_NodeMessage_init_zero;
    uint8_t *text = frame + ATTUNE_SEALED_TEXT;
    size_t text_size;
    assert_memory_equal(frame + 1, daemon->node->identity.node_id, ATTUNE_HINT);
    if (frame[0] != ATTUNE_FRAME_SEALED) {
        take_handshake(daemon, frame, size);
        return;
    }
    assert_int_equal(attune_sealed_open(&daemon->sealed, frame, size, text, &text_size), ATTUNE_SEALED_OK);
    pb_istream_t stream = pb_istream_from_buffer(text, text_size);
    assert_true(pb_decode(&stream, attune_v1_NodeMessage_fields, &message));
    take(daemon, &message);
}

void fake_daemon_exchange(fake_daemon *daemon) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    size_t size;
    int frames = 0;
    while ((size = attune_node_send(daemon->node, frame, sizeof frame)) > 0) {
        assert_true(size > 5 && frames++ < EXCHANGE_FRAMES);
        if (!lost(daemon)) {
            fake_daemon_take(daemon, frame, size);
        }
    }
}

void fake_daemon_run_windows(fake_daemon *daemon, uint32_t count, float light, float co2) {
    attune_node *node = daemon->node;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = attune_window_end_ms(&node->window);
        assert_int_equal(attune_node_sample(node, 0, end - 1000, light), ATTUNE_SAMPLE_OK);
        assert_int_equal(attune_node_sample(node, 1, end - 1000, co2 + (float)(i % 7)), ATTUNE_SAMPLE_OK);
        attune_node_poll(node, end);
        fake_daemon_exchange(daemon);
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
