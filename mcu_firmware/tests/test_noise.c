/* Handshakes under the sanitizers: what a refusal leaves as it was, what is wiped, where buffers end. That the bytes are those of
 * the published vectors and of other implementations is shown by tests/unit/test_session_noise.py. */
#include "session/handshake.h"

#include "check.h"

#include <string.h>

static attune_key_pair node_pair, daemon_pair;
static const uint8_t psk[32] = {42};
static const uint8_t prologue[] = "attune-session-1abcd";
static const uint8_t hint[ATTUNE_HINT] = {'a', 'b', 'c', 'd'};

static int make_keys(void **state) {
    (void)state;
    attune_key_pair_from(&node_pair, (const uint8_t[32]){1});
    attune_key_pair_from(&daemon_pair, (const uint8_t[32]){2});
    return 0;
}

static void begin(attune_noise *noise, attune_noise_pattern pattern, bool initiator) {
    const uint8_t ephemeral[32] = {initiator ? 3 : 4};
    const attune_noise_setup setup = {.initiator = initiator,
                                      .own = initiator ? &node_pair : &daemon_pair,
                                      .ephemeral = ephemeral,
                                      .prologue = prologue,
                                      .prologue_size = sizeof prologue - 1};
    if (pattern == ATTUNE_NOISE_KK) {
        attune_noise_begin_kk(noise, &setup, initiator ? daemon_pair.public_key : node_pair.public_key);
    } else {
        attune_noise_begin_xxpsk0(noise, &setup, psk);
    }
}

static bool is_wiped(const void *memory, size_t size) {
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Carries one message over in buffers of its exact size: one byte less is refused, and refusals change nothing. */
static void carry(attune_noise *from, attune_noise *to, size_t expected) {
    const uint8_t said[ATTUNE_NOISE_PAYLOAD] = {5, 6, 7};
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    size_t written, size;
    uint8_t *message = test_malloc(expected);
    attune_noise before = *from;
    assert_int_equal(attune_noise_write(from, said, sizeof said, message, expected - 1, &written), ATTUNE_NOISE_SIZE);
    assert_int_equal(attune_noise_write(from, said, sizeof said + 1, message, expected, &written), ATTUNE_NOISE_SIZE);
    assert_memory_equal(from, &before, sizeof before);
    assert_int_equal(attune_noise_write(from, said, sizeof said, message, expected, &written), ATTUNE_NOISE_OK);
    assert_int_equal(written, expected);
    before = *to;
    for (size_t byte = 0; byte < expected; byte++) {
        message[byte] ^= 0x10;
        assert_int_equal(attune_noise_read(to, message, expected, payload, &size), ATTUNE_NOISE_FORGED);
        message[byte] ^= 0x10;
    }
    assert_memory_equal(to, &before, sizeof before);
    assert_int_equal(attune_noise_read(to, message, expected, payload, &size), ATTUNE_NOISE_OK);
    assert_int_equal(size, sizeof said);
    assert_memory_equal(payload, said, sizeof said);
    test_free(message);
}

/* Sizes by hand: a key 32, a sealed key 48, a payload of 64 with its tag 80. */
static void handshakes_end_in_the_same_keys_and_leave_nothing(void **state) {
    (void)state;
    const size_t sizes[2][3] = {{32 + 80, 32 + 80}, {32 + 80, 32 + 48 + 80, 48 + 80}};
    for (int pattern = ATTUNE_NOISE_KK; pattern <= ATTUNE_NOISE_XXPSK0; pattern++) {
        attune_noise node, daemon;
        attune_noise_keys keys, others;
        begin(&node, (attune_noise_pattern)pattern, true);
        begin(&daemon, (attune_noise_pattern)pattern, false);
        for (int message = 0; message < 3 && sizes[pattern][message] > 0; message++) {
            assert_int_equal(attune_noise_split(&node, &keys), ATTUNE_NOISE_ORDER);
            carry(message % 2 == 0 ? &node : &daemon, message % 2 == 0 ? &daemon : &node, sizes[pattern][message]);
        }
        assert_int_equal(attune_noise_split(&node, &keys), ATTUNE_NOISE_OK);
        assert_int_equal(attune_noise_split(&daemon, &others), ATTUNE_NOISE_OK);
        assert_memory_equal(keys.send, others.receive, sizeof keys.send);
        assert_memory_equal(keys.receive, others.send, sizeof keys.send);
        assert_memory_not_equal(keys.send, keys.receive, sizeof keys.send);
        assert_memory_equal(keys.remote, daemon_pair.public_key, sizeof keys.remote);
        assert_true(is_wiped(&node, sizeof node) && is_wiped(&daemon, sizeof daemon));
        assert_int_equal(attune_noise_split(&node, &keys), ATTUNE_NOISE_ORDER);
    }
}

static void messages_of_impossible_sizes_are_refused(void **state) {
    (void)state;
    attune_noise daemon;
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    size_t size;
    begin(&daemon, ATTUNE_NOISE_KK, false);
    for (size_t message_size = 0; message_size <= ATTUNE_NOISE_MESSAGE; message_size++) {
        uint8_t *message = test_calloc(message_size + 1, 1);
        bool possible = message_size >= 48 && message_size <= 48 + ATTUNE_NOISE_PAYLOAD;
        assert_int_equal(attune_noise_read(&daemon, message, message_size, payload, &size),
                         possible ? ATTUNE_NOISE_FORGED : ATTUNE_NOISE_SIZE);
        test_free(message);
    }
}

/* A message that comes before its turn, twice, or to the side that made it. */
static void messages_out_of_their_turn_are_refused(void **state) {
    (void)state;
    for (int pattern = ATTUNE_NOISE_KK; pattern <= ATTUNE_NOISE_XXPSK0; pattern++) {
        attune_noise node, daemon;
        uint8_t first[ATTUNE_NOISE_MESSAGE], payload[ATTUNE_NOISE_PAYLOAD];
        size_t first_size, size;
        begin(&node, (attune_noise_pattern)pattern, true);
        begin(&daemon, (attune_noise_pattern)pattern, false);
        assert_int_equal(attune_noise_write(&daemon, NULL, 0, first, sizeof first, &size), ATTUNE_NOISE_ORDER);
        assert_int_equal(attune_noise_write(&node, NULL, 0, first, sizeof first, &first_size), ATTUNE_NOISE_OK);
        assert_int_equal(attune_noise_write(&node, NULL, 0, payload, sizeof payload, &size), ATTUNE_NOISE_ORDER);
        assert_int_equal(attune_noise_read(&daemon, first, first_size, payload, &size), ATTUNE_NOISE_OK);
        assert_int_equal(attune_noise_read(&daemon, first, first_size, payload, &size), ATTUNE_NOISE_ORDER);
    }
}

/* Somebody who knows both keys of a node and of a daemon, and not the node's code. */
static void without_the_secret_nobody_is_answered_or_believed(void **state) {
    (void)state;
    static const uint8_t guess[32] = {0};
    const attune_noise_setup setup = {.own = &daemon_pair,
                                      .ephemeral = (const uint8_t[32]){4},
                                      .prologue = prologue,
                                      .prologue_size = sizeof prologue - 1};
    attune_noise_setup as_node = setup;
    as_node.own = &node_pair;
    as_node.ephemeral = (const uint8_t[32]){3};
    as_node.initiator = true;
    attune_noise node, rehearsed, intruder;
    uint8_t message[ATTUNE_NOISE_MESSAGE], payload[ATTUNE_NOISE_PAYLOAD];
    size_t size, said;
    begin(&node, ATTUNE_NOISE_XXPSK0, true);
    attune_noise_begin_xxpsk0(&rehearsed, &as_node, guess);
    attune_noise_begin_xxpsk0(&intruder, &setup, guess);
    assert_int_equal(attune_noise_write(&node, NULL, 0, message, sizeof message, &size), ATTUNE_NOISE_OK);
    assert_int_equal(attune_noise_read(&intruder, message, size, payload, &said), ATTUNE_NOISE_FORGED);
    assert_int_equal(attune_noise_write(&rehearsed, NULL, 0, message, sizeof message, &size), ATTUNE_NOISE_OK);
    assert_int_equal(attune_noise_read(&intruder, message, size, payload, &said), ATTUNE_NOISE_OK);
    assert_int_equal(attune_noise_write(&intruder, NULL, 0, message, sizeof message, &size), ATTUNE_NOISE_OK);
    assert_int_equal(attune_noise_read(&node, message, size, payload, &said), ATTUNE_NOISE_FORGED);
}

static void nothing_happens_before_a_handshake_begins(void **state) {
    (void)state;
    attune_handshake handshake = {0};
    attune_noise_keys keys;
    uint8_t frame[ATTUNE_HANDSHAKE_FRAME] = {ATTUNE_FRAME_KK, 0, 0, 0, 0, 1};
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    size_t size;
    assert_int_equal(attune_handshake_write(&handshake, NULL, 0, frame, sizeof frame), 0);
    assert_int_equal(attune_handshake_read(&handshake, frame, sizeof frame, payload, &size), ATTUNE_NOISE_ORDER);
    assert_int_equal(attune_handshake_finish(&handshake, &keys), ATTUNE_NOISE_ORDER);
}

static void frames_need_room(void **state) {
    (void)state;
    attune_handshake handshake;
    const uint8_t ephemeral[32] = {3};
    uint8_t frame[6 + 48];
    attune_handshake_begin_kk(&handshake, hint, &node_pair, daemon_pair.public_key, ephemeral);
    for (size_t capacity = 0; capacity < sizeof frame; capacity++) {
        assert_int_equal(attune_handshake_write(&handshake, NULL, 0, frame, capacity), 0);
    }
    assert_int_equal(attune_handshake_write(&handshake, NULL, 0, frame, sizeof frame), sizeof frame);
    assert_memory_equal(frame, ((const uint8_t[]){2, 'a', 'b', 'c', 'd', 1}), 6);
}

/* Expected: Python's hmac.new(bytes(range(64)), b"attune", hashlib.blake2b), first eight bytes. */
static void hmac_is_that_of_python(void **state) {
    (void)state;
    uint8_t key[ATTUNE_HASH], mac[ATTUNE_HASH];
    for (uint8_t i = 0; i < ATTUNE_HASH; i++) {
        key[i] = i;
    }
    attune_hmac(key, (const uint8_t *)"attune", 6, mac);
    assert_memory_equal(mac, ((const uint8_t[]){0xbc, 0x74, 0x08, 0x0a, 0x48, 0x74, 0x99, 0x4c}), 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_end_in_the_same_keys_and_leave_nothing),
        cmocka_unit_test(messages_of_impossible_sizes_are_refused),
        cmocka_unit_test(without_the_secret_nobody_is_answered_or_believed),
        cmocka_unit_test(nothing_happens_before_a_handshake_begins),
        cmocka_unit_test(frames_need_room),
        cmocka_unit_test(hmac_is_that_of_python),
        cmocka_unit_test(messages_out_of_their_turn_are_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
