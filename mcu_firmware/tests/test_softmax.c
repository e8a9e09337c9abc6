/* The softmax layer against steps worked by hand. Built for float32 and for float64; numpy is in tests/unit/test_heads.py. */
#include "heads.h"

#include <string.h>

static attune_head made(uint8_t d) { return made_of(ATTUNE_HEAD_SOFTMAX, d); }

/* Free at 1: one neuron alone has probability 1, and nothing is to be learned.
 * Occupied at 3: mean 2, M2 2, variance 1.001, input 1 / sqrt(1.001) = 0.9995; shares are equal, so p = 1/2, and the
 *   difference of the two gradients is 1: weight 0.05 * 0.9995 = 0.049975, bias 0.05.
 *   At 3: 0.05 / 1.001 + 0.05; at 1: 0.05 - 0.05 / 1.001.
 * Occupied at 5: mean 3, M2 8, variance 8 / 3 + 0.001, input 1.2245146, logit 0.1111952; shares are 1 to 2, so
 *   p = 2 e^z / (1 + 2 e^z) = 0.6909026: weight 0.049975 + 0.1 * 0.3090974 * 1.2245146 = 0.0878245, bias 0.0809097. */
static void three_steps_by_hand(void **state) {
    (void)state;
    attune_head head = made(1);
    attune_real evidence[1];
    teach(&head, 0, 1, 0, 1);
    assert_false(attune_head_predict(&head, (int16_t[]){U(1)}, evidence));
    teach(&head, 1, 3, 0, 1);
    expect_evidence(&head, (int16_t[]){U(3)}, (double[]){0.05 / 1.001 + 0.05});
    expect_evidence(&head, (int16_t[]){U(1)}, (double[]){0.05 - 0.05 / 1.001});
    teach(&head, 1, 5, 0, 1);
    expect_evidence(&head, (int16_t[]){U(5)}, (double[]){0.18845214816731515});
    expect_evidence(&head, (int16_t[]){U(3)}, (double[]){0.08090974140257096});
    expect_evidence(&head, (int16_t[]){U(1)}, (double[]){-0.026632665362173236});
}

/* After the three steps above, class 3 comes at 3, where the input is 0. Weights of 0 are half of class 1's from class 0's, which are
 * minus half of that difference. The shares are 1, 2, 1 and the logits 0, 0.0809097, 0.0404549. Class 2 was never taught. */
static void a_new_neuron_starts_at_zero(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, 1, 0, 1);
    teach(&head, 1, 3, 0, 1);
    teach(&head, 1, 5, 0, 1);
    teach(&head, 3, 3, 0, 1);
    assert_int_equal(attune_head_classes(&head), 4);
    const double one = 0.0670309630254255, three = 0.0899645384007297;
    expect_evidence(&head, (int16_t[]){U(3)}, (double[]){one, three - 16, three});
    assert_true(fabs((double)head.state.softmax.row[2][0] - 0.087824469886 / 2) < CLOSE);
}

/* Weights of a half step half as far; weights of a million step as far as 20 do, by 1. */
static void weight_scales_the_step_up_to_a_limit(void **state) {
    (void)state;
    attune_head head = made(1);
    teach(&head, 0, 1, 0, 0.5);
    teach(&head, 1, 3, 0, 0.5);
    expect_evidence(&head, (int16_t[]){U(3)}, (double[]){(0.05 / 1.001 + 0.05) / 2});
    head = made(1);
    teach(&head, 0, 1, 0, 1e6);
    teach(&head, 1, 3, 0, 1e6);
    expect_evidence(&head, (int16_t[]){U(3)}, (double[]){1 / 1.001 + 1});
}

/* A sensor that is missing counts as its mean: the bias alone speaks. */
static void a_missing_input_is_its_mean(void **state) {
    (void)state;
    attune_head head;
    attune_real evidence[1];
    const int16_t free[] = {U(1), U(2)}, occupied[] = {U(3), U(4)};
    assert_int_equal(attune_head_init(&head, ATTUNE_HEAD_SOFTMAX, 2, NULL), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_learn(&head, free, 0, 1), ATTUNE_HEAD_OK);
    assert_int_equal(attune_head_learn(&head, occupied, 1, 1), ATTUNE_HEAD_OK);
    assert_true(attune_head_predict(&head, (int16_t[]){U(3), ATTUNE_MISSING}, evidence));
    assert_true(fabs((double)evidence[0] - (0.05 / 1.001 + 0.05)) < CLOSE);
    assert_false(attune_head_predict(&head, (int16_t[]){ATTUNE_MISSING, ATTUNE_MISSING}, evidence));
}

static void a_layer_is_no_sum(void **state) {
    (void)state;
    attune_head head = made(1), other = made(1);
    teach(&head, 0, 1, 0, 1);
    attune_head before = head;
    assert_int_equal(attune_head_merge(&head, &other), ATTUNE_HEAD_NO_SUM);
    assert_int_equal(attune_head_unmerge(&head, &other), ATTUNE_HEAD_NO_SUM);
    assert_memory_equal(&head, &before, sizeof head);
}

/* The worst that coordinates and weights can do. */
static void extremes_stay_finite(void **state) {
    (void)state;
    enum { D = 24 };
    attune_head head = made(D);
    uint64_t seed = 5;
    for (int step = 0; step < 20000; step++) {
        int16_t x[D];
        attune_real evidence[ATTUNE_MAX_CLASSES - 1];
        for (int i = 0; i < D; i++) {
            x[i] = random_below(&seed, 50) == 0 ? (int16_t)(next_random(&seed) % 2 ? 32767 : -32767) : 0;
        }
        attune_real weight = random_below(&seed, 2) ? ATTUNE_MAX_WEIGHT : ATTUNE_MIN_WEIGHT;
        (void)attune_head_learn(&head, x, (uint8_t)random_below(&seed, ATTUNE_MAX_CLASSES), weight);
        (void)attune_head_predict(&head, x, evidence);
        for (int k = 0; k < attune_head_classes(&head) - 1; k++) {
            assert_true(evidence[k] >= -16 && evidence[k] <= 16);
            for (int i = 0; i <= D; i++) {
                assert_true(fabs((double)head.state.softmax.row[k][i]) <= (double)ATTUNE_SOFTMAX_LARGEST_WEIGHT);
            }
        }
    }
}

/* Of what is published for AIfES, parameters and training memory of one dense layer, ours takes at most half. */
static void memory_is_half_of_aifes(void **state) {
    (void)state;
    attune_head head = made(24);
    assert_true(2 * ATTUNE_SOFTMAX_BYTES(64, 1, 10) <= 8136);
    assert_true(2 * ATTUNE_SOFTMAX_BYTES(128, 1, 8) <= 12968);
    assert_true(2 * ATTUNE_SOFTMAX_BYTES(40, 1, 3) <= 1688);
    /* The formula is that of the state: its float32 bytes, K probabilities, and the map. */
    size_t size = attune_head_size(ATTUNE_HEAD_SOFTMAX, attune_head_sensors(&head), 5, ATTUNE_FLOAT32);
    assert_int_equal(size - 4 + 4 * 5 + 24 + 3, ATTUNE_SOFTMAX_BYTES(24, 24, 5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_steps_by_hand),
        cmocka_unit_test(a_new_neuron_starts_at_zero),
        cmocka_unit_test(weight_scales_the_step_up_to_a_limit),
        cmocka_unit_test(a_missing_input_is_its_mean),
        cmocka_unit_test(a_layer_is_no_sum),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(memory_is_half_of_aifes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
