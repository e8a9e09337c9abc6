#include "learner/factory.h"

#include "check.h"

#include <math.h>
#include <string.h>

static void load(attune_head *head, attune_schema *schema, const uint8_t *sensors, size_t count, uint8_t digest[16]) {
    assert_int_equal(attune_schema_init(schema, sensors, count, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(attune_factory_load(head, ATTUNE_HEAD_GNB, schema), ATTUNE_HEAD_OK);
    attune_factory_digest(head, schema, digest);
}

static void rows_are_sane_and_unique(void **state) {
    (void)state;
    assert_true(attune_factory_row_count > 0);
    for (uint8_t i = 0; i < attune_factory_row_count; i++) {
        const attune_factory_row *row = &attune_factory_rows[i];
        assert_non_null(attune_kind_name(row->kind));
        bool of_events = row->statistic >= ATTUNE_COUNT && row->statistic <= ATTUNE_SINCE;
        assert_int_equal(attune_kind_is_event(row->kind), of_events);
        for (int k = 0; k < 2; k++) {
            assert_true(fabsf(row->mean[k]) < 32 && row->variance[k] >= 0 && row->variance[k] < 1024);
        }
        for (uint8_t j = 0; j < i; j++) {
            bool same = attune_factory_rows[j].kind == row->kind && attune_factory_rows[j].statistic == row->statistic;
            assert_false(same);
        }
    }
}

/* What anybody would expect of two windows: dark, still and fresh air against lamps, motion and used air. */
static void it_tells_the_obvious(void **state) {
    (void)state;
    const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2, ATTUNE_PIR};
    attune_schema schema;
    attune_head head;
    uint8_t digest[16];
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    load(&head, &schema, sensors, sizeof sensors, digest);
    const attune_real night[] = {0, 430, 0, 0, 40000};
    const attune_real work[] = {450, 900, 3, 2, 10};
    int16_t x[5];
    int16_t y[5];
    for (int i = 0; i < 5; i++) {
        x[i] = attune_schema_coordinate(&schema.feature[i], night[i]);
        y[i] = attune_schema_coordinate(&schema.feature[i], work[i]);
    }
    assert_true(attune_head_predict(&head, x, evidence));
    assert_true(evidence[0] < -1);
    assert_true(attune_head_predict(&head, y, evidence));
    assert_true(evidence[0] > 1);
}

/* A node with the features that levels have by default stands on it: a room that has been used for an hour, and one that was
 * left for the night. */
static void it_knows_slopes_and_variations(void **state) {
    (void)state;
    const uint8_t known[] = {ATTUNE_TEMPERATURE, ATTUNE_HUMIDITY, ATTUNE_LIGHT, ATTUNE_CO2, ATTUNE_SOUND};
    for (size_t i = 0; i < sizeof known; i++) {
        const uint8_t sensor = known[i] | ATTUNE_HISTORY | ATTUNE_SPREAD;
        attune_schema schema;
        attune_head head;
        uint8_t digest[16];
        attune_real evidence[ATTUNE_MAX_CLASSES - 1];
        load(&head, &schema, &sensor, 1, digest);
        assert_true(attune_head_predict(&head, (int16_t[]){0, 0, 0, 0}, evidence));
    }
    const uint8_t sensors[] = {ATTUNE_CO2 | ATTUNE_HISTORY};
    attune_schema schema;
    attune_head head;
    uint8_t digest[16];
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    load(&head, &schema, sensors, sizeof sensors, digest);
    int16_t used[3] = {0, ATTUNE_UNIT, ATTUNE_UNIT / 4};
    int16_t left[3] = {-ATTUNE_UNIT, -ATTUNE_UNIT / 2, -ATTUNE_UNIT};
    assert_true(attune_head_predict(&head, used, evidence));
    assert_true(evidence[0] > 0.5f);
    assert_true(attune_head_predict(&head, left, evidence));
    assert_true(evidence[0] < -0.5f);
}

/* It weighs as much as two windows a class: forty people's words the other way outweigh it. */
static void labels_outweigh_it(void **state) {
    (void)state;
    const uint8_t sensors[] = {ATTUNE_LIGHT};
    attune_schema schema;
    attune_head head;
    uint8_t digest[16];
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    load(&head, &schema, sensors, sizeof sensors, digest);
    int16_t bright = attune_schema_coordinate(&schema.feature[0], 420);
    int16_t dark = attune_schema_coordinate(&schema.feature[0], 5);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(attune_head_learn(&head, &bright, 0, 1), ATTUNE_HEAD_OK);
        assert_int_equal(attune_head_learn(&head, &dark, 1, 1), ATTUNE_HEAD_OK);
    }
    assert_true(attune_head_predict(&head, &bright, evidence));
    assert_true(evidence[0] < 0);
    assert_true(attune_head_predict(&head, &dark, evidence));
    assert_true(evidence[0] > 0);
}

static void the_digest_names_content_and_schema(void **state) {
    (void)state;
    const uint8_t a[] = {ATTUNE_LIGHT, ATTUNE_CO2};
    const uint8_t b[] = {ATTUNE_CO2, ATTUNE_LIGHT};
    attune_schema schema;
    attune_head head;
    uint8_t first[16], again[16], other[16];
    load(&head, &schema, a, sizeof a, first);
    load(&head, &schema, a, sizeof a, again);
    load(&head, &schema, b, sizeof b, other);
    assert_memory_equal(first, again, 16);
    assert_memory_not_equal(first, other, 16);
}

/* A kind of sensor that the table cannot know says nothing by itself. */
static void unknown_features_stay_unknown(void **state) {
    (void)state;
    const uint8_t sensors[] = {ATTUNE_LEVEL};
    attune_schema schema;
    attune_head head;
    uint8_t digest[16];
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    load(&head, &schema, sensors, sizeof sensors, digest);
    assert_false(attune_head_predict(&head, (int16_t[]){500}, evidence));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sane_and_unique),
        cmocka_unit_test(it_tells_the_obvious),
        cmocka_unit_test(it_knows_slopes_and_variations),
        cmocka_unit_test(labels_outweigh_it),
        cmocka_unit_test(the_digest_names_content_and_schema),
        cmocka_unit_test(unknown_features_stay_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
