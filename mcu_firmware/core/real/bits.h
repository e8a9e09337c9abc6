/* The bits of a number as IEEE 754 lays them out, and the number that bits stand for: attune_bits_of_float and
 * attune_float_of, and so for double. */
#ifndef ATTUNE_BITS_H
#define ATTUNE_BITS_H

#include <stdint.h>
#include <string.h>

#define ATTUNE_BITS(number, whole)                                                                                     \
    static inline whole attune_bits_of_##number(number x) {                                                            \
        whole bits;                                                                                                    \
        memcpy(&bits, &x, sizeof bits);                                                                                \
        return bits;                                                                                                   \
    }                                                                                                                  \
    static inline number attune_##number##_of(whole bits) {                                                            \
        number x;                                                                                                      \
        memcpy(&x, &bits, sizeof x);                                                                                   \
        return x;                                                                                                      \
    }

ATTUNE_BITS(float, uint32_t)
ATTUNE_BITS(double, uint64_t)

#undef ATTUNE_BITS

#endif
