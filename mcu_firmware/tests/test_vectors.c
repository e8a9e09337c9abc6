/* The golden vectors of tests/vectors through nanopb: decoded to the values that their comments name, and encoded back to the same
 * bytes. Runs in the folder of the project. */
#include "attune_proto/v1/node.pb.h"

#include "vectors.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#define LARGEST 1024

static void decode(const char *stem, const pb_msgdesc_t *fields, void *message) {
    uint8_t bytes[LARGEST];
    size_t size = read_vector(stem, bytes, sizeof bytes);
    pb_istream_t stream = pb_istream_from_buffer(bytes, size);
    if (!pb_decode(&stream, fields, message)) {
        fail_msg("%s: %s", stem, PB_GET_ERROR(&stream));
    }
}

static void decode_and_encode(const char *stem, const pb_msgdesc_t *fields, void *message) {
    uint8_t bytes[LARGEST];
    uint8_t again[LARGEST];
    size_t size = read_vector(stem, bytes, sizeof bytes);
    decode(stem, fields, message);
    pb_ostream_t stream = pb_ostream_from_buffer(again, sizeof again);
    assert_true(pb_encode(&stream, fields, message));
    assert_int_equal(stream.bytes_written, size);
    assert_memory_equal(again, bytes, size);
}

static void hello(void **state) {
    (void)state;
    attune_v1_Hello m = attune_v1_Hello_init_zero;
    decode_and_encode("Hello", attune_v1_Hello_fields, &m);
    assert_memory_equal(m.node_id, ((const uint8_t[]){0xA1, 2, 3, 4, 5, 6, 7, 8}), 8);
    assert_int_equal(m.boot, 0xDEADBEEF);
    assert_int_equal(m.tick_ms, 10000);
    assert_int_equal(m.window_s, 60);
    assert_int_equal(m.sensors.size, 3);
    assert_memory_equal(m.sensors.bytes, ((const uint8_t[]){0x81, 4, 32}), 3);
    assert_memory_equal(m.schema, ((const uint8_t[]){0x3F, 0xE7, 0xB5, 0xCD, 0xC7, 0xDD, 0x8D, 0x9A}), 8);
    for (uint8_t i = 0; i < 16; i++) {
        assert_int_equal(m.release[i], i);
    }
    assert_int_equal(m.classes, 2);
    assert_int_equal(m.first_seq, 7);
    assert_int_equal(m.next_seq, 300);
    assert_int_equal(m.label_capacity, 64);
    assert_int_equal(m.label_windows, 5);
    assert_string_equal(m.firmware, "0.1.0");
    assert_true(m.test);
}

static void time_and_its_answer(void **state) {
    (void)state;
    attune_v1_Time time = attune_v1_Time_init_zero;
    decode_and_encode("Time", attune_v1_Time_fields, &time);
    assert_int_equal(time.echo_tick_ms, 10000);
    assert_true(time.utc_ms == 1700000000000u);
    assert_true(time.quiet);
    attune_v1_TimeAck ack = attune_v1_TimeAck_init_zero;
    decode_and_encode("TimeAck", attune_v1_TimeAck_fields, &ack);
    assert_int_equal(ack.echo_tick_ms, 10000);
    assert_int_equal(ack.tick_ms, 10010);
}

static void expect_report(const attune_v1_Report *m) {
    assert_int_equal(m->seq, 300);
    assert_int_equal(m->end_s, 18000);
    assert_int_equal(m->features.size, 6);
    assert_memory_equal(m->features.bytes, ((const uint8_t[]){0x00, 0x02, 0x00, 0x80, 0xFF, 0xFF}), 6);
    assert_int_equal(m->evidence.size, 2);
    assert_memory_equal(m->evidence.bytes, ((const uint8_t[]){0x00, 0xFA}), 2);
    assert_int_equal(m->state, 0xC0);
    assert_int_equal(m->first_seq, 290);
}

static void report_and_its_answer(void **state) {
    (void)state;
    attune_v1_Report report = attune_v1_Report_init_zero;
    decode_and_encode("Report", attune_v1_Report_fields, &report);
    expect_report(&report);
    attune_v1_ReportAck ack = attune_v1_ReportAck_init_zero;
    decode_and_encode("ReportAck", attune_v1_ReportAck_fields, &ack);
    assert_int_equal(ack.through, 300);
    assert_int_equal(ack.more, 5);
}

static void expect_window(const attune_v1_LabelWindow *m) {
    assert_int_equal(m->boot, 77);
    assert_int_equal(m->seq, 9);
    assert_int_equal(m->features.size, 4);
    assert_memory_equal(m->features.bytes, ((const uint8_t[]){0x00, 0x02, 0x00, 0x80}), 4);
}

static void label_and_its_answer(void **state) {
    (void)state;
    attune_v1_LabelWindow window = attune_v1_LabelWindow_init_zero;
    decode_and_encode("LabelWindow", attune_v1_LabelWindow_fields, &window);
    expect_window(&window);
    attune_v1_Label label = attune_v1_Label_init_zero;
    decode_and_encode("Label", attune_v1_Label_fields, &label);
    assert_int_equal(label.number, 12);
    assert_int_equal(label.part, 1);
    assert_int_equal(label.class_index, 2);
    assert_int_equal(label.weight, 256);
    assert_int_equal(label.from_s, 1200);
    assert_int_equal(label.to_s, 2400);
    assert_int_equal(label.windows_count, 2);
    expect_window(&label.windows[0]);
    assert_int_equal(label.windows[1].seq, 10);
    assert_int_equal(label.windows[1].features.size, 2);
    attune_v1_LabelAck ack = attune_v1_LabelAck_init_zero;
    decode_and_encode("LabelAck", attune_v1_LabelAck_fields, &ack);
    assert_int_equal(ack.number, 12);
    assert_int_equal(ack.part, 1);
    assert_int_equal(ack.learned, 7);
    assert_int_equal(ack.refused, 1);
}

static void health(void **state) {
    (void)state;
    attune_v1_Health m = attune_v1_Health_init_zero;
    decode_and_encode("Health", attune_v1_Health_fields, &m);
    assert_int_equal(m.uptime_s, 600);
    assert_int_equal(m.reset_reason, attune_v1_ResetReason_RESET_REASON_FAULT);
    assert_int_equal(m.reset_pc, 0x08001234);
    assert_int_equal(m.stack_free, 1024);
    assert_int_equal(m.battery_mv, 3000);
    assert_int_equal(m.dropped_reports, 72);
    assert_int_equal(m.bad_frames, 3);
    assert_int_equal(m.refused_samples, 2);
    assert_int_equal(m.refused_labels, 1);
    assert_int_equal(m.backlog, 128);
    assert_int_equal(m.dropped_presses, 2);
    attune_v1_HelloRequest request = attune_v1_HelloRequest_init_zero;
    decode_and_encode("HelloRequest", attune_v1_HelloRequest_fields, &request);
}

static void expect_button(const attune_v1_Button *m) {
    assert_int_equal(m->press, 7);
    assert_int_equal(m->class_index, 1);
    assert_true(m->tick_ms == 600000);
}

static void button_and_its_answer(void **state) {
    (void)state;
    attune_v1_Button button = attune_v1_Button_init_zero;
    decode_and_encode("Button", attune_v1_Button_fields, &button);
    expect_button(&button);
    attune_v1_ButtonAck ack = attune_v1_ButtonAck_init_zero;
    decode_and_encode("ButtonAck", attune_v1_ButtonAck_fields, &ack);
    assert_int_equal(ack.boot, 0xDEADBEEF);
    assert_int_equal(ack.press, 7);
}

static void expect_sketch(const attune_v1_DriftSketch *m) {
    assert_int_equal(m->number, 5);
    assert_int_equal(m->end_s, 10800);
    assert_int_equal(m->windows, 60);
    assert_int_equal(m->counts.size, 4);
    assert_memory_equal(m->counts.bytes, ((const uint8_t[]){1, 2, 1, 0xFF}), 4);
}

static void sketch_and_its_answer(void **state) {
    (void)state;
    attune_v1_DriftSketch sketch = attune_v1_DriftSketch_init_zero;
    decode_and_encode("DriftSketch", attune_v1_DriftSketch_fields, &sketch);
    expect_sketch(&sketch);
    attune_v1_SketchAck ack = attune_v1_SketchAck_init_zero;
    decode_and_encode("SketchAck", attune_v1_SketchAck_fields, &ack);
    assert_int_equal(ack.boot, 0xDEADBEEF);
    assert_int_equal(ack.number, 5);
}

static void expect_id(const uint8_t *id) {
    for (uint8_t i = 0; i < 16; i++) {
        assert_int_equal(id[i], i);
    }
}

static void expect_chunk(const attune_v1_UpdateChunk *m) {
    expect_id(m->id);
    assert_int_equal(m->size, 700);
    assert_int_equal(m->offset, 300);
    assert_int_equal(m->data.size, 3);
    assert_memory_equal(m->data.bytes, ((const uint8_t[]){0xA1, 0xA2, 0xA3}), 3);
}

static void update_and_its_answers(void **state) {
    (void)state;
    attune_v1_UpdateChunk chunk = attune_v1_UpdateChunk_init_zero;
    decode_and_encode("UpdateChunk", attune_v1_UpdateChunk_fields, &chunk);
    expect_chunk(&chunk);
    attune_v1_UpdateAck ack = attune_v1_UpdateAck_init_zero;
    decode_and_encode("UpdateAck", attune_v1_UpdateAck_fields, &ack);
    expect_id(ack.id);
    assert_int_equal(ack.offset, 300);
    attune_v1_UpdateVerdict verdict = attune_v1_UpdateVerdict_init_zero;
    decode_and_encode("UpdateVerdict", attune_v1_UpdateVerdict_fields, &verdict);
    assert_int_equal(verdict.sequence, 300);
    assert_int_equal(verdict.result, attune_v1_UpdateResult_UPDATE_RESULT_OK);
    attune_v1_SigningKeyAck key = attune_v1_SigningKeyAck_init_zero;
    decode_and_encode("SigningKeyAck", attune_v1_SigningKeyAck_fields, &key);
    assert_int_equal(key.number, 2);
    assert_int_equal(key.result, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
}

static void command(void **state) {
    (void)state;
    attune_v1_Command m = attune_v1_Command_init_zero;
    decode_and_encode("Command", attune_v1_Command_fields, &m);
    assert_int_equal(m.identify_s, 10);
    assert_int_equal(m.next_daemon.size, 32);
    for (uint8_t i = 0; i < 32; i++) {
        assert_int_equal(m.next_daemon.bytes[i], i);
    }
    assert_true(m.rekey && m.disown);
}

static attune_v1_NodeMessage node_message(const char *stem, pb_size_t body) {
    attune_v1_NodeMessage m = attune_v1_NodeMessage_init_zero;
    decode_and_encode(stem, attune_v1_NodeMessage_fields, &m);
    assert_int_equal(m.which_body, body);
    return m;
}

static void every_body_of_a_node_message(void **state) {
    (void)state;
    attune_v1_NodeMessage m = node_message("NodeMessage.hello", attune_v1_NodeMessage_hello_tag);
    assert_int_equal(m.body.hello.window_s, 60);
    m = node_message("NodeMessage.time_ack", attune_v1_NodeMessage_time_ack_tag);
    assert_int_equal(m.body.time_ack.tick_ms, 10010);
    m = node_message("NodeMessage.report", attune_v1_NodeMessage_report_tag);
    expect_report(&m.body.report);
    m = node_message("NodeMessage.label_ack", attune_v1_NodeMessage_label_ack_tag);
    assert_int_equal(m.body.label_ack.learned, 7);
    m = node_message("NodeMessage.health", attune_v1_NodeMessage_health_tag);
    assert_int_equal(m.body.health.reset_reason, attune_v1_ResetReason_RESET_REASON_POWER_ON);
    m = node_message("NodeMessage.button", attune_v1_NodeMessage_button_tag);
    expect_button(&m.body.button);
    m = node_message("NodeMessage.drift_sketch", attune_v1_NodeMessage_drift_sketch_tag);
    expect_sketch(&m.body.drift_sketch);
    m = node_message("NodeMessage.update_ack", attune_v1_NodeMessage_update_ack_tag);
    assert_int_equal(m.body.update_ack.offset, 300);
    m = node_message("NodeMessage.update_verdict", attune_v1_NodeMessage_update_verdict_tag);
    assert_int_equal(m.body.update_verdict.result, attune_v1_UpdateResult_UPDATE_RESULT_SEQUENCE);
    m = node_message("NodeMessage.signing_key_ack", attune_v1_NodeMessage_signing_key_ack_tag);
    assert_int_equal(m.body.signing_key_ack.result, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_GAP);
}

static attune_v1_DaemonMessage daemon_message(const char *stem, pb_size_t body) {
    attune_v1_DaemonMessage m = attune_v1_DaemonMessage_init_zero;
    decode_and_encode(stem, attune_v1_DaemonMessage_fields, &m);
    assert_int_equal(m.which_body, body);
    return m;
}

static void expect_summary(const attune_v1_Summary *m) {
    assert_true(m->number == 37 && m->boot == 0xDEADBEEF && m->reports == 48);
    assert_true(m->first_seq == 201 && m->last_seq == 248 && m->end_s == 14880);
    assert_true(m->class_reports.size == 2 && m->class_reports.bytes[0] == 36 && m->class_reports.bytes[1] == 12);
    assert_true(m->features.size == 4 && m->features.bytes[3] == 0x80);
}

static void summary_and_its_answer(void **state) {
    (void)state;
    attune_v1_Summary summary = attune_v1_Summary_init_zero;
    decode_and_encode("Summary", attune_v1_Summary_fields, &summary);
    expect_summary(&summary);
    attune_v1_SummaryAck ack = attune_v1_SummaryAck_init_zero;
    decode_and_encode("SummaryAck", attune_v1_SummaryAck_fields, &ack);
    assert_int_equal(ack.number, 37);
    attune_v1_NodeMessage m = node_message("NodeMessage.summary", attune_v1_NodeMessage_summary_tag);
    expect_summary(&m.body.summary);
    attune_v1_DaemonMessage d = daemon_message("DaemonMessage.summary_ack", attune_v1_DaemonMessage_summary_ack_tag);
    assert_int_equal(d.body.summary_ack.number, 37);
}

static void every_body_of_a_daemon_message(void **state) {
    (void)state;
    attune_v1_DaemonMessage m = daemon_message("DaemonMessage.time", attune_v1_DaemonMessage_time_tag);
    assert_true(m.body.time.utc_ms == 1700000000000u);
    m = daemon_message("DaemonMessage.report_ack", attune_v1_DaemonMessage_report_ack_tag);
    assert_int_equal(m.body.report_ack.more, 5);
    m = daemon_message("DaemonMessage.label", attune_v1_DaemonMessage_label_tag);
    assert_int_equal(m.body.label.windows_count, 1);
    expect_window(&m.body.label.windows[0]);
    daemon_message("DaemonMessage.hello_request", attune_v1_DaemonMessage_hello_request_tag);
    m = daemon_message("DaemonMessage.unlearn", attune_v1_DaemonMessage_unlearn_tag);
    assert_int_equal(m.body.unlearn.number, 12);
    m = daemon_message("DaemonMessage.update", attune_v1_DaemonMessage_update_tag);
    assert_int_equal(m.body.update.size, 3);
    assert_memory_equal(m.body.update.bytes, ((const uint8_t[]){0x01, 0x84, 0x07}), 3);
    m = daemon_message("DaemonMessage.update_chunk", attune_v1_DaemonMessage_update_chunk_tag);
    expect_chunk(&m.body.update_chunk);
    m = daemon_message("DaemonMessage.signing_keys", attune_v1_DaemonMessage_signing_keys_tag);
    assert_int_equal(m.body.signing_keys.size, 2);
    attune_v1_Unlearn unlearn = attune_v1_Unlearn_init_zero;
    decode_and_encode("Unlearn", attune_v1_Unlearn_fields, &unlearn);
    assert_int_equal(unlearn.part, 3);
    m = daemon_message("DaemonMessage.button_ack", attune_v1_DaemonMessage_button_ack_tag);
    assert_int_equal(m.body.button_ack.press, 7);
    m = daemon_message("DaemonMessage.sketch_ack", attune_v1_DaemonMessage_sketch_ack_tag);
    assert_int_equal(m.body.sketch_ack.number, 5);
    m = daemon_message("DaemonMessage.command", attune_v1_DaemonMessage_command_tag);
    assert_int_equal(m.body.command.identify_s, 10);
}

static void fields_of_a_newer_version_are_skipped(void **state) {
    (void)state;
    attune_v1_DaemonMessage m = attune_v1_DaemonMessage_init_zero;
    decode("DaemonMessage.newer", attune_v1_DaemonMessage_fields, &m);
    assert_int_equal(m.which_body, attune_v1_DaemonMessage_time_tag);
    assert_int_equal(m.body.time.echo_tick_ms, 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello),
        cmocka_unit_test(time_and_its_answer),
        cmocka_unit_test(report_and_its_answer),
        cmocka_unit_test(label_and_its_answer),
        cmocka_unit_test(health),
        cmocka_unit_test(button_and_its_answer),
        cmocka_unit_test(sketch_and_its_answer),
        cmocka_unit_test(summary_and_its_answer),
        cmocka_unit_test(update_and_its_answers),
        cmocka_unit_test(command),
        cmocka_unit_test(every_body_of_a_node_message),
        cmocka_unit_test(every_body_of_a_daemon_message),
        cmocka_unit_test(fields_of_a_newer_version_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
