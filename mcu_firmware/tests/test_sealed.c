/* Sealed frames under the sanitizers: counters to their end, sessions that follow each other, buffers of exact size. What a bad
 * link does is shown by tests/unit/test_session_sealed.py. */
#include "session/sealed.h"

#include "check.h"

#include <string.h>

static const uint8_t hint[ATTUNE_HINT] = {1, 2, 3, 4};
static attune_sealed_pair node, daemon;

/* New keys for both sides; the daemon's use them at once, which is enough for what is tested here. */
static void new_keys(uint8_t number) {
    attune_noise_keys up = {.send = {number}, .receive = {number, 1}};
    attune_noise_keys down = {.send = {number, 1}, .receive = {number}};
    attune_sealed_adopt(&node, &up, 0);
    attune_sealed_adopt(&daemon, &down, 0);
}

static int begin(void **state) {
    (void)state;
    attune_sealed_wipe(&node);
    attune_sealed_wipe(&daemon);
    return 0;
}

typedef struct frame {
    uint8_t bytes[64];
    size_t size;
} frame;

static frame sealed(attune_sealed_pair *by, const char *text) {
    frame made;
    memcpy(made.bytes + ATTUNE_SEALED_TEXT, text, strlen(text));
    made.size = attune_sealed_seal(by, hint, made.bytes, strlen(text), sizeof made.bytes);
    return made;
}

/* Opens a copy in its own place, in a buffer of its exact size. */
static attune_sealed_result opened(attune_sealed_pair *by, const frame *received) {
    size_t size = 0;
    uint8_t *bytes = test_malloc(received->size + 1);
    memcpy(bytes, received->bytes, received->size);
    uint8_t *text = received->size > ATTUNE_SEALED_TEXT ? bytes + ATTUNE_SEALED_TEXT : bytes;
    attune_sealed_result result = attune_sealed_open(by, bytes, received->size, text, &size);
    if (result == ATTUNE_SEALED_OK) {
        assert_int_equal(size, received->size - ATTUNE_SEALED_AROUND);
    } else {
        assert_memory_equal(bytes, received->bytes, received->size);
    }
    test_free(bytes);
    return result;
}

static void without_a_session_nothing_is_sealed_or_opened(void **state) {
    (void)state;
    frame empty = {.bytes = {ATTUNE_FRAME_SEALED, 1, 2, 3, 4}, .size = ATTUNE_SEALED_AROUND};
    assert_int_equal(sealed(&node, "text").size, 0);
    assert_int_equal(opened(&node, &empty), ATTUNE_SEALED_FORGED);
    assert_false(attune_sealed_wants_keys(&node, UINT64_MAX));
    /* Keys of zeros are known to everybody. */
    new_keys(0);
    frame known = sealed(&daemon, "text");
    attune_sealed_wipe(&node);
    assert_int_equal(opened(&node, &known), ATTUNE_SEALED_FORGED);
}

static void frames_have_room_to_the_byte(void **state) {
    (void)state;
    uint8_t bytes[ATTUNE_SEALED_AROUND + 4] = {0};
    new_keys(1);
    for (size_t capacity = 0; capacity < sizeof bytes; capacity++) {
        assert_int_equal(attune_sealed_seal(&node, hint, bytes, 4, capacity), 0);
    }
    assert_int_equal(attune_sealed_seal(&node, hint, bytes, SIZE_MAX, sizeof bytes), 0);
    assert_int_equal(attune_sealed_seal(&node, hint, bytes, 4, sizeof bytes), sizeof bytes);
}

static void each_refusal_has_its_reason(void **state) {
    (void)state;
    new_keys(1);
    frame first = sealed(&daemon, "first");
    frame second = sealed(&daemon, "");
    assert_int_equal(second.size, ATTUNE_SEALED_AROUND);
    frame wrong = second;
    wrong.bytes[0] = 1;
    assert_int_equal(opened(&node, &wrong), ATTUNE_SEALED_BAD);
    for (wrong = second; wrong.size > 0; wrong.size--) {
        assert_int_equal(opened(&node, &wrong), wrong.size == second.size ? ATTUNE_SEALED_OK : ATTUNE_SEALED_BAD);
    }
    assert_int_equal(opened(&node, &second), ATTUNE_SEALED_OLD);
    assert_int_equal(opened(&node, &first), ATTUNE_SEALED_OLD);
    assert_int_equal(opened(&daemon, &first), ATTUNE_SEALED_FORGED);
}

static void counters_end_and_do_not_wrap(void **state) {
    (void)state;
    new_keys(1);
    daemon.current.next_send = UINT32_MAX - 1;
    frame last = sealed(&daemon, "last");
    assert_memory_equal(last.bytes + 5, ((const uint8_t[]){0xFE, 0xFF, 0xFF, 0xFF}), 4);
    assert_int_equal(sealed(&daemon, "none").size, 0);
    assert_int_equal(opened(&node, &last), ATTUNE_SEALED_OK);
    assert_int_equal(opened(&node, &last), ATTUNE_SEALED_OLD);
    /* One that nobody seals: it would leave no counter above it. */
    memset(last.bytes + 5, 0xFF, 4);
    assert_int_equal(opened(&node, &last), ATTUNE_SEALED_OLD);
    assert_int_equal(node.current.next_receive, UINT32_MAX);
    assert_true(attune_sealed_wants_keys(&node, 0));
}

static void the_session_before_goes_with_the_first_frame_of_the_new_one(void **state) {
    (void)state;
    new_keys(1);
    frame first = sealed(&daemon, "1");
    assert_int_equal(opened(&node, &first), ATTUNE_SEALED_OK);
    frame old[] = {sealed(&daemon, "2"), sealed(&daemon, "3")};
    new_keys(2);
    frame fresh = sealed(&daemon, "new");
    assert_int_equal(opened(&node, &old[0]), ATTUNE_SEALED_OK);
    assert_int_equal(opened(&node, &fresh), ATTUNE_SEALED_OK);
    assert_int_equal(opened(&node, &old[1]), ATTUNE_SEALED_FORGED);
    const attune_sealed nothing = {0};
    assert_memory_equal(&node.before, &nothing, sizeof nothing);
}

/* Two handshakes of which the daemon hears nothing more: what it still uses is the first session. */
static void the_session_before_is_one_that_was_answered(void **state) {
    (void)state;
    new_keys(1);
    frame first = sealed(&daemon, "1");
    frame second = sealed(&daemon, "2");
    assert_int_equal(opened(&node, &first), ATTUNE_SEALED_OK);
    new_keys(2);
    frame unheard = sealed(&daemon, "lost");
    new_keys(3);
    assert_int_not_equal(opened(&node, &unheard), ATTUNE_SEALED_OK);
    assert_int_equal(opened(&node, &second), ATTUNE_SEALED_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_session_nothing_is_sealed_or_opened, begin),
        cmocka_unit_test_setup(frames_have_room_to_the_byte, begin),
        cmocka_unit_test_setup(each_refusal_has_its_reason, begin),
        cmocka_unit_test_setup(counters_end_and_do_not_wrap, begin),
        cmocka_unit_test_setup(the_session_before_goes_with_the_first_frame_of_the_new_one, begin),
        cmocka_unit_test_setup(the_session_before_is_one_that_was_answered, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
