/* Built for float32 and for float64. */
#include "filter/filter.h"

#include "check.h"
#include "learner/head.h"

#include <math.h>

#define CLOSE 2e-6

static void expect_probabilities(const attune_filter *filter, const double *expected) {
    for (uint8_t k = 0; k < filter->classes; k++) {
        assert_true(fabs((double)filter->probability[k] - expected[k]) < CLOSE);
    }
}

/* Windows of 60 s: free is left with 1 - e^(-60/14400) = 0.00415800, occupied with 1 - e^(-60/3600) = 0.01652855.
 * Stationary: 0.00415800 / (0.00415800 + 0.01652855) = 0.20100013.
 * Evidence log 3: odds 0.2010001 / 0.7989999 * 3 = 0.75469399, probability 0.43010006.
 * One step: 0.43010006 * 0.98347145 + 0.56989994 * 0.00415800 = 0.42536077, log-odds -0.30080472. */
static void two_states_by_hand(void **state) {
    (void)state;
    attune_filter filter;
    attune_real evidence = attune_log(3);
    attune_filter_init(&filter, 2, 60, NULL);
    expect_probabilities(&filter, (const double[]){0.79899987, 0.20100013});
    attune_filter_update(&filter, &evidence);
    expect_probabilities(&filter, (const double[]){0.56989994, 0.43010006});
    attune_filter_predict(&filter);
    expect_probabilities(&filter, (const double[]){0.57463923, 0.42536077});
    assert_true(fabs((double)attune_filter_log_odds(&filter, 1) + 0.30080472) < 1e-5);
    assert_int_equal(attune_filter_class(&filter), 0);
}

/* 1/leave is 240.500347 for class 0 and 60.501389 for the others; over their sum 361.503125. */
static void a_filter_without_evidence_stays_stationary(void **state) {
    (void)state;
    const double stationary[] = {0.66527875, 0.16736062, 0.16736062};
    attune_filter filter;
    attune_filter_init(&filter, 3, 60, NULL);
    for (int i = 0; i < 10000; i++) {
        expect_probabilities(&filter, stationary);
        attune_filter_predict(&filter);
    }
}

/* The whole matrix, in double, for five classes and random evidence. */
static void agrees_with_the_full_matrix(void **state) {
    (void)state;
    enum { K = 5 };
    attune_filter filter;
    double p[K];
    uint64_t seed = 5;
    attune_filter_init(&filter, K, 600, NULL);
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
                evidence[k - 1] = (attune_real)((double)random_below(&seed, 6000) / 1000 - 3);
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

static void hostile_evidence_cannot_break_it(void **state) {
    (void)state;
    const attune_real hostile[] = {(attune_real)INFINITY, (attune_real)-INFINITY, (attune_real)NAN, 1000, -1000};
    attune_filter filter;
    uint64_t seed = 9;
    attune_filter_init(&filter, 4, 60, NULL);
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
    attune_filter_init(&filter, 4, 60, NULL);
    attune_filter before = filter;
    attune_filter_update(&filter, (const attune_real[]){(attune_real)NAN, (attune_real)NAN, (attune_real)NAN});
    for (uint8_t k = 0; k < 4; k++) {
        assert_true(fabs((double)(filter.probability[k] - before.probability[k])) < CLOSE);
    }
}

/* From two classes at (0.4, 0.6) to three: the new one gets its stationary 0.16736062, and the others share 0.83263938 as
 * they stood, 0.33305575 and 0.49958363. Back to two: 0.4 and 0.6 again, since two classes share 1. */
static void growing_keeps_what_is_known(void **state) {
    (void)state;
    attune_filter filter;
    attune_filter_init(&filter, 2, 60, NULL);
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

/* Stays of 2 h, 30 min and two days in steps of 300 s: 1 - e^(-1/24) = 0.0408106, 1 - e^(-1/6) = 0.1535183 and
 * 1 - e^(-1/576) = 0.00173461. Stationary in proportion to 24.503440, 6.513882 and 576.500145, over 607.517467. */
static void dwell_times_by_hand(void **state) {
    (void)state;
    attune_filter filter;
    attune_filter_init(&filter, 3, 300, (const uint32_t[]){7200, 1800, 172800});
    expect_probabilities(&filter, (const double[]){0.04033372, 0.01072213, 0.94894415});
    assert_true(fabs((double)filter.limit - (3 - log(0.00173461 / 2))) < 1e-5);
}

static void dwell_times_are_bounded(void **state) {
    (void)state;
    attune_filter short_and_long;
    attune_filter bounds;
    attune_filter_init(&short_and_long, 2, 10, (const uint32_t[]){0, UINT32_MAX});
    attune_filter_init(&bounds, 2, 10, (const uint32_t[]){60, 14 * 86400});
    assert_memory_equal(short_and_long.leave, bounds.leave, sizeof bounds.leave);
    attune_filter_init(&short_and_long, 2, 600, (const uint32_t[]){60, 14 * 86400});
    attune_filter_init(&bounds, 2, 600, (const uint32_t[]){1200, 14 * 86400});
    assert_memory_equal(short_and_long.leave, bounds.leave, sizeof bounds.leave);
}

/* A class that stays keeps its dwell time: a step of 10 min in 1 h, 1 - e^(-1/6). */
static void growing_keeps_dwell_times(void **state) {
    (void)state;
    attune_filter filter;
    attune_filter_init(&filter, 2, 600, (const uint32_t[]){3600, 7200});
    attune_filter_resize(&filter, 3, 600);
    assert_true(fabs((double)filter.leave[0] - 0.1535183) < CLOSE);
    assert_true(fabs((double)filter.leave[1] - 0.0799556) < CLOSE);
    assert_true(fabs((double)filter.leave[2] - 0.1535183) < CLOSE);
}

/* From a state in which everything has spoken for class `from` for hours, one window at the head's limit for `to`. */
static uint8_t class_after_one_strong_window(attune_filter *filter, uint8_t from, uint8_t to) {
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    for (int i = 0; i < 100; i++) {
        uint8_t spoken = i == 99 ? to : from;
        for (uint8_t k = 1; k < filter->classes; k++) {
            evidence[k - 1] = k == spoken ? ATTUNE_EVIDENCE_LIMIT : (spoken == 0 ? -ATTUNE_EVIDENCE_LIMIT : 0);
        }
        attune_filter_predict(filter);
        attune_filter_update(filter, evidence);
    }
    return attune_filter_class(filter);
}

static void one_strong_window_turns_every_state_around(void **state) {
    (void)state;
    const uint16_t steps_s[] = {10, 60, 600};
    const uint32_t stays_s[] = {ATTUNE_MIN_DWELL_S, 3600, 14400, ATTUNE_MAX_DWELL_S};
    for (int i = 0; i < 3 * 4 * 4; i++) {
        for (uint8_t classes = 2; classes <= ATTUNE_MAX_CLASSES; classes += 3) {
            const uint32_t free_s = stays_s[i / 3 % 4];
            const uint32_t other_s = stays_s[i / 12];
            const uint32_t dwell_s[ATTUNE_MAX_CLASSES] = {free_s,  other_s, other_s, other_s,
                                                          other_s, other_s, other_s, other_s};
            attune_filter filter;
            attune_filter_init(&filter, classes, steps_s[i % 3], dwell_s);
            assert_int_equal(class_after_one_strong_window(&filter, 0, 1), 1);
            assert_int_equal(class_after_one_strong_window(&filter, 1, 0), 0);
            assert_int_equal(class_after_one_strong_window(&filter, 1, (uint8_t)(classes - 1)), classes - 1);
        }
    }
}

/* A settled free room at 10 s: 4 h are left with 1 - e^(-10/14400) = 6.9420e-4, so it enters a window at -7.272 nats. The limit
 * is 3 + 7.2727 = 10.2727, and the window ends at 3.0 although the head said 16. */
static void the_limit_follows_the_window(void **state) {
    (void)state;
    attune_filter filter;
    attune_real strong = ATTUNE_EVIDENCE_LIMIT;
    attune_filter_init(&filter, 2, 10, NULL);
    filter.probability[0] = 1;
    filter.probability[1] = 0;
    attune_filter_predict(&filter);
    assert_true(fabs((double)attune_filter_log_odds(&filter, 1) + 7.272) < 1e-3);
    attune_filter_update(&filter, &strong);
    assert_true(fabs((double)attune_filter_log_odds(&filter, 1) - 3.0) < 2e-3);
}

static void the_lower_class_wins_a_tie(void **state) {
    (void)state;
    attune_filter filter;
    attune_filter_init(&filter, 2, 60, NULL);
    filter.probability[0] = filter.probability[1] = ATTUNE_REAL(0.5);
    assert_int_equal(attune_filter_class(&filter), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_states_by_hand),           cmocka_unit_test(a_filter_without_evidence_stays_stationary),
        cmocka_unit_test(agrees_with_the_full_matrix),  cmocka_unit_test(hostile_evidence_cannot_break_it),
        cmocka_unit_test(growing_keeps_what_is_known),  cmocka_unit_test(the_lower_class_wins_a_tie),
        cmocka_unit_test(dwell_times_by_hand),          cmocka_unit_test(dwell_times_are_bounded),
        cmocka_unit_test(growing_keeps_dwell_times),    cmocka_unit_test(one_strong_window_turns_every_state_around),
        cmocka_unit_test(the_limit_follows_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
