#include "learner/softmax.h"

#include <string.h>

void attune_softmax_init(attune_softmax *softmax, const attune_sensors *sensors) {
    memset(softmax, 0, sizeof *softmax);
    softmax->sensors = *sensors;
    softmax->classes = 2;
}

/* Input i scaled by its running mean and deviation; 0, its mean, where it is missing or not known yet. */
static attune_real scaled(const attune_softmax *softmax, const int16_t *x, uint32_t present, uint8_t i) {
    uint8_t s = softmax->sensors.of[i];
    attune_real n = softmax->inputs.n[s];
    if ((present >> s & 1) == 0 || !(n > 0)) {
        return 0;
    }
    attune_real variance = softmax->m2[i] / n + ATTUNE_LEAST_VARIANCE;
    return (attune_unit(x[i]) - softmax->inputs.mean[i]) / attune_sqrt(variance);
}

/* logit[k - 1] of each class k > 0 against class 0. */
static void find_logits(const attune_softmax *softmax, const int16_t *x, uint32_t present, attune_real *logit) {
    uint8_t d = softmax->sensors.features;
    uint8_t others = (uint8_t)(softmax->classes - 1);
    for (uint8_t k = 0; k < others; k++) {
        logit[k] = softmax->row[k][d];
    }
    for (uint8_t i = 0; i < d; i++) {
        attune_real input = scaled(softmax, x, present, i);
        for (uint8_t k = 0; k < others; k++) {
            logit[k] += softmax->row[k][i] * input;
        }
    }
}

bool attune_softmax_predict(const attune_softmax *softmax, const int16_t *x, attune_real *evidence) {
    uint32_t present = attune_sensors_present(&softmax->sensors, x);
    bool any = false;
    find_logits(softmax, x, present, evidence);
    for (uint8_t k = 1; k < softmax->classes; k++) {
        any = any || softmax->seen[k] > 0;
        evidence[k - 1] = softmax->seen[k] > 0 ? evidence[k - 1] : ATTUNE_UNTAUGHT;
    }
    return any && softmax->seen[0] > 0 && (present & attune_means_known(&softmax->inputs, &softmax->sensors)) != 0;
}

/* A neuron for class k. Its weights are 0, and those of class 0 are minus the mean of all rows, its own of 0 among them. */
static void add_neuron(attune_softmax *softmax, uint8_t k) {
    uint8_t width = (uint8_t)(softmax->sensors.features + 1);
    attune_real neurons = softmax->seen[0] > 0;
    if (k >= softmax->classes) {
        softmax->classes = (uint8_t)(k + 1);
    }
    if (k == 0 || neurons == 0) {
        return; /* without class 0 rows count from weights of 0 */
    }
    for (uint8_t j = 1; j < softmax->classes; j++) {
        neurons += softmax->seen[j] > 0;
    }
    for (uint8_t i = 0; i < width; i++) {
        attune_real sum = 0;
        for (uint8_t j = 1; j < softmax->classes; j++) {
            sum += softmax->seen[j] > 0 ? softmax->row[j - 1][i] : 0;
        }
        softmax->row[k - 1][i] = sum / neurons;
    }
}

/* Probabilities of the classes as they are trained: the class shares count. One class at least has a neuron, the others none. */
static void find_probabilities(const attune_softmax *softmax, const int16_t *x, uint32_t present, attune_real *p) {
    attune_real highest = ATTUNE_UNTAUGHT;
    attune_real sum = 0;
    p[0] = 0;
    find_logits(softmax, x, present, p + 1);
    for (uint8_t k = 0; k < softmax->classes; k++) {
        highest = softmax->seen[k] > 0 && p[k] > highest ? p[k] : highest;
    }
    for (uint8_t k = 0; k < softmax->classes; k++) {
        p[k] = softmax->seen[k] > 0 ? softmax->seen[k] * attune_exp(p[k] - highest) : 0;
        sum += p[k];
    }
    for (uint8_t k = 0; k < softmax->classes; k++) {
        p[k] /= sum;
    }
}

static attune_real stepped(attune_real weight, attune_real by) {
    attune_real next = weight + by;
    next = next > ATTUNE_SOFTMAX_LARGEST_WEIGHT ? ATTUNE_SOFTMAX_LARGEST_WEIGHT : next;
    return next < -ATTUNE_SOFTMAX_LARGEST_WEIGHT ? -ATTUNE_SOFTMAX_LARGEST_WEIGHT : next;
}

/* residual[k]: 1 for the label's class, less the probability. */
static void step(attune_softmax *softmax, const int16_t *x, uint32_t present, const attune_real *residual,
                 attune_real rate) {
    uint8_t d = softmax->sensors.features;
    for (uint8_t i = 0; i <= d; i++) {
        attune_real input = i < d ? scaled(softmax, x, present, i) : 1;
        for (uint8_t k = 1; k < softmax->classes; k++) {
            if (softmax->seen[k] > 0) {
                attune_real *weight = &softmax->row[k - 1][i];
                *weight = stepped(*weight, rate * (residual[k] - residual[0]) * input);
            }
        }
    }
}

bool attune_softmax_learn(attune_softmax *softmax, const int16_t *x, uint8_t class_index, attune_real weight) {
    attune_real residual[ATTUNE_MAX_CLASSES];
    attune_real rate = ATTUNE_SOFTMAX_RATE * weight;
    if (softmax->seen[class_index] + weight > ATTUNE_MAX_N ||
        !attune_means_learn(&softmax->inputs, softmax->m2, &softmax->sensors, x, weight)) {
        return false;
    }
    if (!(softmax->seen[class_index] > 0)) {
        add_neuron(softmax, class_index);
    }
    softmax->seen[class_index] += weight;
    uint32_t present = attune_sensors_present(&softmax->sensors, x);
    find_probabilities(softmax, x, present, residual);
    for (uint8_t k = 0; k < softmax->classes; k++) {
        residual[k] = (attune_real)(k == class_index) - residual[k];
    }
    step(softmax, x, present, residual, rate < ATTUNE_SOFTMAX_LARGEST_STEP ? rate : ATTUNE_SOFTMAX_LARGEST_STEP);
    return true;
}

bool attune_softmax_merge(attune_softmax *softmax, const attune_softmax *other) {
    (void)softmax;
    (void)other;
    return false;
}

bool attune_softmax_unmerge(attune_softmax *softmax, const attune_softmax *other) {
    return attune_softmax_merge(softmax, other);
}
