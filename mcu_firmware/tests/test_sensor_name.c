#include "window/schema.h"
#include "window/sensor_name.h"

#include "check.h"

#include <string.h>

static attune_sensor_name_result read_name(const char *text, uint8_t *byte) {
    return attune_sensor_read(text, strlen(text), byte);
}

static void names_mean_bytes(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint8_t byte;
    } expected[] = {
        {"temperature", 0x41},
        {"co2", 0x44},
        {"co2+mean", 0x04},
        {"co2+spread", 0xC4},
        {"temperature+mean+spread", 0x81},
        {"level", 0x49},
        {"clock", 0x0A},
        {"pir", 0x20},
        {"door", 0x21},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        uint8_t byte = 0;
        char name[ATTUNE_SENSOR_NAME_SIZE];
        assert_int_equal(read_name(expected[i].name, &byte), ATTUNE_SENSOR_NAME_OK);
        assert_int_equal(byte, expected[i].byte);
        assert_true(attune_sensor_write(byte, name));
        assert_string_equal(name, expected[i].name);
    }
    uint8_t byte = 0;
    assert_int_equal(read_name("co2+spread+mean", &byte), ATTUNE_SENSOR_NAME_OK);
    assert_int_equal(byte, 0x84);
    /* Only what belongs to it is read. */
    assert_int_equal(attune_sensor_read("co2+mean,pir", 8, &byte), ATTUNE_SENSOR_NAME_OK);
    assert_int_equal(byte, 0x04);
}

static void what_is_no_name_changes_nothing(void **state) {
    (void)state;
    static const char *const kinds[] = {"", "+", "+mean", "co", "co22", "CO2", " co2", "co2 "};
    static const char *const more[] = {"co2+",         "co2+mea",  "co2+history", "co2+mean+", "co2++mean",
                                       "co2+meanmean", "pir+mean", "pir+spread",  "clock+mean"};
    uint8_t byte = 77;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_int_equal(read_name(kinds[i], &byte), ATTUNE_SENSOR_NAME_KIND);
    }
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        assert_int_equal(read_name(more[i], &byte), ATTUNE_SENSOR_NAME_MORE);
    }
    assert_int_equal(byte, 77);
}

/* A byte has a name exactly if a node can have it, and the name is its own. */
static void every_sensor_has_one_name(void **state) {
    (void)state;
    for (int i = 0; i < 256; i++) {
        const uint8_t byte = (uint8_t)i;
        attune_schema schema;
        char name[ATTUNE_SENSOR_NAME_SIZE];
        bool possible = attune_schema_init(&schema, &byte, 1, 60) == ATTUNE_SCHEMA_OK;
        assert_int_equal(attune_sensor_write(byte, name), possible);
        uint8_t again = 0;
        if (possible) {
            assert_int_equal(read_name(name, &again), ATTUNE_SENSOR_NAME_OK);
            assert_int_equal(again, byte);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_mean_bytes),
        cmocka_unit_test(what_is_no_name_changes_nothing),
        cmocka_unit_test(every_sensor_has_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
