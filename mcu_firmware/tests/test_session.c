/* What makes a node begin a handshake, how often, and what it never lets out. */
#include "fake_daemon.h"

#include "check.h"

#include <pb_encode.h>
#include <string.h>

static attune_node node;
static fake_daemon daemon_;

static void start(void) {
    const uint8_t sensors[] = {ATTUNE_CO2};
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = 7};
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
}

/* Frames of a kind that the node sends now, unanswered. */
static unsigned sent(uint8_t kind) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    unsigned count = 0;
    while (attune_node_send(&node, frame, sizeof frame) > 0) {
        assert_int_equal(frame[0], kind);
        count++;
    }
    return count;
}

static void a_node_without_keys_says_nothing(void **state) {
    (void)state;
    const uint8_t sensors[] = {ATTUNE_CO2};
    const attune_identity identity = {.node_id = {1}};
    emulated_flash_init(&daemon_.flash);
    assert_int_equal(attune_store_open(&daemon_.store, &daemon_.flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(attune_node_keep(&node, &daemon_.store), ATTUNE_STORE_OK);
    attune_node_link(&node, true);
    attune_node_poll(&node, 600000);
    assert_int_equal(sent(0), 0);
}

static void keys_that_cannot_be_kept_stop_the_node(void **state) {
    (void)state;
    start();
    const attune_keys none = {.held = 0};
    assert_int_equal(attune_store_write_keys(&daemon_.store, &none), ATTUNE_STORE_OK);
    daemon_.flash.dead = true;
    const attune_keeper keeper = fake_daemon_keeper(&daemon_);
    assert_false(attune_node_open_keys(&node, &keeper));
    daemon_.flash.dead = false;
    assert_true(attune_node_open_keys(&node, &keeper));
    const attune_keys first = *attune_store_keys(&daemon_.store);
    assert_int_equal(first.held, 1 << ATTUNE_KEY_NODE | 1 << ATTUNE_KEY_CODE);
    assert_true(attune_node_open_keys(&node, &keeper));
    assert_memory_equal(&first, attune_store_keys(&daemon_.store), sizeof first);
    assert_int_equal(attune_store_open(&daemon_.store, &daemon_.flash.port), ATTUNE_STORE_OK);
    assert_memory_equal(&first, attune_store_keys(&daemon_.store), sizeof first);
}

/* 5 s, then doubled up to 300 s, whether a message is sent again or begun anew: at 0, 5, 15, 35, 75, 155, 315, 615, 915. */
static void a_handshake_backs_off(void **state) {
    (void)state;
    static const uint32_t expected[] = {0, 5, 15, 35, 75, 155, 315, 615, 915};
    uint32_t i = 0;
    start();
    attune_node_link(&node, true);
    for (uint32_t s = 0; s <= 1000; s++) {
        attune_node_poll(&node, s * 1000);
        if (sent(ATTUNE_FRAME_KK) > 0) {
            assert_true(i < sizeof expected / sizeof expected[0]);
            assert_int_equal(s, expected[i++]);
        }
    }
    assert_int_equal(i, sizeof expected / sizeof expected[0]);
    /* And nothing of what has been measured has gone out meanwhile. */
    assert_int_equal(attune_backlog_waiting(&node.backlog), 16);
}

static void what_is_lost_on_the_way_to_a_session_ends_in_one(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        start();
        daemon_.random = seed;
        daemon_.loss = 50;
        attune_node_link(&node, true);
        for (uint32_t s = 0; s <= 3600 && !node.timed; s++) {
            attune_node_poll(&node, s * 1000);
            fake_daemon_exchange(&daemon_);
        }
        assert_true(node.timed);
    }
}

/* Four at once, then one in ten seconds. */
static void calls_are_answered_seldom(void **state) {
    (void)state;
    start();
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    const uint32_t before = daemon_.handshakes;
    for (int i = 0; i < 100; i++) {
        fake_daemon_call(&daemon_);
        fake_daemon_exchange(&daemon_);
    }
    assert_int_equal(daemon_.handshakes, before + 4);
    for (uint32_t s = 1; s <= 100; s++) {
        attune_node_poll(&node, s * 1000);
        fake_daemon_call(&daemon_);
        fake_daemon_exchange(&daemon_);
    }
    assert_in_range(daemon_.handshakes, before + 13, before + 15);
    assert_int_equal(node.counters.bad_frames, 0);
}

static void calls_of_a_wrong_size_or_purpose_are_none(void **state) {
    (void)state;
    uint8_t call[8] = {ATTUNE_FRAME_CALL};
    start();
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    const uint32_t before = daemon_.handshakes;
    attune_node_receive(&node, call, 5);
    attune_node_receive(&node, call, 7);
    call[5] = 2;
    attune_node_receive(&node, call, 6);
    assert_int_equal(node.counters.bad_frames, 3);
    call[5] = ATTUNE_CALL_COMMISSION; /* not to everybody at once */
    attune_node_receive(&node, call, 6);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.handshakes, before);
}

/* The same command in every kind of frame, sealed with nothing or with zeros for a tag. */
static void what_is_in_the_clear_is_not_believed(void **state) {
    (void)state;
    const attune_v1_DaemonMessage command = {.which_body = attune_v1_DaemonMessage_command_tag,
                                             .body.command = {.identify_s = 60, .disown = true}};
    start();
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    const uint64_t operations = daemon_.flash.operations;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (size_t at = ATTUNE_FRAME_HEADER; at <= ATTUNE_SEALED_TEXT; at++) {
            uint8_t frame[ATTUNE_NODE_FRAME] = {(uint8_t)kind, 1, 2, 3, 4, 0xFF, 0xFF};
            pb_ostream_t stream = pb_ostream_from_buffer(frame + at, 100);
            assert_true(pb_encode(&stream, attune_v1_DaemonMessage_fields, &command));
            attune_node_receive(&node, frame, at + stream.bytes_written);
            attune_node_receive(&node, frame, at + stream.bytes_written + ATTUNE_AEAD_TAG);
        }
    }
    assert_false(attune_node_blinks(&node));
    assert_true(attune_keys_hold(attune_store_keys(&daemon_.store), ATTUNE_KEY_DAEMON));
    assert_int_equal(daemon_.flash.operations, operations);
    assert_true(attune_session_ready(&node.session));
}

static void a_session_is_renewed_after_65536_frames(void **state) {
    (void)state;
    start();
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    const uint32_t hellos = daemon_.hellos;
    node.session.sealed.current.next_send = ATTUNE_REKEY_FRAMES - 1;
    attune_node_poll(&node, 60000);
    fake_daemon_exchange(&daemon_); /* the report of this minute has the last counter */
    assert_int_equal(daemon_.handshakes, 1);
    attune_node_poll(&node, 60001);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.handshakes, 2);
    assert_int_equal(daemon_.hellos, hellos);
    attune_node_poll(&node, 120000);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.through, 2);
    assert_int_equal(node.session.sealed.current.next_send, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_without_keys_says_nothing),
        cmocka_unit_test(keys_that_cannot_be_kept_stop_the_node),
        cmocka_unit_test(a_handshake_backs_off),
        cmocka_unit_test(what_is_lost_on_the_way_to_a_session_ends_in_one),
        cmocka_unit_test(calls_are_answered_seldom),
        cmocka_unit_test(calls_of_a_wrong_size_or_purpose_are_none),
        cmocka_unit_test(a_session_is_renewed_after_65536_frames),
        cmocka_unit_test(what_is_in_the_clear_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
