/* Whole nodes in conversation with a daemon. */
#include "fake_daemon.h"

#include "check.h"

#include <string.h>

static attune_node node;
static fake_daemon daemon_;

static const uint8_t sensors[] = {ATTUNE_TEMPERATURE, ATTUNE_LIGHT, ATTUNE_CO2, ATTUNE_PIR};

static void start(void) {
    const attune_identity identity = {
        .node_id = {0xA1, 2, 3, 4, 5, 6, 7, 8}, .boot = 77, .firmware = "0.1.0", .reset_reason = 1};
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
}

/* A room that is dark and empty, or bright and used; a reading a minute, in the middle of the window. */
static void sample_minute(uint64_t end_s, bool occupied) {
    uint64_t tick = end_s * 1000 - 30000;
    assert_int_equal(attune_node_sample(&node, 0, tick, 21.5f), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_node_sample(&node, 1, tick, occupied ? 420 : 3), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_node_sample(&node, 2, tick, occupied ? 880 : 450), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_node_sample(&node, 3, tick, occupied ? 2 : 0), ATTUNE_SAMPLE_OK);
}

/* Minutes pass, the link polled each second. */
static void run_minutes(uint32_t minutes, bool occupied) {
    uint64_t end_s = node.now_ms / 60000 * 60 + 60;
    for (uint32_t i = 0; i < minutes; i++, end_s += 60) {
        for (uint64_t s = end_s - 59; s <= end_s; s++) {
            if (s == end_s - 30) {
                sample_minute(end_s, occupied);
            }
            attune_node_poll(&node, s * 1000);
            fake_daemon_exchange(&daemon_);
        }
    }
}

static void connect(void) {
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void hello_comes_at_once_and_says_who(void **state) {
    (void)state;
    uint8_t frame[ATTUNE_NODE_FRAME];
    start();
    assert_int_equal(attune_node_send(&node, frame, sizeof frame), 0); /* the link is down */
    attune_node_poll(&node, 1234);
    daemon_.keeps_silent_on_hello = true;
    connect();
    assert_int_equal(daemon_.hellos, 1);
    const attune_v1_Hello *hello = &daemon_.hello;
    assert_memory_equal(hello->node_id, node.identity.node_id, 8);
    assert_int_equal(hello->boot, 77);
    assert_int_equal(hello->tick_ms, 1234);
    assert_int_equal(hello->window_s, 60);
    assert_int_equal(hello->sensors.size, sizeof sensors);
    assert_memory_equal(hello->sensors.bytes, sensors, sizeof sensors);
    assert_memory_equal(hello->schema, node.schema.hash, 8);
    assert_memory_equal(hello->release, node.release_digest, 16);
    assert_int_equal(hello->classes, 2);
    assert_int_equal(hello->first_seq, 1);
    assert_int_equal(hello->next_seq, 1);
    assert_int_equal(hello->label_capacity, ATTUNE_LABEL_LOG);
    assert_int_equal(hello->label_windows, 0);
    assert_string_equal(hello->firmware, "0.1.0");
}

/* 5 s, then doubled up to 300 s: hellos at 0, 5, 15, 35, 75, 155, 315, 615, 915. */
static void hello_backs_off_until_the_time_comes(void **state) {
    (void)state;
    static const uint32_t expected[] = {0, 5, 15, 35, 75, 155, 315, 615, 915};
    start();
    daemon_.keeps_silent_on_hello = true;
    connect();
    for (uint32_t s = 0, i = 0; s <= 1000; s++) {
        uint32_t before = daemon_.hellos;
        attune_node_poll(&node, s * 1000);
        fake_daemon_exchange(&daemon_);
        if (s == 0 || daemon_.hellos != before) {
            assert_true(i < sizeof expected / sizeof expected[0]);
            assert_int_equal(s, expected[i++]);
        }
    }
    assert_int_equal(daemon_.hellos, 9);
    assert_int_equal(daemon_.arrivals, 0); /* windows have closed, but the time has not come */
    assert_int_equal(attune_backlog_waiting(&node.backlog), 16);
    daemon_.keeps_silent_on_hello = false;
    run_minutes(6, false);
    assert_int_equal(daemon_.hellos, 10);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
}

static void time_is_acknowledged_and_health_follows(void **state) {
    (void)state;
    start();
    attune_node_damaged(&node);
    assert_int_equal(attune_node_sample(&node, 9, 0, 1), ATTUNE_SAMPLE_SENSOR);
    node.board.stack_free = 512;
    attune_node_poll(&node, 4000);
    connect();
    assert_int_equal(daemon_.time_acks, 1);
    assert_int_equal(daemon_.time_ack.echo_tick_ms, 4000);
    assert_int_equal(daemon_.time_ack.tick_ms, 4000);
    assert_int_equal(daemon_.healths, 1);
    assert_int_equal(daemon_.health.uptime_s, 4);
    assert_int_equal(daemon_.health.reset_reason, attune_v1_ResetReason_RESET_REASON_POWER_ON);
    assert_int_equal(daemon_.health.stack_free, 512);
    assert_int_equal(daemon_.health.bad_frames, 1);
    assert_int_equal(daemon_.health.refused_samples, 1);
    attune_node_poll(&node, 603999);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.healths, 1);
    attune_node_poll(&node, 604000);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.healths, 2);
    /* The daemon asks again: the answer tells when that arrived. */
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_time_tag};
    message.body.time.echo_tick_ms = 4000;
    attune_node_poll(&node, 605000);
    fake_daemon_say(&daemon_, &message);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.time_acks, 2);
    assert_int_equal(daemon_.time_ack.tick_ms, 605000);
    assert_int_equal(daemon_.healths, 2);
}

static void every_window_is_reported_once(void **state) {
    (void)state;
    start();
    connect();
    run_minutes(10, false);
    run_minutes(10, true);
    assert_int_equal(daemon_.arrivals, 20);
    assert_int_equal(daemon_.through, 20);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
    for (uint32_t seq = 1; seq <= 20; seq++) {
        assert_int_equal(daemon_.report[seq].end_s, 60 * seq);
        assert_int_equal(daemon_.report[seq].features.size, 2 * 6);
        assert_int_equal(daemon_.report[seq].evidence.size, 2);
        assert_int_equal(daemon_.report[seq].first_seq, 0);
    }
    assert_true(fake_daemon_evidence(&daemon_, 10, 1) < 0);
    assert_true(fake_daemon_evidence(&daemon_, 20, 1) > 0);
    assert_int_equal(daemon_.report[10].state & 15, 0);
    assert_int_equal(daemon_.report[20].state & 15, 1);
    assert_in_range(daemon_.report[20].state >> 4, 8, 15); /* the best of two has at least a half */
}

/* (21.5 - 22) / 2 * 1024 = -256; (3 - 200) / 200 * 1024 = -1008.64; (ln(1 + 100 / 50) - 2) / 0.7 * 1024 = -1318.62. */
static void features_travel_little_endian(void **state) {
    (void)state;
    static const uint8_t expected[] = {0x00, 0xFF, 0x0F, 0xFC, 0xD9, 0xFA};
    start();
    connect();
    run_minutes(1, false);
    assert_memory_equal(daemon_.report[1].features.bytes, expected, sizeof expected);
}

static void a_window_without_samples_is_reported_without_evidence(void **state) {
    (void)state;
    start();
    connect();
    attune_node_poll(&node, 60000);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.arrivals, 1);
    assert_int_equal(daemon_.report[1].evidence.size, 0);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(daemon_.report[1].features.bytes[2 * i], 0x00);
        assert_int_equal(daemon_.report[1].features.bytes[2 * i + 1], 0x80);
    }
    /* Stationary: free with 0.799 = 11.98 fifteenths. */
    assert_int_equal(daemon_.report[1].state, 12 << 4);
}

/* Twenty windows wait: eight go, and no more until one is acknowledged. Without an acknowledgement they go again after
 * 5, 10, 20, ... s; an acknowledgement starts the waits anew. */
static void at_most_eight_are_in_flight_and_retries_back_off(void **state) {
    (void)state;
    start();
    attune_node_poll(&node, 20 * 60000);
    daemon_.keeps_silent_on_reports = true;
    connect();
    assert_int_equal(daemon_.arrivals, 8);
    static const uint32_t retries[] = {15, 45, 105};
    for (uint32_t s = 1, i = 0; s <= 110; s++) {
        uint32_t before = daemon_.arrivals;
        attune_node_poll(&node, 20 * 60000 + s * 1000);
        fake_daemon_exchange(&daemon_);
        if (daemon_.arrivals != before) {
            assert_int_equal(daemon_.arrivals, before + 8);
            assert_int_equal(s, retries[i++]);
        }
    }
    assert_int_equal(daemon_.arrivals, 32);
    fake_daemon_acknowledge(&daemon_); /* 1 to 8: the next eight go */
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.arrivals, 40);
    assert_true(daemon_.have[16] && !daemon_.have[17]);
    attune_node_poll(&node, 20 * 60000 + 124 * 1000);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.arrivals, 40);
    attune_node_poll(&node, 20 * 60000 + 125 * 1000);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.arrivals, 48);
}

/* One report is lost; later ones that get through do not put off its retry. */
static void the_oldest_is_not_starved_by_progress(void **state) {
    (void)state;
    start();
    attune_node_poll(&node, 60000);
    daemon_.loss = 0;
    connect();
    assert_int_equal(daemon_.through, 1);
    attune_node_poll(&node, 120000);
    daemon_.loss = 100;
    fake_daemon_exchange(&daemon_); /* 2 is lost */
    daemon_.loss = 0;
    for (uint32_t s = 121; s <= 134; s++) {
        attune_report report = {.end_s = 120};
        attune_backlog_push(&node.backlog, &report); /* a window a second */
        attune_node_poll(&node, s * 1000);
        fake_daemon_exchange(&daemon_);
        assert_false(daemon_.have[2]);
    }
    attune_node_poll(&node, 135000);
    fake_daemon_exchange(&daemon_);
    assert_true(daemon_.have[2]);
    assert_int_equal(daemon_.through, 16);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
}

/* A third of all frames is lost both ways, and the link drops now and then. */
static void nothing_is_lost_on_a_bad_link(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 5; seed++) {
        start();
        daemon_.random = seed;
        daemon_.loss = 33;
        attune_node_link(&node, true);
        for (int i = 0; i < 6; i++) {
            run_minutes(15, i % 2 != 0);
            attune_node_link(&node, false);
            run_minutes(5, i % 2 != 0);
            attune_node_link(&node, true);
        }
        daemon_.loss = 0;
        run_minutes(10, false);
        assert_int_equal(node.backlog.next_seq, 131);
        assert_int_equal(daemon_.through, 130);
        assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
        for (uint32_t seq = 1; seq <= 130; seq++) {
            assert_true(daemon_.have[seq]);
            assert_int_equal(daemon_.report[seq].end_s, 60 * seq);
        }
        assert_int_equal(node.backlog.dropped, 0);
        assert_int_equal(node.counters.bad_frames, 0);
    }
}

/* 200 windows without a link or a flash that answers: 136 do not fit into 64. Hello names the first that is left, 137, and so does each report until
 * an acknowledgement has passed the gap. */
static void what_was_dropped_is_said(void **state) {
    (void)state;
    start();
    daemon_.flash.dead = true;
    run_minutes(200, false);
    daemon_.keeps_silent_on_hello = true;
    connect();
    assert_int_equal(daemon_.hello.first_seq, 137);
    assert_int_equal(daemon_.hello.next_seq, 201);
    daemon_.keeps_silent_on_hello = false;
    daemon_.keeps_silent_on_reports = true;
    daemon_.through = 0; /* a daemon that saw no hello: it learns of the gap from the reports */
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_time_tag};
    fake_daemon_say(&daemon_, &message);
    fake_daemon_exchange(&daemon_);
    for (uint32_t seq = 137; seq <= 144; seq++) {
        assert_int_equal(daemon_.report[seq].first_seq, 137);
    }
    daemon_.keeps_silent_on_reports = false;
    fake_daemon_acknowledge(&daemon_);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.report[145].first_seq, 0);
    assert_int_equal(daemon_.through, 200);
    assert_int_equal(daemon_.report[200].first_seq, 0);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
    assert_int_equal(node.backlog.dropped, 136);
}

/* The daemon starts again and asks who is there. */
static void a_hello_request_begins_anew(void **state) {
    (void)state;
    start();
    connect();
    run_minutes(3, false);
    assert_int_equal(daemon_.hellos, 1);
    daemon_.keeps_silent_on_hello = true;
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_hello_request_tag};
    fake_daemon_say(&daemon_, &message);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.hellos, 2);
    run_minutes(1, false);
    assert_int_equal(daemon_.arrivals, 3); /* reports wait for the time again */
    daemon_.keeps_silent_on_hello = false;
    run_minutes(3, false);
    assert_int_equal(daemon_.through, 7);
}

/* What was meant for an earlier boot may still be on its way when the node starts. */
static void what_is_stale_is_not_believed(void **state) {
    (void)state;
    start();
    daemon_.keeps_silent_on_hello = true;
    daemon_.keeps_silent_on_reports = true;
    attune_node_poll(&node, 5 * 60000);
    connect();
    attune_v1_DaemonMessage ack = {.which_body = attune_v1_DaemonMessage_report_ack_tag};
    ack.body.report_ack.through = 4;
    fake_daemon_say(&daemon_, &ack);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 5);
    attune_v1_DaemonMessage label = {.which_body = attune_v1_DaemonMessage_label_tag};
    label.body.label = (attune_v1_Label){.number = 1, .weight = 256, .to_s = 10000};
    fake_daemon_say(&daemon_, &label);
    assert_int_equal(node.log.count, 0);
    attune_v1_DaemonMessage time = {.which_body = attune_v1_DaemonMessage_time_tag};
    time.body.time.echo_tick_ms = 5 * 60000 + 1; /* a tick that this boot has not reached */
    fake_daemon_say(&daemon_, &time);
    assert_false(node.timed);
    assert_int_equal(node.counters.bad_frames, 1);
    time.body.time.echo_tick_ms = 5 * 60000;
    fake_daemon_say(&daemon_, &time);
    assert_true(node.timed);
    ack.body.report_ack.through = 6; /* never sent */
    fake_daemon_say(&daemon_, &ack);
    assert_int_equal(node.counters.bad_frames, 2);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 5);
}

static void frames_of_others_are_left_alone(void **state) {
    (void)state;
    uint8_t frame[ATTUNE_NODE_FRAME];
    start();
    daemon_.keeps_silent_on_hello = true;
    connect();
    attune_v1_DaemonMessage time = {.which_body = attune_v1_DaemonMessage_time_tag};
    size_t size = fake_daemon_frame(&daemon_, &time, frame);
    frame[2] ^= 1;
    attune_node_receive(&node, frame, size);
    assert_false(node.timed);
    assert_int_equal(node.counters.bad_frames, 0);
    memset(frame + 1, 0, 4); /* nothing but calls speaks to everybody */
    attune_node_receive(&node, frame, size);
    assert_false(node.timed);
    assert_int_equal(node.counters.bad_frames, 0);
    frame[0] = 1; /* a kind that was in the clear */
    attune_node_receive(&node, frame, size);
    attune_node_receive(&node, frame, 4);
    assert_int_equal(node.counters.bad_frames, 2);
}

/* A jump of a day closes the open window, and the next begins cold; one of an hour closes each of its windows. */
static void a_gap_starts_cold(void **state) {
    (void)state;
    start();
    run_minutes(10, true);
    assert_int_equal(attune_filter_class(&node.filter), 1);
    sample_minute(660, true);
    attune_node_poll(&node, 87000000);
    assert_int_equal(node.backlog.next_seq, 12);
    assert_int_equal(attune_filter_class(&node.filter), 0);
    assert_int_equal(attune_window_end_ms(&node.window), 87060000);
    assert_int_equal(attune_backlog_next(&node.backlog, 10)->end_s, 660);
    assert_int_equal(attune_node_sample(&node, 0, 87000001, 20), ATTUNE_SAMPLE_OK);
    attune_node_poll(&node, 87000000 + 3600000);
    assert_int_equal(node.backlog.next_seq, 12 + 60);
    attune_node_poll(&node, UINT64_MAX / 2);
    assert_int_equal(node.backlog.next_seq, 12 + 61);
    assert_int_equal(attune_node_sample(&node, 0, 1000, 20), ATTUNE_SAMPLE_LATE);
    assert_int_equal(node.counters.refused_samples, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_comes_at_once_and_says_who),
        cmocka_unit_test(hello_backs_off_until_the_time_comes),
        cmocka_unit_test(time_is_acknowledged_and_health_follows),
        cmocka_unit_test(every_window_is_reported_once),
        cmocka_unit_test(features_travel_little_endian),
        cmocka_unit_test(a_window_without_samples_is_reported_without_evidence),
        cmocka_unit_test(at_most_eight_are_in_flight_and_retries_back_off),
        cmocka_unit_test(the_oldest_is_not_starved_by_progress),
        cmocka_unit_test(nothing_is_lost_on_a_bad_link),
        cmocka_unit_test(what_was_dropped_is_said),
        cmocka_unit_test(a_hello_request_begins_anew),
        cmocka_unit_test(what_is_stale_is_not_believed),
        cmocka_unit_test(frames_of_others_are_left_alone),
        cmocka_unit_test(a_gap_starts_cold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
