#include "update/calibration.h"

#include "filter/filter.h"
#include "learner/format.h"
#include "update/little.h"

size_t attune_calibration_size(const uint8_t *bytes, size_t size) {
    bool known = size > 0 && bytes[0] >= 2 && bytes[0] <= ATTUNE_MAX_CLASSES;
    size_t said = known ? ATTUNE_CALIBRATION_SIZE(bytes[0]) : 0;
    return said <= size ? said : 0;
}

static bool is_valid(const attune_calibration *calibration) {
    bool valid = calibration->slope >= ATTUNE_MIN_SLOPE && calibration->slope <= ATTUNE_MAX_SLOPE;
    for (uint8_t k = 0; k < calibration->classes && valid; k++) {
        attune_real offset = k > 0 ? calibration->offset[k - 1] : 0;
        valid = offset >= -ATTUNE_MAX_OFFSET && offset <= ATTUNE_MAX_OFFSET &&
                calibration->dwell_s[k] >= ATTUNE_MIN_DWELL_S && calibration->dwell_s[k] <= ATTUNE_MAX_DWELL_S;
    }
    return valid;
}

bool attune_calibration_read(attune_calibration *calibration, const uint8_t *bytes) {
    calibration->present = true;
    calibration->classes = bytes[0];
    bytes = attune_block_read(ATTUNE_FLOAT16, &calibration->slope, 1, bytes + 1);
    bytes = attune_block_read(ATTUNE_FLOAT16, calibration->offset, calibration->classes - 1u, bytes);
    for (uint8_t k = 0; k < calibration->classes; k++, bytes += 4) {
        calibration->dwell_s[k] = attune_little_read(bytes);
    }
    return is_valid(calibration);
}

void attune_calibration_write(const attune_calibration *calibration, uint8_t *bytes) {
    *bytes = calibration->classes;
    bytes = attune_block_write(ATTUNE_FLOAT16, &calibration->slope, 1, bytes + 1);
    bytes = attune_block_write(ATTUNE_FLOAT16, calibration->offset, calibration->classes - 1u, bytes);
    for (uint8_t k = 0; k < calibration->classes; k++, bytes += 4) {
        attune_little_write(calibration->dwell_s[k], bytes);
    }
}

void attune_calibration_apply(const attune_calibration *calibration, attune_real *evidence) {
    for (uint8_t k = 1; k < calibration->classes && calibration->present; k++) {
        evidence[k - 1] = calibration->slope * evidence[k - 1] + calibration->offset[k - 1];
    }
}
