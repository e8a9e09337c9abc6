/* The ridge head against sums worked by hand. Built for float32 and for float64. */
#include "heads.h"

#include <string.h>

#ifdef ATTUNE_REAL_DOUBLE
#define SUMS 1e-9
#else
#define SUMS 2e-4
#endif

static attune_real drift;

static int with_drift(void **state) {
    (void)state;
    drift = ATTUNE_REAL(0.09);
    return 0;
}

static int without_drift(void **state) {
    (void)state;
    drift = 0;
    return 0;
}

static attune_head made(uint8_t d) {
    attune_head head = made_of(ATTUNE_HEAD_RIDGE, d);
    head.state.ridge.drift = drift;
    return head;
}

/* The same evidence on many windows, which may miss features. */
static void expect_same_predictions(const attune_head *a, const attune_head *b, double tolerance) {
    uint64_t seed = 5;
    for (int round = 0; round < 200; round++) {
        int16_t x[ATTUNE_MAX_FEATURES];
        attune_real p[ATTUNE_MAX_CLASSES - 1], q[ATTUNE_MAX_CLASSES - 1];
        for (uint8_t i = 0; i < attune_head_features(a); i++) {
            x[i] = random_below(&seed, 8) == 0 ? ATTUNE_MISSING : (int16_t)((int32_t)random_below(&seed, 4096) - 2048);
        }
        assert_int_equal(attune_head_predict(a, x, p), attune_head_predict(b, x, q));
        for (uint8_t k = 1; k < attune_head_classes(a); k++) {
            assert_true(fabs((double)p[k - 1] - (double)q[k - 1]) <= tolerance);
        }
    }
}

/* Free has seen 0 and 4, occupied 4 and 6: means 2 and 5, W = 8 + 2 + 10 of regularisation = 20, N = 4 + 10 = 14.
 * Evidence 14 (5 - 2) / 20 (x - 3.5) = 2.1 (x - 3.5). */
static void one_feature_by_hand(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 4, 0, 1);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    expect_evidence(&head, (int16_t[]){U(5)}, (double[]){3.15});
    expect_evidence(&head, (int16_t[]){U(2)}, (double[]){-3.15});
    expect_evidence(&head, (int16_t[]){U(3.5)}, (double[]){0});
    expect_evidence(&head, (int16_t[]){U(20)}, (double[]){16});
}

/* The same samples: about their mean of 3.5 the squares are 19, and with 10 of regularisation 29; the products with the indicator
 * of occupied are 0.5 + 2.5 = 3. Weight 3/29, intercept 1/2 - 3.5 * 3/29; free is one less that. */
static void regression_by_hand(void **state) {
    (void)state;
    attune_head head = made(1);
    attune_real weight, intercept;
    teach(&head, 0, 0, 0, 1);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 0, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    attune_ridge_solution(&head.state.ridge, 1, &weight, &intercept);
    assert_true(fabs((double)weight - 3.0 / 29) < CLOSE && fabs((double)intercept - (0.5 - 10.5 / 29)) < CLOSE);
    attune_ridge_solution(&head.state.ridge, 0, &weight, &intercept);
    assert_true(fabs((double)weight + 3.0 / 29) < CLOSE && fabs((double)intercept - (0.5 + 10.5 / 29)) < CLOSE);
}

/* Features that vary together: free (0, 0), (2, 2), occupied (2, 0), (4, 2). Within: means (1, 1) and (3, 1), W = [[4, 4], [4, 4]] +
 * 10 I = [[14, 4], [4, 14]], determinant 180, N = 14. W^-1 (2, 0) = (28, -8) / 180, times 14: (392, -112) / 180.
 * At (3, 2), half way between the means being (2, 1): (392 - 112) / 180. Without the second feature, which then has its mean of 1:
 * 392 / 180; without the first, whose mean is 2: -112 / 180. */
static void correlated_features_by_hand(void **state) {
    (void)state;
    attune_head head = made(2);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 2, 2, 1);
    teach(&head, 1, 2, 0, 1);
    teach(&head, 1, 4, 2, 1);
    expect_evidence(&head, (int16_t[]){U(3), U(2)}, (double[]){280.0 / 180});
    expect_evidence(&head, (int16_t[]){U(3), ATTUNE_MISSING}, (double[]){392.0 / 180});
    expect_evidence(&head, (int16_t[]){ATTUNE_MISSING, U(2)}, (double[]){-112.0 / 180});
}

static void a_head_without_knowledge_says_nothing(void **state) {
    (void)state;
    attune_head head = made(2);
    attune_real evidence[ATTUNE_MAX_CLASSES - 1] = {7};
    int16_t x[2] = {U(1), ATTUNE_MISSING};
    assert_false(attune_head_predict(&head, x, evidence));
    assert_true(evidence[0] == 0);
    assert_int_equal(attune_head_learn(&head, x, 1, 1), ATTUNE_HEAD_OK);
    assert_false(attune_head_predict(&head, x, evidence));
    assert_int_equal(attune_head_learn(&head, x, 0, 1), ATTUNE_HEAD_OK);
    assert_true(attune_head_predict(&head, x, evidence));
    /* Nobody has ever seen the second feature. */
    assert_false(attune_head_predict(&head, (int16_t[]){ATTUNE_MISSING, U(3)}, evidence));
    assert_false(attune_head_predict(&head, (int16_t[]){ATTUNE_MISSING, ATTUNE_MISSING}, evidence));
    assert_true(evidence[0] == 0);
}

/* One feature, class 0 at 0, class 1 at 2, class 3 at -4, each twice; class 2 was never taught. W = 10, N = 16.
 * At 2: class 1 against 0 is 1.6 * 2 * (2 - 1) = 3.2, class 3 against 0 1.6 * -4 * (2 + 2) = -25.6: 16 below the best, so 3.2 - 16.
 * At -2.5: 1.6 * 2 * -3.5 = -11.2 and 1.6 * -4 * -0.5 = 3.2, which is best; what was never taught is 16 below it. */
static void classes_arrive_one_after_another(void **state) {
    (void)state;
    attune_head head = made(1);
    for (int i = 0; i < 2; i++) {
        teach(&head, 0, 0, 0, 1);
        teach(&head, 1, 2, 0, 1);
    }
    assert_int_equal(attune_head_classes(&head), 2);
    teach(&head, 3, -4, 0, 1);
    teach(&head, 3, -4, 0, 1);
    assert_int_equal(attune_head_classes(&head), 4);
    expect_evidence(&head, (int16_t[]){U(2)}, (double[]){3.2, -12.8, -12.8});
    expect_evidence(&head, (int16_t[]){U(-2.5)}, (double[]){-11.2, -12.8, 3.2});
}

/* A window that weighs three is the window three times. */
static void weights_are_repetitions(void **state) {
    (void)state;
    attune_head once = made(2), thrice = made(2);
    uint64_t seed = 8;
    for (int s = 0; s < 20; s++) {
        double a = random_below(&seed, 4000) / 1024.0, b = random_below(&seed, 4000) / 1024.0;
        teach(&once, s % 2, a, b, 3);
        for (int i = 0; i < 3; i++) {
            teach(&thrice, s % 2, a, b, 1);
        }
    }
    expect_same_predictions(&once, &thrice, 10 * CLOSE);
}

/* A feature that begins late is held to have been what it is when it is first seen. */
static void a_late_feature_was_always_what_it_is_first(void **state) {
    (void)state;
    attune_head late = made(2), early = made(2);
    for (int s = 0; s < 10; s++) {
        int16_t x[2] = {U(s % 3), ATTUNE_MISSING};
        assert_int_equal(attune_head_learn(&late, x, s % 2, 1), ATTUNE_HEAD_OK);
        x[1] = U(7);
        assert_int_equal(attune_head_learn(&early, x, s % 2, 1), ATTUNE_HEAD_OK);
    }
    teach(&late, 1, 2, 7, 1);
    teach(&early, 1, 2, 7, 1);
    teach(&late, 0, 1, 5, 1);
    teach(&early, 0, 1, 5, 1);
    expect_same_predictions(&late, &early, CLOSE);
}

/* Four windows at the mean plus and minus the deviation of each feature have that mean and variance and no covariance. Classes at
 * (1, 0) and (2, -2), with variances 0.25 and 4 each. */
static void a_prior_is_windows_with_its_mean_and_variance(void **state) {
    (void)state;
    attune_head prior = made(2), taught = made(2);
    attune_ridge_prior(&prior.state.ridge, 10, 3, (float[]){1.5f, -1}, (float[]){1, -2}, (float[]){0.5f, 8});
    for (int k = 0; k < 2; k++) {
        for (int corner = 0; corner < 4; corner++) {
            teach(&taught, (uint8_t)k, 1 + k + (corner % 2 ? 0.5 : -0.5), -2 * k + (corner / 2 ? 2 : -2), 2.5);
        }
    }
    expect_same_predictions(&prior, &taught, 2e-5);
}

static void random_samples(attune_head *head, attune_head *also, int count, uint32_t classes, uint64_t *seed) {
    for (int s = 0; s < count; s++) {
        int16_t x[ATTUNE_MAX_FEATURES];
        int32_t common = (int32_t)random_below(seed, 3000);
        uint8_t k = (uint8_t)random_below(seed, classes);
        for (uint8_t i = 0; i < attune_head_features(head); i++) {
            x[i] = (int16_t)(common + (int32_t)random_below(seed, 1500) - 2000 + 300 * k * (i % 3));
        }
        assert_int_equal(attune_head_learn(head, x, k, 1), ATTUNE_HEAD_OK);
        assert_int_equal(attune_head_learn(also, x, k, 1), ATTUNE_HEAD_OK);
    }
}

static void merging_is_learning_both(void **state) {
    (void)state;
    attune_head a = made(6), b = made(6), both = made(6);
    uint64_t seed = 33;
    random_samples(&a, &both, 200, 2, &seed);
    random_samples(&b, &both, 300, 4, &seed);
    attune_head before = a;
    assert_int_equal(attune_head_merge(&a, &b), ATTUNE_HEAD_OK);
    expect_same_predictions(&a, &both, SUMS);
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_classes(&a), 4);
    before.state.ridge.classes = 4;
    before.state.ridge.bias[1] = before.state.ridge.bias[2] = ATTUNE_REAL(-1e9);
    expect_same_predictions(&a, &before, SUMS);
}

static void nothing_merged_is_nothing_changed(void **state) {
    (void)state;
    attune_head a = made(3), empty = made(3);
    uint64_t seed = 3;
    random_samples(&a, &a, 20, 2, &seed);
    attune_head before = a;
    assert_int_equal(attune_head_merge(&a, &empty), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_unmerge(&a, &empty), ATTUNE_HEAD_OK);
    assert_memory_equal(&a, &before, sizeof a);
    assert_int_equal(attune_head_merge(&empty, &a), ATTUNE_HEAD_OK);
    assert_memory_equal(&empty, &a, sizeof a);
    attune_head fresh = made(3);
    assert_int_equal(attune_head_unmerge(&a, &before), ATTUNE_HEAD_OK);
    assert_memory_equal(&a.state.ridge.u, &fresh.state.ridge.u, sizeof fresh.state.ridge.u);
    assert_false(attune_head_predict(&a, (int16_t[]){1, 2, 3}, (attune_real[]){0, 0, 0, 0, 0, 0, 0}));
}

static void what_was_never_put_in_cannot_be_taken_out(void **state) {
    (void)state;
    attune_head a = made(2), b = made(2), other = made(3);
    teach(&a, 0, 1, 1, 2);
    teach(&a, 1, 2, 1, 2);
    attune_head before = a;
    teach(&b, 0, 1, 1, 5); /* more weight than there is */
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_RANGE);
    b = made(2);
    teach(&b, 0, -20, 1, 1); /* elsewhere: the rest would have a negative spread */
    teach(&b, 0, 20, 1, 0.5);
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_RANGE);
    b = made(2);
    teach(&b, 2, 1, 1, 1); /* a class that was never there */
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_RANGE);
    assert_int_equal(attune_head_merge(&a, &other), ATTUNE_HEAD_SHAPE);
    assert_memory_equal(&a, &before, sizeof a);
}

/* Half of what was learned, and all of the regularisation. */
static void forgetting_is_weighing_less(void **state) {
    (void)state;
    attune_head full = made(2), half = made(2);
    uint64_t seed = 12;
    for (int s = 0; s < 40; s++) {
        double a = random_below(&seed, 3000) / 1024.0, b = a - random_below(&seed, 2000) / 1024.0;
        teach(&full, s % 2, a + s % 2, b, 2);
        teach(&half, s % 2, a + s % 2, b, 1);
    }
    assert_true(attune_ridge_forget(&full.state.ridge, ATTUNE_REAL(0.5)));
    expect_same_predictions(&full, &half, SUMS);
    const attune_real bad[] = {0, -1, ATTUNE_REAL(1.5), (attune_real)NAN, ATTUNE_REAL(1e-9)};
    attune_head before = full;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(attune_ridge_forget(&full.state.ridge, bad[i]));
        assert_memory_equal(&full, &before, sizeof full);
    }
}

static void expect_pivots(const attune_head *head, double first, double second) {
    /* Rows of a triangle of two: D_0, U_01, D_1. */
    assert_true(fabs((double)head->state.ridge.u[0] - first) < CLOSE);
    assert_true(fabs((double)head->state.ridge.u[2] - second) < CLOSE);
}

/* Windows that are all alike leave only P in the pivots: 10, and of two features 0.09 * 2 = 0.18 more in turn as the sum of weights
 * passes 0.7071, 1.7071 and so on. */
static void drift_by_hand(void **state) {
    (void)state;
    attune_head head = made(2), other = made(2);
    teach(&head, 0, 1, 2, 0.5);
    expect_pivots(&head, 10, 10);
    teach(&head, 0, 1, 2, 0.25); /* the sum is 0.75 */
    expect_pivots(&head, 10.18, 10);
    teach(&head, 0, 1, 2, 0.75); /* 1.5 */
    expect_pivots(&head, 10.18, 10);
    teach(&head, 0, 1, 2, 0.5); /* 2 */
    expect_pivots(&head, 10.18, 10.18);
    teach(&head, 0, 1, 2, 98); /* 100: 50 steps each */
    expect_pivots(&head, 19, 19);
    teach(&other, 0, 1, 2, 3); /* 2 steps and 1 */
    expect_pivots(&other, 10.36, 10.18);
    assert_int_equal(attune_head_merge(&head, &other), ATTUNE_HEAD_OK); /* 103: 52 and 51 */
    expect_pivots(&head, 19.36, 19.18);
    assert_int_equal(attune_head_unmerge(&head, &other), ATTUNE_HEAD_OK);
    expect_pivots(&head, 19, 19);
    assert_true(attune_ridge_forget(&head.state.ridge, ATTUNE_REAL(0.51))); /* 51: 26 and 25 */
    expect_pivots(&head, 14.68, 14.5);
    assert_true(attune_ridge_forget(&head.state.ridge, ATTUNE_REAL(0.999))); /* 50.949: the same steps */
    expect_pivots(&head, 14.68, 14.5);
}

static void no_weight_can_poison_a_head(void **state) {
    (void)state;
    attune_head head = made(2);
    int16_t x[2] = {32767, -32767};
    int taken = 0;
    while (attune_head_learn(&head, x, (uint8_t)(taken % 2), ATTUNE_MAX_WEIGHT) == ATTUNE_HEAD_OK) {
        taken++;
        x[0] = (int16_t)-x[0];
    }
    assert_int_equal(taken, 1000); /* 1000 x 1e6 = ATTUNE_MAX_N */
    attune_head before = head;
    assert_int_equal(attune_head_merge(&head, &before), ATTUNE_HEAD_RANGE);
    assert_int_equal(attune_head_learn(&head, x, 1, (attune_real)NAN), ATTUNE_HEAD_WEIGHT);
    assert_int_equal(attune_head_learn(&head, x, 1, 0), ATTUNE_HEAD_WEIGHT);
    assert_memory_equal(&head, &before, sizeof head);
    attune_real evidence[1];
    assert_true(attune_head_predict(&head, x, evidence));
    assert_true(evidence[0] >= -16 && evidence[0] <= 16);
}

/* d = 1, K = 2: header 02 01 02 00, seen 1; n 2.0 (40000000) and 2.0; mean 3.5 (40600000); D = 19 + 10 = 29.0 (41E80000);
 * z = 3 / 29 (3DD3DCB1). */
static void exported_bytes_by_hand(void **state) {
    (void)state;
    static const uint8_t expected[] = {2, 1,    2, 0, 1,    0,    0, 0, 0,    0,    0, 0x40, 0, 0,
                                       0, 0x40, 0, 0, 0x60, 0x40, 0, 0, 0xE8, 0x41, 0, 0,    0, 0};
    uint8_t bytes[64];
    attune_head head = made(1);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 4, 0, 1);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    assert_int_equal(attune_head_export(&head, ATTUNE_FLOAT32, bytes, sizeof bytes), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected - 4);
    float z;
    memcpy(&z, bytes + 24, sizeof z);
    assert_true(fabsf(z - 3.0f / 29) < 1e-7f);
    attune_head copy = made(1);
    assert_int_equal(attune_head_import(&copy, bytes, sizeof expected), ATTUNE_HEAD_OK);
    expect_same_predictions(&head, &copy, 1e-5);
}

/* Whatever bytes an import takes, the head stays finite in all that it does afterwards. */
static void imported_states_stay_finite(void **state) {
    (void)state;
    uint64_t seed = 77;
    int taken = 0;
    for (int round = 0; round < 30000; round++) {
        attune_format format = (attune_format)(round % 3);
        attune_head head = made(3), other = made(3);
        random_samples(&head, &other, 6, 3, &seed);
        uint8_t bytes[256];
        size_t size = attune_head_export(&head, format, bytes, sizeof bytes);
        for (int i = 0; i < 1 + round % 7; i++) {
            bytes[4 + random_below(&seed, (uint32_t)size - 4)] = (uint8_t)next_random(&seed);
        }
        attune_head before = head;
        if (attune_head_import(&head, bytes, size) != ATTUNE_HEAD_OK) {
            assert_memory_equal(&head, &before, sizeof head);
            continue;
        }
        taken++;
        attune_real evidence[ATTUNE_MAX_CLASSES - 1];
        (void)attune_head_learn(&head, (int16_t[]){-32767, 32767, 0}, 0, 1000);
        (void)attune_head_learn(&head, (int16_t[]){32767, 0, 32767}, 1, ATTUNE_MIN_WEIGHT);
        (void)attune_head_merge(&head, &other);
        (void)attune_head_unmerge(&head, &other);
        (void)attune_ridge_forget(&head.state.ridge, ATTUNE_REAL(0.5));
        attune_head_predict(&head, (int16_t[]){-32767, 3, 9}, evidence);
        for (uint8_t k = 1; k < attune_head_classes(&head); k++) {
            assert_true(evidence[k - 1] >= -16 && evidence[k - 1] <= 16);
        }
    }
    assert_true(taken > 1000);
}

#define TEST_WITH_DRIFT(test) cmocka_unit_test_setup_teardown(test, with_drift, without_drift)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_feature_by_hand),
        cmocka_unit_test(regression_by_hand),
        cmocka_unit_test(correlated_features_by_hand),
        cmocka_unit_test(a_head_without_knowledge_says_nothing),
        cmocka_unit_test(classes_arrive_one_after_another),
        cmocka_unit_test(weights_are_repetitions),
        cmocka_unit_test(a_late_feature_was_always_what_it_is_first),
        cmocka_unit_test(a_prior_is_windows_with_its_mean_and_variance),
        cmocka_unit_test(merging_is_learning_both),
        cmocka_unit_test(nothing_merged_is_nothing_changed),
        cmocka_unit_test(what_was_never_put_in_cannot_be_taken_out),
        cmocka_unit_test(forgetting_is_weighing_less),
        cmocka_unit_test(no_weight_can_poison_a_head),
        cmocka_unit_test(exported_bytes_by_hand),
        TEST_WITH_DRIFT(drift_by_hand),
        TEST_WITH_DRIFT(weights_are_repetitions),
        TEST_WITH_DRIFT(a_late_feature_was_always_what_it_is_first),
        TEST_WITH_DRIFT(a_prior_is_windows_with_its_mean_and_variance),
        TEST_WITH_DRIFT(merging_is_learning_both),
        TEST_WITH_DRIFT(nothing_merged_is_nothing_changed),
        TEST_WITH_DRIFT(what_was_never_put_in_cannot_be_taken_out),
        TEST_WITH_DRIFT(forgetting_is_weighing_less),
        TEST_WITH_DRIFT(no_weight_can_poison_a_head),
        cmocka_unit_test(imported_states_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
