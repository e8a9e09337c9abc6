/* Golden envelopes under the sanitizers, in buffers of exact size: what fits is applied; any other bit, length, number or node has
 * its verdict; chunks survive every interruption; chains of signing keys. More kinds of malice are in tests/unit/test_update_*.py. */
#include "update/compact.h"
#include "update/keys.h"
#include "update/transfer.h"

#include "vectors.h"

#include <monocypher.h>
#include <string.h>

#define LARGEST 4096
#define GOLDEN_SEQUENCE 300

typedef struct golden {
    uint8_t bytes[LARGEST];
    size_t size;
} golden;

static golden read_golden(const char *name) {
    golden read = {{0}, 0};
    char stem[64];
    snprintf(stem, sizeof stem, "updates/%s", name);
    read.size = read_vector(stem, read.bytes, sizeof read.bytes);
    return read;
}

static attune_update_own own;
static uint8_t schema_hash[8];
static attune_model base;
static golden base_image;

static void start_base(attune_model *model) {
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ATTUNE_MAX_FEATURES; i++) {
        sensor[i] = i / 3;
    }
    assert_true(attune_model_init(model, ATTUNE_HEAD_MIXTURE, ATTUNE_MAX_FEATURES, sensor));
    assert_true(attune_model_read_image(model, schema_hash, base_image.bytes, base_image.size));
}

static int begin(void **state) {
    (void)state;
    golden read = read_golden("key");
    memcpy(own.key, read.bytes, sizeof own.key);
    read = read_golden("node");
    memcpy(own.node, read.bytes, sizeof own.node);
    read = read_golden("cohort");
    memcpy(own.cohort, read.bytes, sizeof own.cohort);
    own.in_cohort = true;
    own.highest = GOLDEN_SEQUENCE - 1;
    read = read_golden("schema");
    memcpy(schema_hash, read.bytes, sizeof schema_hash);
    base_image = read_golden("base");
    attune_model_digest(base_image.bytes, base_image.size, own.base);
    start_base(&base);
    return 0;
}

/* Check and apply in a buffer of exact size; what is refused leaves everything that the node knows as it was. */
static attune_update_verdict take(const uint8_t *bytes, size_t size, uint8_t result[ATTUNE_DIGEST_SIZE]) {
    static attune_model scratch;
    static uint8_t image[LARGEST];
    size_t image_size = 0;
    attune_update update;
    const attune_update_own before = own;
    uint8_t *exact = test_malloc(size + 1);
    memcpy(exact + 1, bytes, size);
    attune_update_verdict verdict = attune_update_check(&own, exact + 1, size, &update);
    if (verdict == ATTUNE_UPDATE_OK) {
        scratch = base;
        verdict = attune_update_apply(&update, schema_hash, &scratch, image, sizeof image, &image_size);
    }
    test_free(exact);
    assert_memory_equal(&before, &own, sizeof own);
    if (verdict == ATTUNE_UPDATE_OK) {
        attune_model_digest(image, image_size, result);
    }
    return verdict;
}

static const char *const kinds[] = {"head", "calibration", "normaliser", "model"};

static void golden_envelopes_are_applied(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char name[32];
        uint8_t result[ATTUNE_DIGEST_SIZE];
        golden envelope = read_golden(kinds[i]);
        snprintf(name, sizeof name, "%s_result", kinds[i]);
        golden expected = read_golden(name);
        assert_int_equal(take(envelope.bytes, envelope.size, result), ATTUNE_UPDATE_OK);
        assert_memory_equal(result, expected.bytes, sizeof result);
    }
    golden cohort = read_golden("head_cohort");
    uint8_t result[ATTUNE_DIGEST_SIZE];
    assert_int_equal(take(cohort.bytes, cohort.size, result), ATTUNE_UPDATE_OK);
    own.in_cohort = false;
    assert_int_equal(take(cohort.bytes, cohort.size, result), ATTUNE_UPDATE_SIGNATURE);
    own.in_cohort = true;
}

/* A node has no room for both. */
static void an_image_takes_the_place_of_its_envelope(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char name[32];
        uint8_t digest[ATTUNE_DIGEST_SIZE];
        golden envelope = read_golden(kinds[i]);
        snprintf(name, sizeof name, "%s_result", kinds[i]);
        golden expected = read_golden(name);
        attune_update update;
        attune_model scratch = base;
        size_t size = 0;
        assert_int_equal(attune_update_check(&own, envelope.bytes, envelope.size, &update), ATTUNE_UPDATE_OK);
        assert_int_equal(
            attune_update_apply(&update, schema_hash, &scratch, envelope.bytes, sizeof envelope.bytes, &size),
            ATTUNE_UPDATE_OK);
        attune_model_digest(envelope.bytes, size, digest);
        assert_memory_equal(digest, expected.bytes, sizeof digest);
    }
}

static void an_update_says_what_it_is(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    attune_update update;
    assert_int_equal(attune_update_check(&own, envelope.bytes, envelope.size, &update), ATTUNE_UPDATE_OK);
    assert_int_equal(update.kind, ATTUNE_UPDATE_HEAD);
    assert_int_equal(update.sequence, GOLDEN_SEQUENCE);
    assert_false(update.for_cohort);
    assert_int_equal(update.payload_size, 4 + attune_compact_size(ATTUNE_MAX_FEATURES, 2));
    assert_ptr_equal(update.payload, envelope.bytes + ATTUNE_ENVELOPE_HEADER);
}

static void every_bit_counts(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    uint8_t result[ATTUNE_DIGEST_SIZE];
    for (size_t bit = 0; bit < 8 * envelope.size; bit++) {
        envelope.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        attune_update_verdict verdict = take(envelope.bytes, envelope.size, result);
        assert_true(verdict == ATTUNE_UPDATE_SIGNATURE || (bit < 16 && verdict == ATTUNE_UPDATE_FORMAT));
        envelope.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void every_length_is_looked_at_first(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    uint8_t result[ATTUNE_DIGEST_SIZE];
    uint8_t longest[ATTUNE_MAX_ENVELOPE + 1] = {0};
    for (size_t size = 0; size < envelope.size; size++) {
        attune_update_verdict expected = size <= ATTUNE_ENVELOPE_AROUND ? ATTUNE_UPDATE_SIZE : ATTUNE_UPDATE_SIGNATURE;
        assert_int_equal(take(envelope.bytes, size, result), expected);
    }
    assert_int_equal(take(longest, sizeof longest, result), ATTUNE_UPDATE_SIZE);
    assert_int_equal(take(longest, sizeof longest - 1, result), ATTUNE_UPDATE_FORMAT);
}

/* Each check comes before the next one: what has every fault has the verdict of the first. */
static void checks_come_in_their_order(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    uint8_t result[ATTUNE_DIGEST_SIZE];
    own.highest = UINT32_MAX;
    assert_int_equal(take(envelope.bytes, envelope.size, result), ATTUNE_UPDATE_SEQUENCE);
    envelope.bytes[envelope.size - 1] ^= 1;
    assert_int_equal(take(envelope.bytes, envelope.size, result), ATTUNE_UPDATE_SIGNATURE);
    envelope.bytes[0] = 9;
    assert_int_equal(take(envelope.bytes, envelope.size, result), ATTUNE_UPDATE_FORMAT);
    assert_int_equal(take(envelope.bytes, 20, result), ATTUNE_UPDATE_SIZE);
    own.highest = GOLDEN_SEQUENCE - 1;
}

static void what_the_node_knows_is_signed(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    uint8_t result[ATTUNE_DIGEST_SIZE];
    uint8_t *known[] = {own.key, own.node, own.base};
    for (size_t i = 0; i < 3; i++) {
        *known[i] ^= 1;
        assert_int_equal(take(envelope.bytes, envelope.size, result), ATTUNE_UPDATE_SIGNATURE);
        *known[i] ^= 1;
    }
    assert_int_equal(take(envelope.bytes, envelope.size, result), ATTUNE_UPDATE_OK);
}

/* Signed by somebody who announced another result than the payload gives. */
static void what_gives_something_else_is_refused(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    static uint8_t image[LARGEST];
    uint8_t other[ATTUNE_DIGEST_SIZE];
    attune_update update;
    size_t size;
    assert_int_equal(attune_update_check(&own, envelope.bytes, envelope.size, &update), ATTUNE_UPDATE_OK);
    for (size_t bit = 0; bit < 8 * sizeof other; bit++) {
        attune_model scratch = base;
        memcpy(other, envelope.bytes + 6, sizeof other);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        update.result = other;
        assert_int_equal(attune_update_apply(&update, schema_hash, &scratch, image, sizeof image, &size),
                         ATTUNE_UPDATE_DIGEST);
    }
}

static void no_room_for_the_result_is_no_result(void **state) {
    (void)state;
    golden envelope = read_golden("head");
    static uint8_t image[LARGEST];
    attune_update update;
    assert_int_equal(attune_update_check(&own, envelope.bytes, envelope.size, &update), ATTUNE_UPDATE_OK);
    size_t needed = attune_model_size(&base) + 5; /* and the section of the label */
    for (size_t capacity = needed - 2; capacity <= needed; capacity++) {
        attune_model scratch = base;
        size_t size;
        assert_int_equal(attune_update_apply(&update, schema_hash, &scratch, image, capacity, &size),
                         capacity < needed ? ATTUNE_UPDATE_PAYLOAD : ATTUNE_UPDATE_OK);
    }
}

static void random_images_are_read_or_refused(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 3000; round++) {
        golden image = base_image;
        attune_model model = base;
        for (uint32_t change = random_below(&seed, 4); change-- > 0;) {
            image.bytes[random_below(&seed, (uint32_t)image.size)] = (uint8_t)next_random(&seed);
        }
        size_t size = round % 2 ? image.size : random_below(&seed, (uint32_t)image.size + 1);
        uint8_t *exact = test_malloc(size + 1);
        memcpy(exact + 1, image.bytes, size);
        if (attune_model_read_image(&model, schema_hash, exact + 1, size)) {
            attune_real evidence[ATTUNE_MAX_CLASSES - 1];
            int16_t x[ATTUNE_MAX_FEATURES] = {100, -100};
            if (attune_model_evidence(&model, x, evidence)) {
                attune_model_calibrate(&model, evidence);
            }
            assert_true(attune_finite(evidence[0]));
        }
        test_free(exact);
    }
}

/* Power may fail before and after each step; what is kept is the transfer and the bytes that are durable. */
static void chunks_survive_every_interruption(void **state) {
    (void)state;
    golden envelope = read_golden("model");
    uint8_t kept[ATTUNE_MAX_ENVELOPE];
    attune_transfer transfer = {{0}, 0, 0};
    attune_chunk chunk = {{1, 2, 3}, (uint32_t)envelope.size, 0, 0};
    uint64_t seed = 3;
    bool whole = false;
    for (int step = 0; step < 2000 && !whole; step++) {
        chunk.offset = attune_transfer_offset(&transfer, &chunk);
        uint32_t left = chunk.size - chunk.offset;
        chunk.count = left < 100 ? left : 100;
        attune_chunk_result result = attune_transfer_look(&transfer, &chunk);
        assert_int_equal(result, transfer.size == 0 ? ATTUNE_CHUNK_FIRST : ATTUNE_CHUNK_NEXT);
        if (random_below(&seed, 3) > 0) {
            memcpy(kept + chunk.offset, envelope.bytes + chunk.offset, chunk.count);
            whole = random_below(&seed, 3) > 0 && attune_transfer_stored(&transfer, &chunk);
        }
    }
    uint8_t result[ATTUNE_DIGEST_SIZE];
    assert_true(whole);
    assert_int_equal(take(kept, envelope.size, result), ATTUNE_UPDATE_OK);
    assert_int_equal(attune_transfer_look(&transfer, &chunk), ATTUNE_CHUNK_ELSEWHERE);
}

static void a_node_that_slept_through_two_keys(void **state) {
    (void)state;
    golden chain = read_golden("chain");
    golden third = read_golden("third_key");
    attune_signer signer = {.number = 1};
    memcpy(signer.key, own.key, sizeof signer.key);
    const attune_signer first = signer;
    assert_int_equal(chain.size, 2 * ATTUNE_STATEMENT);
    for (size_t bit = 0; bit < 8 * chain.size; bit += 3) {
        chain.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(attune_signer_follow(&signer, chain.bytes, chain.size) != ATTUNE_CHAIN_OK || signer.number == 1);
        assert_memory_equal(&signer, &first, sizeof signer);
        chain.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(attune_signer_follow(&signer, chain.bytes + ATTUNE_STATEMENT, ATTUNE_STATEMENT), ATTUNE_CHAIN_GAP);
    assert_int_equal(attune_signer_follow(&signer, chain.bytes, chain.size), ATTUNE_CHAIN_OK);
    assert_int_equal(signer.number, 3);
    assert_memory_equal(signer.key, third.bytes, sizeof signer.key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_envelopes_are_applied),
        cmocka_unit_test(an_image_takes_the_place_of_its_envelope),
        cmocka_unit_test(an_update_says_what_it_is),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(every_length_is_looked_at_first),
        cmocka_unit_test(checks_come_in_their_order),
        cmocka_unit_test(what_the_node_knows_is_signed),
        cmocka_unit_test(no_room_for_the_result_is_no_result),
        cmocka_unit_test(random_images_are_read_or_refused),
        cmocka_unit_test(chunks_survive_every_interruption),
        cmocka_unit_test(a_node_that_slept_through_two_keys),
        cmocka_unit_test(what_gives_something_else_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
