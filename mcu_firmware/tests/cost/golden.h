/* Vectors of tests/vectors/updates that the build has made C of. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stddef.h>
#include <stdint.h>

typedef struct golden {
    const uint8_t *bytes;
    size_t size;
} golden;

extern const golden golden_key, golden_node, golden_schema, golden_base, golden_head, golden_calibration,
    golden_normaliser, golden_model, golden_chain;

#endif
