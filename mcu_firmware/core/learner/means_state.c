#include "learner/means_state.h"

/* Rounding may lift a number over its limit, and far where its block holds numbers of very different sizes. */
static attune_real within(attune_real x, attune_real limit) {
    if (!attune_finite(x)) {
        return x; /* damaged: to be refused */
    }
    return x > limit ? limit : x < -limit ? -limit : x;
}

uint8_t *attune_weights_write(attune_format format, const attune_real *n, uint8_t count, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < count; i++) {
        row[i] = format == ATTUNE_FLOAT32 ? n[i] : attune_sqrt(n[i]);
    }
    return attune_block_write(format, row, count, bytes);
}

const uint8_t *attune_weights_read(attune_format format, attune_real *n, uint8_t count, const uint8_t *bytes) {
    bytes = attune_block_read(format, n, count, bytes);
    for (uint8_t i = 0; i < count && format != ATTUNE_FLOAT32; i++) {
        n[i] = within(n[i] * n[i], ATTUNE_MAX_N);
    }
    return bytes;
}

static attune_format mean_format(attune_format format) { return format == ATTUNE_INT8 ? ATTUNE_FLOAT16 : format; }

size_t attune_means_size(attune_format format, const attune_sensors *sensors) {
    return attune_block_size(format, sensors->count) + attune_block_size(mean_format(format), sensors->features);
}

uint8_t *attune_means_write(attune_format format, const attune_means *means, const attune_sensors *sensors,
                            uint8_t *bytes) {
    bytes = attune_weights_write(format, means->n, sensors->count, bytes);
    return attune_block_write(mean_format(format), means->mean, sensors->features, bytes);
}

void attune_means_settle(attune_format format, attune_means *means, const attune_sensors *sensors) {
    for (uint8_t i = 0; i < sensors->features && format != ATTUNE_FLOAT32; i++) {
        /* A weight may have been too small for its block. */
        bool known = means->n[sensors->of[i]] != 0;
        means->mean[i] = known ? within(means->mean[i], ATTUNE_MAX_X) : 0;
    }
}

const uint8_t *attune_means_read(attune_format format, attune_means *means, const attune_sensors *sensors,
                                 const uint8_t *bytes) {
    bytes = attune_weights_read(format, means->n, sensors->count, bytes);
    bytes = attune_block_read(mean_format(format), means->mean, sensors->features, bytes);
    attune_means_settle(format, means, sensors);
    return bytes;
}

static attune_real spread_of(attune_format format, attune_real m2, attune_real n) {
    attune_real variance = n > 0 ? m2 / n : 0;
    return format == ATTUNE_FLOAT16 ? attune_sqrt(variance) : attune_log(variance + ATTUNE_LEAST_VARIANCE);
}

static attune_real m2_of(attune_format format, attune_real spread, attune_real n) {
    attune_real variance = format == ATTUNE_FLOAT16 ? spread * spread : attune_exp(spread) - ATTUNE_LEAST_VARIANCE;
    bool none = attune_finite(spread) && variance <= 0;
    return none ? 0 : within(variance, ATTUNE_LARGEST_VARIANCE) * n;
}

uint8_t *attune_squares_write(attune_format format, const attune_real *m2, const attune_real *n, uint8_t d,
                              uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < d; i++) {
        row[i] = format == ATTUNE_FLOAT32 ? m2[i] : spread_of(format, m2[i], n[i]);
    }
    return attune_block_write(format, row, d, bytes);
}

const uint8_t *attune_squares_read(attune_format format, attune_real *m2, const attune_real *n, uint8_t d,
                                   const uint8_t *bytes) {
    bytes = attune_block_read(format, m2, d, bytes);
    for (uint8_t i = 0; i < d && format != ATTUNE_FLOAT32; i++) {
        m2[i] = m2_of(format, m2[i], n[i]);
    }
    return bytes;
}
