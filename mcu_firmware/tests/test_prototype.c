/* The prototype head against sums worked by hand. Built for float32 and for float64; numpy is in tests/unit/test_heads.py. */
#include "heads.h"

#include <string.h>

static attune_head made(uint8_t d) { return made_of(ATTUNE_HEAD_PROTOTYPE, d); }

/* Free has seen 0 and 2, occupied 4 and 6: M2 = 2 + 2, the variance is (4 + 4) / (4 - 2 + 4) + 0.001 = 1.334333, and each class is
 * 1 + 1/2 as wide. At 4: (9 - 1) / 1.5 / 1.334333 / 2 = 1.998501. */
static void equal_classes_by_hand(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 2, 0, 1);
    teach(&head, 1, 4, 0, 1);
    teach(&head, 1, 6, 0, 1);
    expect_evidence(&head, (int16_t[]){U(4)}, (double[]){8 / 1.5 / (4.0 / 3 + 0.001) / 2});
    expect_evidence(&head, (int16_t[]){U(3)}, (double[]){0});
}

/* Free has seen 0 and 2, occupied 5 alone: M2 = 2, variance (2 + 4) / (3 - 2 + 4) + 0.001 = 1.201. Occupied lacks half the labels, so
 * half a label pulls its mean: 5 + 0.5 (1 - 5) / 1.5 = 3.6666667. Widths are 1.5 and 2.
 * At 5: ((16 / 1.5 - 1.3333333^2 / 2) / 1.201 + log(1.5 / 2)) / 2 = 3.9268178. */
static void a_class_of_one_label_leans_on_the_other(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 2, 0, 1);
    teach(&head, 1, 5, 0, 1);
    expect_evidence(&head, (int16_t[]){U(5)}, (double[]){((16 / 1.5 - 16.0 / 9 / 2) / 1.201 + log(0.75)) / 2});
    expect_evidence(&head, (int16_t[]){U(1)}, (double[]){((0 - 64.0 / 9 / 2) / 1.201 + log(0.75)) / 2});
    /* The state is the plain one: mean 5. */
    assert_true(head.state.prototype.means[1].mean[0] == 5);
}

/* Four labels each at -4 (free), 0 and 8, one at 7, all spreads 0: variance 4 / (13 - 4 + 4) + 0.001. The middle is 2.75, so
 * class 3 lies at 4.25 of it, on the side of class 2 (5.25), away from class 0 (-6.75) and 1 (-2.75): cosines 1, -1, -1. All
 * three have four labels, so the shares are as e^4 : e^-4 : e^-4 of a pull of 3/4. */
static void similar_classes_pull_most(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, -4, 0, 4);
    teach(&head, 1, 0, 0, 4);
    teach(&head, 2, 8, 0, 4);
    teach(&head, 3, 7, 0, 1);
    double v = 4.0 / 13 + 0.001, total = exp(4) + 2 * exp(-4);
    double shift = 0.75 * (exp(4) * 1 + exp(-4) * (-7 - 11)) / total;
    double mean = 7 + shift / 1.75;
    /* At 6 classes 2 and 3 are close, and 0 and 1 are 16 nats below the better of them. */
    double two = -4 / 1.25 / v / 2, three = (-(6 - mean) * (6 - mean) / 2 / v + log(1.25 / 2)) / 2;
    expect_evidence(&head, (int16_t[]){U(6)}, (double[]){0, 16 + two - three, 16});
}

static void expect_same_state(const attune_prototype *a, const attune_prototype *b) {
    for (uint8_t k = 0; k < a->classes; k++) {
        expect_near(a->means[k].n, b->means[k].n, a->sensors.count, 1e-5);
        expect_near(a->means[k].mean, b->means[k].mean, a->sensors.features, 1e-5);
    }
    expect_near(a->m2, b->m2, a->sensors.features, 1e-5);
}

static void merging_is_learning_both(void **state) {
    (void)state;
    attune_head a = made(6), b = made(6), both = made(6);
    teach_apart_and_together(&a, &b, &both);
    attune_head before = a;
    assert_int_equal(attune_head_merge(&a, &b), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_classes(&a), 4);
    expect_same_state(&a.state.prototype, &both.state.prototype);
    assert_int_equal(attune_head_unmerge(&a, &b), ATTUNE_HEAD_OK);
    expect_same_state(&a.state.prototype, &before.state.prototype);
    assert_int_equal(attune_head_unmerge(&a, &before), ATTUNE_HEAD_OK);
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    assert_false(attune_head_predict(&a, (int16_t[6]){0}, evidence));
}

static void what_was_never_put_in_cannot_be_taken_out(void **state) {
    (void)state;
    attune_head head = made(1), other = made(1);
    teach(&head, 0, 1, 0, 2);
    teach(&head, 0, 1, 0, 2);
    teach(&other, 0, 1, 0, 5);
    attune_head before = head;
    assert_int_equal(attune_head_unmerge(&head, &other), ATTUNE_HEAD_RANGE); /* more weight than there is */
    other = made(1);
    teach(&other, 0, -20, 0, 1);
    assert_int_equal(attune_head_unmerge(&head, &other), ATTUNE_HEAD_RANGE); /* elsewhere */
    other = made(1);
    teach(&other, 2, 1, 0, 1);
    assert_int_equal(attune_head_unmerge(&head, &other), ATTUNE_HEAD_RANGE); /* no such class */
    assert_memory_equal(&head, &before, sizeof head);
}

/* d = 1, K = 2: header 04 01 02 00; class 0 has seen 0 and 2: n 2.0 = 40000000, mean 1.0 = 3F800000; class 1 has seen 5: n 1.0, mean
 * 5.0 = 40A00000; M2 of both 2.0. */
static void exported_bytes_by_hand(void **state) {
    (void)state;
    static const uint8_t expected[] = {4, 1, 2,    0,    0, 0, 0,    0x40, 0, 0, 0x80, 0x3F,
                                       0, 0, 0x80, 0x3F, 0, 0, 0xA0, 0x40, 0, 0, 0,    0x40};
    uint8_t bytes[64];
    attune_head head = made(1), copy = made(1);
    teach(&head, 0, 0, 0, 1);
    teach(&head, 0, 2, 0, 1);
    teach(&head, 1, 5, 0, 1);
    assert_int_equal(attune_head_export(&head, ATTUNE_FLOAT32, bytes, sizeof bytes), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
    assert_int_equal(attune_head_import(&copy, bytes, sizeof expected), ATTUNE_HEAD_OK);
    assert_memory_equal(&copy, &head, sizeof head);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_classes_by_hand),
        cmocka_unit_test(a_class_of_one_label_leans_on_the_other),
        cmocka_unit_test(similar_classes_pull_most),
        cmocka_unit_test(merging_is_learning_both),
        cmocka_unit_test(what_was_never_put_in_cannot_be_taken_out),
        cmocka_unit_test(exported_bytes_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
