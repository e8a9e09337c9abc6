/* Numbers of 32 bits as four bytes, little endian. */
#ifndef ATTUNE_LITTLE_H
#define ATTUNE_LITTLE_H

#include <stdint.h>

static inline uint32_t attune_little_read(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline void attune_little_write(uint32_t x, uint8_t *bytes) {
    for (uint32_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(x >> (8 * i));
    }
}

#endif
