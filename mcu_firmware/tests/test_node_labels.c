/* Labels reach a node: what it learns, what it answers, and what its evidence says afterwards. */
#include "fake_daemon.h"
#include "node/parts.h"

#include "check.h"

#include <string.h>

static attune_node node;
static fake_daemon daemon_;

static const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2};

static void start(uint32_t boot) {
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = boot};
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void run_windows(uint32_t count, float light, float co2) {
    fake_daemon_run_windows(&daemon_, count, light, co2);
}

/* An empty room whose lamp is left on and whose air is stale: the factory release takes it for used. Its hour (windows 1 to
 * 60) was acknowledged long ago; the label brings the windows back, and from the next window on the node knows better. */
static void an_hour_acknowledged_long_ago(void **state) {
    (void)state;
    start(1);
    run_windows(60, 420, 640);
    assert_true(fake_daemon_evidence(&daemon_, 60, 1) > 0);
    run_windows(300, 2, 430); /* five hours of night */
    assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
    fake_daemon_label(&daemon_, 1, 0, 1, 60);
    assert_int_equal(daemon_.label_acks, 8); /* 60 windows, 8 in a part */
    assert_int_equal(daemon_.learned, 60);
    assert_int_equal(daemon_.refused, 0);
    assert_int_equal(node.log.count, 60);
    run_windows(1, 420, 640);
    assert_true(fake_daemon_evidence(&daemon_, 361, 1) < 0);
    static attune_model before;
    const attune_pupil pupil = attune_node_pupil(&node);
    before = node.model;
    attune_label_log_replay(&node.log, &pupil);
    assert_memory_equal(&before, &node.model, sizeof before);
}

static void a_part_repeated_changes_nothing(void **state) {
    (void)state;
    start(1);
    run_windows(8, 420, 480);
    fake_daemon_label(&daemon_, 1, 0, 1, 8);
    attune_head before = node.model.head;
    fake_daemon_label(&daemon_, 1, 0, 1, 8);
    assert_int_equal(daemon_.label_acks, 2);
    assert_int_equal(daemon_.label_ack.learned, 8);
    assert_memory_equal(&before, &node.model.head, sizeof before);
    /* A newer label corrects it, and the older one cannot come back. */
    fake_daemon_label(&daemon_, 2, 1, 1, 8);
    assert_int_equal(daemon_.label_ack.learned, 8);
    before = node.model.head;
    fake_daemon_label(&daemon_, 1, 0, 1, 8);
    assert_int_equal(daemon_.label_ack.learned, 0);
    assert_int_equal(daemon_.label_ack.refused, 8);
    assert_memory_equal(&before, &node.model.head, sizeof before);
    assert_int_equal(node.counters.refused_labels, 8);
}

/* A class that only the withdrawn label knew goes with it, from the filter too; what another label taught stays. */
static void a_label_is_withdrawn(void **state) {
    (void)state;
    start(1);
    run_windows(12, 420, 480);
    fake_daemon_label(&daemon_, 1, 0, 1, 6);
    attune_head before = node.model.head;
    fake_daemon_label(&daemon_, 2, 2, 7, 12);
    assert_int_equal(node.filter.classes, 3);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_unlearn_tag};
    message.body.unlearn = (attune_v1_Unlearn){.number = 2, .part = 9};
    for (int again = 0; again < 2; again++) {
        fake_daemon_say(&daemon_, &message);
        fake_daemon_exchange(&daemon_);
        assert_int_equal(daemon_.label_ack.number, 2);
        assert_int_equal(daemon_.label_ack.part, 9);
        assert_int_equal(daemon_.label_ack.learned + daemon_.label_ack.refused, 0);
        assert_int_equal(node.log.count, 6);
        assert_int_equal(node.filter.classes, 2);
        assert_memory_equal(&before, &node.model.head, sizeof before);
    }
}

static attune_v1_LabelAck label_held(uint32_t number, uint32_t class_index, uint32_t from_s, uint32_t to_s) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_label_tag};
    message.body.label =
        (attune_v1_Label){.number = number, .class_index = class_index, .weight = 256, .from_s = from_s, .to_s = to_s};
    fake_daemon_say(&daemon_, &message);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.label_ack.number, number);
    return daemon_.label_ack;
}

/* Windows 1 to 6 end at 60, 120, ..., 360 s; from 60 to 240 are 2, 3 and 4. */
static void windows_that_the_node_still_holds(void **state) {
    (void)state;
    start(1);
    daemon_.keeps_silent_on_reports = true;
    run_windows(6, 420, 480);
    assert_int_equal(label_held(1, 0, 60, 240).learned, 3);
    assert_int_equal(node.log.count, 3);
    for (uint16_t i = 0; i < 3; i++) {
        assert_int_equal(node.log.entry[i].seq, 2 + i);
        assert_int_equal(node.log.entry[i].boot, 1);
    }
    attune_v1_LabelAck again = label_held(1, 0, 60, 240);
    assert_int_equal(again.learned, 3);
    assert_int_equal(again.refused, 0);
    assert_int_equal(node.log.count, 3);
}

/* The acknowledgement was lost, so the daemon sends windows 3 and 4 that the node still holds: they count once. */
static void a_window_sent_and_held_counts_once(void **state) {
    (void)state;
    start(1);
    daemon_.keeps_silent_on_reports = true;
    run_windows(6, 420, 480);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_label_tag};
    attune_v1_Label *label = &message.body.label;
    *label = (attune_v1_Label){.number = 1, .weight = 256, .from_s = 0, .to_s = 360, .windows_count = 2};
    for (uint32_t i = 0; i < 2; i++) {
        label->windows[i].boot = 1;
        label->windows[i].seq = 3 + i;
        label->windows[i].features.size = daemon_.report[3 + i].features.size;
        memcpy(label->windows[i].features.bytes, daemon_.report[3 + i].features.bytes, label->windows[i].features.size);
    }
    fake_daemon_say(&daemon_, &message);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.label_ack.learned, 6);
    assert_int_equal(node.log.count, 6);
}

/* Windows of an earlier boot have numbers of their own. */
static void windows_of_an_earlier_boot(void **state) {
    (void)state;
    start(1);
    run_windows(4, 420, 480);
    attune_v1_Report kept[5];
    memcpy(kept, daemon_.report, sizeof kept);
    start(2);
    run_windows(4, 2, 430);
    fake_daemon_label(&daemon_, 1, 0, 1, 4);
    daemon_.hello.boot = 1;
    memcpy(daemon_.report, kept, sizeof kept);
    fake_daemon_label(&daemon_, 2, 1, 1, 4);
    assert_int_equal(daemon_.label_ack.learned, 4);
    assert_int_equal(node.log.count, 8);
}

/* "Cleaning", class 2: the head, the evidence and the filter grow by one class, and the hello says so. */
static void a_new_class_is_taught(void **state) {
    (void)state;
    start(1);
    run_windows(5, 2, 430);
    run_windows(10, 1000, 500);
    fake_daemon_label(&daemon_, 1, 2, 6, 15);
    assert_int_equal(node.filter.classes, 3);
    run_windows(10, 1000, 500);
    assert_int_equal(daemon_.report[25].evidence.size, 4);
    assert_true(fake_daemon_evidence(&daemon_, 25, 2) > 0);
    assert_true(fake_daemon_evidence(&daemon_, 25, 2) >= fake_daemon_evidence(&daemon_, 25, 1));
    assert_int_equal(daemon_.report[25].state & 15, 2);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.hello.classes, 3);
    assert_int_equal(daemon_.hello.label_windows, 10);
}

static void what_cannot_be_learned_is_refused(void **state) {
    (void)state;
    start(1);
    run_windows(2, 420, 480);
    attune_head before = node.model.head;
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_label_tag};
    attune_v1_Label *label = &message.body.label;
    const attune_v1_Label good = {
        .number = 1, .weight = 256, .windows_count = 1, .windows = {{.boot = 1, .seq = 1, .features = {.size = 4}}}};
    const uint32_t classes[] = {8, 256, UINT32_MAX};
    const uint32_t weights[] = {0, 65536, UINT32_MAX};
    const pb_size_t sizes[] = {0, 3, 5, 6, 48};
    int refused = 0;
    for (int i = 0; i < 11; i++) {
        *label = good;
        if (i < 3) {
            label->class_index = classes[i];
        } else if (i < 6) {
            label->weight = weights[i - 3];
        } else {
            label->windows[0].features.size = sizes[i - 6];
        }
        fake_daemon_say(&daemon_, &message);
        fake_daemon_exchange(&daemon_);
        assert_int_equal(daemon_.label_ack.learned, 0);
        assert_int_equal(daemon_.label_ack.refused, 1);
        assert_int_equal(node.counters.refused_labels, ++refused);
        assert_memory_equal(&before, &node.model.head, sizeof before);
    }
}

/* The link takes nothing while labels come in: the newest four answers wait, the others' labels will come again. */
static void answers_wait_for_the_link(void **state) {
    (void)state;
    start(1);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_label_tag};
    for (uint32_t number = 1; number <= 6; number++) {
        message.body.label = (attune_v1_Label){.number = number, .weight = 256};
        fake_daemon_say(&daemon_, &message);
    }
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.label_acks, 4);
    assert_int_equal(daemon_.label_ack.number, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_is_withdrawn),
        cmocka_unit_test(an_hour_acknowledged_long_ago),
        cmocka_unit_test(a_part_repeated_changes_nothing),
        cmocka_unit_test(windows_that_the_node_still_holds),
        cmocka_unit_test(a_window_sent_and_held_counts_once),
        cmocka_unit_test(windows_of_an_earlier_boot),
        cmocka_unit_test(a_new_class_is_taught),
        cmocka_unit_test(what_cannot_be_learned_is_refused),
        cmocka_unit_test(answers_wait_for_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
