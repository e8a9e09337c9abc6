#include "window/clock.h"

#include "check.h"
#include "window/window.h"

#include <math.h>

#define HOUR_S 3600

static void the_day_turns_once(void **state) {
    (void)state;
    const double turn = 6.283185307179586;
    for (uint32_t second = 0; second < ATTUNE_WEEK_S; second += 7) {
        const double angle = turn * (second % ATTUNE_DAY_S) / ATTUNE_DAY_S;
        assert_true(fabs((double)attune_clock_sine((attune_real)second) - sin(angle)) < 1e-6);
        assert_true(fabs((double)attune_clock_cosine((attune_real)second) - cos(angle)) < 1e-6);
    }
}

static void the_weekend_begins_on_saturday(void **state) {
    (void)state;
    assert_true(attune_clock_weekend(0) == 0);
    assert_true(attune_clock_weekend(5 * ATTUNE_DAY_S - 1) == 0);
    assert_true(attune_clock_weekend(5 * ATTUNE_DAY_S) == 1);
    assert_true(attune_clock_weekend(ATTUNE_WEEK_S - 1) == 1);
}

typedef struct fixture {
    attune_schema schema;
    attune_window window;
    int16_t x[ATTUNE_MAX_FEATURES];
} fixture;

static void start(fixture *f) {
    static const uint8_t sensors[] = {ATTUNE_CLOCK};
    assert_int_equal(attune_schema_init(&f->schema, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    attune_window_init(&f->window, &f->schema, 0);
}

static void expect(fixture *f, int16_t sine, int16_t cosine, int16_t weekend) {
    attune_window_close(&f->window, f->x);
    assert_int_equal(f->x[0], sine);
    assert_int_equal(f->x[1], cosine);
    assert_int_equal(f->x[2], weekend);
}

/* Tuesday 06:00 is a quarter turn, and Sunday 22:00 eleven twelfths: sine -0.5 and cosine sqrt(3) / 2 = 0.866025, times 1024
 * -512 and 886.81. */
static void windows_by_hand(void **state) {
    (void)state;
    fixture f;
    start(&f);
    assert_int_equal(attune_window_sample(&f.window, 0, 60000, ATTUNE_DAY_S + 6 * HOUR_S), ATTUNE_SAMPLE_OK);
    expect(&f, 1024, 0, 0);
    assert_int_equal(attune_window_sample(&f.window, 0, 120000, 6 * ATTUNE_DAY_S + 22 * HOUR_S), ATTUNE_SAMPLE_OK);
    expect(&f, -512, 887, 1024);
}

static void a_node_without_the_time_has_none(void **state) {
    (void)state;
    fixture f;
    start(&f);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING);
    assert_int_equal(attune_window_sample(&f.window, 0, 120000, 0), ATTUNE_SAMPLE_OK);
    expect(&f, 0, 1024, 0);
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING);
}

/* Around midnight a mean would be noon. */
static void the_last_reading_of_a_window_counts(void **state) {
    (void)state;
    fixture f;
    start(&f);
    assert_int_equal(attune_window_sample(&f.window, 0, 30000, ATTUNE_DAY_S - 30), ATTUNE_SAMPLE_OK);
    assert_int_equal(attune_window_sample(&f.window, 0, 60000, ATTUNE_DAY_S), ATTUNE_SAMPLE_OK);
    expect(&f, 0, 1024, 0);
}

static void what_is_no_time_of_the_week_is_refused(void **state) {
    (void)state;
    const attune_real bad[] = {-1, ATTUNE_WEEK_S, 1e9f, -INFINITY, INFINITY, NAN};
    fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(attune_window_sample(&f.window, 0, 1000, bad[i]), ATTUNE_SAMPLE_VALUE);
    }
    expect(&f, ATTUNE_MISSING, ATTUNE_MISSING, ATTUNE_MISSING);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_day_turns_once),
        cmocka_unit_test(the_weekend_begins_on_saturday),
        cmocka_unit_test(windows_by_hand),
        cmocka_unit_test(a_node_without_the_time_has_none),
        cmocka_unit_test(the_last_reading_of_a_window_counts),
        cmocka_unit_test(what_is_no_time_of_the_week_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
