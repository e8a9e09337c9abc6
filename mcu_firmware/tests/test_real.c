/* The elementary functions against the C library's of twice the precision. Built for float32 and for float64. */
#include "real/real.h"

#include "check.h"

#include <float.h>
#include <math.h>

#ifdef ATTUNE_REAL_DOUBLE
typedef long double wide;
#define WIDE_EXP expl
#define WIDE_LOG logl
#define EPSILON DBL_EPSILON
#define LIMIT 708.0
#define SMALLEST DBL_TRUE_MIN
#define LARGEST DBL_MAX
#else
typedef double wide;
#define WIDE_EXP exp
#define WIDE_LOG log
#define EPSILON FLT_EPSILON
#define LIMIT 87.0
#define SMALLEST FLT_TRUE_MIN
#define LARGEST FLT_MAX
#endif

/* Distance in units of the last place of the true value. */
static double ulps(attune_real got, wide truth) {
    int exponent;
    frexpl((long double)truth, &exponent);
    wide unit = ldexpl((long double)EPSILON, exponent - 1);
    return (double)fabsl(((long double)got - (long double)truth) / (long double)unit);
}

static void exp_is_within_two_units(void **state) {
    (void)state;
    double worst = 0;
    for (int i = -200000; i <= 200000; i++) {
        attune_real x = (attune_real)(LIMIT * i / 200000);
        double off = ulps(attune_exp(x), WIDE_EXP((wide)x));
        worst = off > worst ? off : worst;
    }
    print_message("exp: %.2f ulp\n", worst);
    assert_true(worst <= 2);
}

static void log_is_within_two_units(void **state) {
    (void)state;
    double worst = 0;
    uint64_t seed = 1;
    for (int i = 0; i < 400000; i++) {
        /* Half of them near 1, where the result is small, half over the whole range. */
        wide power = ((wide)next_random(&seed) / (wide)UINT64_MAX - (wide)0.5) * (i % 2 ? 2 : (wide)(2 * LIMIT));
        attune_real x = (attune_real)WIDE_EXP(power / (i % 4 == 1 ? 100 : 1));
        if (x == 1) {
            continue;
        }
        double off = ulps(attune_log(x), WIDE_LOG((wide)x));
        worst = off > worst ? off : worst;
    }
    print_message("log: %.2f ulp\n", worst);
    assert_true(worst <= 2);
}

static void ends_of_the_range(void **state) {
    (void)state;
    assert_true(attune_exp(0) == 1);
    assert_true(attune_log(1) == 0);
    assert_true(attune_exp((attune_real)(LIMIT + 1)) == (attune_real)LARGEST);
    assert_true(attune_exp((attune_real)INFINITY) == (attune_real)LARGEST);
    assert_true(attune_exp((attune_real)-LIMIT - 1) == 0);
    assert_true(attune_exp((attune_real)-INFINITY) == 0);
    assert_true(attune_exp((attune_real)NAN) == 0);
    assert_true(attune_log(0) == -(attune_real)LARGEST);
    assert_true(attune_log(-1) == -(attune_real)LARGEST);
    assert_true(attune_log((attune_real)NAN) == -(attune_real)LARGEST);
    assert_true(attune_finite(attune_log((attune_real)INFINITY)));
    assert_true(ulps(attune_log((attune_real)SMALLEST), WIDE_LOG((wide)SMALLEST)) <= 2);
    assert_true(ulps(attune_log((attune_real)LARGEST), WIDE_LOG((wide)LARGEST)) <= 2);
}

/* m 2^e is x again, exactly; a subnormal number loses nothing in a logarithm either. */
static void a_split_is_exact(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 10000; i++) {
        attune_real x =
            (attune_real)ldexp((double)(1 + random_below(&seed, 1 << 20)), (int)random_below(&seed, 200) - 120);
        int32_t exponent = -4;
        attune_real m = attune_split(x, &exponent);
        assert_true(m >= 1 && m < 2);
        assert_true((attune_real)ldexp((double)m, exponent + 4) == x);
        attune_real tiny = (attune_real)SMALLEST * (attune_real)(1 + random_below(&seed, 1 << 20));
        assert_true(ulps(attune_log(tiny), WIDE_LOG((wide)tiny)) <= 2);
    }
}

static void sqrt_guards_its_domain(void **state) {
    (void)state;
    assert_true(attune_sqrt(ATTUNE_REAL(2.25)) == ATTUNE_REAL(1.5));
    assert_true(attune_sqrt(0) == 0);
    assert_true(attune_sqrt(-4) == 0);
    assert_true(attune_sqrt((attune_real)NAN) == 0);
}

static void finite_tells(void **state) {
    (void)state;
    assert_true(attune_finite(0));
    assert_true(attune_finite((attune_real)-LARGEST));
    assert_false(attune_finite((attune_real)NAN));
    assert_false(attune_finite((attune_real)-INFINITY));
}

static void round_is_to_even_and_saturates(void **state) {
    (void)state;
    static const struct {
        double x;
        int16_t expected;
    } cases[] = {
        {0.5, 0},
        {1.5, 2},
        {2.5, 2},
        {-0.5, 0},
        {-1.5, -2},
        {-2.5, -2},
        {0.49, 0},
        {0.51, 1},
        {-0.51, -1},
        {32766.5, 32766},
        {32766.75, 32767},
        {32767.5, 32767},
        {1e30, 32767},
        {-32767.25, -32767},
        {-1e30, -32767},
        {INFINITY, 32767},
        {-INFINITY, -32767},
        {NAN, INT16_MIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(attune_round_i16((attune_real)cases[i].x), cases[i].expected);
    }
    /* rint of the C library rounds to even as well. */
    uint64_t seed = 7;
    for (int i = 0; i < 100000; i++) {
        attune_real x = (attune_real)((int32_t)random_below(&seed, 400000) - 200000) / 8;
        double expected = fmax(-32767, fmin(32767, rint((double)x)));
        assert_int_equal(attune_round_i16(x), (int16_t)expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_two_units),
        cmocka_unit_test(log_is_within_two_units),
        cmocka_unit_test(ends_of_the_range),
        cmocka_unit_test(a_split_is_exact),
        cmocka_unit_test(sqrt_guards_its_domain),
        cmocka_unit_test(finite_tells),
        cmocka_unit_test(round_is_to_even_and_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
