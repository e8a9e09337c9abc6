#include "learner/gnb.h"

#include <string.h>

void attune_gnb_init(attune_gnb *gnb, const attune_sensors *sensors) {
    memset(gnb, 0, sizeof *gnb);
    gnb->sensors = *sensors;
    gnb->classes = 2;
}

static attune_real at_most(attune_real square) { return square < ATTUNE_GNB_SQUARE ? square : ATTUNE_GNB_SQUARE; }

/* Twice the evidence of class b against class a: twice log N(x; b) - log N(x; a), without the constant that cancels, over the
 * features that are present and that both know; *compared counts them. */
static attune_real compare(const attune_gnb_class *a, const attune_gnb_class *b, const attune_sensors *sensors,
                           const int16_t *x, uint32_t present, uint32_t *compared) {
    attune_real sum = 0;
    attune_real ratio = 1;
    int32_t exponent = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sensors->features; i++) {
        uint32_t s = sensors->of[i];
        if ((present >> s & 1) == 0 || !(a->means.n[s] * b->means.n[s] > 0)) {
            continue;
        }
        attune_real va = a->m2[i] / a->means.n[s] + ATTUNE_LEAST_VARIANCE;
        attune_real vb = b->m2[i] / b->means.n[s] + ATTUNE_LEAST_VARIANCE;
        attune_real da = attune_unit(x[i]) - a->means.mean[i];
        attune_real db = attune_unit(x[i]) - b->means.mean[i];
        sum += at_most(da * da / va) - at_most(db * db / vb);
        ratio *= va / vb;
        if (++count % ATTUNE_GNB_RATIOS == 0) {
            ratio = attune_split(ratio, &exponent);
        }
    }
    *compared = count;
    return sum + (attune_log(ratio) + (attune_real)exponent * ATTUNE_LN2);
}

bool attune_gnb_predict(const attune_gnb *gnb, const int16_t *x, attune_real *evidence) {
    uint32_t present = attune_sensors_present(&gnb->sensors, x);
    bool any = false;
    for (uint8_t k = 1; k < gnb->classes; k++) {
        uint32_t compared;
        evidence[k - 1] = compare(&gnb->of[0], &gnb->of[k], &gnb->sensors, x, present, &compared) / 2;
        any = any || compared > 0;
        /* A class that nobody has taught must not win by having nothing said against it. */
        if (compared == 0 && attune_means_known(&gnb->of[k].means, &gnb->sensors) == 0) {
            evidence[k - 1] = ATTUNE_UNTAUGHT;
        }
    }
    return any;
}

bool attune_gnb_learn(attune_gnb *gnb, const int16_t *x, uint8_t class_index, attune_real weight) {
    attune_gnb_class *of = &gnb->of[class_index];
    if (!attune_means_learn(&of->means, of->m2, &gnb->sensors, x, weight)) {
        return false;
    }
    if (class_index >= gnb->classes) {
        gnb->classes = (uint8_t)(class_index + 1);
    }
    return true;
}

bool attune_gnb_valid(const attune_gnb_class *of, const attune_sensors *sensors) {
    for (uint8_t i = 0; i < sensors->features; i++) {
        if (!attune_squares_valid(of->m2[i], of->means.n[sensors->of[i]])) {
            return false;
        }
    }
    return attune_means_valid(&of->means, sensors);
}

static bool add(attune_gnb_class *of, const attune_gnb_class *other, const attune_sensors *sensors) {
    if (!attune_means_merge(&of->means, of->m2, &other->means, sensors)) {
        return false;
    }
    for (uint8_t i = 0; i < sensors->features; i++) {
        of->m2[i] += other->m2[i];
    }
    return attune_gnb_valid(of, sensors);
}

static bool subtract(attune_gnb_class *of, const attune_gnb_class *other, const attune_sensors *sensors) {
    attune_real before[ATTUNE_MAX_FEATURES];
    memcpy(before, of->m2, sizeof before);
    if (!attune_means_unmerge(&of->means, of->m2, &other->means, sensors)) {
        return false;
    }
    for (uint8_t i = 0; i < sensors->features; i++) {
        of->m2[i] -= other->m2[i];
        if (!attune_squares_settle(&of->m2[i], before[i], of->means.n[sensors->of[i]])) {
            return false;
        }
    }
    return true;
}

static bool combine(attune_gnb *gnb, const attune_gnb *other,
                    bool (*change)(attune_gnb_class *, const attune_gnb_class *, const attune_sensors *)) {
    /* Everything is tried before anything is written. */
    for (int write = 0; write < 2; write++) {
        for (uint8_t k = 0; k < other->classes; k++) {
            attune_gnb_class result = gnb->of[k];
            if (!change(&result, &other->of[k], &gnb->sensors)) {
                return false;
            }
            if (write) {
                gnb->of[k] = result;
            }
        }
    }
    return true;
}

bool attune_gnb_merge(attune_gnb *gnb, const attune_gnb *other) {
    if (!combine(gnb, other, add)) {
        return false;
    }
    if (other->classes > gnb->classes) {
        gnb->classes = other->classes;
    }
    return true;
}

bool attune_gnb_unmerge(attune_gnb *gnb, const attune_gnb *other) {
    return other->classes <= gnb->classes && combine(gnb, other, subtract);
}
