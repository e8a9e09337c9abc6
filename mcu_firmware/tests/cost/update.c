/* An image that counts what updates cost the node: golden envelopes of each kind verified and applied, the deepest that the stack has
 * been, and what is held meanwhile. tests/update_report.py runs it. */
#include "cost/count.h"
#include "memory.h"
#include "stack.h"
#include "update/envelope.h"
#include "update/keys.h"

#include <string.h>

int main(void);

/* tests/vectors/updates, made into these files by the build. */
static const uint8_t key[] = {
#include "key.inc"
};
static const uint8_t node_audience[] = {
#include "node.inc"
};
static const uint8_t schema_hash[] = {
#include "schema.inc"
};
static const uint8_t base[] = {
#include "base.inc"
};
static const uint8_t head[] = {
#include "head.inc"
};
static const uint8_t calibration[] = {
#include "calibration.inc"
};
static const uint8_t normaliser[] = {
#include "normaliser.inc"
};
static const uint8_t model[] = {
#include "model.inc"
};
static const uint8_t chain[] = {
#include "chain.inc"
};

static attune_update_own own;
static attune_model scratch;
static attune_update update;
static uint8_t image[ATTUNE_MAX_ENVELOPE];
static const uint8_t *envelope;
static size_t envelope_size;
static uint32_t failures;

static void expect(bool holds) { failures += holds ? 0 : 1; }

static void load(void) { expect(attune_model_read_image(&scratch, schema_hash, base, sizeof base)); }

static void verify(void) { expect(attune_update_check(&own, envelope, envelope_size, &update) == ATTUNE_UPDATE_OK); }

static void apply(void) {
    size_t size;
    expect(attune_update_apply(&update, schema_hash, &scratch, image, sizeof image, &size) == ATTUNE_UPDATE_OK);
}

static void follow(void) {
    attune_signer signer = {.number = 1};
    memcpy(signer.key, key, sizeof key);
    expect(attune_signer_follow(&signer, chain, sizeof chain) == ATTUNE_CHAIN_OK);
}

static void measure(const char *kind, const uint8_t *bytes, size_t size) {
    envelope = bytes;
    envelope_size = size;
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
    memcpy(own.key, key, sizeof key);
    memcpy(own.node, node_audience, sizeof node_audience);
    attune_model_digest(base, sizeof base, own.base);
}

int main(void) {
    begin();
    begin_counting();
    say_cost("base", " load", count_once(load));
    measure("head", head, sizeof head);
    measure("calibration", calibration, sizeof calibration);
    measure("normaliser", normaliser, sizeof normaliser);
    measure("model", model, sizeof model);
    say_cost("chain", " follow", count_once(follow));
    say_cost("stack", "", attune_span(attune_stack_begin, attune_stack_end) - attune_stack_free());
    say_cost("held", " scratch", sizeof scratch);
    say_cost("held", " image", sizeof base + 5);
    say_cost("failures", "", failures);
    end_counting();
}
