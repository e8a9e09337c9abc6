#include "learner/ridge_parts.h"

#include "real/bits.h"

attune_real attune_ridge_widen(uint16_t low) { return (attune_real)attune_float_of((uint32_t)low << 16); }

uint16_t attune_ridge_narrow(attune_real x) { return (uint16_t)((attune_bits_of_float((float)x) + 0x8000u) >> 16); }

/* x -= x_i u, then u += share x, for count > 0 cells. */
static void rotate_row(attune_real *u, attune_real *x, uint32_t count, attune_real x_i, attune_real share) {
    /* Such a loop is half of what learning costs; tested at its end it is an eighth shorter. */
    do {
        attune_real rest = *x - x_i * *u;
        *u++ += share * rest;
        *x++ = rest;
    } while (--count > 0);
}

/* The same; what u cannot hold waits in low. */
static void rotate_fine_row(attune_real *u, uint16_t *low, attune_real *x, uint32_t count, attune_real x_i,
                            attune_real share) {
    do {
        attune_real before = *u;
        attune_real rest = *x - x_i * before;
        attune_real step = share * rest + attune_ridge_widen(*low);
        attune_real after = before + step;
        *low++ = attune_ridge_narrow(step - (after - before));
        *x++ = rest;
        *u++ = after;
    } while (--count > 0);
}

/* The same for the columns of z, with the x_i and shares of all rows. */
static void rotate_classes(attune_ridge *ridge, const attune_ridge_sample *sample, uint32_t first,
                           const attune_real *share) {
    for (uint32_t k = 0; k + 1u < ridge->classes; k++) {
        attune_real rest = sample->y[k];
        attune_real *z = &ridge->z[first][k];
        for (uint32_t i = first; i < ridge->sensors.features; i++, z += ATTUNE_MAX_CLASSES - 1) {
            rest -= sample->x[i] * *z;
            *z += share[i] * rest;
        }
    }
}

bool attune_ridge_rotate(attune_ridge *ridge, attune_ridge_sample *sample, uint8_t first, attune_real weight) {
    const uint32_t d = ridge->sensors.features;
    const bool fine = !(ridge->drift > 0);
    attune_real share[ATTUNE_MAX_FEATURES];
    attune_real *u = &ridge->u[attune_ridge_row(ridge->sensors.features, first)];
    uint16_t *low = &ridge->low[attune_ridge_row(ridge->sensors.features, first) - first];
    for (uint32_t i = first; i < d; u += d - i, low += d - i - 1, i++) {
        attune_real x_i = sample->x[i];
        share[i] = 0;
        if (x_i == 0) {
            continue;
        }
        attune_real pivot = u[0] + weight * x_i * x_i;
        if (!(pivot >= ATTUNE_REAL(0.5) * ATTUNE_RIDGE_DIAGONAL)) {
            return false;
        }
        share[i] = weight * x_i / pivot;
        weight *= u[0] / pivot;
        u[0] = pivot;
        if (fine && i + 1 < d) {
            rotate_fine_row(u + 1, low, sample->x + i + 1, d - i - 1, x_i, share[i]);
        } else if (i + 1 < d) {
            rotate_row(u + 1, sample->x + i + 1, d - i - 1, x_i, share[i]);
        }
    }
    rotate_classes(ridge, sample, first, share);
    return true;
}

bool attune_ridge_rotate_unit(attune_ridge *ridge, uint8_t i, attune_real weight) {
    attune_ridge_sample sample = {{0}, {0}};
    sample.x[i] = 1;
    return attune_ridge_rotate(ridge, &sample, i, weight);
}

/* Drift adds its t-th step, to feature t % d, when the sum of weights passes t + STEP. Sums of labels are mostly whole numbers,
 * halves or tenths, and rounding must not decide whether one of those has passed. */
#define STEP ATTUNE_REAL(0.7071)

static uint32_t steps_passed(attune_real n) {
    attune_real within = n < ATTUNE_RIDGE_DRIFT_SPAN ? n : ATTUNE_RIDGE_DRIFT_SPAN;
    return within < STEP ? 0 : (uint32_t)(within - STEP) + 1;
}

uint32_t attune_ridge_steps(uint8_t d, uint8_t i, attune_real n) { return (steps_passed(n) + d - 1u - i) / d; }

attune_real attune_ridge_regularisation(const attune_ridge *ridge, uint8_t i, attune_real n) {
    const uint8_t d = ridge->sensors.features;
    return ATTUNE_RIDGE_DIAGONAL + ridge->drift * (attune_real)d * (attune_real)attune_ridge_steps(d, i, n);
}

void attune_ridge_drift(attune_ridge *ridge, attune_real before) {
    const uint8_t d = ridge->sensors.features;
    const uint32_t first = steps_passed(before);
    const uint32_t end = steps_passed(attune_ridge_total(ridge));
    for (uint32_t t = first; t < end && t < first + d && ridge->drift > 0; t++) {
        uint32_t steps = (end - t + d - 1) / d;
        (void)attune_ridge_rotate_unit(ridge, (uint8_t)(t % d), ridge->drift * (attune_real)d * (attune_real)steps);
    }
}
