#include "update/compact_ridge.h"

#include "learner/ridge_parts.h"

#include <string.h>

typedef attune_real vector[ATTUNE_MAX_FEATURES];

static attune_real dot(const attune_real *a, const attune_real *b, uint8_t d) {
    attune_real sum = 0;
    for (uint8_t i = 0; i < d; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void add(attune_real *a, attune_real times, const attune_real *b, uint8_t d) {
    for (uint8_t i = 0; i < d; i++) {
        a[i] += times * b[i];
    }
}

/* product = U'D U x. */
static void multiply(const attune_ridge *ridge, const attune_real *x, attune_real *product) {
    const uint8_t d = ridge->sensors.features;
    memset(product, 0, d * sizeof *product);
    for (uint8_t i = 0; i < d; i++) {
        const attune_real *u = &ridge->u[attune_ridge_row(d, i)];
        attune_real scaled = u[0] * (x[i] + dot(u + 1, x + i + 1, (uint8_t)(d - i - 1)));
        product[i] += scaled;
        add(product + i + 1, scaled, u + 1, (uint8_t)(d - i - 1));
    }
}

static bool rotate(attune_ridge *ridge, const attune_real *x, attune_real weight) {
    attune_ridge_sample row = {{0}, {0}};
    memcpy(row.x, x, ridge->sensors.features * sizeof *x);
    return attune_ridge_rotate(ridge, &row, 0, weight);
}

/* Changes A least so that A w = y. */
static bool meet(attune_ridge *ridge, const attune_real *w, const attune_real *y) {
    vector before;
    multiply(ridge, w, before);
    attune_real now = dot(w, y, ridge->sensors.features);
    attune_real was = dot(w, before, ridge->sensors.features);
    if (was == 0) {
        return true; /* no weights: nothing to meet */
    }
    return now > 0 && was > 0 && rotate(ridge, y, 1 / now) && rotate(ridge, before, -1 / was);
}

/* The diagonal that the state would have, did features vary independently within a class. */
static void begin(attune_ridge *ridge, const attune_gnb *gnb) {
    const uint8_t d = ridge->sensors.features;
    for (uint8_t i = 0; i < d; i++) {
        attune_real squares = attune_ridge_regularisation(ridge, i, attune_ridge_total(ridge));
        for (uint8_t k = 0; k < ridge->classes; k++) {
            squares += gnb->of[k].m2[i];
        }
        ridge->u[attune_ridge_row(d, i)] = squares;
    }
}

/* Makes the k-th weights conjugate to those before: w_k' A w_j = 0, as A w_j is y[j]. Changes y[k] alike. */
static void conjugate(attune_ridge *ridge, vector *y, uint8_t k) {
    const uint8_t d = ridge->sensors.features;
    attune_real *w = ridge->weight[k];
    for (uint8_t j = 0; j < k; j++) {
        attune_real length = dot(ridge->weight[j], y[j], d);
        attune_real share = length > 0 ? dot(w, y[j], d) / length : 0;
        add(w, -share, ridge->weight[j], d);
        add(y[k], -share, y[j], d);
    }
}

static bool meet_all(attune_ridge *ridge, const attune_gnb *gnb) {
    const uint8_t d = ridge->sensors.features;
    const attune_real all = attune_ridge_total(ridge) + ATTUNE_RIDGE_WEIGHT;
    vector y[ATTUNE_MAX_CLASSES - 1] = {{0}};
    for (uint8_t k = 0; k + 1 < ridge->classes; k++) {
        if (!(ridge->n[k + 1] > 0)) {
            memset(ridge->weight[k], 0, sizeof ridge->weight[k]);
            continue;
        }
        add(y[k], all, gnb->of[k + 1].means.mean, d);
        add(y[k], -all, gnb->of[0].means.mean, d);
        conjugate(ridge, y, k);
        if (!meet(ridge, ridge->weight[k], y[k])) {
            return false;
        }
    }
    return true;
}

/* Adds the squares between the classes' means, and with them what the features say of the indicators. */
static bool add_means(attune_ridge *ridge, const attune_gnb *gnb) {
    const uint8_t d = ridge->sensors.features;
    const attune_real total = attune_ridge_total(ridge);
    for (uint8_t k = 0; k < ridge->classes; k++) {
        add(ridge->mean, ridge->n[k] / total, gnb->of[k].means.mean, d);
    }
    for (uint8_t k = 0; k < ridge->classes; k++) {
        attune_ridge_sample row = {{0}, {0}};
        for (uint8_t i = 0; i < d; i++) {
            row.x[i] = gnb->of[k].means.mean[i] - ridge->mean[i];
        }
        for (uint8_t j = 1; j < ridge->classes; j++) {
            row.y[j - 1] = (attune_real)(j == k) - ridge->n[j] / total;
        }
        if (ridge->n[k] > 0 && !attune_ridge_rotate(ridge, &row, 0, ridge->n[k])) {
            return false;
        }
    }
    return true;
}

bool attune_compact_ridge(attune_ridge *ridge, const attune_gnb *gnb, uint32_t known) {
    ridge->seen = known;
    begin(ridge, gnb);
    if (!meet_all(ridge, gnb) || !add_means(ridge, gnb) || !attune_ridge_valid(ridge)) {
        return false;
    }
    attune_ridge_solve(ridge);
    for (uint8_t k = 0; k + 1 < ridge->classes; k++) {
        bool finite = attune_finite(ridge->bias[k]);
        for (uint8_t i = 0; i < ridge->sensors.features; i++) {
            finite = finite && attune_finite(ridge->weight[k][i]);
        }
        if (!finite) {
            return false;
        }
    }
    return true;
}
