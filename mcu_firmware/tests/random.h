/* Random numbers that are the same on every run. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/* xorshift64 (Marsaglia 2003); the state must not be 0. */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* 0 to limit - 1. */
static inline uint32_t random_below(uint64_t *state, uint32_t limit) {
    return (uint32_t)((next_random(state) >> 16) % limit);
}

#endif
