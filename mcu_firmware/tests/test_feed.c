/* The sample feed's parser against the C library's strtof and against lines written by hand. */
#include "feed.h"

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char *text, attune_real *value) {
    return attune_feed_number(text, (uint8_t)strlen(text), value);
}

static attune_feed_event line(attune_feed *feed, const char *text) {
    attune_feed_event event = ATTUNE_FEED_NONE;
    for (; *text != '\0'; text++) {
        event = attune_feed_take(feed, *text);
    }
    return event;
}

/* As many digits as a sensor could give; strtof rounds correctly. */
static void numbers_are_read_as_strtof_reads_them(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        char text[40];
        const int digits = 1 + (int)random_below(&seed, 15);
        const double size = ldexp((double)(next_random(&seed) >> 11), (int)random_below(&seed, 100) - 90);
        (void)snprintf(text, sizeof text, "%s%.*g", i % 2 ? "-" : "", digits, size);
        attune_real value;
        assert_true(number(text, &value));
        assert_true(value == strtof(text, NULL));
    }
}

static void numbers_of_any_length_are_near(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 50000; i++) {
        char text[80];
        const double size = ldexp((double)next_random(&seed), (int)random_below(&seed, 120) - 110);
        (void)snprintf(text, sizeof text, i % 2 ? "%.25g" : "%.20f", size);
        attune_real value;
        assert_true(number(text, &value));
        assert_true(fabs((double)value - strtod(text, NULL)) <= size * 1.2e-7);
    }
}

static void numbers_at_the_ends_of_the_range(void **state) {
    (void)state;
    attune_real value;
    assert_true(number("nan", &value) && isnan(value));
    assert_true(number("inf", &value) && isinf(value) && value > 0);
    assert_true(number("-inf", &value) && isinf(value) && value < 0);
    assert_true(number("1e400", &value) && isinf(value));
    assert_true(number("1e-400", &value) && value == 0);
    assert_true(number("0e400", &value) && value == 0);
    assert_true(number("-0", &value) && value == 0 && signbit(value));
    assert_true(number("007.50", &value) && value == 7.5f);
    assert_true(number(".5", &value) && value == 0.5f);
    assert_true(number("5.", &value) && value == 5.0f);
}

static void what_is_no_number_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"",   "-",   ".",   "e5",    "1e",  "1e-",      "1e401", "+1",   "1 ",
                                        " 1", "1,5", "0x1", "1.2.3", "--1", "infinity", "NaN",   "-nan", "1e5e5"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        attune_real value;
        if (number(texts[i], &value)) {
            fail_msg("'%s' was read as a number", texts[i]);
        }
    }
}

static void a_sample_sets_its_four_fields(void **state) {
    (void)state;
    attune_feed feed;
    attune_feed_init(&feed);
    assert_int_equal(line(&feed, "17 18446744073709551615 255 -1.5e2\n"), ATTUNE_FEED_SAMPLE);
    assert_int_equal(feed.node, 17);
    assert_true(feed.tick_ms == UINT64_MAX);
    assert_int_equal(feed.sensor, 255);
    assert_true(feed.value == -150);
    assert_int_equal(line(&feed, " \t4294967295   1\t0 2 \r\n"), ATTUNE_FEED_SAMPLE);
    assert_true(feed.node == UINT32_MAX && feed.tick_ms == 1 && feed.sensor == 0 && feed.value == 2);
}

static void a_press_sets_its_class(void **state) {
    (void)state;
    attune_feed feed;
    attune_feed_init(&feed);
    assert_int_equal(line(&feed, "3 600000 button occupied\n"), ATTUNE_FEED_PRESS);
    assert_true(feed.node == 3 && feed.tick_ms == 600000 && feed.class_index == 1);
    assert_int_equal(line(&feed, "3 600001 button\tfree \r\n"), ATTUNE_FEED_PRESS);
    assert_true(feed.tick_ms == 600001 && feed.class_index == 0);
}

static void a_time_sets_the_tick(void **state) {
    (void)state;
    attune_feed feed;
    attune_feed_init(&feed);
    assert_int_equal(line(&feed, "@60000\n"), ATTUNE_FEED_TIME);
    assert_true(feed.tick_ms == 60000);
    assert_int_equal(line(&feed, "\n"), ATTUNE_FEED_NONE);
    assert_int_equal(line(&feed, "# @5\n"), ATTUNE_FEED_NONE);
    assert_int_equal(line(&feed, "   \r\n"), ATTUNE_FEED_NONE);
    assert_true(feed.tick_ms == 60000);
}

static void other_lines_are_malformed_and_the_next_is_read(void **state) {
    (void)state;
    static const char *const lines[] = {"0 1 0\n",
                                        "0 1 0 4 5\n",
                                        "4294967296 1 0 4\n",
                                        "0 18446744073709551616 0 4\n",
                                        "0 1 256 4\n",
                                        "-1 1 0 4\n",
                                        "0 1.0 0 4\n",
                                        "0 1 0 four\n",
                                        "@\n",
                                        "@ \n",
                                        "@-5\n",
                                        "@5 6\n",
                                        "@18446744073709551616\n",
                                        "0 1 button\n",
                                        "0 1 button \n",
                                        "0 1 buttonfree\n",
                                        "0 1 button freely\n",
                                        "0 1 button 1\n",
                                        "0 button free\n",
                                        "0,1,0,4\n",
                                        "0 1 0x1 4\n"};
    attune_feed feed;
    attune_feed_init(&feed);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (line(&feed, lines[i]) != ATTUNE_FEED_MALFORMED) {
            fail_msg("'%s' was not malformed", lines[i]);
        }
        assert_int_equal(line(&feed, "1 2 3 4\n"), ATTUNE_FEED_SAMPLE);
    }
}

/* Also a line whose first 79 characters alone would be a good one. */
static void a_line_that_is_too_long_is_dropped_as_a_whole(void **state) {
    (void)state;
    attune_feed feed;
    attune_feed_init(&feed);
    for (size_t size = ATTUNE_FEED_LINE - 1; size <= ATTUNE_FEED_LINE + 300; size++) {
        char text[512] = "0 1 0 4";
        memset(text + 7, ' ', size - 7);
        memcpy(text + size, "\n", 2);
        const attune_feed_event expected = size <= ATTUNE_FEED_LINE ? ATTUNE_FEED_SAMPLE : ATTUNE_FEED_MALFORMED;
        assert_int_equal(line(&feed, text), expected);
        text[0] = '#';
        assert_int_equal(line(&feed, text), ATTUNE_FEED_NONE);
    }
}

static void any_bytes_are_survived(void **state) {
    (void)state;
    static const char likely[] = "0123456789 .-e@#\n\r\tnaif";
    uint64_t seed = 3;
    attune_feed feed;
    attune_feed_init(&feed);
    for (int i = 0; i < 2000000; i++) {
        const bool wild = random_below(&seed, 16) == 0;
        (void)attune_feed_take(&feed, wild ? (char)next_random(&seed) : likely[random_below(&seed, sizeof likely - 1)]);
    }
    (void)line(&feed, "\n");
    assert_int_equal(line(&feed, "1 2 3 4\n"), ATTUNE_FEED_SAMPLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_strtof_reads_them),
        cmocka_unit_test(numbers_of_any_length_are_near),
        cmocka_unit_test(numbers_at_the_ends_of_the_range),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(a_sample_sets_its_four_fields),
        cmocka_unit_test(a_press_sets_its_class),
        cmocka_unit_test(a_time_sets_the_tick),
        cmocka_unit_test(other_lines_are_malformed_and_the_next_is_read),
        cmocka_unit_test(a_line_that_is_too_long_is_dropped_as_a_whole),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
