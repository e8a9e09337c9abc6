/* A node's button: what is sent when, and what an acknowledgement lets go of. */
#include "fake_daemon.h"

#include "check.h"

#include <string.h>

static attune_node node;
static fake_daemon daemon_;

static const uint8_t sensors[] = {ATTUNE_LIGHT};

static void start(void) {
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = 9};
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
}

static void connect(void) {
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void pass(uint64_t ms) {
    attune_node_poll(&node, node.now_ms + ms);
    fake_daemon_exchange(&daemon_);
}

/* A press for each class, 1 first, at tick 0; the daemon gets them and says nothing. */
static void press_unanswered(uint8_t presses) {
    start();
    connect();
    daemon_.keeps_silent_on_presses = true;
    for (uint8_t i = 0; i < presses; i++) {
        attune_node_press(&node, 0, 1u - i);
    }
    fake_daemon_exchange(&daemon_);
}

static void a_press_is_told_once(void **state) {
    (void)state;
    start();
    connect();
    pass(1000);
    attune_node_press(&node, 900, 1);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.presses, 1);
    assert_int_equal(daemon_.button.press, 1);
    assert_int_equal(daemon_.button.class_index, 1);
    assert_true(daemon_.button.tick_ms == 900);
    pass(ATTUNE_RETRY_MAX_MS);
    assert_int_equal(daemon_.presses, 1);
    assert_int_equal(node.button.waiting, 0);
    attune_node_press(&node, node.now_ms, 0);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.button.press, 2);
    assert_int_equal(daemon_.button.class_index, 0);
}

/* After 15 s, and then 30 s later; a press that comes in between goes out at once, alone. */
static void a_press_without_an_answer_is_told_again(void **state) {
    (void)state;
    press_unanswered(1);
    pass(14999);
    assert_int_equal(daemon_.presses, 1);
    pass(1);
    assert_int_equal(daemon_.presses, 2);
    attune_node_press(&node, node.now_ms, 0);
    pass(29999);
    assert_int_equal(daemon_.presses, 3);
    assert_int_equal(daemon_.button.press, 2);
    daemon_.keeps_silent_on_presses = false;
    pass(1);
    assert_int_equal(daemon_.presses, 5);
    assert_int_equal(node.button.waiting, 0);
}

/* Before the node has the time, a press goes out so that the daemon can say whose it was; what it could not date comes again. */
static void a_press_before_the_time_comes_again_with_it(void **state) {
    (void)state;
    start();
    attune_node_press(&node, 0, 1);
    daemon_.keeps_silent_on_hello = true;
    daemon_.keeps_silent_on_presses = true;
    connect();
    assert_int_equal(daemon_.presses, 1);
    daemon_.keeps_silent_on_hello = false;
    daemon_.keeps_silent_on_presses = false;
    pass(ATTUNE_HELLO_RETRY_MS);
    assert_int_equal(daemon_.presses, 2);
    assert_int_equal(node.button.waiting, 0);
}

static void a_new_connection_tells_again_what_waits(void **state) {
    (void)state;
    press_unanswered(2);
    attune_node_link(&node, false);
    daemon_.keeps_silent_on_presses = false;
    connect();
    assert_int_equal(daemon_.presses, 4);
    assert_int_equal(node.button.waiting, 0);
}

static void acknowledge(uint32_t boot, uint32_t press) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_button_ack_tag};
    message.body.button_ack = (attune_v1_ButtonAck){.boot = boot, .press = press};
    fake_daemon_say(&daemon_, &message);
}

static void an_acknowledgement_of_another_boot_or_press_changes_nothing(void **state) {
    (void)state;
    press_unanswered(2);
    acknowledge(8, 1);
    acknowledge(9, 0);
    acknowledge(9, 3);
    assert_int_equal(node.button.waiting, 2);
    acknowledge(9, 2);
    assert_int_equal(node.button.waiting, 1);
    assert_int_equal(node.button.press[0].number, 1);
    acknowledge(9, 2);
    assert_int_equal(node.button.waiting, 1);
}

/* Ten presses without a link: the last eight are told, and the loss of two is part of the node's health. */
static void the_oldest_presses_make_room(void **state) {
    (void)state;
    start();
    for (uint32_t i = 1; i <= 10; i++) {
        attune_node_press(&node, 100u * i, i % 2);
    }
    daemon_.keeps_silent_on_presses = true;
    connect();
    assert_true(node.timed);
    assert_int_equal(daemon_.health.dropped_presses, 2);
    assert_int_equal(node.button.waiting, ATTUNE_PRESSES);
    assert_int_equal(node.button.press[0].number, 3);
    assert_true(node.button.press[0].tick_ms == 300);
    assert_int_equal(daemon_.button.press, 10);
    /* One more while all have been sent: the count of those sent stays true. */
    attune_node_press(&node, 2000, 1);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.button.press, 11);
    assert_int_equal(node.button.sent, ATTUNE_PRESSES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_press_is_told_once),
        cmocka_unit_test(a_press_without_an_answer_is_told_again),
        cmocka_unit_test(a_press_before_the_time_comes_again_with_it),
        cmocka_unit_test(a_new_connection_tells_again_what_waits),
        cmocka_unit_test(an_acknowledgement_of_another_boot_or_press_changes_nothing),
        cmocka_unit_test(the_oldest_presses_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
