#include "update/envelope.h"

#include "update/compact.h"
#include "update/little.h"

#include <monocypher.h>
#include <string.h>

static const uint8_t domain[16] = "attune-update-01";
static const uint8_t audience_domain[16] = "attune-audience1";

#define HASH_SIZE 8
#define KIND 1
#define SEQUENCE 2
#define RESULT 6

enum scope { NODE = 1, COHORT = 2 };

void attune_audience(bool cohort, const uint8_t id[ATTUNE_AUDIENCE_ID], const uint8_t schema_hash[8],
                     const char *hardware, uint8_t audience[ATTUNE_AUDIENCE]) {
    const uint8_t scope = cohort ? COHORT : NODE;
    uint8_t full[64];
    crypto_blake2b_ctx blake;
    crypto_blake2b_init(&blake, sizeof full);
    crypto_blake2b_update(&blake, audience_domain, sizeof audience_domain);
    crypto_blake2b_update(&blake, &scope, 1);
    crypto_blake2b_update(&blake, id, ATTUNE_AUDIENCE_ID);
    crypto_blake2b_update(&blake, schema_hash, HASH_SIZE);
    for (; *hardware != '\0'; hardware++) {
        crypto_blake2b_update(&blake, (const uint8_t *)hardware, 1);
    }
    crypto_blake2b_final(&blake, full);
    memcpy(audience, full, ATTUNE_AUDIENCE);
}

static bool is_signed(const attune_update_own *own, const uint8_t *envelope, size_t size) {
    const uint8_t *audience = (envelope[KIND] & ATTUNE_COHORT_BIT) != 0 ? own->cohort : own->node;
    const attune_part parts[] = {
        {domain, sizeof domain},       {envelope, 1},
        {audience, ATTUNE_AUDIENCE},   {envelope + SEQUENCE, 4},
        {own->base, sizeof own->base}, {envelope + RESULT, ATTUNE_DIGEST_SIZE},
        {envelope + KIND, 1},          {envelope + ATTUNE_ENVELOPE_HEADER, size - ATTUNE_ENVELOPE_AROUND},
    };
    return attune_ed25519_check(envelope + size - ATTUNE_ED25519_SIGNATURE, own->key, parts,
                                sizeof parts / sizeof parts[0]);
}

static bool is_known(const uint8_t *envelope) {
    uint8_t kind = envelope[KIND] & (uint8_t)~ATTUNE_COHORT_BIT;
    return envelope[0] == ATTUNE_ENVELOPE_FORMAT && kind >= ATTUNE_UPDATE_HEAD && kind <= ATTUNE_UPDATE_MODEL;
}

attune_update_verdict attune_update_check(const attune_update_own *own, const uint8_t *envelope, size_t size,
                                          attune_update *update) {
    if (size <= ATTUNE_ENVELOPE_AROUND || size > ATTUNE_MAX_ENVELOPE) {
        return ATTUNE_UPDATE_SIZE;
    }
    if (!is_known(envelope)) {
        return ATTUNE_UPDATE_FORMAT;
    }
    bool cohort = (envelope[KIND] & ATTUNE_COHORT_BIT) != 0;
    if ((cohort && !own->in_cohort) || !is_signed(own, envelope, size)) {
        return ATTUNE_UPDATE_SIGNATURE;
    }
    if (attune_little_read(envelope + SEQUENCE) <= own->highest) {
        return ATTUNE_UPDATE_SEQUENCE;
    }
    *update = (attune_update){
        .kind = (attune_update_kind)(envelope[KIND] & (uint8_t)~ATTUNE_COHORT_BIT),
        .for_cohort = cohort,
        .sequence = attune_little_read(envelope + SEQUENCE),
        .result = envelope + RESULT,
        .payload = envelope + ATTUNE_ENVELOPE_HEADER,
        .payload_size = size - ATTUNE_ENVELOPE_AROUND,
    };
    return ATTUNE_UPDATE_OK;
}

static bool apply_head(const attune_update *update, attune_model *model) {
    const attune_sensors sensors = *attune_head_sensors(&model->head);
    if (update->payload_size < 4 ||
        !attune_compact_read(&model->head, &sensors, update->payload + 4, update->payload_size - 4)) {
        return false;
    }
    model->through_label = attune_little_read(update->payload);
    model->normaliser.present = false;
    if (model->calibration.classes != attune_head_classes(&model->head)) {
        model->calibration.present = false;
    }
    return true;
}

static bool apply_calibration(const attune_update *update, attune_model *model) {
    size_t size = attune_calibration_size(update->payload, update->payload_size);
    return size == update->payload_size && update->payload[0] == attune_head_classes(&model->head) &&
           attune_calibration_read(&model->calibration, update->payload);
}

static bool apply_normaliser(const attune_update *update, attune_model *model) {
    const uint8_t d = attune_head_features(&model->head);
    return update->payload_size == ATTUNE_NORMALISER_SIZE(d) &&
           attune_normaliser_read(&model->normaliser, d, update->payload);
}

static bool apply(const attune_update *update, attune_model *model) {
    switch (update->kind) {
    case ATTUNE_UPDATE_HEAD:
        return apply_head(update, model);
    case ATTUNE_UPDATE_CALIBRATION:
        return apply_calibration(update, model);
    case ATTUNE_UPDATE_NORMALISER:
        return apply_normaliser(update, model);
    case ATTUNE_UPDATE_MODEL:
        return attune_model_read(model, update->payload, update->payload_size);
    }
    return false;
}

attune_update_verdict attune_update_result(const attune_update *update, const uint8_t schema_hash[8],
                                           attune_model *model, uint8_t *image, size_t capacity, size_t *image_size) {
    *image_size = apply(update, model) ? attune_model_write(model, schema_hash, image, capacity) : 0;
    return *image_size > 0 ? ATTUNE_UPDATE_OK : ATTUNE_UPDATE_PAYLOAD;
}

attune_update_verdict attune_update_apply(const attune_update *update, const uint8_t schema_hash[8],
                                          attune_model *model, uint8_t *image, size_t capacity, size_t *image_size) {
    uint8_t announced[ATTUNE_DIGEST_SIZE];
    uint8_t digest[ATTUNE_DIGEST_SIZE];
    memcpy(announced, update->result, sizeof announced); /* the image may take its place */
    attune_update_verdict verdict = attune_update_result(update, schema_hash, model, image, capacity, image_size);
    if (verdict != ATTUNE_UPDATE_OK) {
        return verdict;
    }
    attune_model_digest(image, *image_size, digest);
    return memcmp(digest, announced, sizeof digest) == 0 ? ATTUNE_UPDATE_OK : ATTUNE_UPDATE_DIGEST;
}
