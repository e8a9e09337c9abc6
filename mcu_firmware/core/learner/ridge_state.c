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
static size_t triangle_size(uint8_t d, attune_format format, bool fine) {
    size_t rows = attune_block_size(format, d);
    for (uint8_t i = 0; i + 1 < d; i++) {
        size_t count = d - i - 1u;
        rows += attune_block_size(format, count) + (fine ? LOW_SIZE * count : 0);
    }
    return rows;
}

static size_t state_size(const attune_sensors *sensors, uint8_t classes, attune_format format, bool fine) {
    const uint8_t d = sensors->features;
    const attune_format means = is_exact(format) ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16;
    const size_t columns = classes - 1u;
    const size_t explained = is_exact(format) ? 0 : columns * (columns + 1) / 2;
    return SEEN_SIZE + attune_block_size(ATTUNE_FLOAT32, classes) + attune_block_size(means, d) +
           triangle_size(d, format, fine) + columns * attune_block_size(format, d) +
           attune_block_size(ATTUNE_FLOAT32, explained);
}

size_t attune_ridge_size(const attune_sensors *sensors, uint8_t classes, attune_format format) {
    return state_size(sensors, classes, format, is_exact(format));
}

size_t attune_ridge_drifting_size(const attune_sensors *sensors, uint8_t classes, attune_format format) {
    return state_size(sensors, classes, format, false);
}

static bool is_fine(const attune_ridge *ridge, attune_format format) { return is_exact(format) && ridge->drift == 0; }

/* What a pivot is divided by before its logarithm is written: what is left of a typical one is of order one. */
static attune_real pivot_unit(const attune_ridge *ridge) { return attune_ridge_total(ridge) + ATTUNE_RIDGE_WEIGHT; }

static uint8_t *write_pivots(const attune_ridge *ridge, attune_format format, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        attune_real pivot = ridge->u[attune_ridge_row(ridge->sensors.features, i)];
        row[i] = is_exact(format) ? pivot : attune_log(pivot / pivot_unit(ridge));
    }
    return attune_block_write(format, row, ridge->sensors.features, bytes);
}

static const uint8_t *read_pivots(const attune_ridge *ridge, attune_format format, const uint8_t *bytes,
                                  attune_real *pivot) {
    bytes = attune_block_read(format, pivot, ridge->sensors.features, bytes);
    for (uint8_t i = 0; i < ridge->sensors.features && !is_exact(format); i++) {
        attune_real read = attune_exp(pivot[i]) * pivot_unit(ridge);
        /* Rounding must not take from the regularisation, which is in every pivot. */
        pivot[i] = read < ATTUNE_RIDGE_DIAGONAL ? ATTUNE_RIDGE_DIAGONAL : read;
    }
    return bytes;
}

/* A coefficient is written as a float and, for float32, what is left of it. */
static uint8_t *write_row(const attune_ridge *ridge, uint8_t i, attune_format format, uint8_t *bytes) {
    const uint16_t begin = attune_ridge_row(ridge->sensors.features, i);
    const uint8_t count = (uint8_t)(ridge->sensors.features - i - 1);
    const attune_real *u = &ridge->u[begin + 1];
    bytes = attune_block_write(format, u, count, bytes);
    for (uint8_t j = 0; j < count && is_fine(ridge, format); j++) {
        attune_real rest = u[j] - (attune_real)(float)u[j] + attune_ridge_widen(ridge->low[begin - i + j]);
        bytes = write_little(attune_ridge_narrow(rest), LOW_SIZE, bytes);
    }
    return bytes;
}

static const uint8_t *read_row(attune_ridge *ridge, uint8_t i, attune_format format, const uint8_t *bytes) {
    const uint16_t begin = attune_ridge_row(ridge->sensors.features, i);
    const uint8_t count = (uint8_t)(ridge->sensors.features - i - 1);
    bytes = attune_block_read(format, &ridge->u[begin + 1], count, bytes);
    for (uint8_t j = 0; j < count && is_fine(ridge, format); j++) {
        uint32_t low;
        bytes = read_little(&low, LOW_SIZE, bytes);
        ridge->low[begin - i + j] = (uint16_t)low;
    }
    return bytes;
}

static uint8_t *write_triangle(const attune_ridge *ridge, attune_format format, uint8_t *bytes) {
    bytes = write_pivots(ridge, format, bytes);
    for (uint8_t i = 0; i + 1 < ridge->sensors.features; i++) {
        bytes = write_row(ridge, i, format, bytes);
    }
    return bytes;
}

static const uint8_t *read_triangle(attune_ridge *ridge, attune_format format, const uint8_t *bytes) {
    attune_real pivot[ATTUNE_MAX_FEATURES];
    bytes = read_pivots(ridge, format, bytes, pivot);
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        ridge->u[attune_ridge_row(ridge->sensors.features, i)] = pivot[i];
    }
    for (uint8_t i = 0; i + 1 < ridge->sensors.features; i++) {
        bytes = read_row(ridge, i, format, bytes);
    }
    return bytes;
}

/* What is left of each feature's deviation when those before it are known, as whoever reads the triangle has it. */
static void find_deviations(const attune_ridge *ridge, attune_format format, const uint8_t *triangle,
                            attune_real *deviation) {
    (void)read_pivots(ridge, format, triangle, deviation);
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        deviation[i] = attune_sqrt(deviation[i] / pivot_unit(ridge));
    }
}

/* A class's regression weights times the features' deviations. */
static uint8_t *write_weights(const attune_ridge *ridge, const attune_real *deviation, uint8_t k, attune_format format,
                              uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        row[i] = ridge->z[i][k - 1];
    }
    attune_ridge_substitute(ridge, row);
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        row[i] *= deviation[i];
    }
    return attune_block_write(format, row, ridge->sensors.features, bytes);
}

/* z = U b. */
static const uint8_t *read_weights(attune_ridge *ridge, const attune_real *deviation, uint8_t k, attune_format format,
                                   const uint8_t *bytes) {
    const uint8_t d = ridge->sensors.features;
    attune_real row[ATTUNE_MAX_FEATURES];
    bytes = attune_block_read(format, row, d, bytes);
    for (uint8_t i = 0; i < d; i++) {
        const attune_real *u = &ridge->u[attune_ridge_row(d, i)];
        ridge->z[i][k - 1] = row[i] / deviation[i];
        for (uint8_t j = 1; j < d - i; j++) {
            ridge->z[i][k - 1] += u[j] * row[i + j] / deviation[i + j];
        }
    }
    return bytes;
}

typedef attune_real class_matrix[ATTUNE_MAX_CLASSES - 1][ATTUNE_MAX_CLASSES - 1];

/* Least share of what is explained of a class that is not explained of those before it as well: below it rounding decides. */
#define LEAST_OWN ATTUNE_REAL(1e-5)

/* The lower triangle L of z'Dz = L L' (Cholesky), a row a class. Rows and columns of what explains nothing are zero. */
static uint8_t *write_explained(const attune_ridge *ridge, uint8_t *bytes) {
    class_matrix l;
    for (uint8_t a = 0; a + 1 < ridge->classes; a++) {
        for (uint8_t b = 0; b <= a; b++) {
            attune_real sum = attune_ridge_explained(ridge, a + 1u, b + 1u);
            for (uint8_t c = 0; c < b; c++) {
                sum -= l[a][c] * l[b][c];
            }
            if (a == b) {
                l[a][b] = sum > LEAST_OWN * attune_ridge_explained(ridge, a + 1u, a + 1u) ? attune_sqrt(sum) : 0;
            } else {
                l[a][b] = l[b][b] > 0 ? sum / l[b][b] : 0;
            }
        }
        bytes = attune_block_write(ATTUNE_FLOAT32, l[a], a + 1u, bytes);
    }
    return bytes;
}

static void add_column(attune_ridge *ridge, uint8_t to, uint8_t from, attune_real times) {
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        ridge->z[i][to - 1] += times * ridge->z[i][from - 1];
    }
}

static void scale_column(attune_ridge *ridge, uint8_t k, attune_real times) {
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        ridge->z[i][k - 1] *= times;
    }
}

/* Makes column k one of length 1 that has nothing of the columns before it, which are such already; twice, since rounding leaves
 * too much of them the first time where columns are almost alike. */
static void straighten_column(attune_ridge *ridge, uint8_t k) {
    for (int pass = 0; pass < 2; pass++) {
        for (uint8_t j = 1; j < k; j++) {
            add_column(ridge, k, j, -attune_ridge_explained(ridge, k, j));
        }
        /* Where a column of length 1 loses half again, it is nothing but rounding (Kahan and Parlett: "twice is enough"). */
        attune_real squared = attune_ridge_explained(ridge, k, k);
        attune_real least = pass == 0 ? 0 : ATTUNE_REAL(0.25);
        scale_column(ridge, k, squared > least ? 1 / attune_sqrt(squared) : 0);
    }
}

/* Turns z, which rounding has moved, into the z of its directions that explains what the one before the journey did: the length of
 * evidence hangs on the little that is left unexplained where classes lie far apart. */
static void read_explained(attune_ridge *ridge, const uint8_t *bytes) {
    class_matrix l;
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = attune_block_read(ATTUNE_FLOAT32, l[k - 1], k, bytes);
        straighten_column(ridge, k);
    }
    for (uint8_t k = ridge->classes; k-- > 1;) {
        scale_column(ridge, k, l[k - 1][k - 1]);
        for (uint8_t j = 1; j < k; j++) {
            add_column(ridge, k, j, l[k - 1][j - 1]);
        }
    }
}

static uint8_t *write_columns(const attune_ridge *ridge, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 1; k < ridge->classes; k++) {
        for (uint8_t i = 0; i < ridge->sensors.features; i++) {
            row[i] = ridge->z[i][k - 1];
        }
        bytes = attune_block_write(ATTUNE_FLOAT32, row, ridge->sensors.features, bytes);
    }
    return bytes;
}

static void read_columns(attune_ridge *ridge, const uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = attune_block_read(ATTUNE_FLOAT32, row, ridge->sensors.features, bytes);
        for (uint8_t i = 0; i < ridge->sensors.features; i++) {
            ridge->z[i][k - 1] = row[i];
        }
    }
}

static uint8_t *write_weights_of_all(const attune_ridge *ridge, const uint8_t *triangle, attune_format format,
                                     uint8_t *bytes) {
    attune_real deviation[ATTUNE_MAX_FEATURES];
    find_deviations(ridge, format, triangle, deviation);
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = write_weights(ridge, deviation, k, format, bytes);
    }
    return write_explained(ridge, bytes);
}

static void read_weights_of_all(attune_ridge *ridge, const uint8_t *triangle, attune_format format,
                                const uint8_t *bytes) {
    attune_real deviation[ATTUNE_MAX_FEATURES];
    find_deviations(ridge, format, triangle, deviation);
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bytes = read_weights(ridge, deviation, k, format, bytes);
    }
    read_explained(ridge, bytes);
}

void attune_ridge_export(const attune_ridge *ridge, attune_format format, uint8_t *bytes) {
    bytes = write_little(ridge->seen, SEEN_SIZE, bytes);
    bytes = attune_block_write(ATTUNE_FLOAT32, ridge->n, ridge->classes, bytes);
    bytes = attune_block_write(is_exact(format) ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16, ridge->mean, ridge->sensors.features,
                               bytes);
    const uint8_t *triangle = bytes;
    bytes = write_triangle(ridge, format, bytes);
    if (is_exact(format)) {
        (void)write_columns(ridge, bytes);
    } else {
        (void)write_weights_of_all(ridge, triangle, format, bytes);
    }
}

bool attune_ridge_import(attune_ridge *ridge, uint8_t classes, attune_format format, const uint8_t *bytes) {
    const attune_sensors sensors = ridge->sensors;
    const attune_real drift = ridge->drift;
    attune_ridge_init(ridge, &sensors);
    ridge->drift = drift;
    ridge->classes = classes;
    bytes = read_little(&ridge->seen, SEEN_SIZE, bytes);
    bytes = attune_block_read(ATTUNE_FLOAT32, ridge->n, classes, bytes);
    bytes = attune_block_read(is_exact(format) ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16, ridge->mean, sensors.features, bytes);
    const uint8_t *triangle = bytes;
    bytes = read_triangle(ridge, format, bytes);
    if (is_exact(format)) {
        read_columns(ridge, bytes);
    } else {
        read_weights_of_all(ridge, triangle, format, bytes);
    }
    if (ridge->seen >> sensors.features != 0 || !attune_ridge_valid(ridge)) {
        return false;
    }
    attune_ridge_solve(ridge);
    return true;
}
