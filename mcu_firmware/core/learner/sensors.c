#include "learner/sensors.h"

#include "window/schema.h"

bool attune_sensors_init(attune_sensors *sensors, uint8_t features, const uint8_t *sensor) {
    attune_sensors made = {.features = features};
    if (features == 0 || features > ATTUNE_MAX_FEATURES) {
        return false;
    }
    for (uint8_t i = 0; i < features; i++) {
        made.of[i] = sensor != NULL ? sensor[i] : i;
        if (made.of[i] > made.count) {
            return false;
        }
        made.count += made.of[i] == made.count;
    }
    *sensors = made;
    return true;
}

uint32_t attune_sensors_present(const attune_sensors *sensors, const int16_t *x) {
    uint32_t missing = 0;
    for (const int16_t *q = x, *end = x + sensors->features; q < end; q++) {
        if (*q == ATTUNE_MISSING) {
            missing |= (uint32_t)1 << sensors->of[q - x];
        }
    }
    return ~missing & 0xFFFFFFFFu >> (32 - sensors->count);
}
