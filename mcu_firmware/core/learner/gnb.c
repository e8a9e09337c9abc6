#include "learner/gnb.h"

#include "window/schema.h"

#include <string.h>

/* Rounding may leave this share of a sum behind when the same numbers are taken out again that went in. */
#ifdef ATTUNE_REAL_DOUBLE
#define SLACK 1e-12
#else
#define SLACK 1e-5f
#endif

/* Log-likelihood ratio of a class without knowledge: below what any limit lets through. */
#define UNTAUGHT ATTUNE_REAL(-1e9)

void attune_gnb_init(attune_gnb *gnb, uint8_t d) {
    memset(gnb, 0, sizeof *gnb);
    gnb->d = d;
    gnb->classes = 2;
}

static attune_real unit(int16_t q) { return (attune_real)q / ATTUNE_UNIT; }

static attune_real variance(const attune_gnb_cell *cell) { return cell->m2 / cell->n + ATTUNE_GNB_FLOOR; }

/* log N(x; b) - log N(x; a), without the constant that cancels. */
static attune_real log_ratio(const attune_gnb_cell *a, const attune_gnb_cell *b, attune_real x) {
    attune_real va = variance(a);
    attune_real vb = variance(b);
    attune_real da = x - a->mean;
    attune_real db = x - b->mean;
    return ATTUNE_REAL(0.5) * (attune_log(va / vb) + da * da / va - db * db / vb);
}

/* Evidence of class k against class 0; *compared counts the features that both know. */
static attune_real compare(const attune_gnb *gnb, uint8_t k, const int16_t *x, uint8_t *compared) {
    attune_real sum = 0;
    *compared = 0;
    for (uint8_t i = 0; i < gnb->d; i++) {
        const attune_gnb_cell *a = &gnb->cell[0][i];
        const attune_gnb_cell *b = &gnb->cell[k][i];
        if (x[i] == ATTUNE_MISSING || !(a->n > 0) || !(b->n > 0)) {
            continue;
        }
        sum += log_ratio(a, b, unit(x[i]));
        *compared += 1;
    }
    return sum;
}

static bool is_taught(const attune_gnb *gnb, uint8_t k) {
    for (uint8_t i = 0; i < gnb->d; i++) {
        if (gnb->cell[k][i].n > 0) {
            return true;
        }
    }
    return false;
}

bool attune_gnb_predict(const attune_gnb *gnb, const int16_t *x, attune_real *evidence) {
    bool any = false;
    for (uint8_t k = 1; k < gnb->classes; k++) {
        uint8_t compared;
        evidence[k - 1] = compare(gnb, k, x, &compared);
        any = any || compared > 0;
    }
    if (!any) {
        return false;
    }
    for (uint8_t k = 1; k < gnb->classes; k++) {
        /* A class that nobody has taught must not win by having nothing said against it. */
        if (!is_taught(gnb, k)) {
            evidence[k - 1] = UNTAUGHT;
        }
    }
    return true;
}

/* Weighted incremental mean and M2 (West 1979), Welford's for weights of one. */
static void add(attune_gnb_cell *cell, attune_real x, attune_real weight) {
    attune_real difference = x - cell->mean;
    cell->n += weight;
    cell->mean += difference * (weight / cell->n);
    cell->m2 += weight * difference * (x - cell->mean);
}

bool attune_gnb_learn(attune_gnb *gnb, const int16_t *x, uint8_t class_index, attune_real weight) {
    attune_gnb_cell *cells = gnb->cell[class_index];
    for (uint8_t i = 0; i < gnb->d; i++) {
        if (x[i] != ATTUNE_MISSING && cells[i].n + weight > ATTUNE_GNB_MAX_N) {
            return false;
        }
    }
    if (class_index >= gnb->classes) {
        gnb->classes = (uint8_t)(class_index + 1);
    }
    for (uint8_t i = 0; i < gnb->d; i++) {
        if (x[i] != ATTUNE_MISSING) {
            add(&cells[i], unit(x[i]), weight);
        }
    }
    return true;
}

bool attune_gnb_cell_valid(const attune_gnb_cell *cell) {
    bool finite = attune_finite(cell->n) && attune_finite(cell->mean) && attune_finite(cell->m2);
    if (!finite || cell->n < 0 || cell->n > ATTUNE_GNB_MAX_N || cell->m2 < 0) {
        return false;
    }
    if (cell->n == 0) {
        return cell->mean == 0 && cell->m2 == 0;
    }
    /* A mean lies among the coordinates, and no variance is larger than the square of their range. */
    return cell->mean >= -ATTUNE_GNB_MAX_X && cell->mean <= ATTUNE_GNB_MAX_X &&
           cell->m2 <= cell->n * (4 * ATTUNE_GNB_MAX_X * ATTUNE_GNB_MAX_X);
}

static bool sum_cell(const attune_gnb_cell *a, const attune_gnb_cell *b, attune_gnb_cell *sum) {
    if (b->n == 0 || a->n == 0) {
        *sum = b->n == 0 ? *a : *b;
        return true;
    }
    attune_real n = a->n + b->n;
    attune_real difference = b->mean - a->mean;
    sum->n = n;
    sum->mean = a->mean + difference * (b->n / n);
    sum->m2 = a->m2 + b->m2 + difference * difference * (a->n * (b->n / n));
    return attune_gnb_cell_valid(sum);
}

static bool subtract_cell(const attune_gnb_cell *sum, const attune_gnb_cell *b, attune_gnb_cell *a) {
    *a = *sum;
    if (b->n == 0) {
        return true;
    }
    attune_real n = sum->n - b->n;
    if (n <= SLACK * sum->n) {
        *a = (attune_gnb_cell){0, 0, 0};
        return n >= -SLACK * sum->n;
    }
    attune_real shift = (sum->mean - b->mean) * (b->n / n);
    a->n = n;
    a->mean = sum->mean + shift;
    attune_real difference = b->mean - a->mean;
    attune_real between = difference * difference * (n * (b->n / sum->n));
    a->m2 = sum->m2 - b->m2 - between;
    if (a->m2 < 0 && a->m2 >= -SLACK * (sum->m2 + between + sum->n)) {
        a->m2 = 0;
    }
    return attune_gnb_cell_valid(a);
}

static bool combine(attune_gnb *gnb, const attune_gnb *other,
                    bool (*cell)(const attune_gnb_cell *, const attune_gnb_cell *, attune_gnb_cell *)) {
    /* Everything is tried before anything is written. */
    for (int write = 0; write < 2; write++) {
        for (uint8_t k = 0; k < other->classes; k++) {
            for (uint8_t i = 0; i < gnb->d; i++) {
                attune_gnb_cell result;
                if (!cell(&gnb->cell[k][i], &other->cell[k][i], &result)) {
                    return false;
                }
                if (write) {
                    gnb->cell[k][i] = result;
                }
            }
        }
    }
    return true;
}

bool attune_gnb_merge(attune_gnb *gnb, const attune_gnb *other) {
    if (!combine(gnb, other, sum_cell)) {
        return false;
    }
    if (other->classes > gnb->classes) {
        gnb->classes = other->classes;
    }
    return true;
}

bool attune_gnb_unmerge(attune_gnb *gnb, const attune_gnb *other) {
    return other->classes <= gnb->classes && combine(gnb, other, subtract_cell);
}
