#include "drift/sketch.h"
#include "window/schema.h"

#include "check.h"

#include <string.h>

/* Every feature a sensor of its own. */
static attune_sketch single(uint8_t features) {
    attune_sketch sketch;
    assert_true(attune_sketch_init(&sketch, features, NULL));
    return sketch;
}

static void bins_are_half_a_unit_wide(void **state) {
    (void)state;
    /* From -2 to 2 units of 1024 steps, the lower edge inside. */
    const struct {
        int16_t q;
        uint8_t bin;
    } cases[] = {{INT16_MIN + 1, 0}, {-2049, 0}, {-2048, 1}, {-1537, 1}, {-1536, 2}, {-1025, 2},
                 {-1024, 3},         {-513, 3},  {-512, 4},  {-1, 4},    {0, 5},     {511, 5},
                 {512, 6},           {1024, 7},  {1536, 8},  {2047, 8},  {2048, 9},  {INT16_MAX, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        attune_sketch sketch = single(1);
        attune_sketch_add(&sketch, &cases[i].q);
        for (uint8_t b = 0; b < ATTUNE_SKETCH_BINS; b++) {
            assert_int_equal(sketch.bin[0][b], b == cases[i].bin);
        }
    }
}

/* Sensor 0 has features 0 and 1, sensor 1 feature 2. */
static void a_sensor_is_missing_stuck_or_far(void **state) {
    (void)state;
    attune_sketch sketch;
    assert_true(attune_sketch_init(&sketch, 3, (uint8_t[]){0, 0, 1}));
    const int16_t windows[][3] = {
        {10, 1, 0},
        {10, 2, ATTUNE_MISSING}, /* 0 is stuck though its second feature moved, 1 is missing */
        {11, ATTUNE_MISSING, 0}, /* 0 is missing, 1 says what it said before it was missing */
        {10, 3, 1},              /* 0 says what it said before it was missing */
        {12, -30720, 30719},     /* 0 is far by its second feature, 1 just not */
    };
    for (size_t i = 0; i < 5; i++) {
        attune_sketch_add(&sketch, windows[i]);
    }
    assert_int_equal(sketch.missing[0], 1);
    assert_int_equal(sketch.stuck[0], 2);
    assert_int_equal(sketch.far[0], 1);
    assert_int_equal(sketch.missing[1], 1);
    assert_int_equal(sketch.stuck[1], 1);
    assert_int_equal(sketch.far[1], 0);
    assert_int_equal(sketch.bin[0][5], 5); /* also in the window in which its neighbour was missing */
    assert_int_equal(sketch.bin[1][5], 3);
    assert_int_equal(sketch.bin[1][0], 1);
    assert_int_equal(sketch.bin[2][5], 3);
    assert_int_equal(sketch.bin[2][9], 1);
}

static void counts_saturate_and_say_so(void **state) {
    (void)state;
    attune_sketch sketch = single(1);
    int16_t q = 0;
    for (int n = 0; n < 2046; n++) {
        attune_sketch_add(&sketch, &q);
    }
    assert_false(sketch.full);
    attune_sketch_add(&sketch, &q);
    assert_true(sketch.full);
    attune_sketch_add(&sketch, &q);
    assert_int_equal(sketch.bin[0][5], 2047);
    assert_int_equal(sketch.stuck[0], 2047);
    attune_sketch_clear(&sketch);
    assert_false(sketch.full);
    assert_int_equal(sketch.bin[0][5], 0);
    attune_sketch_add(&sketch, &q);
    assert_int_equal(sketch.stuck[0], 1); /* the last reading outlives the counts */
}

static void the_bytes_are_as_documented(void **state) {
    (void)state;
    attune_sketch sketch = single(1);
    sketch.bin[0][0] = 1;
    sketch.bin[0][1] = 2047;
    sketch.missing[0] = 3;
    sketch.stuck[0] = 5;
    sketch.far[0] = 2;
    /* 13 counts of 11 bits are 143 bits in 18 bytes. Bits set: 0; 11 to 21; 110 and 111 (missing begins at 110); 121 and 123 (stuck at
     * 121); 133 (far at 132). */
    uint8_t expected[21] = {1, 1, 1, 0x01, 0xF8, 0x3F};
    expected[3 + 13] = 0xC0;
    expected[3 + 15] = 0x0A;
    expected[3 + 16] = 0x20;
    uint8_t bytes[21];
    assert_int_equal(attune_sketch_size(&sketch), sizeof bytes);
    attune_sketch_export(&sketch, bytes);
    assert_memory_equal(bytes, expected, sizeof bytes);
}

static void the_largest_export_keeps_to_its_budget(void **state) {
    (void)state;
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ATTUNE_MAX_FEATURES; i++) {
        sensor[i] = i / 2;
    }
    attune_sketch sketch;
    assert_true(attune_sketch_init(&sketch, ATTUNE_MAX_FEATURES, sensor));
    assert_int_equal(attune_sketch_size(&sketch), ATTUNE_SKETCH_SIZE);
    assert_true(ATTUNE_SKETCH_SIZE <= 400);
}

static void random_counts_survive_the_way(void **state) {
    (void)state;
    uint64_t random = 7;
    for (uint8_t features = 1; features <= ATTUNE_MAX_SENSORS; features++) {
        attune_sketch sketch = single(features);
        for (int n = 0; n < 500; n++) {
            int16_t x[ATTUNE_MAX_SENSORS];
            for (uint8_t i = 0; i < features; i++) {
                x[i] = (int16_t)(random_below(&random, 9) == 0 ? ATTUNE_MISSING
                                                               : (int)random_below(&random, 65535) - 32767);
            }
            attune_sketch_add(&sketch, x);
        }
        uint8_t bytes[ATTUNE_SKETCH_SIZE], again[ATTUNE_SKETCH_SIZE];
        attune_sketch_export(&sketch, bytes);
        attune_sketch read = single(features);
        assert_true(attune_sketch_import(&read, bytes, attune_sketch_size(&sketch)));
        assert_memory_equal(read.bin, sketch.bin, sizeof sketch.bin);
        assert_memory_equal(read.far, sketch.far, sizeof sketch.far);
        attune_sketch_export(&read, again);
        assert_memory_equal(bytes, again, attune_sketch_size(&sketch));
    }
}

static void other_bytes_are_refused(void **state) {
    (void)state;
    attune_sketch sketch = single(1);
    sketch.bin[0][4] = 9;
    const attune_sketch before = sketch;
    uint8_t good[21];
    attune_sketch_export(&sketch, good);
    assert_false(attune_sketch_import(&sketch, good, 20));
    assert_false(attune_sketch_import(&sketch, good, 22));
    assert_false(attune_sketch_import(&sketch, good, 0));
    for (size_t i = 0; i < 3; i++) {
        uint8_t bad[21];
        memcpy(bad, good, sizeof bad);
        bad[i] ^= 2;
        assert_false(attune_sketch_import(&sketch, bad, sizeof bad));
    }
    good[20] |= 0x80; /* a bit behind the last count */
    assert_false(attune_sketch_import(&sketch, good, sizeof good));
    assert_memory_equal(&sketch, &before, sizeof sketch);
}

static void other_shapes_are_refused(void **state) {
    (void)state;
    attune_sketch sketch = single(2);
    assert_false(attune_sketch_init(&sketch, 0, NULL));
    assert_false(attune_sketch_init(&sketch, ATTUNE_MAX_FEATURES + 1, NULL));
    assert_false(attune_sketch_init(&sketch, ATTUNE_MAX_SENSORS + 1, NULL)); /* as many sensors */
    assert_false(attune_sketch_init(&sketch, 2, (uint8_t[]){1, 0}));
    assert_int_equal(sketch.sensors.features, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_half_a_unit_wide),
        cmocka_unit_test(a_sensor_is_missing_stuck_or_far),
        cmocka_unit_test(counts_saturate_and_say_so),
        cmocka_unit_test(the_bytes_are_as_documented),
        cmocka_unit_test(the_largest_export_keeps_to_its_budget),
        cmocka_unit_test(random_counts_survive_the_way),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(other_shapes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
