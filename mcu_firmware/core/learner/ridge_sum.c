#include "learner/ridge_parts.h"

#include <string.h>

/* Rounding may leave this share of a weight behind when the same weights are taken out again that went in. */
#ifdef ATTUNE_REAL_DOUBLE
#define SLACK 1e-12
#else
#define SLACK 1e-5f
#endif

/* Adds the rows that make other's A and X'wY, or takes them out. */
static bool rotate_rows(attune_ridge *ridge, const attune_ridge *other, attune_real sign) {
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        const attune_real *u = &other->u[attune_ridge_row(ridge->sensors.features, i)];
        attune_ridge_sample row = {{0}, {0}};
        row.x[i] = 1;
        memcpy(row.x + i + 1, u + 1, (ridge->sensors.features - i - 1u) * sizeof *u);
        memcpy(row.y, other->z[i], (other->classes - 1u) * sizeof *row.y);
        if (!attune_ridge_rotate(ridge, &row, i, sign * u[0])) {
            return false;
        }
    }
    return true;
}

/* What lies between two parts of weights n and m and their whole: the row from part to part, which weighs n m / (n + m). */
static bool rotate_between(attune_ridge *ridge, const attune_real *shift, const attune_ridge *part,
                           const attune_ridge *other, attune_real sign) {
    attune_real n = attune_ridge_total(part);
    attune_real m = attune_ridge_total(other);
    attune_ridge_sample row = {{0}, {0}};
    memcpy(row.x, shift, ridge->sensors.features * sizeof *shift);
    for (uint8_t k = 1; k < ridge->classes; k++) {
        row.y[k - 1] = other->n[k] / m - part->n[k] / n;
    }
    return attune_ridge_rotate(ridge, &row, 0, sign * n * (m / (n + m)));
}

/* The sum has seen what either has; a feature that only one has seen was the other's mean all along. */
static void merge_means(attune_ridge *sum, const attune_ridge *other, attune_real *shift) {
    attune_real m = attune_ridge_total(other);
    attune_real share = m / (attune_ridge_total(sum) + m);
    for (uint8_t i = 0; i < sum->sensors.features; i++) {
        bool both = attune_ridge_has_seen(sum, i) && attune_ridge_has_seen(other, i);
        shift[i] = both ? other->mean[i] - sum->mean[i] : 0;
        sum->mean[i] = attune_ridge_has_seen(sum, i) ? sum->mean[i] + shift[i] * share : other->mean[i];
    }
    sum->seen |= other->seen;
}

/* Adds sign times what the regularisation of the parts is more than that of the whole: it is in each of them. */
static bool regularise(attune_ridge *ridge, attune_real sign, attune_real part, attune_real other, attune_real whole) {
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        attune_real parts = attune_ridge_regularisation(ridge, i, part) + attune_ridge_regularisation(ridge, i, other);
        if (!attune_ridge_rotate_unit(ridge, i, sign * (parts - attune_ridge_regularisation(ridge, i, whole)))) {
            return false;
        }
    }
    return true;
}

static void grow(attune_ridge *ridge, uint8_t classes) {
    ridge->classes = classes > ridge->classes ? classes : ridge->classes;
}

bool attune_ridge_merge(attune_ridge *ridge, const attune_ridge *other) {
    attune_real shift[ATTUNE_MAX_FEATURES];
    attune_ridge sum = *ridge;
    grow(&sum, other->classes);
    if (attune_ridge_total(other) > 0 && attune_ridge_total(ridge) > 0) {
        merge_means(&sum, other, shift);
        for (uint8_t k = 0; k < other->classes; k++) {
            sum.n[k] += other->n[k];
        }
        attune_real whole = attune_ridge_total(&sum);
        bool added = whole <= ATTUNE_MAX_N && rotate_rows(&sum, other, 1) &&
                     rotate_between(&sum, shift, ridge, other, 1) &&
                     regularise(&sum, -1, attune_ridge_total(ridge), attune_ridge_total(other), whole);
        if (!added) {
            return false;
        }
    } else if (attune_ridge_total(other) > 0) {
        sum = *other;
        grow(&sum, ridge->classes);
    }
    attune_ridge_solve(&sum);
    *ridge = sum;
    return true;
}

/* False if a weight would become negative. */
static bool subtract_weights(attune_ridge *rest, const attune_ridge *other) {
    for (uint8_t k = 0; k < other->classes; k++) {
        attune_real slack = SLACK * rest->n[k];
        attune_real n = rest->n[k] - other->n[k];
        if (n < -slack) {
            return false;
        }
        rest->n[k] = n <= slack ? 0 : n;
    }
    return true;
}

/* False if other has seen what the sum has not. */
static bool subtract_means(attune_ridge *rest, const attune_ridge *other, attune_real *shift) {
    attune_real share = attune_ridge_total(other) / attune_ridge_total(rest);
    for (uint8_t i = 0; i < rest->sensors.features; i++) {
        if (attune_ridge_has_seen(other, i)) {
            rest->mean[i] += (rest->mean[i] - other->mean[i]) * share;
        }
        shift[i] = attune_ridge_has_seen(other, i) ? other->mean[i] - rest->mean[i] : 0;
    }
    return (other->seen & ~rest->seen) == 0;
}

/* Nothing tells a class that no weight is left of, or no other's, from the others; rounding may say otherwise. */
static void clear_untaught(attune_ridge *ridge) {
    attune_real total = attune_ridge_total(ridge);
    for (uint8_t k = 1; k < ridge->classes; k++) {
        bool alone = ridge->n[k] == 0 || ridge->n[k] == total;
        for (uint8_t i = 0; i < ridge->sensors.features && alone; i++) {
            ridge->z[i][k - 1] = 0;
        }
    }
}

bool attune_ridge_unmerge(attune_ridge *ridge, const attune_ridge *other) {
    attune_real shift[ATTUNE_MAX_FEATURES];
    attune_ridge rest = *ridge;
    if (other->classes > ridge->classes || !subtract_weights(&rest, other)) {
        return false;
    }
    if (attune_ridge_total(&rest) == 0) {
        attune_ridge_init(&rest, &ridge->sensors);
        rest.drift = ridge->drift;
        grow(&rest, ridge->classes);
    } else if (attune_ridge_total(other) > 0) {
        /* Regularisation first: without it, what is left could be nothing in between. */
        attune_real part = attune_ridge_total(&rest);
        bool left = subtract_means(&rest, other, shift) &&
                    regularise(&rest, 1, part, attune_ridge_total(other), attune_ridge_total(ridge)) &&
                    rotate_rows(&rest, other, -1) && rotate_between(&rest, shift, &rest, other, -1);
        clear_untaught(&rest);
        if (!left || !attune_ridge_valid(&rest)) {
            return false;
        }
    }
    attune_ridge_solve(&rest);
    *ridge = rest;
    return true;
}
