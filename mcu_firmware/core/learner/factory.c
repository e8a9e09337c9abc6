#include "learner/factory.h"

#include <monocypher.h>
#include <string.h>

/* At least the exported state of the largest two-class head. */
#define STATE_SIZE 2000

static const attune_factory_row *find_row(const attune_schema *schema, const attune_feature *f) {
    uint8_t kind = schema->sensor[f->sensor] & (uint8_t)~ATTUNE_SPREAD;
    for (uint8_t i = 0; i < attune_factory_row_count; i++) {
        if (attune_factory_rows[i].kind == kind && attune_factory_rows[i].statistic == f->statistic) {
            return &attune_factory_rows[i];
        }
    }
    return NULL;
}

static void fill_gnb(attune_head *head, uint8_t feature, const attune_factory_row *row) {
    for (uint8_t k = 0; k < 2; k++) {
        head->state.gnb.cell[k][feature] = (attune_gnb_cell){
            .n = ATTUNE_FACTORY_WEIGHT,
            .mean = (attune_real)row->mean[k],
            .m2 = ATTUNE_FACTORY_WEIGHT * (attune_real)row->variance[k],
        };
    }
}

static void compute_digest(const attune_head *head, const attune_schema *schema, uint8_t digest[16]) {
    crypto_blake2b_ctx blake;
    uint8_t state[STATE_SIZE];
    uint8_t full[64];
    size_t size = attune_head_export(head, ATTUNE_FLOAT32, state, sizeof state);
    crypto_blake2b_init(&blake, sizeof full);
    crypto_blake2b_update(&blake, state, size);
    crypto_blake2b_update(&blake, schema->hash, sizeof schema->hash);
    crypto_blake2b_final(&blake, full);
    memcpy(digest, full, 16);
}

/* A class as the table has it; features that it does not name stay unknown. */
static void fill_ridge(attune_head *head, const attune_schema *schema, uint8_t k) {
    attune_real mean[ATTUNE_MAX_FEATURES] = {0};
    attune_real variance[ATTUNE_MAX_FEATURES] = {0};
    uint32_t known = 0;
    for (uint8_t i = 0; i < schema->features; i++) {
        const attune_factory_row *row = find_row(schema, &schema->feature[i]);
        if (row != NULL) {
            known |= (uint32_t)1 << i;
            mean[i] = (attune_real)row->mean[k];
            variance[i] = (attune_real)row->variance[k];
        }
    }
    if (known != 0) {
        (void)attune_ridge_prior(&head->state.ridge, k, ATTUNE_FACTORY_WEIGHT, known, mean, variance);
    }
}

static void fill(attune_head *head, const attune_schema *schema) {
    for (uint8_t k = 0; k < 2 && head->kind == ATTUNE_HEAD_RIDGE; k++) {
        fill_ridge(head, schema, k);
    }
    for (uint8_t i = 0; i < schema->features && head->kind == ATTUNE_HEAD_GNB; i++) {
        const attune_factory_row *row = find_row(schema, &schema->feature[i]);
        if (row != NULL) {
            fill_gnb(head, i, row);
        }
    }
}

attune_head_result attune_factory_load(attune_head *head, attune_head_kind kind, const attune_schema *schema,
                                       uint8_t digest[16]) {
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < schema->features; i++) {
        sensor[i] = schema->feature[i].sensor;
    }
    attune_head_result result = attune_head_init(head, kind, schema->features, sensor);
    if (result != ATTUNE_HEAD_OK) {
        return result;
    }
    fill(head, schema);
    compute_digest(head, schema, digest);
    return ATTUNE_HEAD_OK;
}
