/* What the tests of the heads share: heads that know nothing, labelled windows, and evidence as it has to be. */
#ifndef HEADS_H
#define HEADS_H

#include "learner/head.h"
#include "window/schema.h"

#include "check.h"

#include <math.h>

/* The coordinate of a feature in units of q / 1024. */
#define U(x) ((int16_t)((x)*ATTUNE_UNIT))

/* How far a build's evidence may be off what is worked by hand in double. */
#ifdef ATTUNE_REAL_DOUBLE
#define CLOSE 1e-9
#else
#define CLOSE 2e-5
#endif

/* A head of d features that knows nothing; each feature is a sensor of its own. */
static inline attune_head made_of(attune_head_kind kind, uint8_t d) {
    attune_head head;
    assert_int_equal(attune_head_init(&head, kind, d, NULL), ATTUNE_HEAD_OK);
    return head;
}

/* A window of two features in units; a head of one takes the first. */
static inline void teach(attune_head *head, uint8_t k, double a, double b, double weight) {
    int16_t x[2] = {U(a), U(b)};
    assert_int_equal(attune_head_learn(head, x, k, (attune_real)weight), ATTUNE_HEAD_OK);
}

/* expected[k - 1]: evidence for each class k > 0. */
static inline void expect_evidence(const attune_head *head, const int16_t *x, const double *expected) {
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    assert_true(attune_head_predict(head, x, evidence));
    for (uint8_t k = 1; k < attune_head_classes(head); k++) {
        assert_true(fabs((double)evidence[k - 1] - expected[k - 1]) < CLOSE);
    }
}

/* Two rows of n numbers, within a tolerance of 1 + their size. */
static inline void expect_near(const attune_real *a, const attune_real *b, size_t n, double tolerance) {
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs((double)(a[i] - b[i])) <= tolerance * (1 + fabs((double)a[i])));
    }
}

/* Each feature about a place of its own; a tenth of them are missing. */
static inline void random_row(uint64_t *seed, int16_t *x, uint8_t d) {
    for (uint8_t i = 0; i < d; i++) {
        bool missing = random_below(seed, 10) == 0;
        x[i] = missing ? ATTUNE_MISSING : (int16_t)((int32_t)random_below(seed, 6000) - 3000 + 500 * i);
    }
}

/* Windows at random, two classes in a and four in b by turns, and all of them in both. */
static inline void teach_apart_and_together(attune_head *a, attune_head *b, attune_head *both) {
    uint64_t seed = 33;
    for (int s = 0; s < 600; s++) {
        int16_t x[ATTUNE_MAX_FEATURES];
        random_row(&seed, x, attune_head_features(both));
        uint8_t k = (uint8_t)random_below(&seed, s % 2 ? 2 : 4);
        assert_int_equal(attune_head_learn(s % 2 ? a : b, x, k, 1), ATTUNE_HEAD_OK);
        assert_int_equal(attune_head_learn(both, x, k, 1), ATTUNE_HEAD_OK);
    }
}

#endif
