/* A fuzzer's input read as a script: steps of an operation (1 byte), an argument (1 byte), a length (1 byte) and as many bytes. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct script {
    const uint8_t *bytes;
    size_t left;
} script;

typedef struct step {
    uint8_t operation;
    uint8_t argument;
    const uint8_t *bytes;
    size_t size;
} step;

/* False at the end; the last step may be cut short. */
static inline bool next_step(script *input, step *next) {
    if (input->left < 3) {
        return false;
    }
    size_t size = input->bytes[2] < input->left - 3 ? input->bytes[2] : input->left - 3;
    *next = (step){input->bytes[0], input->bytes[1], input->bytes + 3, size};
    input->bytes += 3 + size;
    input->left -= 3 + size;
    return true;
}

/* What a bad link makes of a message: the step's bytes are combined with it from the argument's place on, its top bit cuts the
 * message there, too, and bytes beyond the end lengthen it. Returns a copy of its exact size, for free(). */
static inline uint8_t *damaged(const step *how, const uint8_t *message, size_t size, size_t *damaged_size) {
    size_t place = how->argument & 0x7Fu;
    size_t end = place + how->size;
    bool cut = how->argument >= 0x80;
    *damaged_size = how->size == 0 && !cut ? size : (cut || end > size) ? end : size;
    uint8_t *copy = calloc(*damaged_size > 0 ? *damaged_size : 1, 1);
    memcpy(copy, message, size < *damaged_size ? size : *damaged_size);
    for (size_t i = 0; i < how->size; i++) {
        copy[place + i] ^= how->bytes[i];
    }
    return copy;
}

/* Compares without telling: libFuzzer looks into memcmp, and would forge messages from what it sees there. */
static inline bool is_same(const uint8_t *a, const uint8_t *b, size_t size) {
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++) {
        difference |= (uint8_t)(a[i] ^ b[i]);
    }
    return difference == 0;
}

/* Ends the process, so that the fuzzer keeps the input, unless a property holds. */
static inline void must(bool holds) {
    if (!holds) {
        abort();
    }
}

#endif
