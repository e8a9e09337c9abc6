#include "attune_core_api.h"

#include "update/compact.h"
#include "update/keys.h"
#include "update/sha512.h"
#include "update/transfer.h"

#include <string.h>

size_t core_compact_write(const struct attune_head *head, uint8_t *bytes, size_t capacity) {
    return attune_compact_write(head, bytes, capacity);
}

int core_compact_read(struct attune_head *head, const uint8_t *bytes, size_t size) {
    const attune_sensors sensors = *attune_head_sensors(head);
    attune_head read;
    if (!attune_compact_read(&read, &sensors, bytes, size)) {
        return 0;
    }
    *head = read;
    return 1;
}

void core_sha512(const uint8_t *bytes, size_t size, uint8_t *digest) {
    attune_sha512 sha;
    attune_sha512_init(&sha);
    attune_sha512_update(&sha, bytes, size);
    attune_sha512_final(&sha, digest);
}

int core_ed25519_check(const uint8_t *signature, const uint8_t *key, const uint8_t *message, size_t size) {
    const attune_part whole = {message, size};
    return attune_ed25519_check(signature, key, &whole, 1);
}

void core_model_set(struct attune_model *model, const struct attune_head *head) {
    memset(model, 0, sizeof *model);
    model->head = *head;
}

void core_model_head(const struct attune_model *model, struct attune_head *head) { *head = model->head; }

uint32_t core_model_through_label(const struct attune_model *model) { return model->through_label; }

int core_model_read(struct attune_model *model, const uint8_t *bytes, size_t size) {
    return attune_model_read(model, bytes, size);
}

int core_model_read_image(struct attune_model *model, const uint8_t *schema_hash, const uint8_t *image, size_t size) {
    return attune_model_read_image(model, schema_hash, image, size);
}

size_t core_model_size(const struct attune_model *model) { return attune_model_size(model); }

size_t core_model_write(const struct attune_model *model, const uint8_t *schema_hash, uint8_t *image, size_t capacity) {
    return attune_model_write(model, schema_hash, image, capacity);
}

void core_model_digest(const uint8_t *image, size_t size, uint8_t *digest) { attune_model_digest(image, size, digest); }

void core_model_predict(const struct attune_model *model, const int16_t *features, size_t n, attune_real *evidence,
                        uint8_t *known) {
    const size_t width = attune_head_features(&model->head);
    const size_t others = attune_head_classes(&model->head) - 1u;
    for (size_t i = 0; i < n; i++) {
        known[i] = attune_model_evidence(model, features + i * width, evidence + i * others);
        if (known[i]) {
            attune_model_calibrate(model, evidence + i * others);
        }
    }
}

int core_model_learn(struct attune_model *model, const int16_t *features, uint8_t class_index, attune_real weight) {
    return (int)attune_model_learn(model, features, class_index, weight);
}

void core_audience(int cohort, const uint8_t *id, const uint8_t *schema_hash, const char *hardware, uint8_t *audience) {
    attune_audience(cohort != 0, id, schema_hash, hardware, audience);
}

static attune_update_own own_of(const uint8_t *key, const uint8_t *node, const uint8_t *cohort, const uint8_t *base,
                                uint32_t highest) {
    attune_update_own own = {.in_cohort = cohort != NULL, .highest = highest};
    memcpy(own.key, key, sizeof own.key);
    memcpy(own.node, node, sizeof own.node);
    memcpy(own.base, base, sizeof own.base);
    if (cohort != NULL) {
        memcpy(own.cohort, cohort, sizeof own.cohort);
    }
    return own;
}

int core_update_check(const uint8_t *key, const uint8_t *node, const uint8_t *cohort, const uint8_t *base,
                      uint32_t highest, const uint8_t *envelope, size_t size) {
    const attune_update_own own = own_of(key, node, cohort, base, highest);
    attune_update update;
    return (int)attune_update_check(&own, envelope, size, &update);
}

int core_update_result(int kind, const uint8_t *payload, size_t payload_size, const uint8_t *schema_hash,
                       struct attune_model *model, uint8_t *image, size_t capacity, size_t *image_size) {
    const attune_update update = {.kind = (attune_update_kind)kind, .payload = payload, .payload_size = payload_size};
    return (int)attune_update_result(&update, schema_hash, model, image, capacity, image_size);
}

int core_update_apply(const uint8_t *key, const uint8_t *node, const uint8_t *cohort, const uint8_t *base,
                      uint32_t highest, const uint8_t *envelope, size_t size, const uint8_t *schema_hash,
                      struct attune_model *model, uint8_t *image, size_t capacity, size_t *image_size) {
    const attune_update_own own = own_of(key, node, cohort, base, highest);
    attune_update update;
    attune_update_verdict verdict = attune_update_check(&own, envelope, size, &update);
    if (verdict == ATTUNE_UPDATE_OK) {
        verdict = attune_update_apply(&update, schema_hash, model, image, capacity, image_size);
    }
    return (int)verdict;
}

static attune_chunk chunk_of(const uint8_t *id, uint32_t size, uint32_t offset, uint32_t count) {
    attune_chunk chunk = {.size = size, .offset = offset, .count = count};
    memcpy(chunk.id, id, sizeof chunk.id);
    return chunk;
}

int core_transfer_look(const struct attune_transfer *transfer, const uint8_t *id, uint32_t size, uint32_t offset,
                       uint32_t count) {
    const attune_chunk chunk = chunk_of(id, size, offset, count);
    return (int)attune_transfer_look(transfer, &chunk);
}

int core_transfer_stored(struct attune_transfer *transfer, const uint8_t *id, uint32_t size, uint32_t offset,
                         uint32_t count) {
    const attune_chunk chunk = chunk_of(id, size, offset, count);
    return attune_transfer_stored(transfer, &chunk);
}

uint32_t core_transfer_offset(const struct attune_transfer *transfer, const uint8_t *id, uint32_t size) {
    const attune_chunk chunk = chunk_of(id, size, 0, 0);
    return attune_transfer_offset(transfer, &chunk);
}

int core_signer_follow(uint32_t *number, uint8_t *key, const uint8_t *chain, size_t size) {
    attune_signer signer = {.number = *number};
    memcpy(signer.key, key, sizeof signer.key);
    const attune_chain_result result = attune_signer_follow(&signer, chain, size);
    *number = signer.number;
    memcpy(key, signer.key, sizeof signer.key);
    return (int)result;
}
