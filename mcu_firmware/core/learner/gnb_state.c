/* How a state of gnb becomes bytes, and bytes a state. */
#include "learner/gnb.h"

#include <string.h>

static bool is_exact(attune_format format) { return format == ATTUNE_FLOAT32; }

static attune_real variance(const attune_gnb_cell *cell) { return cell->n > 0 ? cell->m2 / cell->n : 0; }

static attune_real spread_of(const attune_gnb_cell *cell, attune_format format) {
    if (is_exact(format)) {
        return cell->m2;
    }
    attune_real v = variance(cell);
    return format == ATTUNE_FLOAT16 ? attune_sqrt(v) : attune_log(v + ATTUNE_GNB_FLOOR);
}

static attune_real m2_of(attune_real spread, attune_real n, attune_format format) {
    if (is_exact(format)) {
        return spread;
    }
    attune_real v = format == ATTUNE_FLOAT16 ? spread * spread : attune_exp(spread) - ATTUNE_GNB_FLOOR;
    return attune_finite(spread) && v <= 0 ? 0 : v * n;
}

/* Rounding may lift what stands at its limit a little over it. */
static attune_real settle(attune_real x, attune_real limit) {
    bool near = x <= limit * ATTUNE_REAL(1.01) && x >= limit * ATTUNE_REAL(-1.01);
    return !near ? x : x > limit ? limit : x < -limit ? -limit : x;
}

static uint8_t *write_sums(const attune_gnb_cell *cells, uint8_t d, attune_format format, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < d; i++) {
        row[i] = is_exact(format) ? cells[i].n : attune_sqrt(cells[i].n);
    }
    bytes = attune_block_write(format, row, d, bytes);
    for (uint8_t i = 0; i < d; i++) {
        row[i] = spread_of(&cells[i], format);
    }
    return attune_block_write(format, row, d, bytes);
}

static const uint8_t *read_sums(attune_gnb_cell *cells, uint8_t d, attune_format format, const uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    bytes = attune_block_read(format, row, d, bytes);
    for (uint8_t i = 0; i < d; i++) {
        cells[i].n = is_exact(format) ? row[i] : settle(row[i] * row[i], ATTUNE_GNB_MAX_N);
    }
    bytes = attune_block_read(format, row, d, bytes);
    for (uint8_t i = 0; i < d; i++) {
        cells[i].m2 = m2_of(row[i], cells[i].n, format);
    }
    return bytes;
}

/* int8 tells the means of class 0 more finely, and the others' by what they differ, where a step is a part of the spread. */
static bool is_difference(attune_format format, uint8_t k) { return format == ATTUNE_INT8 && k > 0; }

static attune_format mean_format(attune_format format, uint8_t k) {
    return format == ATTUNE_INT8 && k == 0 ? ATTUNE_FLOAT16 : format;
}

static attune_real unit_of(const attune_gnb_cell *cell) { return attune_sqrt(variance(cell) + ATTUNE_GNB_FLOOR); }

static uint8_t *write_means(const attune_gnb_cell *cells, const attune_gnb_cell *sums, const attune_real *free,
                            uint8_t d, attune_format format, uint8_t k, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < d; i++) {
        row[i] = is_difference(format, k) ? (cells[i].mean - free[i]) / unit_of(&sums[i]) : cells[i].mean;
    }
    return attune_block_write(mean_format(format, k), row, d, bytes);
}

/* free[d], the means of class 0, is written for class 0 and read for the others. */
static const uint8_t *read_means(attune_gnb_cell *cells, attune_real *free, uint8_t d, attune_format format, uint8_t k,
                                 const uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    bytes = attune_block_read(mean_format(format, k), row, d, bytes);
    for (uint8_t i = 0; i < d; i++) {
        attune_real mean = is_difference(format, k) ? free[i] + row[i] * unit_of(&cells[i]) : row[i];
        cells[i].mean = is_exact(format) ? mean : settle(mean, ATTUNE_GNB_MAX_X);
        if (k == 0) {
            free[i] = row[i];
        }
        if (!is_exact(format) && cells[i].n == 0) {
            cells[i] = (attune_gnb_cell){0, 0, 0};
        }
    }
    return bytes;
}

size_t attune_gnb_size(uint8_t d, uint8_t classes, attune_format format) {
    size_t means = attune_block_size(mean_format(format, 0), d) + (classes - 1u) * attune_block_size(format, d);
    return 2u * classes * attune_block_size(format, d) + means;
}

void attune_gnb_export(const attune_gnb *gnb, attune_format format, uint8_t *bytes) {
    attune_gnb_cell seen[ATTUNE_MAX_FEATURES]; /* as a reader will see it */
    attune_real free[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 0; k < gnb->classes; k++) {
        const uint8_t *sums = bytes;
        bytes = write_sums(gnb->cell[k], gnb->d, format, bytes);
        (void)read_sums(seen, gnb->d, format, sums);
        const uint8_t *means = bytes;
        bytes = write_means(gnb->cell[k], seen, free, gnb->d, format, k, bytes);
        if (k == 0) {
            (void)read_means(seen, free, gnb->d, format, k, means);
        }
    }
}

static bool all_valid(const attune_gnb_cell *cells, uint8_t d) {
    for (uint8_t i = 0; i < d; i++) {
        if (!attune_gnb_cell_valid(&cells[i])) {
            return false;
        }
    }
    return true;
}

bool attune_gnb_import(attune_gnb *gnb, uint8_t classes, attune_format format, const uint8_t *bytes) {
    attune_gnb_cell cells[ATTUNE_MAX_FEATURES];
    attune_real free[ATTUNE_MAX_FEATURES];
    /* Everything is read before anything is written. */
    for (int write = 0; write < 2; write++) {
        const uint8_t *next = bytes;
        if (write) {
            attune_gnb_init(gnb, gnb->d);
            gnb->classes = classes;
        }
        for (uint8_t k = 0; k < classes; k++) {
            next = read_sums(cells, gnb->d, format, next);
            next = read_means(cells, free, gnb->d, format, k, next);
            if (!all_valid(cells, gnb->d)) {
                return false;
            }
            if (write) {
                memcpy(gnb->cell[k], cells, gnb->d * sizeof cells[0]);
            }
        }
    }
    return true;
}
