/* Which features of a window belong to one sensor: they are present or missing together, so heads count weights once a sensor. */
#ifndef ATTUNE_SENSORS_H
#define ATTUNE_SENSORS_H

#include "config.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct attune_sensors {
    uint8_t features;
    uint8_t count;                   /* of sensors: 1 to features */
    uint8_t of[ATTUNE_MAX_FEATURES]; /* index of each feature's sensor */
} attune_sensors;

/* sensor[features] numbers sensors from 0 in the order of their first features, as schemas do; NULL: each feature is a sensor of its
 * own. False, and nothing changed, for other numbers and for no or more than ATTUNE_MAX_FEATURES features. */
bool attune_sensors_init(attune_sensors *sensors, uint8_t features, const uint8_t *sensor);

/* Bit s is set if no feature of sensor s is missing in the window x. A sensor with a part of its features counts as missing. */
uint32_t attune_sensors_present(const attune_sensors *sensors, const int16_t *x);

#endif
