/* Quiet mode: which windows are reported, what an hourly report says, and when a sketch goes out. */
#include "fake_daemon.h"

#include "check.h"

#include <string.h>

static attune_node node;
static fake_daemon daemon_;

static const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2};

/* The fake daemon's hello is answered at tick 0 with 1700000000000 ms, which is 22:13:20: the hour ends after 2800 s, and the windows that
 * end in it are those to 2760 s, the 46th. */
#define FIRST_HOUR 46u

static void start(bool quiet) {
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = 9};
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
    daemon_.wants_quiet = quiet;
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void run_windows(uint32_t count, float light, float co2) {
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t end = attune_window_end_ms(&node.window);
        assert_int_equal(attune_node_sample(&node, 0, end - 1000, light), ATTUNE_SAMPLE_OK);
        assert_int_equal(attune_node_sample(&node, 1, end - 1000, co2 + (float)(i % 7)), ATTUNE_SAMPLE_OK);
        attune_node_poll(&node, end);
        fake_daemon_exchange(&daemon_);
    }
}

static void the_mode_is_off_until_it_is_told(void **state) {
    (void)state;
    start(false);
    run_windows(130, 2, 430);
    assert_int_equal(daemon_.arrivals, 130);
    assert_int_equal(daemon_.sketches, 0);
}

/* The first window of the mode, then the first of each hour. */
static void an_unchanged_room_is_reported_hourly(void **state) {
    (void)state;
    start(true);
    run_windows(FIRST_HOUR + 125, 2, 430);
    assert_int_equal(daemon_.arrivals, 4);
    assert_int_equal(daemon_.report[1].end_s, 60);
    assert_int_equal(daemon_.report[2].end_s, (FIRST_HOUR + 1) * 60);
    assert_int_equal(daemon_.report[3].end_s, (FIRST_HOUR + 61) * 60);
    assert_int_equal(daemon_.report[4].end_s, (FIRST_HOUR + 121) * 60);
    /* A sketch of each hour that has ended: 46, 60 and 60 windows. */
    assert_int_equal(daemon_.sketches, 3);
    assert_int_equal(daemon_.sketch.number, 3);
    assert_int_equal(daemon_.sketch.windows, 60);
    assert_int_equal(daemon_.sketch.end_s, (FIRST_HOUR + 120) * 60);
    assert_int_equal(daemon_.healths, 3); /* at the time message, and hourly */
}

/* The same node twice, once chatty: the quiet one reports each window whose class differs from that of the report before it, as the
 * chatty one did, and in its hourly reports the mean of what the chatty one said in between. */
static void a_quiet_node_says_less_and_nothing_else(void **state) {
    (void)state;
    static attune_v1_Report every[400];
    const struct {
        uint32_t windows;
        float light;
        float co2;
    } day[] = {{70, 2, 430}, {90, 500, 900}, {40, 3, 520}, {100, 450, 800}, {80, 2, 430}};
    start(false);
    for (size_t i = 0; i < 5; i++) {
        run_windows(day[i].windows, day[i].light, day[i].co2);
    }
    memcpy(every, daemon_.report, sizeof every);
    start(true);
    for (size_t i = 0; i < 5; i++) {
        run_windows(day[i].windows, day[i].light, day[i].co2);
    }
    uint32_t seq = 0;
    uint32_t changes = 0;
    int32_t sum = 0;
    int32_t count = 0;
    for (uint32_t w = 1; w <= 380; w++) {
        const int16_t said = (int16_t)(every[w].evidence.bytes[0] | every[w].evidence.bytes[1] << 8);
        sum += said;
        count += 1;
        const bool changed = seq > 0 && (every[w].state & 0xFu) != (every[w - 1].state & 0xFu);
        const bool hourly = w == 1 || (w > FIRST_HOUR && (w - FIRST_HOUR) % 60 == 1);
        if (!changed && !hourly) {
            continue;
        }
        seq += 1;
        changes += changed;
        const attune_v1_Report *report = &daemon_.report[seq];
        const int16_t told = (int16_t)(report->evidence.bytes[0] | report->evidence.bytes[1] << 8);
        assert_int_equal(report->end_s, 60 * w);
        assert_int_equal(report->state, every[w].state);
        assert_memory_equal(report->features.bytes, every[w].features.bytes, report->features.size);
        assert_int_equal(told, changed || w == 1 ? said : sum / count);
        sum = count = 0;
    }
    assert_int_equal(daemon_.arrivals, seq);
    assert_true(changes >= 3);
    assert_true(seq < 20);
}

/* What the daemon computes from the reports of a chatty node is what a quiet one sends. */
static void a_sketch_is_that_of_its_windows(void **state) {
    (void)state;
    attune_sketch expected;
    uint8_t bytes[ATTUNE_SKETCH_SIZE];
    start(false);
    uint8_t of[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < node.schema.features; i++) {
        of[i] = node.schema.feature[i].sensor;
    }
    assert_true(attune_sketch_init(&expected, node.schema.features, of));
    run_windows(FIRST_HOUR, 2, 430);
    for (uint32_t w = 1; w <= FIRST_HOUR; w++) {
        int16_t x[ATTUNE_MAX_FEATURES];
        for (uint8_t i = 0; i < node.schema.features; i++) {
            x[i] =
                (int16_t)(daemon_.report[w].features.bytes[2 * i] | daemon_.report[w].features.bytes[2 * i + 1] << 8);
        }
        attune_sketch_add(&expected, x);
    }
    attune_sketch_export(&expected, bytes);
    start(true);
    run_windows(FIRST_HOUR + 1, 2, 430);
    assert_int_equal(daemon_.sketch.windows, FIRST_HOUR);
    assert_int_equal(daemon_.sketch.counts.size, attune_sketch_size(&expected));
    assert_memory_equal(daemon_.sketch.counts.bytes, bytes, attune_sketch_size(&expected));
}

/* Three hours without an answer: the first one is sent again until it has one, and the other two come together. */
static void hours_without_an_answer_come_together(void **state) {
    (void)state;
    start(true);
    daemon_.keeps_silent_on_sketches = true;
    run_windows(FIRST_HOUR + 130, 2, 430);
    assert_true(daemon_.sketches > 3);
    assert_int_equal(daemon_.sketch.number, 1);
    daemon_.keeps_silent_on_sketches = false;
    attune_node_link(&node, false);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(node.quiet.waiting.number, 0);
    run_windows(51, 2, 430);
    assert_int_equal(daemon_.sketch.number, 2);
    assert_int_equal(daemon_.sketch.windows, 180);
    assert_int_equal(daemon_.sketch.end_s, (FIRST_HOUR + 180) * 60);
}

/* A sketch whose counts are full goes out before the hour is over: in 2047 windows without an answer to the one before. */
static void a_full_count_goes_out_early(void **state) {
    (void)state;
    start(true);
    run_windows(FIRST_HOUR + 1, 2, 430);
    node.quiet.waiting.number = 99; /* one that nobody has answered yet */
    node.quiet.sent = true;
    for (uint32_t i = 0; i < 2047; i++) {
        const attune_report report = {.end_s = 60 * (FIRST_HOUR + 2 + i)};
        attune_quiet_count(&node.quiet, &report, 0);
    }
    assert_true(node.quiet.sketch.full);
    attune_quiet_acknowledge(&node.quiet, 99);
    const attune_report report = {.end_s = node.quiet.end_s + 1};
    attune_quiet_count(&node.quiet, &report, 0);
    assert_true(attune_quiet_next(&node.quiet) != NULL);
    assert_int_equal(attune_quiet_next(&node.quiet)->windows, 2049); /* the one that opened the hour lay elsewhere */
}

static void the_mode_ends_when_it_is_told(void **state) {
    (void)state;
    start(true);
    run_windows(30, 2, 430);
    daemon_.wants_quiet = false;
    attune_node_link(&node, false);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    run_windows(10, 2, 430);
    assert_int_equal(daemon_.arrivals, 11);
    assert_int_equal(daemon_.report[2].end_s, 31 * 60);
    /* And begins anew with a report. */
    daemon_.wants_quiet = true;
    attune_node_link(&node, false);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    run_windows(10, 2, 430);
    assert_int_equal(daemon_.arrivals, 13);  /* its first window, and the hour's */
    assert_int_equal(node.quiet.windows, 4); /* since the hour began, in the sixth of them */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mode_is_off_until_it_is_told),
        cmocka_unit_test(an_unchanged_room_is_reported_hourly),
        cmocka_unit_test(a_quiet_node_says_less_and_nothing_else),
        cmocka_unit_test(a_sketch_is_that_of_its_windows),
        cmocka_unit_test(hours_without_an_answer_come_together),
        cmocka_unit_test(a_full_count_goes_out_early),
        cmocka_unit_test(the_mode_ends_when_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
