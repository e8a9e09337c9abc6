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

/* The parts of a head that the table speaks of; NULL for those that it has not. A build for the default head alone has no other kinds. */
typedef struct parts {
    attune_gnb *gnb;
    attune_ridge *ridge;
    attune_prototype *prototype;
} parts;

static parts parts_of(attune_head *head) {
    switch (head->kind) {
    case ATTUNE_HEAD_MIXTURE:
        return (parts){.gnb = &head->state.mixture.gnb, .ridge = &head->state.mixture.ridge};
#ifdef ATTUNE_EVERY_HEAD
    case ATTUNE_HEAD_GNB:
        return (parts){.gnb = &head->state.gnb};
    case ATTUNE_HEAD_RIDGE:
        return (parts){.ridge = &head->state.ridge};
    case ATTUNE_HEAD_PROTOTYPE:
        return (parts){.prototype = &head->state.prototype};
#endif
    default:
        return (parts){NULL, NULL, NULL};
    }
}

static void fill_row(const parts *into, uint8_t sensor, uint8_t feature, const attune_factory_row *row) {
    for (uint8_t k = 0; k < 2; k++) {
        if (into->gnb != NULL) {
            attune_gnb_class *class = &into->gnb->of[k];
            fill(&class->means, class->m2, sensor, feature, row->mean[k], row->variance[k]);
        } else if (into->prototype != NULL) {
            fill(&into->prototype->means[k], into->prototype->m2, sensor, feature, row->mean[k], row->variance[k]);
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
    const parts into = parts_of(head);
    if (into.ridge != NULL) {
        fill_ridge(into.ridge, schema);
    }
    for (uint8_t i = 0; i < schema->features; i++) {
        uint8_t sensor = schema->feature[i].sensor;
        if (is_named(schema, sensor)) {
            fill_row(&into, sensor, i, find_row(schema, &schema->feature[i]));
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
