/* Decimal numbers against the C library's strtof, which rounds correctly, bit for bit. */
#include "decimal.h"

#include "check.h"
#include "real/bits.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(uint64_t mantissa, int exponent) {
    char text[40];
    (void)snprintf(text, sizeof text, "%" PRIu64 "e%d", mantissa, exponent);
    const uint32_t expected = attune_bits_of_float(strtof(text, NULL));
    const uint32_t bits = attune_bits_of_float(attune_decimal(mantissa, exponent));
    if (bits != expected) {
        fail_msg("%s was read as %08" PRIx32 ", not %08" PRIx32, text, bits, expected);
    }
}

static void any_mantissa_and_exponent(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 30000; i++) {
        check(next_random(&seed) >> random_below(&seed, 64), (int)random_below(&seed, 120) - 75);
    }
}

/* Whole numbers between two floats, exactly and beside the middle: 24 or 25 bits, a half, and zeros but for the last bit. */
static void middles_of_whole_floats(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 30000; i++) {
        const uint32_t zeros = random_below(&seed, 40);
        const uint64_t middle = ((next_random(&seed) >> 41 | UINT64_C(1) << 23) << 1 | 1) << zeros;
        check(middle - 1, 0);
        check(middle, 0);
        check(middle + 1, 0);
    }
}

/* Middles with digits after the point: n / 2^k is n * 5^k / 10^k. */
static void middles_of_floats_with_a_fraction(void **state) {
    (void)state;
    uint64_t seed = 3;
    uint64_t power = 1;
    for (int places = 0; places <= 16; places++, power *= 5) {
        for (int i = 0; i < 1500; i++) {
            const uint64_t odd = next_random(&seed) >> 39 | 1;
            check(odd * power - 1, -places);
            check(odd * power, -places);
            check(odd * power + 1, -places);
        }
    }
}

/* Nineteen digits of a float's neighbourhood, of every exponent that floats have, the denormal ones too. */
static void near_every_power_of_two(void **state) {
    (void)state;
    for (int power = -152; power <= 129; power++) {
        const double size = ldexp(1.0, power);
        const int exponent = (int)floor(log10(size)) - 17;
        const uint64_t digits = (uint64_t)llround(size / pow(10, exponent));
        for (uint64_t shift = 0; shift < 600; shift++) {
            check(digits - 300 + shift, exponent);
            check(digits + digits / 16777216 * (shift - 300) / 4, exponent);
        }
    }
}

static void the_ends_of_the_range(void **state) {
    (void)state;
    /* 2^128 - 2^103, the middle between the largest float and what would be the next, is 340282356779733661637539395458142568448. */
    assert_true(attune_decimal(UINT64_C(3402823567797336616), 20) == FLT_MAX);
    assert_true(isinf(attune_decimal(UINT64_C(3402823567797336617), 20)));
    /* 2^-150, half of the smallest float, is 7.006492321624085354...e-46. */
    assert_true(attune_decimal(UINT64_C(7006492321624085354), -64) == 0);
    assert_true(attune_decimal(UINT64_C(7006492321624085355), -64) == FLT_TRUE_MIN);
    assert_true(attune_decimal(UINT64_MAX, -480) == 0 && attune_decimal(1, -480) == 0);
    assert_true(isinf(attune_decimal(UINT64_MAX, 480)) && isinf(attune_decimal(1, 480)));
    assert_true(attune_decimal(0, 480) == 0 && attune_decimal(0, 0) == 0 && attune_decimal(0, -480) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_mantissa_and_exponent),
        cmocka_unit_test(middles_of_whole_floats),
        cmocka_unit_test(middles_of_floats_with_a_fraction),
        cmocka_unit_test(near_every_power_of_two),
        cmocka_unit_test(the_ends_of_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
