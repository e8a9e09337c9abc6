/* Random and mutated bytes against everything that parses. The security model: whatever comes over the link, a node keeps its
 * invariants, answers the next good message, and never reads or writes outside its memory (the sanitizers watch). */
#include "fake_daemon.h"
#include "framing/frame.h"
#include "sound_node.h"

#include "check.h"

#include <pb_encode.h>
#include <string.h>

static attune_node node;
static fake_daemon daemon_;

static void start(void) {
    const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2, ATTUNE_PIR};
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = 7};
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void minute(void) {
    uint64_t end = attune_window_end_ms(&node.window);
    assert_int_equal(attune_node_sample(&node, 0, end, (float)(end % 500)), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_node_sample(&node, 2, end, 1), ATTUNE_SAMPLE_OK);
    attune_node_poll(&node, end);
}

static void drain(void) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    for (int i = 0; attune_node_send(&node, frame, sizeof frame) > 0; i++) {
        assert_true(i < 100);
    }
}

static void fill(uint64_t *seed, uint8_t *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)next_random(seed);
    }
}

/* About updates: nobody has signed them, and the node has no key. */
static void make_update(uint64_t *seed, attune_v1_DaemonMessage *message) {
    attune_v1_UpdateChunk *chunk = &message->body.update_chunk;
    if (message->which_body == attune_v1_DaemonMessage_update_chunk_tag) {
        chunk->id[0] = (uint8_t)random_below(seed, 2);
        chunk->size = 200 + random_below(seed, 2) * random_below(seed, 3000);
        chunk->offset = random_below(seed, 3) * 100;
        chunk->data.size = (pb_size_t)(random_below(seed, 2) * 100);
        fill(seed, chunk->data.bytes, chunk->data.size);
    } else if (message->which_body == attune_v1_DaemonMessage_update_tag) {
        message->body.update.size = (pb_size_t)random_below(seed, 400);
        fill(seed, message->body.update.bytes, message->body.update.size);
    } else if (message->which_body == attune_v1_DaemonMessage_signing_keys_tag) {
        message->body.signing_keys.size = 101;
        fill(seed, message->body.signing_keys.bytes, 101);
    } else if (message->which_body == attune_v1_DaemonMessage_trial_decision_tag) {
        message->body.trial_decision.commit = random_below(seed, 2) == 1;
    }
}

/* A valid message of each kind, with numbers that sometimes make sense; returns the size of its text. */
static size_t made_text(uint64_t *seed, uint8_t *text) {
    static const pb_size_t tags[] = {
        attune_v1_DaemonMessage_time_tag,          attune_v1_DaemonMessage_report_ack_tag,
        attune_v1_DaemonMessage_label_tag,         attune_v1_DaemonMessage_label_tag,
        attune_v1_DaemonMessage_hello_request_tag, attune_v1_DaemonMessage_update_tag,
        attune_v1_DaemonMessage_update_chunk_tag,  attune_v1_DaemonMessage_signing_keys_tag,
        attune_v1_DaemonMessage_trial_decision_tag};
    attune_v1_DaemonMessage message = {.which_body = tags[random_below(seed, 9)]};
    if (message.which_body == attune_v1_DaemonMessage_time_tag) {
        message.body.time.echo_tick_ms = random_below(seed, 1000000);
    } else if (message.which_body == attune_v1_DaemonMessage_report_ack_tag) {
        message.body.report_ack.through = random_below(seed, 400);
        message.body.report_ack.more = (uint32_t)next_random(seed);
    } else if (message.which_body == attune_v1_DaemonMessage_label_tag) {
        attune_v1_Label *label = &message.body.label;
        *label = (attune_v1_Label){.number = random_below(seed, 50),
                                   .class_index = random_below(seed, 10),
                                   .weight = random_below(seed, 70000),
                                   .from_s = random_below(seed, 20000),
                                   .to_s = random_below(seed, 20000),
                                   .windows_count = (pb_size_t)random_below(seed, 9)};
        for (pb_size_t i = 0; i < label->windows_count; i++) {
            label->windows[i].seq = random_below(seed, 300);
            label->windows[i].boot = 7;
            label->windows[i].features.size = random_below(seed, 10) == 0 ? 4 : 10;
            for (int j = 0; j < 10; j++) {
                label->windows[i].features.bytes[j] = (uint8_t)next_random(seed);
            }
        }
    }
    make_update(seed, &message);
    pb_ostream_t stream = pb_ostream_from_buffer(text, ATTUNE_NODE_FRAME - ATTUNE_SEALED_AROUND);
    assert_true(pb_encode(&stream, attune_v1_DaemonMessage_fields, &message));
    return stream.bytes_written;
}

static size_t mutate(uint64_t *seed, uint8_t *frame, size_t size) {
    for (uint32_t changes = random_below(seed, 4); changes > 0 && size > 0; changes--) {
        uint32_t at = random_below(seed, (uint32_t)size);
        switch (random_below(seed, 4)) {
        case 0:
            frame[at] ^= (uint8_t)(1u << random_below(seed, 8));
            break;
        case 1:
            frame[at] = (uint8_t)next_random(seed);
            break;
        case 2:
            size = at;
            break;
        default:
            memmove(frame + at, frame + at + 1, size - at - 1);
            size -= 1;
        }
    }
    return size;
}

static void mutated_messages(void **state) {
    (void)state;
    uint64_t seed = 99;
    start();
    for (int round = 0; round < 40000; round++) {
        uint8_t frame[ATTUNE_NODE_FRAME];
        uint8_t *text = frame + ATTUNE_SEALED_TEXT;
        size_t size = fake_daemon_seal(&daemon_, frame, mutate(&seed, text, made_text(&seed, text)));
        /* Somebody on the way changes a few after they were sealed. */
        size = round % 10 == 0 ? mutate(&seed, frame, size) : size;
        /* A buffer of its exact size, so that the sanitizer sees a read beyond it. */
        uint8_t *exact = test_malloc(size > 0 ? size : 1);
        memcpy(exact, frame, size);
        attune_node_receive(&node, exact, size);
        test_free(exact);
        if (round % 50 == 0) {
            minute();
            drain();
            must_be_sound(&node);
        }
    }
    assert_true(node.counters.bad_frames > 1000);
    assert_true(node.counters.refused_labels > 1000);
    assert_true(node.log.count > 0);
}

static void random_frames(void **state) {
    (void)state;
    uint64_t seed = 5;
    start();
    for (int round = 0; round < 40000; round++) {
        size_t size = random_below(&seed, 80);
        uint8_t *frame = test_malloc(size + 1);
        for (size_t i = 0; i < size; i++) {
            frame[i] = (uint8_t)next_random(&seed);
        }
        if (size > 5 && round % 2 == 0) {
            frame[0] = (uint8_t)random_below(&seed, 7);
            memcpy(frame + 1, node.identity.node_id, 4);
        }
        attune_node_receive(&node, frame, size);
        test_free(frame);
    }
    must_be_sound(&node);
    /* And the node still speaks. */
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    minute();
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.through, 1);
}

/* Noise, and a good frame after it: at most the first zero is spent on the noise. */
static void random_streams(void **state) {
    (void)state;
    const uint8_t good[] = {0x03, 0x11, 0x22, 0x04, 0x33, 0x45, 0x07, 0x00};
    attune_frame_decoder decoder;
    uint64_t seed = 17;
    int counts[4] = {0};
    attune_frame_decoder_init(&decoder);
    for (int round = 0; round < 20000; round++) {
        uint32_t zeros = 1 + random_below(&seed, 2000);
        for (uint32_t i = random_below(&seed, 200); i > 0; i--) {
            uint8_t byte = random_below(&seed, zeros) == 0 ? 0 : (uint8_t)next_random(&seed);
            attune_frame_event event = attune_frame_decode(&decoder, byte);
            counts[event]++;
            assert_true(event != ATTUNE_FRAME_READY || decoder.size <= ATTUNE_NODE_FRAME);
        }
        if (random_below(&seed, 4) == 0) {
            counts[attune_frame_decode(&decoder, 0)]++;
            for (size_t i = 0; i + 1 < sizeof good; i++) {
                assert_int_equal(attune_frame_decode(&decoder, good[i]), ATTUNE_FRAME_NONE);
            }
            assert_int_equal(attune_frame_decode(&decoder, 0), ATTUNE_FRAME_READY);
        }
    }
    assert_true(counts[ATTUNE_FRAME_DAMAGED] > 1000);
    assert_true(counts[ATTUNE_FRAME_OVERSIZED] > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutated_messages),
        cmocka_unit_test(random_frames),
        cmocka_unit_test(random_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
