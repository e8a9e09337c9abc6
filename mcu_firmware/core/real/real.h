/* The number type of the core, and the elementary functions that libm would not give bit for bit on every machine.
 *
 * The core is written once for attune_real and built twice: float32 for nodes and for replay, float64
 * (ATTUNE_REAL_DOUBLE) for statistics in the daemon. Built with -ffp-contract=off; of libm only sqrt is used, which
 * IEEE 754 defines to the last bit. Host, QEMU and binding give equal bytes. */
#ifndef ATTUNE_REAL_H
#define ATTUNE_REAL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef ATTUNE_REAL_DOUBLE
typedef double attune_real;
#define ATTUNE_REAL(literal) literal
#else
typedef float attune_real;
#define ATTUNE_REAL(literal) literal##f
#endif

/* e^x. Relative error at most 2 ulp (float32) for |x| <= 87 (708 in float64); 0 below, a huge finite value above. NaN gives 0. */
attune_real attune_exp(attune_real x);

/* Natural logarithm for x > 0, within 2 ulp; a large negative finite value for x <= 0 and for NaN; 89 (710) for infinity. */
attune_real attune_log(attune_real x);

/* Takes the power of two out of a normal x > 0: returns m in [1, 2) and adds e to *exponent, where x = m 2^e. The logarithm of a long
 * product is that of its m, and ATTUNE_LN2 times its e. */
attune_real attune_split(attune_real x, int32_t *exponent);

#define ATTUNE_LN2 ATTUNE_REAL(0.69314718055994531)

/* Square root; 0 for x <= 0 and NaN. */
attune_real attune_sqrt(attune_real x);

/* Neither NaN nor infinite. */
static inline bool attune_finite(attune_real x) { return x - x == 0; }

/* Nearest integer, ties to even, saturating to [-32767, 32767]; NaN gives INT16_MIN (missing). */
int16_t attune_round_i16(attune_real x);

#endif
