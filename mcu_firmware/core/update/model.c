#include "update/model.h"

#include "update/little.h"

#include <monocypher.h>
#include <string.h>

#define HASH_SIZE 8
#define STATE_HEADER 4 /* kind, features, classes, format: attune_head_export */

enum section { THROUGH_LABEL = 1, NORMALISER = 2, CALIBRATION = 3 };

bool attune_model_init(attune_model *model, attune_head_kind kind, uint8_t d, const uint8_t *sensor) {
    memset(model, 0, sizeof *model);
    return attune_head_init(&model->head, kind, d, sensor) == ATTUNE_HEAD_OK;
}

static size_t sections_size(const attune_model *model) {
    const uint8_t d = attune_head_features(&model->head);
    size_t size = model->through_label != 0 ? 1 + sizeof model->through_label : 0;
    size += model->normaliser.present ? 1 + ATTUNE_NORMALISER_SIZE(d) : 0;
    return size + (model->calibration.present ? 1 + ATTUNE_CALIBRATION_SIZE(model->calibration.classes) : 0);
}

static size_t state_size(const attune_model *model) {
    return attune_head_size(model->head.kind, attune_head_sensors(&model->head), attune_head_classes(&model->head),
                            ATTUNE_FLOAT32);
}

size_t attune_model_size(const attune_model *model) { return state_size(model) + sections_size(model) + HASH_SIZE; }

static void write_sections(const attune_model *model, uint8_t *bytes) {
    if (model->through_label != 0) {
        *bytes++ = THROUGH_LABEL;
        attune_little_write(model->through_label, bytes);
        bytes += 4;
    }
    if (model->normaliser.present) {
        const uint8_t d = attune_head_features(&model->head);
        *bytes++ = NORMALISER;
        attune_normaliser_write(&model->normaliser, d, bytes);
        bytes += ATTUNE_NORMALISER_SIZE(d);
    }
    if (model->calibration.present) {
        *bytes++ = CALIBRATION;
        attune_calibration_write(&model->calibration, bytes);
    }
}

size_t attune_model_write(const attune_model *model, const uint8_t schema_hash[8], uint8_t *image, size_t capacity) {
    size_t size = attune_model_size(model);
    if (capacity < size) {
        return 0;
    }
    size_t state = attune_head_export(&model->head, ATTUNE_FLOAT32, image, capacity);
    write_sections(model, image + state);
    memcpy(image + size - HASH_SIZE, schema_hash, HASH_SIZE);
    return size;
}

/* Reads the section that begins at bytes; returns its size with the byte that names it, 0 if it is none. */
static size_t read_section(attune_model *model, const uint8_t *bytes, size_t size) {
    const uint8_t d = attune_head_features(&model->head);
    const uint8_t *contents = bytes + 1;
    size_t room = size - 1;
    size_t used = 0;
    if (bytes[0] == THROUGH_LABEL && room >= 4) {
        model->through_label = attune_little_read(contents);
        used = model->through_label != 0 ? 4 : 0;
    } else if (bytes[0] == NORMALISER && room >= ATTUNE_NORMALISER_SIZE(d)) {
        used = attune_normaliser_read(&model->normaliser, d, contents) ? ATTUNE_NORMALISER_SIZE(d) : 0;
    } else if (bytes[0] == CALIBRATION && (used = attune_calibration_size(contents, room)) > 0) {
        bool fits = contents[0] == attune_head_classes(&model->head);
        used = fits && attune_calibration_read(&model->calibration, contents) ? used : 0;
    }
    return used > 0 ? 1 + used : 0;
}

static bool read_sections(attune_model *model, const uint8_t *bytes, size_t size) {
    uint8_t last = 0;
    model->through_label = 0;
    model->normaliser.present = false;
    model->calibration.present = false;
    while (size > 0) {
        size_t used = bytes[0] > last ? read_section(model, bytes, size) : 0;
        if (used == 0) {
            return false;
        }
        last = bytes[0];
        bytes += used;
        size -= used;
    }
    return true;
}

bool attune_model_read(attune_model *model, const uint8_t *bytes, size_t size) {
    if (size < STATE_HEADER || bytes[2] < 2 || bytes[2] > ATTUNE_MAX_CLASSES) {
        return false;
    }
    size_t state =
        attune_head_size(model->head.kind, attune_head_sensors(&model->head), bytes[2], (attune_format)bytes[3]);
    return state > 0 && state <= size && attune_head_load(&model->head, bytes, state) == ATTUNE_HEAD_OK &&
           read_sections(model, bytes + state, size - state);
}

bool attune_model_read_image(attune_model *model, const uint8_t schema_hash[8], const uint8_t *image, size_t size) {
    return size > HASH_SIZE && memcmp(image + size - HASH_SIZE, schema_hash, HASH_SIZE) == 0 &&
           attune_model_read(model, image, size - HASH_SIZE);
}

void attune_model_digest(const uint8_t *image, size_t size, uint8_t digest[ATTUNE_DIGEST_SIZE]) {
    uint8_t full[64];
    crypto_blake2b(full, sizeof full, image, size);
    memcpy(digest, full, ATTUNE_DIGEST_SIZE);
}

static void normalised(const attune_model *model, const int16_t *x, int16_t *mapped) {
    const uint8_t d = attune_head_features(&model->head);
    memcpy(mapped, x, d * sizeof *x);
    attune_normaliser_map(&model->normaliser, d, mapped);
}

bool attune_model_evidence(const attune_model *model, const int16_t *x, attune_real *evidence) {
    int16_t mapped[ATTUNE_MAX_FEATURES];
    normalised(model, x, mapped);
    return attune_head_predict(&model->head, mapped, evidence);
}

void attune_model_calibrate(const attune_model *model, attune_real *evidence) {
    attune_calibration_apply(&model->calibration, evidence);
    attune_evidence_bound(evidence, attune_head_classes(&model->head), ATTUNE_EVIDENCE_LIMIT);
}

attune_head_result attune_model_learn(attune_model *model, const int16_t *x, uint8_t class_index, attune_real weight) {
    int16_t mapped[ATTUNE_MAX_FEATURES];
    normalised(model, x, mapped);
    attune_head_result result = attune_head_learn(&model->head, mapped, class_index, weight);
    if (model->calibration.classes != attune_head_classes(&model->head)) {
        model->calibration.present = false;
    }
    return result;
}
