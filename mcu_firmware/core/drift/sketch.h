/* Drift sketch: where the features of many windows lay, in a few hundred bytes.
 *
 * For each feature, counts in ten fixed bins of schema coordinates; for each sensor, counts of windows in which it was missing, stuck,
 * or far outside of what rooms have. Integers only, so every build counts alike. */
#ifndef ATTUNE_SKETCH_H
#define ATTUNE_SKETCH_H

#include "config.h"
#include "learner/sensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bin b > 0 begins at (b - 5) / 2 units of q / 1024, and belongs to it; bin 0 lies below -2, bin 9 from 2 on. Schemas put what rooms
 * have within two units of 0. */
#define ATTUNE_SKETCH_BINS 10
#define ATTUNE_SKETCH_BIN_STEPS 512

/* A count has eleven bits: enough for a day of windows of a minute, and 383 bytes in all for 24 features of 12 sensors. */
#define ATTUNE_SKETCH_BITS 11
#define ATTUNE_SKETCH_MOST 2047u

/* Coordinates from here on, of either sign, are far: no room has -38 or 82 degC, but wires that have come off do. */
#define ATTUNE_SKETCH_FAR (30 * 1024)

/* Size of the largest export. */
#define ATTUNE_SKETCH_SIZE 383

typedef struct attune_sketch {
    attune_sensors sensors;
    bool full; /* a count stands at ATTUNE_SKETCH_MOST: send the sketch and clear it, for that count does not go on */
    uint16_t bin[ATTUNE_MAX_FEATURES][ATTUNE_SKETCH_BINS];
    uint16_t missing[ATTUNE_MAX_SENSORS]; /* windows without a reading */
    uint16_t stuck[ATTUNE_MAX_SENSORS];   /* windows whose first feature of the sensor is that of its last reading */
    uint16_t far[ATTUNE_MAX_SENSORS];     /* windows with a feature at ATTUNE_SKETCH_FAR or beyond */
    int16_t last[ATTUNE_MAX_SENSORS];     /* first feature at the last reading; ATTUNE_MISSING before it */
} attune_sketch;

/* Starts empty. sensor[features] as attune_sensors_init takes them. False, and nothing changed, for what that refuses and for more than
 * ATTUNE_MAX_SENSORS sensors. */
bool attune_sketch_init(attune_sketch *sketch, uint8_t features, const uint8_t *sensor);

/* Counts one window, x[features]. A missing feature is in no bin; a sensor with a missing feature is missing, and neither stuck nor
 * far. Counts saturate. */
void attune_sketch_add(attune_sketch *sketch, const int16_t *x);

/* Sets all counts to 0. What sensors said last is kept, so that a sketch begins where the last one ended. */
void attune_sketch_clear(attune_sketch *sketch);

/* Bytes of an export: three (format 1, features, sensors), then the counts as one string of 11-bit numbers, lowest bit first: the bins
 * of each feature, then missing, stuck and far, a number a sensor each; bits that are left are 0. */
size_t attune_sketch_size(const attune_sketch *sketch);

/* Writes attune_sketch_size bytes. */
void attune_sketch_export(const attune_sketch *sketch, uint8_t *bytes);

/* Takes the counts of an export of the same shape; what sensors said last is unknown then. False, and nothing changed, for other
 * bytes. */
bool attune_sketch_import(attune_sketch *sketch, const uint8_t *bytes, size_t size);

#endif
