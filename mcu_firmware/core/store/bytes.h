/* Little-endian numbers at a place that moves on: what the store's files are made of. Not for ports. */
#ifndef ATTUNE_STORE_BYTES_H
#define ATTUNE_STORE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void attune_put(uint8_t **at, uint64_t number, size_t size) {
    for (size_t i = 0; i < size; i++) {
        *(*at)++ = (uint8_t)(number >> (8 * i));
    }
}

static inline uint64_t attune_get(const uint8_t **at, size_t size) {
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number |= (uint64_t) * (*at)++ << (8 * i);
    }
    return number;
}

static inline void attune_put_bytes(uint8_t **at, const uint8_t *bytes, size_t size) {
    memcpy(*at, bytes, size);
    *at += size;
}

static inline void attune_get_bytes(const uint8_t **at, uint8_t *bytes, size_t size) {
    memcpy(bytes, *at, size);
    *at += size;
}

static inline void attune_put_i16(uint8_t **at, const int16_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        attune_put(at, (uint16_t)numbers[i], 2);
    }
}

static inline void attune_get_i16(const uint8_t **at, int16_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (int16_t)(uint16_t)attune_get(at, 2);
    }
}

#endif
