/* How a state of softmax becomes bytes, and bytes a state. */
#include "learner/softmax.h"

#include "learner/means_state.h"

static void weights_of_features(const attune_softmax *softmax, attune_real *n) {
    for (uint8_t i = 0; i < softmax->sensors.features; i++) {
        n[i] = softmax->inputs.n[softmax->sensors.of[i]];
    }
}

size_t attune_softmax_size(const attune_sensors *sensors, uint8_t classes, attune_format format) {
    size_t d = sensors->features;
    return attune_means_size(format, sensors) + attune_block_size(format, d) + attune_block_size(format, classes) +
           (classes - 1u) * attune_block_size(format, d + 1);
}

void attune_softmax_export(const attune_softmax *softmax, attune_format format, uint8_t *bytes) {
    uint8_t d = softmax->sensors.features;
    attune_real n[ATTUNE_MAX_FEATURES];
    weights_of_features(softmax, n);
    bytes = attune_means_write(format, &softmax->inputs, &softmax->sensors, bytes);
    bytes = attune_squares_write(format, softmax->m2, n, d, bytes);
    bytes = attune_weights_write(format, softmax->seen, softmax->classes, bytes);
    for (uint8_t k = 1; k < softmax->classes; k++) {
        bytes = attune_block_write(format, softmax->row[k - 1], d + 1u, bytes);
    }
}

static bool inputs_valid(const attune_softmax *softmax, const attune_real *n) {
    for (uint8_t i = 0; i < softmax->sensors.features; i++) {
        if (!attune_squares_valid(softmax->m2[i], n[i])) {
            return false;
        }
    }
    return attune_means_valid(&softmax->inputs, &softmax->sensors);
}

static bool rows_valid(const attune_softmax *softmax) {
    for (uint8_t k = 0; k < softmax->classes; k++) {
        if (!(softmax->seen[k] >= 0 && softmax->seen[k] <= ATTUNE_MAX_N)) {
            return false;
        }
        for (uint8_t i = 0; k > 0 && i <= softmax->sensors.features; i++) {
            attune_real weight = softmax->row[k - 1][i];
            if (!(weight >= -ATTUNE_SOFTMAX_LARGEST_WEIGHT && weight <= ATTUNE_SOFTMAX_LARGEST_WEIGHT)) {
                return false;
            }
        }
    }
    return true;
}

bool attune_softmax_import(attune_softmax *softmax, uint8_t classes, attune_format format, const uint8_t *bytes) {
    attune_softmax read;
    uint8_t d = softmax->sensors.features;
    attune_real n[ATTUNE_MAX_FEATURES];
    attune_softmax_init(&read, &softmax->sensors);
    read.classes = classes;
    bytes = attune_means_read(format, &read.inputs, &read.sensors, bytes);
    weights_of_features(&read, n);
    bytes = attune_squares_read(format, read.m2, n, d, bytes);
    bytes = attune_weights_read(format, read.seen, classes, bytes);
    for (uint8_t k = 1; k < classes; k++) {
        bytes = attune_block_read(format, read.row[k - 1], d + 1u, bytes);
    }
    if (!inputs_valid(&read, n) || !rows_valid(&read)) {
        return false;
    }
    *softmax = read;
    return true;
}
