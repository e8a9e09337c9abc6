/* Heads against sums worked by hand and against plain two-pass statistics. Built for float32 and for float64. */
#include "heads.h"

#include <string.h>

static attune_head made(uint8_t d) { return made_of(ATTUNE_HEAD_GNB, d); }

/* Free has seen 0 and 4: mean 2, M2 8, variance 8 / 2 + 0.001 = 4.001. Occupied has seen 4 and 6: mean 5, variance 1.001.
 * At 5: (log(4.001 / 1.001) + 9 / 4.001 - 0) / 2 = (1.38554483 + 2.24943764) / 2 = 1.81749124
 * At 2: (1.38554483 + 0 - 9 / 1.001) / 2 = -3.80273...; at 8: (1.38554483 + 36 / 4.001 - 9 / 1.001) / 2 = 0.69614... */
static void one_feature_by_hand(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 4, 0, 1);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    expect_evidence(&head, (int16_t[]){U(5)}, (double[]){1.8174912350659334});
    expect_evidence(&head, (int16_t[]){U(2)}, (double[]){(1.38554482954201 - 8.991008991009) / 2});
    expect_evidence(&head, (int16_t[]){U(8)}, (double[]){(1.38554482954201 + 8.997750562359 - 8.991008991009) / 2});
    /* At 20, 324 / 4.001 = 81 and 225 / 1.001 = 225 both count as 9: what is left is 1.38554483 / 2. */
    expect_evidence(&head, (int16_t[]){U(20)}, (double[]){1.38554482954201 / 2});
}

/* Both classes have variance 1.001 in both features and means (1, 1) and (5, 3). At (4, missing): (9 - 1) / 2.002; at
 * (missing, 2): 0; at (4, 3): (9 - 1 + 4 - 0) / 2.002 = 5.99400599. */
static void missing_features_say_nothing(void **state) {
    (void)state;
    attune_head head = made(2);
    attune_real evidence[ATTUNE_MAX_CLASSES - 1] = {7};
    for (int i = 0; i <= 2; i += 2) {
        teach(&head, 0, i, i, 1);
        teach(&head, 1, 4 + i, 2 + i, 1);
    }
    expect_evidence(&head, (int16_t[]){U(4), ATTUNE_MISSING}, (double[]){8 / 2.002});
    expect_evidence(&head, (int16_t[]){ATTUNE_MISSING, U(2)}, (double[]){0});
    expect_evidence(&head, (int16_t[]){U(4), U(3)}, (double[]){12 / 2.002});
    assert_false(attune_head_predict(&head, (int16_t[]){ATTUNE_MISSING, ATTUNE_MISSING}, evidence));
    assert_true(evidence[0] == 0);
}

static void a_head_without_knowledge_says_nothing(void **state) {
    (void)state;
    attune_head head = made(1);
    attune_real evidence[ATTUNE_MAX_CLASSES - 1] = {7};
    int16_t x[1] = {U(1)};
    assert_false(attune_head_predict(&head, x, evidence));
    assert_true(evidence[0] == 0);
    teach(&head, 0, 1, 0, 1);
    assert_false(attune_head_predict(&head, x, evidence));
    teach(&head, 1, 2, 0, 1);
    assert_true(attune_head_predict(&head, x, evidence));
    /* One sample each: variance is the floor of 0.001, and a distance of 1 is far: 1 / 0.001 counts as 9, (0 - 9) / 2. */
    assert_true(evidence[0] == ATTUNE_REAL(-4.5));
}

/* A feature that one of two classes never saw counts for neither. Class 3 was taught, class 2 between never: it is held to
 * be the least likely, 16 nats below the best. Class 3 knows feature 1 only: without it nothing speaks for or against it. */
static void classes_grow(void **state) {
    (void)state;
    attune_head head = made(2);
    for (int i = 0; i <= 2; i += 2) {
        teach(&head, 0, i, i, 1);
        teach(&head, 1, 4 + i, 2 + i, 1);
    }
    assert_int_equal(attune_head_classes(&head), 2);
    int16_t x[2] = {ATTUNE_MISSING, U(4)};
    int16_t y[2] = {ATTUNE_MISSING, U(6)};
    assert_int_equal(attune_head_learn(&head, x, 3, 1), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_learn(&head, y, 3, 1), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_classes(&head), 4);
    /* Means of feature 1: 1, 3, none, 5, each with variance 1.001; at 4 from class 0 9, from 1 1, from 3 1. */
    expect_evidence(&head, (int16_t[]){ATTUNE_MISSING, U(4)}, (double[]){8 / 2.002, 8 / 2.002 - 16, 8 / 2.002});
    expect_evidence(&head, (int16_t[]){U(4), ATTUNE_MISSING}, (double[]){8 / 2.002, 8 / 2.002 - 16, 0});
    assert_int_equal(attune_head_learn(&head, x, ATTUNE_MAX_CLASSES - 1, 1), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_classes(&head), ATTUNE_MAX_CLASSES);
    assert_int_equal(attune_head_learn(&head, x, ATTUNE_MAX_CLASSES, 1), ATTUNE_HEAD_CLASS);
}

/* Means 0, 10, 20 in both features, variance 1.001 (two samples at a distance of 1 on either side). At 20 classes 0 and 1 are off by
 * 400 / 1.001 and 100 / 1.001, which count as 9 a feature: class 2 is 9 nats before both. */
static void far_classes_stay_apart(void **state) {
    (void)state;
    attune_head head = made(2);
    for (uint8_t k = 0; k < 3; k++) {
        teach(&head, k, 10 * k - 1, 10 * k - 1, 1);
        teach(&head, k, 10 * k + 1, 10 * k + 1, 1);
    }
    expect_evidence(&head, (int16_t[]){U(20), U(20)}, (double[]){0, 9});
    expect_evidence(&head, (int16_t[]){U(10), U(10)}, (double[]){9, 0});
    expect_evidence(&head, (int16_t[]){U(0), U(0)}, (double[]){-9, -9});
    /* The first feature is 9 off from all three; the second speaks for class 1 by 9 / 2, and against nothing but the others. */
    expect_evidence(&head, (int16_t[]){U(15), U(10)}, (double[]){4.5, 0});
    /* One feature for each of two classes: they tie, 9 / 2 before class 0. */
    expect_evidence(&head, (int16_t[]){U(20), U(10)}, (double[]){4.5, 4.5});
}

/* Class 2 is best: what lies more than 3 below it is lifted to 3 below, and all counts from class 0, which is lifted too. */
static void the_best_class_stays_the_best(void **state) {
    (void)state;
    attune_real evidence[] = {4, 9, 7};
    attune_evidence_bound(evidence, 4, 3);
    assert_true(evidence[0] == 0 && evidence[1] == 3 && evidence[2] == 1);
    attune_real one[] = {ATTUNE_UNTAUGHT};
    attune_evidence_bound(one, 2, 3);
    assert_true(one[0] == -3);
}

/* Weighted means and sums of squares in two passes of double. */
static void running_sums_equal_two_passes(void **state) {
    (void)state;
    enum { D = 5, N = 2000 };
    static int16_t x[N][D];
    static double w[N];
    attune_head head = made(D);
    uint64_t seed = 21;
    for (int s = 0; s < N; s++) {
        random_row(&seed, x[s], D);
        w[s] = (1 + random_below(&seed, 1024)) / 256.0;
        assert_int_equal(attune_head_learn(&head, x[s], 1, (attune_real)w[s]), ATTUNE_HEAD_OK);
    }
    for (int i = 0; i < D; i++) {
        double n = 0, sum = 0, squares = 0;
        for (int s = 0; s < N; s++) {
            n += x[s][i] == ATTUNE_MISSING ? 0 : w[s];
            sum += x[s][i] == ATTUNE_MISSING ? 0 : w[s] * x[s][i] / 1024.0;
        }
        for (int s = 0; s < N; s++) {
            double off = x[s][i] / 1024.0 - sum / n;
            squares += x[s][i] == ATTUNE_MISSING ? 0 : w[s] * off * off;
        }
        const attune_gnb_class *of = &head.state.gnb.of[1];
        assert_true(fabs((double)of->means.n[i] / n - 1) < CLOSE);
        assert_true(fabs((double)of->means.mean[i] - sum / n) < CLOSE);
        assert_true(fabs((double)of->m2[i] / squares - 1) < CLOSE);
    }
}

static void expect_same_state(const attune_head *a, const attune_head *b, double tolerance) {
    for (uint8_t k = 0; k < attune_head_classes(a); k++) {
        const attune_gnb_class *p = &a->state.gnb.of[k];
        const attune_gnb_class *q = &b->state.gnb.of[k];
        expect_near(p->means.n, q->means.n, attune_head_features(a), tolerance);
        expect_near(p->means.mean, q->means.mean, attune_head_features(a), tolerance);
        expect_near(p->m2, q->m2, attune_head_features(a), tolerance);
    }
}

static void merging_is_learning_both(void **state) {
    (void)state;
    attune_head a = made(6), b = made(6), both = made(6);
    teach_apart_and_together(&a, &b, &both);
    attune_head before = a;
    assert_int_equal(attune_head_merge(&a, &b), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_classes(&a), 4);
    expect_same_state(&a, &both, 1e-5);
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_OK);
    expect_same_state(&a, &before, 1e-5);
}

static void taking_out_everything_leaves_nothing(void **state) {
    (void)state;
    attune_head a = made(2);
    teach(&a, 0, 1, 2, 0.5);
    teach(&a, 1, 3, -2, 3);
    attune_head b = a;
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_OK);
    attune_real evidence[1];
    assert_false(attune_head_predict(&a, (int16_t[]){0, 0}, evidence));
    assert_true(a.state.gnb.of[1].means.n[0] == 0 && a.state.gnb.of[1].means.mean[0] == 0 &&
                a.state.gnb.of[1].m2[0] == 0);
}

static void what_was_never_put_in_cannot_be_taken_out(void **state) {
    (void)state;
    attune_head a = made(2), b = made(2), other = made(3);
    teach(&a, 0, 1, 1, 2);
    teach(&a, 0, 1, 1, 2);
    teach(&b, 0, 1, 1, 5); /* more weight than there is */
    attune_head before = a;
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_RANGE);
    assert_memory_equal(&a, &before, sizeof a);
    b = made(2);
    teach(&b, 0, 1, -20, 1); /* elsewhere: the rest would have a negative spread */
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_RANGE);
    assert_memory_equal(&a, &before, sizeof a);
    b = made(2);
    teach(&b, 2, 1, 1, 1); /* a class that was never there */
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_RANGE);
    assert_int_equal(attune_head_merge(&a, &other), ATTUNE_HEAD_SHAPE);
    assert_int_equal(attune_head_unmerge(&a, &other), ATTUNE_HEAD_SHAPE);
    assert_memory_equal(&a, &before, sizeof a);
}

static void no_weight_can_poison_a_head(void **state) {
    (void)state;
    const attune_real bad[] = {
        0, -1, (attune_real)NAN, (attune_real)INFINITY, (attune_real)-INFINITY, ATTUNE_REAL(1e30), ATTUNE_REAL(1e-30)};
    attune_head head = made(1);
    int16_t x[1] = {U(1)};
    attune_head before = head;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(attune_head_learn(&head, x, 4, bad[i]), ATTUNE_HEAD_WEIGHT);
        assert_memory_equal(&head, &before, sizeof head);
    }
    int taken = 0;
    while (attune_head_learn(&head, x, 1, ATTUNE_MAX_WEIGHT) == ATTUNE_HEAD_OK) {
        taken++;
    }
    assert_int_equal(taken, 1000); /* 1000 x 1e6 = ATTUNE_MAX_N */
    before = head;
    assert_int_equal(attune_head_learn(&head, x, 1, 1000), ATTUNE_HEAD_RANGE);
    assert_int_equal(attune_head_merge(&head, &before), ATTUNE_HEAD_RANGE);
    assert_memory_equal(&head, &before, sizeof head);
}

/* Feature d = 1, K = 2: header 01 01 02 00; class 0 has seen -1 with weight 2: n 2.0 = 40000000, M2 0, mean -1.0 = BF800000;
 * class 1 has seen 4 and 6: n 2.0, M2 2.0, mean 5.0 = 40A00000; each float little endian. */
static void exported_bytes_by_hand(void **state) {
    (void)state;
    static const uint8_t expected[] = {1,    1,    2, 0, 0, 0,    0, 0x40, 0, 0,    0, 0, 0,    0,
                                       0x80, 0xBF, 0, 0, 0, 0x40, 0, 0,    0, 0x40, 0, 0, 0xA0, 0x40};
    uint8_t bytes[64];
    attune_head head = made(1);
    teach(&head, 0, -1, 0, 2);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    assert_int_equal(attune_head_size(ATTUNE_HEAD_GNB, attune_head_sensors(&head), 2, ATTUNE_FLOAT32), sizeof expected);
    assert_int_equal(attune_head_export(&head, ATTUNE_FLOAT32, bytes, sizeof expected - 1), 0);
    assert_int_equal(attune_head_export(&head, ATTUNE_FLOAT32, bytes, sizeof bytes), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
    attune_head copy = made(1);
    assert_int_equal(attune_head_import(&copy, bytes, sizeof expected), ATTUNE_HEAD_OK);
    expect_same_state(&head, &copy, 0);
}

static void bytes_that_are_no_state_are_refused(void **state) {
    (void)state;
    uint8_t good[128];
    attune_head head = made(2);
    teach(&head, 0, 1, 2, 1);
    teach(&head, 1, 3, 4, 1);
    size_t size = attune_head_export(&head, ATTUNE_FLOAT32, good, sizeof good);
    attune_head before = head;
    const struct {
        size_t at;
        uint8_t byte;
    } changes[] = {
        {0, 0},     {0, 2}, {1, 1}, {1, 3},    {2, 1},
        {2, 3},     {2, 9}, {3, 1}, {7, 0x7F}, /* n 1.0 = 3F800000 becomes NaN or huge */
        {7, 0xBF},                             /* n -1.0 */
        {23, 0x7F},                            /* mean far outside */
        {15, 0xBF},                            /* M2 below zero */
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t bad[sizeof good];
        memcpy(bad, good, size);
        bad[changes[i].at] = changes[i].byte;
        assert_int_equal(attune_head_import(&head, bad, size), ATTUNE_HEAD_SHAPE);
        assert_memory_equal(&head, &before, sizeof head);
    }
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(attune_head_import(&head, good, cut), ATTUNE_HEAD_SHAPE);
    }
    assert_memory_equal(&head, &before, sizeof head);
}

/* Twelve sensors of two features each, two classes: 4 bytes of header, and for each class 12 weights, 24 means and 24 M2. */
static void weights_count_once_a_sensor(void **state) {
    (void)state;
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    uint8_t bytes[520];
    int16_t x[ATTUNE_MAX_FEATURES] = {0};
    attune_head head;
    for (uint8_t i = 0; i < ATTUNE_MAX_FEATURES; i++) {
        sensor[i] = i / 2;
    }
    assert_int_equal(attune_head_init(&head, ATTUNE_HEAD_GNB, ATTUNE_MAX_FEATURES, sensor), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_learn(&head, x, 1, 2), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_export(&head, ATTUNE_FLOAT32, bytes, sizeof bytes), 4 + 4 * 2 * (12 + 24 + 24));
    assert_true(head.state.gnb.of[1].means.n[11] == 2 && head.state.gnb.of[1].means.n[12] == 0);
}

static void only_heads_that_exist_can_be_made(void **state) {
    (void)state;
    attune_head head;
    assert_int_equal(attune_head_init(&head, ATTUNE_HEAD_GNB, 0, NULL), ATTUNE_HEAD_SHAPE);
    assert_int_equal(attune_head_init(&head, ATTUNE_HEAD_GNB, ATTUNE_MAX_FEATURES + 1, NULL), ATTUNE_HEAD_SHAPE);
    assert_int_equal(attune_head_init(&head, (attune_head_kind)9, 3, NULL), ATTUNE_HEAD_SHAPE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_feature_by_hand),
        cmocka_unit_test(missing_features_say_nothing),
        cmocka_unit_test(a_head_without_knowledge_says_nothing),
        cmocka_unit_test(classes_grow),
        cmocka_unit_test(far_classes_stay_apart),
        cmocka_unit_test(the_best_class_stays_the_best),
        cmocka_unit_test(running_sums_equal_two_passes),
        cmocka_unit_test(merging_is_learning_both),
        cmocka_unit_test(taking_out_everything_leaves_nothing),
        cmocka_unit_test(what_was_never_put_in_cannot_be_taken_out),
        cmocka_unit_test(no_weight_can_poison_a_head),
        cmocka_unit_test(exported_bytes_by_hand),
        cmocka_unit_test(bytes_that_are_no_state_are_refused),
        cmocka_unit_test(weights_count_once_a_sensor),
        cmocka_unit_test(only_heads_that_exist_can_be_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
