#include "window/schema.h"

#include "check.h"

#include <math.h>
#include <string.h>

static const uint8_t office[] = {ATTUNE_TEMPERATURE | ATTUNE_SPREAD, ATTUNE_PIR};

static void features_follow_from_the_sensors(void **state) {
    (void)state;
    attune_schema schema;
    assert_int_equal(attune_schema_init(&schema, office, sizeof office, 60), ATTUNE_SCHEMA_OK);
    static const uint8_t expected[][2] = {
        {0, ATTUNE_MEAN}, {0, ATTUNE_DEVIATION}, {1, ATTUNE_COUNT}, {1, ATTUNE_ACTIVITY}, {1, ATTUNE_SINCE},
    };
    assert_int_equal(schema.sensors, 2);
    assert_int_equal(schema.features, 5);
    for (uint8_t i = 0; i < 5; i++) {
        assert_int_equal(schema.feature[i].sensor, expected[i][0]);
        assert_int_equal(schema.feature[i].statistic, expected[i][1]);
    }
}

/* Python: struct.pack("<H", 60) and for (kind, statistic, log1p, centre, scale) in (1, 0, 0, 22, 2), (1, 1, 0, .125, .125),
 * (32, 2, 1, .5, 1), (32, 3, 1, .5, .75), (32, 4, 1, 6, 2.5) struct.pack("<BBBff", ...); hashlib.blake2b(...).digest()[:8]. */
static void the_hash_is_that_of_the_written_table(void **state) {
    (void)state;
    static const uint8_t expected[8] = {0x3F, 0xE7, 0xB5, 0xCD, 0xC7, 0xDD, 0x8D, 0x9A};
    attune_schema schema;
    assert_int_equal(attune_schema_init(&schema, office, sizeof office, 60), ATTUNE_SCHEMA_OK);
    assert_memory_equal(schema.hash, expected, 8);
    assert_int_equal(attune_schema_init(&schema, office, sizeof office, 61), ATTUNE_SCHEMA_OK);
    assert_memory_not_equal(schema.hash, expected, 8);
}

static attune_schema_error try(const uint8_t *sensors, size_t count, uint16_t window_s) {
    attune_schema schema;
    return attune_schema_init(&schema, sensors, count, window_s);
}

static void what_is_no_node_type_is_refused(void **state) {
    (void)state;
    uint8_t many[13];
    memset(many, ATTUNE_LEVEL, sizeof many);
    assert_int_equal(try(many, 0, 60), ATTUNE_SCHEMA_SENSORS);
    assert_int_equal(try(many, 13, 60), ATTUNE_SCHEMA_SENSORS);
    assert_int_equal(try(many, 12, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(try(many, 12, 9), ATTUNE_SCHEMA_WINDOW);
    assert_int_equal(try(many, 12, 10), ATTUNE_SCHEMA_OK);
    assert_int_equal(try(many, 12, 600), ATTUNE_SCHEMA_OK);
    assert_int_equal(try(many, 12, 601), ATTUNE_SCHEMA_WINDOW);
    const uint8_t unknown[] = {0, 11, 31, 35, 127};
    for (size_t i = 0; i < sizeof unknown; i++) {
        assert_int_equal(try(&unknown[i], 1, 60), ATTUNE_SCHEMA_KIND);
    }
    const uint8_t spread_of_events = ATTUNE_DOOR | ATTUNE_SPREAD;
    assert_int_equal(try(&spread_of_events, 1, 60), ATTUNE_SCHEMA_KIND);
    const uint8_t spread_of_clock = ATTUNE_CLOCK | ATTUNE_SPREAD;
    assert_int_equal(try(&spread_of_clock, 1, 60), ATTUNE_SCHEMA_KIND);
    const uint8_t history_of_events = ATTUNE_PIR | ATTUNE_HISTORY;
    assert_int_equal(try(&history_of_events, 1, 60), ATTUNE_SCHEMA_KIND);
    memset(many, ATTUNE_PIR, sizeof many);
    assert_int_equal(try(many, 8, 60), ATTUNE_SCHEMA_OK); /* 8 sensors of 3 features are 24 */
    assert_int_equal(try(many, 9, 60), ATTUNE_SCHEMA_FEATURES);
}

static void every_kind_has_a_name_and_coordinates(void **state) {
    (void)state;
    int kinds = 0;
    for (int kind = 0; kind <= (int)ATTUNE_KIND_BITS; kind++) {
        const uint8_t plain = (uint8_t)kind;
        const uint8_t spread = (uint8_t)(kind | ATTUNE_SPREAD);
        const uint8_t history = (uint8_t)(kind | ATTUNE_HISTORY);
        bool known = attune_kind_name(plain) != NULL;
        kinds += known;
        assert_int_equal(try(&plain, 1, 60), known ? ATTUNE_SCHEMA_OK : ATTUNE_SCHEMA_KIND);
        if (known && !attune_kind_is_event(plain) && plain != ATTUNE_CLOCK) {
            assert_int_equal(try(&spread, 1, 60), ATTUNE_SCHEMA_OK);
            assert_int_equal(try(&history, 1, 60), ATTUNE_SCHEMA_OK);
        }
    }
    assert_int_equal(kinds, 13);
    assert_string_equal(attune_kind_name(4), "co2");
    assert_string_equal(attune_kind_name(32), "pir");
    assert_string_equal(attune_statistic_name(4), "since");
    assert_string_equal(attune_kind_name(10), "clock");
    assert_string_equal(attune_statistic_name(7), "weekend");
    assert_string_equal(attune_statistic_name(9), "variation");
    assert_null(attune_statistic_name(10));
}

static void a_clock_gives_three_features_as_they_are(void **state) {
    (void)state;
    const uint8_t sensors[] = {ATTUNE_CO2, ATTUNE_CLOCK};
    attune_schema schema;
    assert_int_equal(attune_schema_init(&schema, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(schema.features, 4);
    for (uint8_t i = 0; i < 3; i++) {
        const attune_feature *f = &schema.feature[1 + i];
        assert_int_equal(f->sensor, 1);
        assert_int_equal(f->statistic, 5 + i);
        assert_int_equal(attune_schema_coordinate(f, 1), 1024);
        assert_int_equal(attune_schema_coordinate(f, -0.5f), -512);
    }
}

static void coordinates_by_hand(void **state) {
    (void)state;
    const attune_feature linear = {.centre = 700, .scale = 300};
    assert_int_equal(attune_schema_coordinate(&linear, 700), 0);
    assert_int_equal(attune_schema_coordinate(&linear, 1000), 1024);
    assert_int_equal(attune_schema_coordinate(&linear, 400), -1024);
    assert_int_equal(attune_schema_coordinate(&linear, 850), 512);
    assert_int_equal(attune_schema_coordinate(&linear, 1e8f), 32767);
    assert_int_equal(attune_schema_coordinate(&linear, -1e8f), -32767);
    assert_int_equal(attune_schema_coordinate(&linear, NAN), ATTUNE_MISSING);
    assert_int_equal(attune_schema_coordinate(&linear, INFINITY), ATTUNE_MISSING);
    /* log 150 = 5.010635; (5.010635 - 5) / 1 * 1024 = 10.89 */
    const attune_feature log = {.transform = ATTUNE_LOG1P, .centre = 5, .scale = 1};
    assert_int_equal(attune_schema_coordinate(&log, 149), 11);
    assert_int_equal(attune_schema_coordinate(&log, 0), -5120);
    assert_int_equal(attune_schema_coordinate(&log, -2), -5120);
    /* 1,000 ppm are 650 / 50 = 13 steps above clean air: (log 14 - 2) / 0.7 * 1024 = 934.85. */
    const attune_feature excess = {.transform = ATTUNE_LOG_EXCESS, .centre = 2, .scale = ATTUNE_REAL(0.7)};
    assert_int_equal(attune_schema_coordinate(&excess, 1000), 935);
    assert_int_equal(attune_schema_coordinate(&excess, 350), -2926);
    assert_int_equal(attune_schema_coordinate(&excess, -999), -2926);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_follow_from_the_sensors),
        cmocka_unit_test(the_hash_is_that_of_the_written_table),
        cmocka_unit_test(what_is_no_node_type_is_refused),
        cmocka_unit_test(every_kind_has_a_name_and_coordinates),
        cmocka_unit_test(a_clock_gives_three_features_as_they_are),
        cmocka_unit_test(coordinates_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
