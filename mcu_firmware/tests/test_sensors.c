#include "learner/head.h"
#include "learner/sensors.h"
#include "window/schema.h"

#include "check.h"

static void each_feature_may_be_a_sensor(void **state) {
    (void)state;
    attune_sensors sensors;
    assert_true(attune_sensors_init(&sensors, 3, NULL));
    assert_int_equal(sensors.count, 3);
    assert_int_equal(attune_sensors_present(&sensors, (int16_t[]){1, ATTUNE_MISSING, 0}), 0x5);
    assert_true(attune_sensors_init(&sensors, ATTUNE_MAX_FEATURES, NULL));
    assert_int_equal(attune_sensors_present(&sensors, (int16_t[ATTUNE_MAX_FEATURES]){0}), 0xFFFFFF);
}

/* Sensor 0 has features 0 and 2, sensor 1 feature 1, sensor 2 features 3 and 4. */
static void a_sensor_with_a_part_of_its_features_is_missing(void **state) {
    (void)state;
    attune_sensors sensors;
    assert_true(attune_sensors_init(&sensors, 5, (uint8_t[]){0, 1, 0, 2, 2}));
    assert_int_equal(sensors.count, 3);
    assert_int_equal(attune_sensors_present(&sensors, (int16_t[]){1, 2, 3, 4, 5}), 0x7);
    assert_int_equal(attune_sensors_present(&sensors, (int16_t[]){1, 2, ATTUNE_MISSING, 4, 5}), 0x6);
    assert_int_equal(attune_sensors_present(&sensors, (int16_t[]){1, ATTUNE_MISSING, 3, 4, ATTUNE_MISSING}), 0x1);
}

static void other_numbers_are_refused(void **state) {
    (void)state;
    attune_sensors sensors = {.features = 9};
    assert_false(attune_sensors_init(&sensors, 2, (uint8_t[]){1, 0}));
    assert_false(attune_sensors_init(&sensors, 3, (uint8_t[]){0, 1, 3}));
    assert_false(attune_sensors_init(&sensors, 2, (uint8_t[]){0, 255}));
    assert_false(attune_sensors_init(&sensors, 0, NULL));
    assert_false(attune_sensors_init(&sensors, ATTUNE_MAX_FEATURES + 1, NULL));
    assert_int_equal(sensors.features, 9);
    attune_head head;
    assert_int_equal(attune_head_init(&head, ATTUNE_HEAD_GNB, 2, (uint8_t[]){1, 0}), ATTUNE_HEAD_SHAPE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_feature_may_be_a_sensor),
        cmocka_unit_test(a_sensor_with_a_part_of_its_features_is_missing),
        cmocka_unit_test(other_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
