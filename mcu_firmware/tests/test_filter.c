/* Built for float32 and for float64. */
#include "filter/filter.h"

#include "check.h"

#include <math.h>

#define CLOSE 2e-6

static void expect_probabilities(const attune_filter *filter, const double *expected)
{
    for (uint8_t k = 0; k < filter->classes; k++) {
        assert_true(fabs((double)filter->probability[k] - expected[k]) < CLOSE);
    }
}

/* Windows of 60 s: free is left with 1 - e^(-60/14400) = 0.00415800, occupied with 1 - e^(-60/3600) = 0.01652855.
 * Stationary: 0.00415800 / (0.00415800 + 0.01652855) = 0.20100013.
 * Evidence log 3: odds 0.2010001 / 0.7989999 * 3 = 0.75469399, probability 0.43010006.
 * One step: 0.43010006 * 0.98347145 + 0.56989994 * 0.00415800 = 0.42536077, log-odds -0.30080472. */
static void two_states_by_hand(void **state)
{
    (void)state;
    attune_filter filter;
    attune_real evidence = attune_log(3);
    attune_filter_init(&filter, 2, 60);
    expect_probabilities(&filter, (const double[]){0.79899987, 0.20100013});
    attune_filter_update(&filter, &evidence);
    expect_probabilities(&filter, (const double[]){0.56989994, 0.43010006});
    attune_filter_predict(&filter);
    expect_probabilities(&filter, (const double[]){0.57463923, 0.42536077});
    assert_true(fabs((double)attune_filter_log_odds(&filter, 1) + 0.30080472) < 1e-5);
    assert_int_equal(attune_filter_class(&filter), 0);
}

/* 1/leave is 240.500347 for class 0 and 60.501389 for the others; over their sum 361.503125. */
static void a_filter_without_evidence_stays_stationary(void **state)
{
    (void)state;
    const double stationary[] = {0.66527875, 0.16736062, 0.16736062};
    attune_filter filter;
    attune_filter_init(&filter, 3, 60);
    for (int i = 0; i < 10000; i++) {
        expect_probabilities(&filter, stationary);
        attune_filter_predict(&filter);
    }
}

/* The whole matrix, in double, for five classes and random evidence. */
static void agrees_with_the_full_matrix(void **state)
{
    (void)state;
    enum { K = 5 };
    attune_filter filter;
    double p[K];
    uint64_t seed = 5;
    attune_filter_init(&filter, K, 600);
    for (int k = 0; k < K; k++) {
        p[k] = (double)filter.probability[k];
    }
    for (int step = 0; step < 2000; step++) {
        attune_real evidence[K - 1];
        double next[K];
        double sum = 0;
        attune_filter_predict(&filter);
        for (int k = 0; k < K; k++) {
            next[k] = 0;
            for (int j = 0; j < K; j++) {
                double leave = 1 - exp(-600.0 / (j == 0 ? 14400 : 3600));
                next[k] += p[j] * (j == k ? 1 - leave : leave / (K - 1));
            }
            if (k > 0) {
                evidence[k - 1] = (attune_real)((double)random_below(&seed, 12000) / 1000 - 6);
                next[k] *= exp((double)evidence[k - 1]);
            }
            sum += next[k];
        }
        attune_filter_update(&filter, evidence);
        for (int k = 0; k < K; k++) {
            p[k] = next[k] / sum;
        }
        expect_probabilities(&filter, p);
    }
}

static void hostile_evidence_cannot_break_it(void **state)
{
    (void)state;
    const attune_real hostile[] = {(attune_real)INFINITY, (attune_real)-INFINITY, (attune_real)NAN, 1000, -1000};
    attune_filter filter;
    uint64_t seed = 9;
    attune_filter_init(&filter, 4, 60);
    for (int i = 0; i < 10000; i++) {
        attune_real evidence[3];
        double sum = 0;
        for (int k = 0; k < 3; k++) {
            evidence[k] = hostile[random_below(&seed, 5)];
        }
        attune_filter_update(&filter, evidence); /* more updates than steps */
        if (i % 5 == 0) {
            attune_filter_predict(&filter);
        }
        for (uint8_t k = 0; k < 4; k++) {
            assert_true(filter.probability[k] > 0 && filter.probability[k] <= 1);
            sum += (double)filter.probability[k];
        }
        assert_true(fabs(sum - 1) < 1e-5);
        assert_true(fabs((double)attune_filter_log_odds(&filter, 1)) <= 30);
    }
    attune_filter_init(&filter, 4, 60);
    attune_filter before = filter;
    attune_filter_update(&filter, (const attune_real[]){(attune_real)NAN, (attune_real)NAN, (attune_real)NAN});
    for (uint8_t k = 0; k < 4; k++) {
        assert_true(fabs((double)(filter.probability[k] - before.probability[k])) < CLOSE);
    }
}

/* From two classes at (0.4, 0.6) to three: the new one gets its stationary 0.16736062, and the others share 0.83263938 as
 * they stood, 0.33305575 and 0.49958363. Back to two: 0.4 and 0.6 again, since two classes share 1. */
static void growing_keeps_what_is_known(void **state)
{
    (void)state;
    attune_filter filter;
    attune_filter_init(&filter, 2, 60);
    filter.probability[0] = ATTUNE_REAL(0.4);
    filter.probability[1] = ATTUNE_REAL(0.6);
    attune_filter_resize(&filter, 2, 60);
    expect_probabilities(&filter, (const double[]){0.4, 0.6});
    attune_filter_resize(&filter, 3, 60);
    expect_probabilities(&filter, (const double[]){0.33305575, 0.49958363, 0.16736062});
    assert_int_equal(attune_filter_class(&filter), 1);
    attune_filter_resize(&filter, 2, 60);
    expect_probabilities(&filter, (const double[]){0.4, 0.6});
}

static void the_lower_class_wins_a_tie(void **state)
{
    (void)state;
    attune_filter filter;
    attune_filter_init(&filter, 2, 60);
    filter.probability[0] = filter.probability[1] = ATTUNE_REAL(0.5);
    assert_int_equal(attune_filter_class(&filter), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_states_by_hand),
        cmocka_unit_test(a_filter_without_evidence_stays_stationary),
        cmocka_unit_test(agrees_with_the_full_matrix),
        cmocka_unit_test(hostile_evidence_cannot_break_it),
        cmocka_unit_test(growing_keeps_what_is_known),
        cmocka_unit_test(the_lower_class_wins_a_tie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
