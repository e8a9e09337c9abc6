/* Blocks against values worked by hand and against the definition of binary16. Built for float32 and for float64. */
#include "learner/format.h"

#include "check.h"

#include <math.h>
#include <string.h>

/* Value of a binary16 by its definition. */
static double half_value(uint16_t half) {
    int exponent = half >> 10 & 31;
    double fraction = half & 1023;
    double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

static uint16_t written(double x) {
    attune_real value = (attune_real)x;
    uint8_t bytes[2];
    assert_ptr_equal(attune_block_write(ATTUNE_FLOAT16, &value, 1, bytes), bytes + 2);
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static double read(uint16_t half) {
    uint8_t bytes[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
    attune_real value;
    assert_ptr_equal(attune_block_read(ATTUNE_FLOAT16, &value, 1, bytes), bytes + 2);
    return (double)value;
}

static void every_half_is_read_and_written_back(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        if ((half & 0x7C00) == 0x7C00) {
            assert_false(isfinite(read((uint16_t)half)));
            continue;
        }
        assert_true(read((uint16_t)half) == half_value((uint16_t)half));
        assert_int_equal(written(half_value((uint16_t)half)), half);
    }
}

/* Between two neighbours the nearer one is taken, and in the middle the even one. */
static void halves_are_rounded_to_the_nearest(void **state) {
    (void)state;
    for (uint16_t half = 0; half < 0x7BFF; half++) {
        double low = half_value(half);
        double high = half_value((uint16_t)(half + 1));
        assert_int_equal(written(low + 0.49 * (high - low)), half);
        assert_int_equal(written(low + 0.51 * (high - low)), half + 1);
        assert_int_equal(written((low + high) / 2), half + (half & 1));
        assert_int_equal(written(-(low + high) / 2), 0x8000 | (half + (half & 1)));
    }
}

static void what_is_too_large_for_a_half_becomes_the_largest(void **state) {
    (void)state;
    assert_int_equal(written(65504), 0x7BFF);
    assert_int_equal(written(65535), 0x7BFF);
    assert_int_equal(written(-1e30), 0xFBFF);
}

/* Scale 2.54 / 127 = 0.02: 1.0 is 50 steps, 0.029 is 1.45 steps and becomes 1, -2.54 is -127. */
static void int8_by_hand(void **state) {
    (void)state;
    const attune_real values[] = {ATTUNE_REAL(1.0), ATTUNE_REAL(0.029), ATTUNE_REAL(-2.54), 0};
    uint8_t bytes[8];
    attune_real back[4];
    assert_int_equal(attune_block_size(ATTUNE_INT8, 4), 8);
    assert_ptr_equal(attune_block_write(ATTUNE_INT8, values, 4, bytes), bytes + 8);
    assert_memory_equal(bytes + 4, ((uint8_t[]){50, 1, 0x81, 0}), 4);
    assert_ptr_equal(attune_block_read(ATTUNE_INT8, back, 4, bytes), bytes + 8);
    const double expected[] = {1.0, 0.02, -2.54, 0};
    for (int i = 0; i < 4; i++) {
        assert_true(fabs((double)back[i] - expected[i]) < 1e-6);
    }
}

static void a_block_of_zeros_stays_zero(void **state) {
    (void)state;
    const attune_real zeros[3] = {0};
    uint8_t bytes[7];
    attune_real back[3] = {1, 1, 1};
    attune_block_write(ATTUNE_INT8, zeros, 3, bytes);
    assert_memory_equal(bytes, ((uint8_t[7]){0}), 7);
    attune_block_read(ATTUNE_INT8, back, 3, bytes);
    assert_true(back[0] == 0 && back[1] == 0 && back[2] == 0);
}

/* -1.5 is BFC00000. */
static void float32_is_little_endian(void **state) {
    (void)state;
    const attune_real value = ATTUNE_REAL(-1.5);
    uint8_t bytes[4];
    attune_real back;
    attune_block_write(ATTUNE_FLOAT32, &value, 1, bytes);
    assert_memory_equal(bytes, ((uint8_t[]){0, 0, 0xC0, 0xBF}), 4);
    attune_block_read(ATTUNE_FLOAT32, &back, 1, bytes);
    assert_true(back == value);
    assert_int_equal(attune_block_size((attune_format)3, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_read_and_written_back),
        cmocka_unit_test(halves_are_rounded_to_the_nearest),
        cmocka_unit_test(what_is_too_large_for_a_half_becomes_the_largest),
        cmocka_unit_test(int8_by_hand),
        cmocka_unit_test(a_block_of_zeros_stays_zero),
        cmocka_unit_test(float32_is_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
