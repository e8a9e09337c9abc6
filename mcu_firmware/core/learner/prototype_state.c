/* How a state of prototype becomes bytes, and bytes a state. */
#include "learner/prototype.h"

#include "learner/means_state.h"

static void weights_of_features(const attune_prototype *prototype, attune_real *n) {
    for (uint8_t i = 0; i < prototype->sensors.features; i++) {
        n[i] = 0;
        for (uint8_t k = 0; k < prototype->classes; k++) {
            n[i] += prototype->means[k].n[prototype->sensors.of[i]];
        }
    }
}

size_t attune_prototype_size(const attune_sensors *sensors, uint8_t classes, attune_format format) {
    return classes * attune_means_size(format, sensors) + attune_block_size(format, sensors->features);
}

void attune_prototype_export(const attune_prototype *prototype, attune_format format, uint8_t *bytes) {
    uint8_t d = prototype->sensors.features;
    attune_real n[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 0; k < prototype->classes; k++) {
        bytes = attune_means_write(format, &prototype->means[k], &prototype->sensors, bytes);
    }
    weights_of_features(prototype, n);
    (void)attune_squares_write(format, prototype->m2, n, d, bytes);
}

static bool valid(const attune_prototype *prototype, const attune_real *n) {
    for (uint8_t k = 0; k < prototype->classes; k++) {
        if (!attune_means_valid(&prototype->means[k], &prototype->sensors)) {
            return false;
        }
    }
    for (uint8_t i = 0; i < prototype->sensors.features; i++) {
        if (!attune_squares_valid(prototype->m2[i], n[i])) {
            return false;
        }
    }
    return true;
}

bool attune_prototype_import(attune_prototype *prototype, uint8_t classes, attune_format format, const uint8_t *bytes) {
    attune_prototype read;
    uint8_t d = prototype->sensors.features;
    attune_real n[ATTUNE_MAX_FEATURES];
    attune_prototype_init(&read, &prototype->sensors);
    read.classes = classes;
    for (uint8_t k = 0; k < classes; k++) {
        bytes = attune_means_read(format, &read.means[k], &read.sensors, bytes);
    }
    weights_of_features(&read, n);
    (void)attune_squares_read(format, read.m2, n, d, bytes);
    if (!valid(&read, n)) {
        return false;
    }
    *prototype = read;
    return true;
}
