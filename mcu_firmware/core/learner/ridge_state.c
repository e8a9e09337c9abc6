/* How a state of ridge becomes bytes, and bytes a state. */
#include "learner/ridge_parts.h"

#define SEEN_SIZE 4
#define LOW_SIZE 2

static bool is_exact(attune_format format) { return format == ATTUNE_FLOAT32; }

static uint8_t *write_little(uint32_t bits, uint8_t size, uint8_t *bytes) {
    for (uint8_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
    return bytes + size;
}

static const uint8_t *read_little(uint32_t *bits, uint8_t size, const uint8_t *bytes) {
    *bits = 0;
    for (uint8_t i = 0; i < size; i++) {
        *bits |= (uint32_t)bytes[i] << (8 * i);
    }
    return bytes + size;
}

/* Bytes of the triangle: as it is with what float32 lacks, or its diagonal and a block a row. */
static size_t triangle_size(uint8_t d, attune_format format) {
    size_t rows = attune_block_size(format, d);
    for (uint8_t i = 0; i + 1 < d; i++) {
        size_t count = d - i - 1u;
        rows += attune_block_size(format, count) + (is_exact(format) ? LOW_SIZE * count : 0);
    }
    return rows;
}

size_t attune_ridge_size(uint8_t d, uint8_t classes, attune_format format) {
    const attune_format means = is_exact(format) ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16;
    size_t column = attune_block_size(format, d) + (is_exact(format) ? 0 : attune_block_size(ATTUNE_FLOAT32, 1));
    return SEEN_SIZE + attune_block_size(ATTUNE_FLOAT32, classes) + attune_block_size(means, d) +
           triangle_size(d, format) + (classes - 1u) * column;
}

/* What a pivot is divided by before its logarithm is written: what is left of a typical one is of order one. */
static attune_real pivot_unit(const attune_ridge *ridge) { return attune_ridge_total(ridge) + ATTUNE_RIDGE_WEIGHT; }

static uint8_t *write_pivots(const attune_ridge *ridge, attune_format format, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ridge->d; i++) {
        attune_real pivot = ridge->u[attune_ridge_row(ridge->d, i)];
        row[i] = is_exact(format) ? pivot : attune_log(pivot / pivot_unit(ridge));
    }
    return attune_block_write(format, row, ridge->d, bytes);
}

static const uint8_t *read_pivots(attune_ridge *ridge, attune_format format, const uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    bytes = attune_block_read(format, row, ridge->d, bytes);
    for (uint8_t i = 0; i < ridge->d; i++) {
        attune_real pivot = is_exact(format) ? row[i] : attune_exp(row[i]) * pivot_unit(ridge);
        /* Rounding must not take from the regularisation, which is in every pivot. */
        bool settle = !is_exact(format) && pivot < ATTUNE_RIDGE_DIAGONAL;
        ridge->u[attune_ridge_row(ridge->d, i)] = settle ? ATTUNE_RIDGE_DIAGONAL : pivot;
    }
    return bytes;
}

/* A coefficient is written as a float and, for float32, what is left of it. */
static uint8_t *write_row(const attune_ridge *ridge, uint8_t i, attune_format format, uint8_t *bytes) {
    const uint16_t begin = attune_ridge_row(ridge->d, i);
    const uint8_t count = (uint8_t)(ridge->d - i - 1);
    const attune_real *u = &ridge->u[begin + 1];
    bytes = attune_block_write(format, u, count, bytes);
    for (uint8_t j = 0; j < count && is_exact(format); j++) {
        attune_real rest = u[j] - (attune_real)(float)u[j] + attune_ridge_widen(ridge->low[begin - i + j]);
        bytes = write_little(attune_ridge_narrow(rest), LOW_SIZE, bytes);
    }
    return bytes;
}

static const uint8_t *read_row(attune_ridge *ridge, uint8_t i, attune_format format, const uint8_t *bytes) {
    const uint16_t begin = attune_ridge_row(ridge->d, i);
    const uint8_t count = (uint8_t)(ridge->d - i - 1);
    bytes = attune_block_read(format, &ridge->u[begin + 1], count, bytes);
    for (uint8_t j = 0; j < count && is_exact(format); j++) {
        uint32_t low;
        bytes = read_little(&low, LOW_SIZE, bytes);
        ridge->low[begin - i + j] = (uint16_t)low;
    }
    return bytes;
}

static uint8_t *write_triangle(const attune_ridge *ridge, attune_format format, uint8_t *bytes) {
    bytes = write_pivots(ridge, format, bytes);
    for (uint8_t i = 0; i + 1 < ridge->d; i++) {
        bytes = write_row(ridge, i, format, bytes);
    }
    return bytes;
}

static const uint8_t *read_triangle(attune_ridge *ridge, attune_format format, const uint8_t *bytes) {
    bytes = read_pivots(ridge, format, bytes);
    for (uint8_t i = 0; i + 1 < ridge->d; i++) {
        bytes = read_row(ridge, i, format, bytes);
    }
    return bytes;
}

/* The deviation of each feature over all classes, from the triangle. */
static void find_deviations(const attune_ridge *ridge, attune_real *deviation) {
    for (uint8_t j = 0; j < ridge->d; j++) {
        attune_real sum = ridge->u[attune_ridge_row(ridge->d, j)];
        for (uint8_t i = 0; i < j; i++) {
            const attune_real *u = &ridge->u[attune_ridge_row(ridge->d, i)];
            sum += u[0] * u[j - i] * u[j - i];
        }
        deviation[j] = attune_sqrt(sum / pivot_unit(ridge));
    }
}

/* A class's regression weights in units of a feature's deviation as a reader will see it, then what they explain. */
static uint8_t *write_weights(const attune_ridge *ridge, const attune_real *deviation, uint8_t k, attune_format format,
                              uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    attune_real explained = attune_ridge_explained(ridge, k, k);
    for (uint8_t i = 0; i < ridge->d; i++) {
        row[i] = ridge->z[i][k - 1];
    }
    attune_ridge_substitute(ridge, row);
    for (uint8_t i = 0; i < ridge->d; i++) {
        row[i] *= deviation[i];
    }
    bytes = attune_block_write(format, row, ridge->d, bytes);
    return attune_block_write(ATTUNE_FLOAT32, &explained, 1, bytes);
}

/* z = U b, scaled so that it explains what it did: the length of evidence hangs on the rest that is not explained. */
static const uint8_t *read_weights(attune_ridge *ridge, const attune_real *deviation, uint8_t k, attune_format format,
                                   const uint8_t *bytes) {
    const uint8_t d = ridge->d;
    attune_real row[ATTUNE_MAX_FEATURES];
    attune_real explained;
    bytes = attune_block_read(format, row, d, bytes);
    bytes = attune_block_read(ATTUNE_FLOAT32, &explained, 1, bytes);
    for (uint8_t i = 0; i < d; i++) {
        const attune_real *u = &ridge->u[attune_ridge_row(d, i)];
        ridge->z[i][k - 1] = row[i] / deviation[i];
        for (uint8_t j = 1; j < d - i; j++) {
            ridge->z[i][k - 1] += u[j] * row[i + j] / deviation[i + j];
        }
    }
    attune_real found = attune_ridge_explained(ridge, k, k);
    attune_real scale = found > 0 ? attune_sqrt(explained / found) : found;
    for (uint8_t i = 0; i < d; i++) {
        ridge->z[i][k - 1] *= scale;
    }
    return bytes;
}

static uint8_t *write_columns(const attune_ridge *ridge, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 1; k < ridge->classes; k++) {
        for (uint8_t i = 0; i < ridge->d; i++) {
            row[i] = ridge->z[i][k - 1];
        }
        bytes = attune_block_write(ATTUNE_FLOAT32, row, ridge->d, bytes);
    }
    return bytes;
}

static void read_columns(attune_ridge *ridge, const uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = attune_block_read(ATTUNE_FLOAT32, row, ridge->d, bytes);
        for (uint8_t i = 0; i < ridge->d; i++) {
            ridge->z[i][k - 1] = row[i];
        }
    }
}

static uint8_t *write_weights_of_all(const attune_ridge *ridge, const uint8_t *triangle, attune_format format,
                                     uint8_t *bytes) {
    attune_real deviation[ATTUNE_MAX_FEATURES];
    attune_ridge reader = *ridge;
    (void)read_triangle(&reader, format, triangle);
    find_deviations(&reader, deviation);
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = write_weights(ridge, deviation, k, format, bytes);
    }
    return bytes;
}

static void read_weights_of_all(attune_ridge *ridge, attune_format format, const uint8_t *bytes) {
    attune_real deviation[ATTUNE_MAX_FEATURES];
    find_deviations(ridge, deviation);
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = read_weights(ridge, deviation, k, format, bytes);
    }
}

void attune_ridge_export(const attune_ridge *ridge, attune_format format, uint8_t *bytes) {
    bytes = write_little(ridge->seen, SEEN_SIZE, bytes);
    bytes = attune_block_write(ATTUNE_FLOAT32, ridge->n, ridge->classes, bytes);
    bytes = attune_block_write(is_exact(format) ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16, ridge->mean, ridge->d, bytes);
    const uint8_t *triangle = bytes;
    bytes = write_triangle(ridge, format, bytes);
    if (is_exact(format)) {
        (void)write_columns(ridge, bytes);
    } else {
        (void)write_weights_of_all(ridge, triangle, format, bytes);
    }
}

bool attune_ridge_import(attune_ridge *ridge, uint8_t classes, attune_format format, const uint8_t *bytes) {
    attune_ridge read;
    attune_ridge_init(&read, ridge->d);
    read.classes = classes;
    bytes = read_little(&read.seen, SEEN_SIZE, bytes);
    bytes = attune_block_read(ATTUNE_FLOAT32, read.n, classes, bytes);
    bytes = attune_block_read(is_exact(format) ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16, read.mean, ridge->d, bytes);
    bytes = read_triangle(&read, format, bytes);
    if (is_exact(format)) {
        read_columns(&read, bytes);
    } else {
        read_weights_of_all(&read, format, bytes);
    }
    if (read.seen >> ridge->d != 0 || !attune_ridge_valid(&read)) {
        return false;
    }
    attune_ridge_solve(&read);
    *ridge = read;
    return true;
}
