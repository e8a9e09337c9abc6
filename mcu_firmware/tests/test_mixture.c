/* The mixture of ridge with drift and naive Bayes against sums worked by hand. Built for float32 and for float64. */
#include "heads.h"

static attune_head made(uint8_t d) { return made_of(ATTUNE_HEAD_MIXTURE, d); }

static void learn(attune_head *head, uint8_t k, const int16_t *x) {
    assert_int_equal(attune_head_learn(head, x, k, 1), ATTUNE_HEAD_OK);
}

/* Free has seen 0 and 4, occupied 4 and 6: means 2 and 5. Ridge: squares 8 + 2 about the means, P = 10 + 4 * 0.09, weight 14 (5 - 2) /
 * 20.36 = 2.06286837 a unit off 3.5. Naive Bayes as in test_head.c: at 5 1.81749124, at 2 -3.80273208; 0.3 of it counts. */
static void one_feature_by_hand(void **state) {
    (void)state;
    attune_head head = made(1);
    const double weight = 42 / 20.36;
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 4, 0, 1);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    expect_evidence(&head, (int16_t[]){U(5)}, (double[]){1.5 * weight + 0.3 * 1.8174912350659334});
    expect_evidence(&head, (int16_t[]){U(2)},
                    (double[]){-1.5 * weight + 0.3 * (1.38554482954201 - 8.991008991009) / 2});
    /* At -3 ridge would say -13.4: -12. Naive Bayes: (1.38554483 + 25 / 4.001 - 9) / 2. */
    expect_evidence(&head, (int16_t[]){U(-3)}, (double[]){-12 + 0.3 * (1.38554482954201 + 6.248437890527368 - 9) / 2});
}

/* Class 0 has seen -4 and 4 in three features, class 1 twice 0: ridge knows nothing to tell them by, naive Bayes that they vary
 * differently. At 0 it says log(16.001 / 0.001) / 2 = 4.84020325 a feature, and of three together no more than 12. */
static void naive_bayes_is_bounded_by_itself(void **state) {
    (void)state;
    attune_head head = made(3);
    learn(&head, 0, (int16_t[]){U(-4), U(-4), U(-4)});
    learn(&head, 0, (int16_t[]){U(4), U(4), U(4)});
    learn(&head, 1, (int16_t[]){0, 0, 0});
    learn(&head, 1, (int16_t[]){0, 0, 0});
    expect_evidence(&head, (int16_t[]){0, 0, 0}, (double[]){0.3 * 12});
    expect_evidence(&head, (int16_t[]){0, 0, ATTUNE_MISSING}, (double[]){0.3 * 9.6804065});
}

/* Each class has seen a feature of its own: naive Bayes cannot compare them, and ridge speaks alone. Free has seen the first at 2, the
 * second was never seen but in occupied, at 5 and then at 3: so it was 5 before, and the means differ by 5 - 4 there. */
static void ridge_speaks_alone_where_naive_bayes_cannot(void **state) {
    (void)state;
    attune_head head = made(2);
    attune_real evidence[ATTUNE_MAX_CLASSES - 1] = {7};
    learn(&head, 0, (int16_t[]){U(2), ATTUNE_MISSING});
    assert_false(attune_head_predict(&head, (int16_t[]){0, 0}, evidence));
    assert_true(evidence[0] == 0);
    learn(&head, 1, (int16_t[]){ATTUNE_MISSING, U(5)});
    learn(&head, 1, (int16_t[]){ATTUNE_MISSING, U(3)});
    /* Squares 1 + 1 about 4, and of three steps of 0.18 the second: (3 + 10) (4 - 5) / 12.18 a unit off 4.5. */
    expect_evidence(&head, (int16_t[]){U(2), U(4)}, (double[]){0.5 * 13 / 12.18});
    expect_evidence(&head, (int16_t[]){ATTUNE_MISSING, U(5)}, (double[]){-0.5 * 13 / 12.18});
    assert_false(attune_head_predict(&head, (int16_t[]){ATTUNE_MISSING, ATTUNE_MISSING}, evidence));
}

static void what_one_part_cannot_take_neither_does(void **state) {
    (void)state;
    attune_head head = made(1), other = made(1);
    teach(&head, 0, 1, 0, 1);
    teach(&head, 1, 2, 0, 1);
    attune_head before = head;
    teach(&other, 0, -20, 0, 1); /* was never in it */
    assert_int_equal(attune_head_unmerge(&head, &other), ATTUNE_HEAD_RANGE);
    assert_memory_equal(&head, &before, sizeof head);
    while (attune_head_learn(&other, (int16_t[]){0}, 1, ATTUNE_MAX_WEIGHT) == ATTUNE_HEAD_OK) {
    }
    before = other;
    assert_int_equal(attune_head_merge(&other, &other), ATTUNE_HEAD_RANGE);
    assert_int_equal(attune_head_learn(&other, (int16_t[]){0}, 2, ATTUNE_MAX_WEIGHT), ATTUNE_HEAD_RANGE);
    assert_memory_equal(&other, &before, sizeof other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_feature_by_hand),
        cmocka_unit_test(naive_bayes_is_bounded_by_itself),
        cmocka_unit_test(ridge_speaks_alone_where_naive_bayes_cannot),
        cmocka_unit_test(what_one_part_cannot_take_neither_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
