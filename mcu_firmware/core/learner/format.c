#include "learner/format.h"

#include "real/bits.h"

#define INT8_STEPS 127

size_t attune_block_size(attune_format format, size_t n) {
    switch (format) {
    case ATTUNE_FLOAT32:
        return 4 * n;
    case ATTUNE_FLOAT16:
        return 2 * n;
    case ATTUNE_INT8:
        return 4 + n;
    }
    return 0;
}

static uint8_t *write_little(uint32_t bits, int size, uint8_t *bytes) {
    for (int i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
    return bytes + size;
}

static uint32_t read_little(const uint8_t *bytes, int size) {
    uint32_t bits = 0;
    for (int i = 0; i < size; i++) {
        bits |= (uint32_t)bytes[i] << (8 * i);
    }
    return bits;
}

static uint8_t *write_float32(attune_real x, uint8_t *bytes) {
    return write_little(attune_bits_of_float((float)x), 4, bytes);
}

static attune_real read_float32(const uint8_t *bytes) { return (attune_real)attune_float_of(read_little(bytes, 4)); }

/* Nearest multiple of the last place that is kept, ties to even: the carry may run into the exponent, which is right. */
static uint32_t round_off(uint32_t bits, int places) {
    uint32_t half = (1u << (places - 1)) - 1 + (bits >> places & 1);
    return (bits + half) >> places;
}

static uint16_t half_of(attune_real x) {
    attune_real bounded = x > ATTUNE_FLOAT16_MAX    ? ATTUNE_FLOAT16_MAX
                          : x < -ATTUNE_FLOAT16_MAX ? -ATTUNE_FLOAT16_MAX
                                                    : x;
    uint32_t bits = attune_bits_of_float((float)bounded);
    uint32_t sign = bits >> 16 & 0x8000u;
    bits &= 0x7FFFFFFFu;
    /* Below the smallest normal number, 2^-14, steps are 2^-24: adding 1/2 leaves just these in a float's last places. */
    if (bits < 0x38800000u) {
        return (uint16_t)(sign | (attune_bits_of_float(attune_float_of(bits) + 0.5f) - attune_bits_of_float(0.5f)));
    }
    return (uint16_t)(sign | (round_off(bits, 13) - ((127 - 15) << 10)));
}

static attune_real of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1Fu;
    uint32_t fraction = half & 0x3FFu;
    if (exponent == 0) {
        float small = (float)fraction * 5.9604644775390625e-8f; /* 2^-24 */
        return (attune_real)(sign != 0 ? -small : small);
    }
    uint32_t wide = exponent == 0x1F ? 0xFF : exponent + 127 - 15;
    return (attune_real)attune_float_of(sign | wide << 23 | fraction << 13);
}

static attune_real find_scale(const attune_real *values, size_t n) {
    attune_real largest = 0;
    for (size_t i = 0; i < n; i++) {
        attune_real size = values[i] < 0 ? -values[i] : values[i];
        largest = size > largest ? size : largest;
    }
    /* As it will be read: a float in both builds. */
    return (attune_real)(float)(largest / INT8_STEPS);
}

static uint8_t *write_int8(const attune_real *values, size_t n, uint8_t *bytes) {
    attune_real scale = find_scale(values, n);
    bytes = write_float32(scale, bytes);
    for (size_t i = 0; i < n; i++) {
        attune_real steps = scale > 0 ? values[i] / scale : 0;
        steps = steps > INT8_STEPS ? INT8_STEPS : steps < -INT8_STEPS ? -INT8_STEPS : steps;
        bytes[i] = (uint8_t)attune_round_i16(steps);
    }
    return bytes + n;
}

static const uint8_t *read_int8(attune_real *values, size_t n, const uint8_t *bytes) {
    attune_real scale = read_float32(bytes);
    for (size_t i = 0; i < n; i++) {
        values[i] = (attune_real)(int8_t)bytes[4 + i] * scale;
    }
    return bytes + 4 + n;
}

uint8_t *attune_block_write(attune_format format, const attune_real *values, size_t n, uint8_t *bytes) {
    if (format == ATTUNE_INT8) {
        return write_int8(values, n, bytes);
    }
    for (size_t i = 0; i < n; i++) {
        bytes = format == ATTUNE_FLOAT16 ? write_little(half_of(values[i]), 2, bytes) : write_float32(values[i], bytes);
    }
    return bytes;
}

const uint8_t *attune_block_read(attune_format format, attune_real *values, size_t n, const uint8_t *bytes) {
    if (format == ATTUNE_INT8) {
        return read_int8(values, n, bytes);
    }
    size_t size = format == ATTUNE_FLOAT16 ? 2 : 4;
    for (size_t i = 0; i < n; i++, bytes += size) {
        values[i] = format == ATTUNE_FLOAT16 ? of_half((uint16_t)read_little(bytes, 2)) : read_float32(bytes);
    }
    return bytes;
}
