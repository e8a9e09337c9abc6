/* An image that counts what a session costs the node: one KK handshake with a daemon that runs beside it and is not counted, a
 * report sealed and opened, the deepest that the stack has been, and what the node holds. tests/session_report.py runs it. */
#include "cost/count.h"
#include "memory.h"
#include "session/handshake.h"
#include "stack.h"

#include <string.h>

/* What a report of 24 features and two classes has. */
#define REPORT 71

int main(void);

static const uint8_t hint[ATTUNE_HINT] = {'a', 'b', 'c', 'd'};
static attune_key_pair node_pair, daemon_pair;
static attune_handshake handshake;
static attune_sealed_pair node;
static attune_noise daemon;
static uint8_t frame[ATTUNE_HANDSHAKE_FRAME];
static uint8_t text[ATTUNE_HANDSHAKE_FRAME];
static uint8_t answer[ATTUNE_HANDSHAKE_FRAME];
static size_t size, answer_size;
static uint32_t failures;

static void expect(bool holds) { failures += holds ? 0 : 1; }

static void begin(void) {
    const uint8_t ephemeral[32] = {3};
    attune_handshake_begin_kk(&handshake, hint, &node_pair, daemon_pair.public_key, ephemeral);
    size = attune_handshake_write(&handshake, text, 32, frame, sizeof frame);
    expect(size > 0);
}

/* Not counted: what the daemon does meanwhile. */
static void let_daemon_answer(void) {
    static const uint8_t ephemeral[32] = {4};
    const attune_noise_setup setup = {.own = &daemon_pair,
                                      .ephemeral = ephemeral,
                                      .prologue = (const uint8_t *)"attune-session-1abcd",
                                      .prologue_size = 20};
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    attune_noise_begin_kk(&daemon, &setup, node_pair.public_key);
    expect(attune_noise_read(&daemon, frame + 6, size - 6, payload, &size) == ATTUNE_NOISE_OK);
    memcpy(answer, frame, 5);
    answer[5] = 2;
    expect(attune_noise_write(&daemon, payload, size, answer + 6, sizeof answer - 6, &answer_size) == ATTUNE_NOISE_OK);
}

static void finish(void) {
    attune_noise_keys keys;
    expect(attune_handshake_read(&handshake, answer, answer_size + 6, text, &size) == ATTUNE_NOISE_OK);
    expect(attune_handshake_finish(&handshake, &keys) == ATTUNE_NOISE_OK);
    attune_sealed_adopt(&node, &keys, 0);
}

static void seal(void) { size = attune_sealed_seal(&node, hint, frame, REPORT, sizeof frame); }

static void open(void) {
    expect(attune_sealed_open(&node, frame, REPORT + ATTUNE_SEALED_AROUND, text, &size) == ATTUNE_SEALED_OK);
}

int main(void) {
    attune_key_pair_from(&node_pair, (const uint8_t[32]){1});
    attune_key_pair_from(&daemon_pair, (const uint8_t[32]){2});
    begin_counting();
    uint32_t first = count_once(begin);
    let_daemon_answer();
    say_cost("handshake", "", first + count_once(finish));
    say_cost("report", " seal", count_once(seal));
    memcpy(node.current.receive_key, node.current.send_key, sizeof node.current.send_key);
    say_cost("report", " open", count_once(open));
    say_cost("stack", "", attune_span(attune_stack_begin, attune_stack_end) - attune_stack_free());
    say_cost("held", " handshake", sizeof handshake);
    say_cost("held", " sessions", sizeof node);
    say_cost("failures", "", failures);
    end_counting();
}
