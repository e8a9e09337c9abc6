#include "window/window.h"

#include "check.h"

#include <math.h>

static const uint8_t office[] = {ATTUNE_TEMPERATURE | ATTUNE_SPREAD, ATTUNE_PIR};

typedef struct fixture {
    attune_schema schema;
    attune_window window;
    int16_t x[ATTUNE_MAX_FEATURES];
} fixture;

static void start(fixture *f, uint64_t now_ms) {
    assert_int_equal(attune_schema_init(&f->schema, office, sizeof office, 60), ATTUNE_SCHEMA_OK);
    attune_window_init(&f->window, &f->schema, now_ms);
}

static void expect(fixture *f, int16_t mean, int16_t deviation, int16_t count, int16_t activity, int16_t since) {
    attune_window_close(&f->window, f->x);
    assert_int_equal(f->x[0], mean);
    assert_int_equal(f->x[1], deviation);
    assert_int_equal(f->x[2], count);
    assert_int_equal(f->x[3], activity);
    assert_int_equal(f->x[4], since);
}

/* 20, 22, 27 degC: mean 23, variance (9 + 1 + 16) / 2 = 13.
 *   mean:      (23 - 22) / 2 * 1024 = 512
 *   deviation: (3.605551 - 0.125) / 0.125 * 1024 = 28512.68
 * Two hits at 30 s:
 *   count:     (log 3 - 0.5) * 1024 = 0.598612 * 1024 = 612.98
 *   activity:  2 a minute times (1 - e^(-60/900) = 0.064493) = 0.128986; (log 1.128986 - 0.5) / 0.75 * 1024 = -517.02
 *   since:     (log 31 - 6) / 2.5 * 1024 = -2.566013 / 2.5 * 1024 = -1051.04
 * An empty window after it:
 *   count 0: -512; activity 0.128986 * 0.935507 = 0.120667: -527.12; since 90 s: (log 91 - 6) / 2.5 * 1024 = -609.95 */
static void a_window_by_hand(void **state) {
    (void)state;
    fixture f;
    start(&f, 0);
    assert_int_equal(attune_window_end_ms(&f.window), 60000);
    assert_int_equal(attune_window_sample(&f.window, 0, 1000, 20), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_window_sample(&f.window, 0, 2000, 22), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_window_sample(&f.window, 0, 60000, 27), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_window_sample(&f.window, 1, 30000, 2), ATTUNE_SAMPLE_OK);
    expect(&f, 512, 28513, 613, -517, -1051);
    assert_int_equal(attune_window_end_ms(&f.window), 120000);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, -512, -527, -610);
}

/* Nothing was ever heard of the PIR: missing. A reading of 0 says that it lives: no event for at least a day,
 * (log 86401 - 6) / 2.5 * 1024 = 2198.22; activity 0: -0.5 / 0.75 * 1024 = -682.67. */
static void a_silent_sensor_is_missing_until_it_speaks(void **state) {
    (void)state;
    fixture f;
    start(&f, 0);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING);
    assert_int_equal(attune_window_sample(&f.window, 1, 61000, 0), ATTUNE_SAMPLE_OK);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, -512, -683, 2198);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, -512, -683, 2198);
}

/* One reading has a mean of 21: (21 - 22) / 2 * 1024 = -512, and a deviation of 0: (0 - 0.125) / 0.125 * 1024 = -1024. */
static void one_reading_has_a_deviation_of_zero(void **state) {
    (void)state;
    fixture f;
    start(&f, 0);
    assert_int_equal(attune_window_sample(&f.window, 0, 5000, 21), ATTUNE_SAMPLE_OK);
    expect(&f, -512, -1024, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING);
}

static void a_tick_on_the_boundary_belongs_to_the_window_that_it_ends(void **state) {
    (void)state;
    fixture f;
    start(&f, 60000);
    assert_int_equal(attune_window_end_ms(&f.window), 60000);
    start(&f, 60001);
    assert_int_equal(attune_window_end_ms(&f.window), 120000);
    assert_int_equal(attune_window_sample(&f.window, 0, 60000, 20), ATTUNE_SAMPLE_LATE);
    assert_int_equal(attune_window_sample(&f.window, 0, 0, 20), ATTUNE_SAMPLE_LATE);
    assert_int_equal(attune_window_sample(&f.window, 0, 60001, 20), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_window_sample(&f.window, 0, 120000, 20), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_window_sample(&f.window, 0, 120001, 20), ATTUNE_SAMPLE_EARLY);
    start(&f, 0);
    assert_int_equal(attune_window_sample(&f.window, 0, 0, 20), ATTUNE_SAMPLE_OK);
}

static void what_is_no_reading_is_refused(void **state) {
    (void)state;
    fixture f;
    start(&f, 0);
    assert_int_equal(attune_window_sample(&f.window, 2, 1000, 20), ATTUNE_SAMPLE_SENSOR);
    assert_int_equal(attune_window_sample(&f.window, 255, 1000, 20), ATTUNE_SAMPLE_SENSOR);
    const float no_values[] = {NAN, INFINITY, -INFINITY, 2e9f, -2e9f, 3.4e38f};
    for (size_t i = 0; i < sizeof no_values / sizeof no_values[0]; i++) {
        assert_int_equal(attune_window_sample(&f.window, 0, 1000, no_values[i]), ATTUNE_SAMPLE_VALUE);
        assert_int_equal(attune_window_sample(&f.window, 1, 1000, no_values[i]), ATTUNE_SAMPLE_VALUE);
    }
    assert_int_equal(attune_window_sample(&f.window, 1, 1000, -1), ATTUNE_SAMPLE_VALUE);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING);
}

/* Welford's sums against two passes in double, on readings far from zero where the textbook sum of squares fails. */
static void deviation_is_stable(void **state) {
    (void)state;
    const uint8_t level = ATTUNE_LEVEL | ATTUNE_SPREAD; /* mean: x * 1024; deviation: x / 0.25 * 1024 */
    attune_schema schema;
    attune_window window;
    int16_t x[ATTUNE_MAX_FEATURES];
    double value[600];
    double sum = 0;
    double squares = 0;
    uint64_t seed = 11;
    assert_int_equal(attune_schema_init(&schema, &level, 1, 600), ATTUNE_SCHEMA_OK);
    attune_window_init(&window, &schema, 0);
    for (int i = 0; i < 600; i++) {
        value[i] = (float)(30 + random_below(&seed, 1000) / 10000.0);
        sum += value[i];
        assert_int_equal(attune_window_sample(&window, 0, (uint64_t)i * 1000, (float)value[i]), ATTUNE_SAMPLE_OK);
    }
    for (int i = 0; i < 600; i++) {
        squares += (value[i] - sum / 600) * (value[i] - sum / 600);
    }
    attune_window_close(&window, x);
    assert_in_range(x[0] + 1 - (int)lrint(sum / 600 * 1024), 0, 2);
    assert_in_range(x[1] + 1 - (int)lrint(sqrt(squares / 599) / 0.25 * 1024), 0, 2);
}

static void the_largest_readings_stay_finite(void **state) {
    (void)state;
    fixture f;
    start(&f, 0);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(attune_window_sample(&f.window, 0, 1000, i % 2 ? 1e9f : -1e9f), ATTUNE_SAMPLE_OK);
        assert_int_equal(attune_window_sample(&f.window, 1, 1000, 1e9f), ATTUNE_SAMPLE_OK);
    }
    attune_window_close(&f.window, f.x);
    for (int i = 1; i < 5; i++) {
        assert_int_not_equal(f.x[i], ATTUNE_MISSING);
    }
    assert_true(attune_finite(f.window.channel[1].activity));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_by_hand),
        cmocka_unit_test(a_silent_sensor_is_missing_until_it_speaks),
        cmocka_unit_test(one_reading_has_a_deviation_of_zero),
        cmocka_unit_test(a_tick_on_the_boundary_belongs_to_the_window_that_it_ends),
        cmocka_unit_test(what_is_no_reading_is_refused),
        cmocka_unit_test(deviation_is_stable),
        cmocka_unit_test(the_largest_readings_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
