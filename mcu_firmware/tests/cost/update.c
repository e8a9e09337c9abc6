/* An image that counts what updates cost the node: golden envelopes of each kind verified and applied, the deepest that the stack has
 * been, and what is held meanwhile. tests/update_report.py runs it. */
#include "cost/count.h"
#include "cost/golden.h"
#include "memory.h"
#include "stack.h"
#include "update/envelope.h"
#include "update/keys.h"

#include <string.h>

int main(void);

static attune_update_own own;
static attune_model scratch;
static attune_update update;
static uint8_t image[ATTUNE_MAX_ENVELOPE];
static const golden *envelope;
static uint32_t failures;

static void expect(bool holds) { failures += holds ? 0 : 1; }

static void load(void) {
    expect(attune_model_read_image(&scratch, golden_schema.bytes, golden_base.bytes, golden_base.size));
}

static void verify(void) {
    expect(attune_update_check(&own, envelope->bytes, envelope->size, &update) == ATTUNE_UPDATE_OK);
}

static void apply(void) {
    size_t size;
    expect(attune_update_apply(&update, golden_schema.bytes, &scratch, image, sizeof image, &size) == ATTUNE_UPDATE_OK);
}

static void follow(void) {
    attune_signer signer = {.number = 1};
    memcpy(signer.key, golden_key.bytes, sizeof signer.key);
    expect(attune_signer_follow(&signer, golden_chain.bytes, golden_chain.size) == ATTUNE_CHAIN_OK);
}

static void measure(const char *kind, const golden *bytes) {
    envelope = bytes;
    load();
    say_cost(kind, " verify", count_once(verify));
    say_cost(kind, " apply", count_once(apply));
}

static void begin(void) {
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ATTUNE_MAX_FEATURES; i++) {
        sensor[i] = i / 3;
    }
    expect(attune_model_init(&scratch, ATTUNE_HEAD_MIXTURE, ATTUNE_MAX_FEATURES, sensor));
    memcpy(own.key, golden_key.bytes, sizeof own.key);
    memcpy(own.node, golden_node.bytes, sizeof own.node);
    attune_model_digest(golden_base.bytes, golden_base.size, own.base);
}

int main(void) {
    begin();
    begin_counting();
    say_cost("base", " load", count_once(load));
    measure("head", &golden_head);
    measure("calibration", &golden_calibration);
    measure("normaliser", &golden_normaliser);
    measure("model", &golden_model);
    say_cost("chain", " follow", count_once(follow));
    say_cost("stack", "", attune_span(attune_stack_begin, attune_stack_end) - attune_stack_free());
    say_cost("held", " scratch", sizeof scratch);
    say_cost("held", " image", (uint32_t)golden_base.size + 5);
    say_cost("failures", "", failures);
    end_counting();
}
