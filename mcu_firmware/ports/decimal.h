/* Decimal numbers as single-precision floats, by whole numbers alone: the same bits everywhere, and a processor without
 * double precision needs no routines for it. */
#ifndef ATTUNE_DECIMAL_H
#define ATTUNE_DECIMAL_H

#include <stdint.h>

/* The float nearest to mantissa * 10^exponent, of two equally near the one whose last bit is 0 (IEEE 754, round to nearest
 * even): denormal or 0 below the range, infinite above it. Any exponent; its distance from 0 is paid in time. */
float attune_decimal(uint64_t mantissa, int exponent);

#endif
