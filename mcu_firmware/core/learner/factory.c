#include "learner/factory.h"

#include <monocypher.h>
#include <string.h>

/* At least the exported state of the largest two-class head. */
#define STATE_SIZE 2048

static const attune_factory_row *find_row(const attune_schema *schema, const attune_feature *f) {
    uint8_t kind = schema->sensor[f->sensor] & ATTUNE_KIND_BITS;
    for (uint8_t i = 0; i < attune_factory_row_count; i++) {
        if (attune_factory_rows[i].kind == kind && attune_factory_rows[i].statistic == f->statistic) {
            return &attune_factory_rows[i];
        }
    }
    return NULL;
}

/* m2 may belong to both classes. The sum is one of floats, so that both builds make the same release. */
static void fill(attune_means *means, attune_real *m2, uint8_t sensor, uint8_t feature, float mean, float variance) {
    means->n[sensor] = ATTUNE_FACTORY_WEIGHT;
    means->mean[feature] = (attune_real)mean;
    m2[feature] = (attune_real)((float)m2[feature] + (float)ATTUNE_FACTORY_WEIGHT * variance);
}

static attune_gnb *gnb_of(attune_head *head) {
    return head->kind == ATTUNE_HEAD_GNB       ? &head->state.gnb
           : head->kind == ATTUNE_HEAD_MIXTURE ? &head->state.mixture.gnb
                                               : NULL;
}

static attune_ridge *ridge_of(attune_head *head) {
    return head->kind == ATTUNE_HEAD_RIDGE     ? &head->state.ridge
           : head->kind == ATTUNE_HEAD_MIXTURE ? &head->state.mixture.ridge
                                               : NULL;
}

static void fill_row(attune_head *head, uint8_t sensor, uint8_t feature, const attune_factory_row *row) {
    attune_gnb *gnb = gnb_of(head);
    for (uint8_t k = 0; k < 2; k++) {
        if (gnb != NULL) {
            fill(&gnb->of[k].means, gnb->of[k].m2, sensor, feature, row->mean[k], row->variance[k]);
        } else if (head->kind == ATTUNE_HEAD_PROTOTYPE) {
            attune_prototype *prototype = &head->state.prototype;
            fill(&prototype->means[k], prototype->m2, sensor, feature, row->mean[k], row->variance[k]);
        }
    }
}

void attune_factory_digest(const attune_head *head, const attune_schema *schema, uint8_t digest[16]) {
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

/* A sensor is known if the table names all of its features. */
static bool is_named(const attune_schema *schema, uint8_t sensor) {
    for (uint8_t i = 0; i < schema->features; i++) {
        if (schema->feature[i].sensor == sensor && find_row(schema, &schema->feature[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static void fill_ridge(attune_ridge *ridge, const attune_schema *schema) {
    float middle[ATTUNE_MAX_FEATURES] = {0};
    float apart[ATTUNE_MAX_FEATURES] = {0};
    float spread[ATTUNE_MAX_FEATURES] = {0};
    uint32_t known = 0;
    for (uint8_t i = 0; i < schema->features; i++) {
        if (is_named(schema, schema->feature[i].sensor)) {
            const attune_factory_row *row = find_row(schema, &schema->feature[i]);
            known |= (uint32_t)1 << i;
            middle[i] = (row->mean[0] + row->mean[1]) / 2;
            apart[i] = row->mean[1] - row->mean[0];
            spread[i] = row->variance[0] + row->variance[1];
        }
    }
    if (known != 0) {
        attune_ridge_prior(ridge, (float)ATTUNE_FACTORY_WEIGHT, known, middle, apart, spread);
    }
}

static void fill_table(attune_head *head, const attune_schema *schema) {
    attune_ridge *ridge = ridge_of(head);
    if (ridge != NULL) {
        fill_ridge(ridge, schema);
    }
    for (uint8_t i = 0; i < schema->features; i++) {
        uint8_t sensor = schema->feature[i].sensor;
        if (is_named(schema, sensor)) {
            fill_row(head, sensor, i, find_row(schema, &schema->feature[i]));
        }
    }
}

attune_head_result attune_factory_load(attune_head *head, attune_head_kind kind, const attune_schema *schema) {
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < schema->features; i++) {
        sensor[i] = schema->feature[i].sensor;
    }
    attune_head_result result = attune_head_init(head, kind, schema->features, sensor);
    if (result != ATTUNE_HEAD_OK) {
        return result;
    }
    fill_table(head, schema);
    return ATTUNE_HEAD_OK;
}
