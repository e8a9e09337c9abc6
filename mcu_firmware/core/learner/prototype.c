#include "learner/prototype.h"

#include <string.h>

/* What predict finds out before it looks at a class. */
typedef struct scale {
    attune_real variance[ATTUNE_MAX_FEATURES]; /* shared by the classes */
    attune_real labels[ATTUNE_MAX_CLASSES];    /* largest weight of the class's sensors */
} scale;

void attune_prototype_init(attune_prototype *prototype, const attune_sensors *sensors) {
    memset(prototype, 0, sizeof *prototype);
    prototype->sensors = *sensors;
    prototype->classes = 2;
}

/* Degrees of freedom of a sensor's variances: its weight less one for each class that knows it. */
static attune_real freedom_of(const attune_prototype *prototype, uint8_t s) {
    attune_real freedom = 0;
    for (uint8_t k = 0; k < prototype->classes; k++) {
        attune_real n = prototype->means[k].n[s];
        freedom += n > 0 ? n - 1 : 0;
    }
    return freedom > 0 ? freedom : 0;
}

static void find_scale(const attune_prototype *prototype, scale *scale) {
    attune_real freedom[ATTUNE_MAX_FEATURES] = {0};
    memset(scale->labels, 0, sizeof scale->labels);
    for (uint8_t s = 0; s < prototype->sensors.count; s++) {
        freedom[s] = freedom_of(prototype, s) + ATTUNE_PROTOTYPE_PRIOR;
        for (uint8_t k = 0; k < prototype->classes; k++) {
            attune_real n = prototype->means[k].n[s];
            scale->labels[k] = n > scale->labels[k] ? n : scale->labels[k];
        }
    }
    for (uint8_t i = 0; i < prototype->sensors.features; i++) {
        attune_real squares = prototype->m2[i] + ATTUNE_PROTOTYPE_PRIOR;
        scale->variance[i] = squares / freedom[prototype->sensors.of[i]] + ATTUNE_LEAST_VARIANCE;
    }
}

/* Middle of the means of the classes that know feature i; one of them at least does. */
static attune_real middle_of(const attune_prototype *prototype, uint8_t i) {
    attune_real sum = 0;
    attune_real knowing = 0;
    for (uint8_t k = 0; k < prototype->classes; k++) {
        knowing += prototype->means[k].n[prototype->sensors.of[i]] > 0;
        sum += prototype->means[k].mean[i];
    }
    return sum / knowing;
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
            attune_real middle = middle_of(prototype, i);
            attune_real from = a->mean[i] - middle;
            attune_real to = b->mean[i] - middle;
            product += from * to / scale->variance[i];
            aa += from * from / scale->variance[i];
            bb += to * to / scale->variance[i];
        }
    }
    attune_real lengths = attune_sqrt(aa) * attune_sqrt(bb);
    return lengths > 0 ? product / lengths : 0;
}

/* share[j], the part of class j's labels that class k lacks; returns how many classes have more labels. */
static uint8_t find_lacks(const scale *scale, uint8_t classes, uint8_t k, attune_real *share) {
    uint8_t richer = 0;
    for (uint8_t j = 0; j < classes; j++) {
        bool more = scale->labels[j] > scale->labels[k];
        share[j] = more ? 1 - scale->labels[k] / scale->labels[j] : 0;
        richer = (uint8_t)(richer + more);
    }
    return richer;
}

/* share[j] of each class that class k > 0 is fused with; they add up to what is returned, the pull in labels. */
static attune_real find_shares(const attune_prototype *prototype, const scale *scale, uint8_t k, attune_real *share) {
    attune_real pull = 0;
    attune_real sum = 0;
    uint8_t richer = find_lacks(scale, prototype->classes, k, share);
    for (uint8_t j = 0; j < prototype->classes; j++) {
        if (share[j] > 0) {
            pull = share[j] > pull ? share[j] : pull;
            /* Alone it has all of the pull, however similar it is. */
            share[j] *= richer > 1 ? attune_exp(ATTUNE_PROTOTYPE_SHARPNESS * cosine(prototype, scale, k, j)) : 1;
            sum += share[j];
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
