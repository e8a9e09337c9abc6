#include "learner/ridge.h"

#include "learner/ridge_parts.h"
#include "window/schema.h"

#include <string.h>

void attune_ridge_init(attune_ridge *ridge, const attune_sensors *sensors) {
    const uint8_t d = sensors->features;
    memset(ridge, 0, sizeof *ridge);
    ridge->sensors = *sensors;
    ridge->classes = 2;
    for (uint8_t i = 0; i < d; i++) {
        ridge->u[attune_ridge_row(d, i)] = ATTUNE_RIDGE_DIAGONAL;
    }
}

attune_real attune_ridge_total(const attune_ridge *ridge) {
    attune_real total = 0;
    for (uint8_t k = 0; k < ridge->classes; k++) {
        total += ridge->n[k];
    }
    return total;
}

static void grow(attune_ridge *ridge, uint8_t class_index) {
    if (class_index >= ridge->classes) {
        ridge->classes = (uint8_t)(class_index + 1);
    }
}

/* Adds a sample to the weights, which are `before` without it, and to the means; leaves it centred and returns its weight in A. */
static attune_real centre(attune_ridge *ridge, attune_ridge_sample *s, uint32_t present, uint8_t class_index,
                          attune_real weight, attune_real before) {
    attune_real share = weight / (before + weight);
    const uint32_t known = present & ridge->seen;
    for (uint32_t i = 0; i < ridge->sensors.features; i++) {
        attune_real difference = 0;
        if ((known >> i & 1) != 0) {
            difference = s->x[i] - ridge->mean[i];
            ridge->mean[i] += difference * share;
        } else if ((present >> i & 1) != 0) {
            ridge->mean[i] = s->x[i];
        }
        s->x[i] = difference;
    }
    for (uint8_t k = 1; k < ridge->classes; k++) {
        s->y[k - 1] = (attune_real)(k == class_index) - (before > 0 ? ridge->n[k] / before : 0);
    }
    ridge->seen |= present;
    ridge->n[class_index] += weight;
    return before * share;
}

static bool has_room(const attune_ridge *ridge, attune_real weight) {
    return attune_ridge_total(ridge) + weight <= ATTUNE_MAX_N;
}

bool attune_ridge_learn(attune_ridge *ridge, const int16_t *x, uint8_t class_index, attune_real weight) {
    if (!has_room(ridge, weight)) {
        return false;
    }
    attune_ridge_sample s;
    uint32_t present = 0;
    for (uint32_t i = 0; i < ridge->sensors.features; i++) {
        present |= (uint32_t)(x[i] != ATTUNE_MISSING) << i;
        s.x[i] = attune_unit(x[i]);
    }
    attune_real before = attune_ridge_total(ridge);
    grow(ridge, class_index);
    attune_real centred = centre(ridge, &s, present, class_index, weight, before);
    (void)attune_ridge_rotate(ridge, &s, 0, centred); /* what is added makes no pivot smaller */
    attune_ridge_drift(ridge, before);
    attune_ridge_solve(ridge);
    return true;
}

void attune_ridge_prior(attune_ridge *ridge, float weight, uint32_t known, const float *middle, const float *apart,
                        const float *spread) {
    const uint8_t d = ridge->sensors.features;
    float left = weight / 2; /* what the row from class to class weighs */
    ridge->seen = known;
    ridge->n[0] = (attune_real)weight;
    ridge->n[1] = (attune_real)weight;
    for (uint8_t i = 0; i < d; i++) {
        float steps = (float)attune_ridge_steps(d, i, (attune_real)(2 * weight));
        float before = (float)ATTUNE_RIDGE_DIAGONAL + (float)ridge->drift * (float)d * steps + weight * spread[i];
        float pivot = before + left * apart[i] * apart[i];
        float share = left * apart[i] / pivot;
        attune_real *u = &ridge->u[attune_ridge_row(d, i)];
        u[0] = (attune_real)pivot;
        for (uint8_t j = 1; j < d - i; j++) {
            u[j] = (attune_real)(share * apart[i + j]);
        }
        ridge->mean[i] = (attune_real)middle[i];
        ridge->z[i][0] = (attune_real)share;
        left *= before / pivot;
    }
    attune_ridge_solve(ridge);
}

static bool may_forget(const attune_ridge *ridge, attune_real factor) {
    bool fits = factor > 0 && factor <= 1;
    for (uint8_t k = 0; k < ridge->classes && fits; k++) {
        fits = ridge->n[k] == 0 || ridge->n[k] * factor >= ATTUNE_RIDGE_MIN_N;
    }
    return fits;
}

bool attune_ridge_forget(attune_ridge *ridge, attune_real factor) {
    if (!may_forget(ridge, factor)) {
        return false;
    }
    attune_real before = attune_ridge_total(ridge);
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        ridge->u[attune_ridge_row(ridge->sensors.features, i)] *= factor;
    }
    for (uint8_t k = 0; k < ridge->classes; k++) {
        ridge->n[k] *= factor;
    }
    attune_real after = attune_ridge_total(ridge);
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        attune_real left = factor * attune_ridge_regularisation(ridge, i, before);
        (void)attune_ridge_rotate_unit(ridge, i, attune_ridge_regularisation(ridge, i, after) - left);
    }
    attune_ridge_solve(ridge);
    return true;
}

/* The features as the solution takes them: less the mean, 0 where nothing can be said. False if that is everywhere. */
static bool find_centred(const attune_ridge *ridge, const int16_t *x, attune_real *centred) {
    bool any = false;
    for (uint32_t i = 0; i < ridge->sensors.features; i++) {
        centred[i] = 0;
        if (x[i] != ATTUNE_MISSING && (ridge->seen >> i & 1) != 0) {
            centred[i] = attune_unit(x[i]) - ridge->mean[i];
            any = true;
        }
    }
    return any;
}

bool attune_ridge_predict(const attune_ridge *ridge, const int16_t *x, attune_real *evidence) {
    attune_real centred[ATTUNE_MAX_FEATURES];
    const attune_real *end = centred + ridge->sensors.features;
    bool any = find_centred(ridge, x, centred);
    for (uint32_t k = 0; k + 1 < ridge->classes; k++) {
        const attune_real *weight = ridge->weight[k];
        attune_real sum = ridge->bias[k];
        for (const attune_real *x_i = centred; x_i < end; x_i++) {
            sum += *weight++ * *x_i;
        }
        evidence[k] = sum;
    }
    return any && ridge->n[0] > 0 && attune_ridge_total(ridge) > ridge->n[0];
}

static bool within(attune_real x, attune_real limit) { return x >= -limit && x <= limit; }

/* The weight of the other classes; the difference from all would leave nothing of small ones. */
static attune_real find_others(const attune_ridge *ridge, uint8_t k) {
    attune_real others = 0;
    for (uint8_t j = 0; j < ridge->classes; j++) {
        others += j == k ? 0 : ridge->n[j];
    }
    return others;
}

/* No class has more explained of it than there is to a sum of squares about its share, and nothing of a class that nobody has
 * taught. */
static bool explained_valid(const attune_ridge *ridge) {
    for (uint8_t k = 1; k < ridge->classes; k++) {
        attune_real n = ridge->n[k];
        attune_real others = find_others(ridge, k);
        attune_real most = n > 0 ? n / (n + others) * others : 0;
        if (!(attune_ridge_explained(ridge, k, k) <= most * ATTUNE_REAL(1.01))) {
            return false;
        }
    }
    return true;
}

bool attune_ridge_valid(const attune_ridge *ridge) {
    attune_real total = attune_ridge_total(ridge);
    bool valid = total <= ATTUNE_MAX_N;
    for (uint8_t k = 0; k < ridge->classes; k++) {
        valid = valid && ridge->n[k] >= 0;
    }
    /* No sum of squares is larger than that of the coordinates' range. */
    attune_real squares = 4 * ATTUNE_MAX_X * ATTUNE_MAX_X * total;
    for (uint8_t i = 0; i < ridge->sensors.features && valid; i++) {
        attune_real most = ATTUNE_REAL(1.01) * (attune_ridge_regularisation(ridge, i, total) + squares);
        const attune_real *u = &ridge->u[attune_ridge_row(ridge->sensors.features, i)];
        attune_real mean = attune_ridge_has_seen(ridge, i) ? ATTUNE_MAX_X * ATTUNE_REAL(1.001) : 0;
        valid = within(ridge->mean[i], mean) && u[0] >= ATTUNE_REAL(0.9) * ATTUNE_RIDGE_DIAGONAL && u[0] <= most;
        for (uint8_t j = 1; j < ridge->sensors.features - i && valid; j++) {
            valid = u[0] * u[j] * u[j] <= most;
        }
    }
    return valid && explained_valid(ridge);
}
