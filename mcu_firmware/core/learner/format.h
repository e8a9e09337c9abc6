/* Blocks of numbers as bytes: the formats that the state of a head travels in.
 *
 * float32: 4 bytes a value, little endian. float16: 2 bytes a value, IEEE 754 binary16, little endian, to the nearest (ties to even).
 * int8: a scale (float32), then a byte a value; value = byte * scale, scale = largest magnitude / 127, so that the error is at
 * most a 254th of the largest magnitude in the block. */
#ifndef ATTUNE_FORMAT_H
#define ATTUNE_FORMAT_H

#include "real/real.h"

#include <stddef.h>
#include <stdint.h>

/* The numbers are wire format. */
typedef enum attune_format { ATTUNE_FLOAT32 = 0, ATTUNE_FLOAT16 = 1, ATTUNE_INT8 = 2 } attune_format;

/* Largest magnitude of binary16; what lies beyond is written as this. */
#define ATTUNE_FLOAT16_MAX ATTUNE_REAL(65504.0)

/* Bytes of a block of n values; 0 for a number that is no format. */
size_t attune_block_size(attune_format format, size_t n);

/* Write and read one block of n finite values; both return where the next one begins. What is read may be NaN or infinite where the
 * bytes are damaged. */
uint8_t *attune_block_write(attune_format format, const attune_real *values, size_t n, uint8_t *bytes);
const uint8_t *attune_block_read(attune_format format, attune_real *values, size_t n, const uint8_t *bytes);

#endif
