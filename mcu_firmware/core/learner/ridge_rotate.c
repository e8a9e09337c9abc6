#include "learner/ridge_parts.h"

#include <string.h>

attune_real attune_ridge_widen(uint16_t low) {
    uint32_t bits = (uint32_t)low << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return (attune_real)x;
}

uint16_t attune_ridge_narrow(attune_real x) {
    float number = (float)x;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return (uint16_t)((bits + 0x8000u) >> 16);
}

/* x -= x_i u, then u += share x; what u cannot hold waits in low. */
static void rotate_row(attune_real *u, uint16_t *low, attune_real *x, uint8_t count, attune_real x_i,
                       attune_real share) {
    /* This loop is half of what learning costs. */
    for (const attune_real *end = u + count; u < end; u++, x++, low++) {
        attune_real before = *u;
        attune_real rest = *x - x_i * before;
        attune_real step = share * rest + attune_ridge_widen(*low);
        attune_real after = before + step;
        *low = attune_ridge_narrow(step - (after - before));
        *x = rest;
        *u = after;
    }
}

bool attune_ridge_rotate(attune_ridge *ridge, attune_ridge_sample *sample, uint8_t first, attune_real weight) {
    const uint8_t d = ridge->sensors.features;
    attune_real *u = &ridge->u[attune_ridge_row(d, first)];
    uint16_t *low = &ridge->low[attune_ridge_row(d, first) - first];
    for (uint8_t i = first; i < d; u += d - i, low += d - i - 1, i++) {
        attune_real x_i = sample->x[i];
        if (x_i == 0) {
            continue;
        }
        attune_real pivot = u[0] + weight * x_i * x_i;
        if (!(pivot >= ATTUNE_REAL(0.5) * ATTUNE_RIDGE_DIAGONAL)) {
            return false;
        }
        attune_real share = weight * x_i / pivot;
        weight *= u[0] / pivot;
        u[0] = pivot;
        rotate_row(u + 1, low, sample->x + i + 1, (uint8_t)(d - i - 1), x_i, share);
        for (uint8_t k = 0; k + 1 < ridge->classes; k++) {
            sample->y[k] -= x_i * ridge->z[i][k];
            ridge->z[i][k] += share * sample->y[k];
        }
    }
    return true;
}

bool attune_ridge_rotate_unit(attune_ridge *ridge, uint8_t i, attune_real weight) {
    attune_ridge_sample sample = {{0}, {0}};
    sample.x[i] = 1;
    return attune_ridge_rotate(ridge, &sample, i, weight);
}

bool attune_ridge_regularise(attune_ridge *ridge, attune_real share) {
    for (uint8_t i = 0; i < ridge->sensors.features; i++) {
        if (!attune_ridge_rotate_unit(ridge, i, share * ATTUNE_RIDGE_DIAGONAL)) {
            return false;
        }
    }
    return true;
}
