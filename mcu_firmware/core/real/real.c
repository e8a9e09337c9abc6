#include "real/real.h"

#include "real/bits.h"

#include <math.h>

/* The one source has two shapes of number: bits of a significand, exponent bias, terms of each series. The terms are as
 * many as it takes for the first one left out to lie below a quarter of a unit in the last place. */
#ifdef ATTUNE_REAL_DOUBLE
typedef uint64_t real_bits;
#define bits_of attune_bits_of_double
#define real_of attune_double_of
#define SIGNIFICAND 52
#define BIAS 1023
#define EXP_LIMIT 708.0
#define HUGE_REAL 1.7976931348623157e308
#define SMALLEST_NORMAL 2.2250738585072014e-308
#define EXP_TERMS 13
#define LOG_TERMS 11
/* ln 2 in two parts; the low bits of the first are zero, so that it times an exponent is exact (Cody and Waite 1980). */
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#else
typedef uint32_t real_bits;
#define bits_of attune_bits_of_float
#define real_of attune_float_of
#define SIGNIFICAND 23
#define BIAS 127
#define EXP_LIMIT 87.0f
#define HUGE_REAL 3.40282347e38f
#define SMALLEST_NORMAL 1.17549435e-38f
#define EXP_TERMS 8
#define LOG_TERMS 6
#define LN2_HIGH 6.9314575195e-01f
#define LN2_LOW 1.4286067653e-06f
#endif

#define LOG2_E ATTUNE_REAL(1.4426950408889634)
#define SQRT_HALF ATTUNE_REAL(0.70710678118654752)

static attune_real power_of_two(int32_t exponent) { return real_of((real_bits)(exponent + BIAS) << SIGNIFICAND); }

/* (e^r - 1 - r) / r^2 = 1/2! + r/3! + r^2/4! + ... */
static attune_real exp_tail(attune_real r) {
    static const attune_real inverse_factorial[] = {
        ATTUNE_REAL(5.0000000000000000e-01), ATTUNE_REAL(1.6666666666666667e-01), ATTUNE_REAL(4.1666666666666667e-02),
        ATTUNE_REAL(8.3333333333333333e-03), ATTUNE_REAL(1.3888888888888889e-03), ATTUNE_REAL(1.9841269841269841e-04),
        ATTUNE_REAL(2.4801587301587302e-05), ATTUNE_REAL(2.7557319223985891e-06), ATTUNE_REAL(2.7557319223985891e-07),
        ATTUNE_REAL(2.5052108385441719e-08), ATTUNE_REAL(2.0876756987868099e-09), ATTUNE_REAL(1.6059043836821614e-10),
    };
    attune_real sum = 0;
    for (int i = EXP_TERMS - 2; i >= 0; i--) {
        sum = sum * r + inverse_factorial[i];
    }
    return sum;
}

attune_real attune_exp(attune_real x) {
    if (x > EXP_LIMIT) {
        return HUGE_REAL;
    }
    if (!(x >= -EXP_LIMIT)) {
        return 0; /* too small, or NaN */
    }
    attune_real half = x < 0 ? ATTUNE_REAL(-0.5) : ATTUNE_REAL(0.5);
    int32_t n = (int32_t)(x * LOG2_E + half);
    attune_real r = (x - (attune_real)n * LN2_HIGH) - (attune_real)n * LN2_LOW;
    attune_real y = 1 + (r + r * r * exp_tail(r));
    return y * power_of_two(n);
}

/* 2/3 z + 2/5 z^2 + 2/7 z^3 + ... with z = s^2: what log((1 + s) / (1 - s)) has beyond 2 s, divided by s. */
static attune_real log_tail(attune_real z) {
    static const attune_real series[] = {
        ATTUNE_REAL(2.0) / 3,  ATTUNE_REAL(2.0) / 5,  ATTUNE_REAL(2.0) / 7,  ATTUNE_REAL(2.0) / 9,
        ATTUNE_REAL(2.0) / 11, ATTUNE_REAL(2.0) / 13, ATTUNE_REAL(2.0) / 15, ATTUNE_REAL(2.0) / 17,
        ATTUNE_REAL(2.0) / 19, ATTUNE_REAL(2.0) / 21,
    };
    attune_real sum = 0;
    for (int i = LOG_TERMS - 2; i >= 0; i--) {
        sum = (sum + series[i]) * z;
    }
    return sum;
}

/* x = significand_of(x) 2^exponent_of(x) for normal x > 0, with the former in [1, 2). */
static int32_t exponent_of(attune_real x) { return (int32_t)(bits_of(x) >> SIGNIFICAND) - BIAS; }

static attune_real significand_of(attune_real x) {
    const real_bits fraction = ((real_bits)1 << SIGNIFICAND) - 1;
    return real_of((bits_of(x) & fraction) | (real_bits)BIAS << SIGNIFICAND);
}

attune_real attune_split(attune_real x, int32_t *exponent) {
    *exponent += exponent_of(x);
    return significand_of(x);
}

/* Of what attune_log is not made for: numbers that are not normal. */
static attune_real log_at_the_ends(attune_real x) {
    if (!(x > 0)) {
        return -HUGE_REAL;
    }
    if (x > HUGE_REAL) {
        return EXP_LIMIT + 2; /* infinity: above the logarithm of every finite number */
    }
    return attune_log(x * power_of_two(SIGNIFICAND + 2)) - (SIGNIFICAND + 2) * ATTUNE_LN2;
}

attune_real attune_log(attune_real x) {
    if (!(x >= SMALLEST_NORMAL && x <= HUGE_REAL)) {
        return log_at_the_ends(x);
    }
    int32_t exponent = exponent_of(x);
    attune_real m = significand_of(x);
    if (m > 2 * SQRT_HALF) {
        m *= ATTUNE_REAL(0.5);
        exponent += 1;
    }
    /* log(1 + f) = f - (f^2/2 - s (f^2/2 + R)) with s = f / (2 + f): f is exact and everything else is small beside it. */
    attune_real f = m - 1;
    attune_real s = f / (2 + f);
    attune_real half_square = ATTUNE_REAL(0.5) * f * f;
    attune_real e = (attune_real)exponent;
    attune_real small = s * (half_square + log_tail(s * s)) + e * LN2_LOW;
    return e * LN2_HIGH - ((half_square - small) - f);
}

attune_real attune_sqrt(attune_real x) {
    if (!(x > 0)) {
        return 0;
    }
#ifdef ATTUNE_REAL_DOUBLE
    return sqrt(x);
#else
    return sqrtf(x);
#endif
}

int16_t attune_round_i16(attune_real x) {
    if (!(x > -32767 && x < 32767)) {
        return x > 0 ? 32767 : (x < 0 ? -32767 : INT16_MIN);
    }
    /* Next to this number there is no fraction: the sum itself rounds to the nearest, ties to even. */
    const attune_real whole = ATTUNE_REAL(1.5) * (attune_real)((real_bits)1 << SIGNIFICAND);
    return (int16_t)((x + whole) - whole);
}
