/* How a state of gnb becomes bytes, and bytes a state. */
#include "learner/gnb.h"

#include "learner/means_state.h"

static void weights_of_features(const attune_gnb_class *of, const attune_sensors *sensors, attune_real *n) {
    for (uint8_t i = 0; i < sensors->features; i++) {
        n[i] = of->means.n[sensors->of[i]];
    }
}

static uint8_t *write_sums(const attune_gnb_class *of, const attune_sensors *sensors, attune_format format,
                           uint8_t *bytes) {
    attune_real n[ATTUNE_MAX_FEATURES];
    weights_of_features(of, sensors, n);
    bytes = attune_weights_write(format, of->means.n, sensors->count, bytes);
    return attune_squares_write(format, of->m2, n, sensors->features, bytes);
}

static const uint8_t *read_sums(attune_gnb_class *of, const attune_sensors *sensors, attune_format format,
                                const uint8_t *bytes) {
    attune_real n[ATTUNE_MAX_FEATURES];
    bytes = attune_weights_read(format, of->means.n, sensors->count, bytes);
    weights_of_features(of, sensors, n);
    return attune_squares_read(format, of->m2, n, sensors->features, bytes);
}

/* int8 tells the means of class 0 more finely, and the others' by what they differ, where a step is a part of the spread. */
static bool is_difference(attune_format format, uint8_t k) { return format == ATTUNE_INT8 && k > 0; }

static attune_format mean_format(attune_format format, uint8_t k) {
    return format == ATTUNE_INT8 && k == 0 ? ATTUNE_FLOAT16 : format;
}

static attune_real unit_of(const attune_gnb_class *of, const attune_sensors *sensors, uint8_t i) {
    attune_real n = of->means.n[sensors->of[i]];
    return attune_sqrt((n > 0 ? of->m2[i] / n : 0) + ATTUNE_LEAST_VARIANCE);
}

/* seen: the class's sums as a reader will see them; free[d]: the means of class 0, likewise. */
static uint8_t *write_means(const attune_gnb_class *of, const attune_gnb_class *seen, const attune_real *free,
                            const attune_sensors *sensors, attune_format format, uint8_t k, uint8_t *bytes) {
    attune_real row[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < sensors->features; i++) {
        attune_real mean = of->means.mean[i];
        row[i] = is_difference(format, k) ? (mean - free[i]) / unit_of(seen, sensors, i) : mean;
    }
    return attune_block_write(mean_format(format, k), row, sensors->features, bytes);
}

/* free[d] is written for class 0 and read for the others. */
static const uint8_t *read_means(attune_gnb_class *of, attune_real *free, const attune_sensors *sensors,
                                 attune_format format, uint8_t k, const uint8_t *bytes) {
    attune_real *mean = of->means.mean;
    bytes = attune_block_read(mean_format(format, k), mean, sensors->features, bytes);
    for (uint8_t i = 0; i < sensors->features; i++) {
        if (is_difference(format, k)) {
            mean[i] = free[i] + mean[i] * unit_of(of, sensors, i);
        } else if (k == 0) {
            free[i] = mean[i];
        }
    }
    attune_means_settle(format, &of->means, sensors);
    return bytes;
}

size_t attune_gnb_size(const attune_sensors *sensors, uint8_t classes, attune_format format) {
    size_t d = sensors->features;
    size_t sums = attune_block_size(format, sensors->count) + attune_block_size(format, d);
    size_t means = attune_block_size(mean_format(format, 0), d) + (classes - 1u) * attune_block_size(format, d);
    return classes * sums + means;
}

void attune_gnb_export(const attune_gnb *gnb, attune_format format, uint8_t *bytes) {
    attune_gnb_class seen;
    attune_real free[ATTUNE_MAX_FEATURES];
    for (uint8_t k = 0; k < gnb->classes; k++) {
        const uint8_t *sums = bytes;
        bytes = write_sums(&gnb->of[k], &gnb->sensors, format, bytes);
        (void)read_sums(&seen, &gnb->sensors, format, sums);
        const uint8_t *means = bytes;
        bytes = write_means(&gnb->of[k], &seen, free, &gnb->sensors, format, k, bytes);
        if (k == 0) {
            (void)read_means(&seen, free, &gnb->sensors, format, k, means);
        }
    }
}

bool attune_gnb_import(attune_gnb *gnb, uint8_t classes, attune_format format, const uint8_t *bytes) {
    const attune_sensors sensors = gnb->sensors;
    attune_real free[ATTUNE_MAX_FEATURES];
    /* Everything is read before anything is written. */
    for (int write = 0; write < 2; write++) {
        const uint8_t *next = bytes;
        if (write) {
            attune_gnb_init(gnb, &sensors);
            gnb->classes = classes;
        }
        for (uint8_t k = 0; k < classes; k++) {
            attune_gnb_class of = {.m2 = {0}};
            next = read_sums(&of, &sensors, format, next);
            next = read_means(&of, free, &sensors, format, k, next);
            if (!attune_gnb_valid(&of, &sensors)) {
                return false;
            }
            if (write) {
                gnb->of[k] = of;
            }
        }
    }
    return true;
}
