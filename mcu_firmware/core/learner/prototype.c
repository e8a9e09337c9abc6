#include "learner/prototype.h"

#include <string.h>

/* What predict finds out before it looks at a class: the shared variances, and the middle of the classes' means. */
typedef struct scale {
    attune_real variance[ATTUNE_MAX_FEATURES];
    attune_real middle[ATTUNE_MAX_FEATURES];
    attune_real labels[ATTUNE_MAX_CLASSES]; /* largest weight of the class's sensors */
} scale;

void attune_prototype_init(attune_prototype *prototype, const attune_sensors *sensors) {
    memset(prototype, 0, sizeof *prototype);
    prototype->sensors = *sensors;
    prototype->classes = 2;
}

static void find_scale_of(const attune_prototype *prototype, uint8_t i, scale *scale) {
    uint8_t s = prototype->sensors.of[i];
    attune_real n = 0;
    attune_real sum = 0;
    attune_real knowing = 0;
    for (uint8_t k = 0; k < prototype->classes; k++) {
        attune_real weight = prototype->means[k].n[s];
        n += weight;
        knowing += weight > 0;
        sum += prototype->means[k].mean[i];
    }
    attune_real freedom = n > knowing ? n - knowing : 0;
    attune_real variance = (prototype->m2[i] + ATTUNE_PROTOTYPE_PRIOR) / (freedom + ATTUNE_PROTOTYPE_PRIOR);
    scale->variance[i] = variance + ATTUNE_LEAST_VARIANCE;
    scale->middle[i] = knowing > 0 ? sum / knowing : 0;
}

static void find_scale(const attune_prototype *prototype, scale *scale) {
    for (uint8_t i = 0; i < prototype->sensors.features; i++) {
        find_scale_of(prototype, i, scale);
    }
    for (uint8_t k = 0; k < prototype->classes; k++) {
        scale->labels[k] = 0;
        for (uint8_t s = 0; s < prototype->sensors.count; s++) {
            attune_real weight = prototype->means[k].n[s];
            scale->labels[k] = weight > scale->labels[k] ? weight : scale->labels[k];
        }
    }
}

/* Cosine of two classes' means about the middle, over the sensors that both know; 0 if one of them lies there. */
static attune_real cosine(const attune_prototype *prototype, const scale *scale, uint8_t k, uint8_t j) {
    const attune_means *a = &prototype->means[k];
    const attune_means *b = &prototype->means[j];
    attune_real product = 0;
    attune_real aa = 0;
    attune_real bb = 0;
    for (uint8_t i = 0; i < prototype->sensors.features; i++) {
        uint8_t s = prototype->sensors.of[i];
        if (a->n[s] > 0 && b->n[s] > 0) {
            attune_real from = a->mean[i] - scale->middle[i];
            attune_real to = b->mean[i] - scale->middle[i];
            product += from * to / scale->variance[i];
            aa += from * from / scale->variance[i];
            bb += to * to / scale->variance[i];
        }
    }
    attune_real lengths = attune_sqrt(aa) * attune_sqrt(bb);
    return lengths > 0 ? product / lengths : 0;
}

/* share[j] of each class that class k > 0 is fused with; they add up to what is returned, the pull in labels. */
static attune_real find_shares(const attune_prototype *prototype, const scale *scale, uint8_t k, attune_real *share) {
    attune_real pull = 0;
    attune_real sum = 0;
    for (uint8_t j = 0; j < prototype->classes; j++) {
        share[j] = 0;
        if (scale->labels[k] > 0 && scale->labels[j] > scale->labels[k]) {
            attune_real lack = 1 - scale->labels[k] / scale->labels[j];
            share[j] = lack * attune_exp(ATTUNE_PROTOTYPE_SHARPNESS * cosine(prototype, scale, k, j));
            sum += share[j];
            pull = lack > pull ? lack : pull;
        }
    }
    pull *= ATTUNE_PROTOTYPE_PULL;
    for (uint8_t j = 0; j < prototype->classes && sum > 0; j++) {
        share[j] *= pull / sum;
    }
    return pull;
}

/* The mean of feature i of class k after the correction. A class that does not know the sensor does not pull. */
static attune_real corrected(const attune_prototype *prototype, uint8_t k, uint8_t i, const attune_real *share,
                             attune_real pull) {
    uint8_t s = prototype->sensors.of[i];
    attune_real mean = prototype->means[k].mean[i];
    attune_real shift = 0;
    for (uint8_t j = 0; j < prototype->classes && pull > 0; j++) {
        if (prototype->means[j].n[s] > 0) {
            shift += share[j] * (prototype->means[j].mean[i] - mean);
        }
    }
    return mean + shift / (prototype->means[k].n[s] + pull);
}

/* How much wider than the shared variance a class's likelihood is, its mean being uncertain. */
static attune_real widening(attune_real n) {
    return 1 + 1 / (n > ATTUNE_PROTOTYPE_LEAST_N ? n : ATTUNE_PROTOTYPE_LEAST_N);
}

/* Twice the evidence of class k against class 0. */
static attune_real compare(const attune_prototype *prototype, const scale *scale, uint8_t k, const int16_t *x,
                           uint32_t both) {
    attune_real share[ATTUNE_MAX_CLASSES];
    attune_real pull = find_shares(prototype, scale, k, share);
    attune_real sum = 0;
    attune_real ratio = 1; /* of the variances: at most 3 each, so that their product stays finite */
    for (uint8_t i = 0; i < prototype->sensors.features; i++) {
        uint8_t s = prototype->sensors.of[i];
        if ((both >> s & 1) == 0) {
            continue;
        }
        attune_real wide_free = widening(prototype->means[0].n[s]);
        attune_real wide = widening(prototype->means[k].n[s]);
        attune_real from_free = attune_unit(x[i]) - prototype->means[0].mean[i];
        attune_real from = attune_unit(x[i]) - corrected(prototype, k, i, share, pull);
        sum += (from_free * from_free / wide_free - from * from / wide) / scale->variance[i];
        ratio *= wide_free / wide;
    }
    return sum + attune_log(ratio);
}

bool attune_prototype_predict(const attune_prototype *prototype, const int16_t *x, attune_real *evidence) {
    uint32_t present = attune_sensors_present(&prototype->sensors, x);
    uint32_t free = present & attune_means_known(&prototype->means[0], &prototype->sensors);
    scale scale;
    bool any = false;
    find_scale(prototype, &scale);
    for (uint8_t k = 1; k < prototype->classes; k++) {
        uint32_t known = attune_means_known(&prototype->means[k], &prototype->sensors);
        any = any || (free & known) != 0;
        evidence[k - 1] = ATTUNE_UNTAUGHT;
        if (known != 0) {
            evidence[k - 1] = compare(prototype, &scale, k, x, free & known) / 2;
        }
    }
    return any;
}

bool attune_prototype_learn(attune_prototype *prototype, const int16_t *x, uint8_t class_index, attune_real weight) {
    if (!attune_means_learn(&prototype->means[class_index], prototype->m2, &prototype->sensors, x, weight)) {
        return false;
    }
    if (class_index >= prototype->classes) {
        prototype->classes = (uint8_t)(class_index + 1);
    }
    return true;
}

static attune_real weight_of(const attune_prototype *prototype, uint8_t i) {
    attune_real n = 0;
    for (uint8_t k = 0; k < prototype->classes; k++) {
        n += prototype->means[k].n[prototype->sensors.of[i]];
    }
    return n;
}

bool attune_prototype_merge(attune_prototype *prototype, const attune_prototype *other) {
    attune_prototype sum = *prototype;
    sum.classes = other->classes > sum.classes ? other->classes : sum.classes;
    for (uint8_t k = 0; k < other->classes; k++) {
        if (!attune_means_merge(&sum.means[k], sum.m2, &other->means[k], &sum.sensors)) {
            return false;
        }
    }
    for (uint8_t i = 0; i < sum.sensors.features; i++) {
        sum.m2[i] += other->m2[i];
        if (!attune_squares_valid(sum.m2[i], weight_of(&sum, i))) {
            return false;
        }
    }
    *prototype = sum;
    return true;
}

bool attune_prototype_unmerge(attune_prototype *prototype, const attune_prototype *other) {
    attune_prototype rest = *prototype;
    if (other->classes > rest.classes) {
        return false;
    }
    for (uint8_t k = 0; k < other->classes; k++) {
        if (!attune_means_unmerge(&rest.means[k], rest.m2, &other->means[k], &rest.sensors)) {
            return false;
        }
    }
    for (uint8_t i = 0; i < rest.sensors.features; i++) {
        rest.m2[i] -= other->m2[i];
        if (!attune_squares_settle(&rest.m2[i], prototype->m2[i], weight_of(&rest, i))) {
            return false;
        }
    }
    *prototype = rest;
    return true;
}
