/* What a node makes of evidence: Platt's slope and offsets (1999), and the mean stays of its filter. */
#ifndef ATTUNE_CALIBRATION_H
#define ATTUNE_CALIBRATION_H

#include "config.h"
#include "real/real.h"

#include <stddef.h>
#include <stdint.h>

/* Bounds, as the daemon's presence/model.py has them. */
#define ATTUNE_MIN_SLOPE ATTUNE_REAL(0.01)
#define ATTUNE_MAX_SLOPE ATTUNE_REAL(4.0)
#define ATTUNE_MAX_OFFSET ATTUNE_REAL(8.0)

typedef struct attune_calibration {
    bool present; /* false: nothing is known, and nothing else counts */
    uint8_t classes;
    attune_real slope;
    attune_real offset[ATTUNE_MAX_CLASSES - 1]; /* nats, of class k + 1 against class 0 */
    uint32_t dwell_s[ATTUNE_MAX_CLASSES];       /* within the bounds of filter.h */
} attune_calibration;

/* Bytes: K, slope and offset[K - 1] in float16, dwell_s[K] in 4 bytes, all little endian. */
#define ATTUNE_CALIBRATION_SIZE(classes) (1u + 2u * (classes) + 4u * (classes))

/* The size that the bytes say they have, 0 if there are not as many. */
size_t attune_calibration_size(const uint8_t *bytes, size_t size);

/* Bytes as attune_calibration_size says. False, and calibration undefined, if they say what is out of bounds. */
bool attune_calibration_read(attune_calibration *calibration, const uint8_t *bytes);
void attune_calibration_write(const attune_calibration *calibration, uint8_t *bytes);

/* evidence[classes - 1] becomes slope * evidence + offset; unchanged where nothing is known. */
void attune_calibration_apply(const attune_calibration *calibration, attune_real *evidence);

#endif
