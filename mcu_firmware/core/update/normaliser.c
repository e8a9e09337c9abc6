#include "update/normaliser.h"

#include "learner/format.h"
#include "learner/means.h"

#define STEPS 16 /* a doubling */
#define ONE 129

uint8_t attune_scale_code(attune_real x) {
    int32_t code = ONE + attune_round_i16(attune_log(x) / ATTUNE_LN2 * STEPS);
    return (uint8_t)(code < 1 ? 1 : code > UINT8_MAX ? UINT8_MAX : code);
}

attune_real attune_scale_of(uint8_t code) {
    return attune_exp((attune_real)((int32_t)code - ONE) / STEPS * ATTUNE_LN2);
}

bool attune_normaliser_read(attune_normaliser *normaliser, uint8_t d, const uint8_t *bytes) {
    const uint8_t *scale = attune_block_read(ATTUNE_FLOAT16, normaliser->centre, d, bytes);
    normaliser->present = true;
    for (uint8_t i = 0; i < d; i++) {
        attune_real centre = normaliser->centre[i];
        if (scale[i] == 0 || !(centre >= -ATTUNE_MAX_X && centre <= ATTUNE_MAX_X)) {
            return false;
        }
        normaliser->scale[i] = attune_scale_of(scale[i]);
    }
    return true;
}

void attune_normaliser_write(const attune_normaliser *normaliser, uint8_t d, uint8_t *bytes) {
    uint8_t *scale = attune_block_write(ATTUNE_FLOAT16, normaliser->centre, d, bytes);
    for (uint8_t i = 0; i < d; i++) {
        scale[i] = attune_scale_code(normaliser->scale[i]);
    }
}

void attune_normaliser_map(const attune_normaliser *normaliser, uint8_t d, int16_t *x) {
    for (uint8_t i = 0; i < d && normaliser->present; i++) {
        if (x[i] != ATTUNE_MISSING) {
            attune_real unit = (attune_unit(x[i]) - normaliser->centre[i]) / normaliser->scale[i];
            x[i] = attune_round_i16(unit * ATTUNE_UNIT);
        }
    }
}
