/* The last layer of TinyOL: one dense softmax layer, trained a labelled window at a time.
 *
 * Source: Ren, Anicic and Runkler (2021), "TinyOL: TinyML with Online-Learning on Microcontrollers", algorithm 1 and equations 6
 * to 8: update each input's running mean and variance, scale the input, predict, step down the gradient of the cross-entropy;
 * a class gets its neuron, with weights of 0, when its first label comes. The paper names no learning rate. Where it differs:
 * - a bias, as dense layers have one;
 * - the running statistics are of labelled windows, for a head changes only by what it learns; a missing input counts as its mean;
 * - while training, logits have the log of the class shares seen so far added, so that weights hold likelihood ratios and no prior
 *   (an offset; Menon et al. 2021, "Long-tail learning via logit adjustment"). With equal shares that is the published step, and
 *   in the end it is the published layer less the log shares; taken off afterwards they would say too much for
 *   as long as the bias has not learned them.
 * - only differences from class 0 are kept. That is the same step: the K gradients of a step add up to 0, so class 0's weights are
 *   always minus the sum of all differences / K.
 *
 * State of K classes, d inputs, S sensors: S + 2 d + K + (K - 1)(d + 1) numbers. Predict and learn take about 2 d K operations, d
 * square roots, and learn K exponentials. Not additive: a step depends on all steps before it. */
#ifndef ATTUNE_SOFTMAX_H
#define ATTUNE_SOFTMAX_H

#include "learner/format.h"
#include "learner/means.h"

#include <stddef.h>

/* Step for a weight of 1: the best of 0.005 to 0.2 over held-back days of the train splits of candanedo and robod with 10 and 50
 * labels, and near the best with all. */
#define ATTUNE_SOFTMAX_RATE ATTUNE_REAL(0.05)

/* Heavier labels step further, up to this: beyond, a step overshoots. */
#define ATTUNE_SOFTMAX_LARGEST_STEP ATTUNE_REAL(1.0)

/* Weights stop here. Inputs lie within 2 ATTUNE_MAX_X / sqrt(ATTUNE_LEAST_VARIANCE), so every logit is finite. */
#define ATTUNE_SOFTMAX_LARGEST_WEIGHT ATTUNE_REAL(1e4)

/* Bytes of a layer for d inputs of S sensors and K classes, and of what a step needs beside it, in float32: numbers, K
 * probabilities, and the map of inputs to sensors with three counts. */
#define ATTUNE_SOFTMAX_BYTES(d, S, K) (4 * ((S) + 2 * (d) + (K) + ((K)-1) * ((d) + 1) + (K)) + (d) + 3)

typedef struct attune_softmax {
    attune_sensors sensors;
    uint8_t classes;
    attune_real seen[ATTUNE_MAX_CLASSES]; /* weight of the windows of each class */
    attune_means inputs;                  /* of the windows of all classes */
    attune_real m2[ATTUNE_MAX_FEATURES];
    attune_real row[ATTUNE_MAX_CLASSES - 1][ATTUNE_MAX_FEATURES + 1]; /* weights of class k + 1 less class 0's; bias */
} attune_softmax;

/* What head.c calls; the contracts of head.h are checked there: class_index and weight are in range, sensors is valid. */

void attune_softmax_init(attune_softmax *softmax, const attune_sensors *sensors);

/* Evidence for classes 1..classes-1, which head.c bounds. False if class 0 and another were not both taught, or nothing present is
 * known. */
bool attune_softmax_predict(const attune_softmax *softmax, const int16_t *x, attune_real *evidence);

/* False, and nothing changed, if a weight would pass ATTUNE_MAX_N. */
bool attune_softmax_learn(attune_softmax *softmax, const int16_t *x, uint8_t class_index, attune_real weight);

/* Always false: layers cannot be added. */
bool attune_softmax_merge(attune_softmax *softmax, const attune_softmax *other);
bool attune_softmax_unmerge(attune_softmax *softmax, const attune_softmax *other);

/* The state in a format: the inputs' weights by sensor, means and spreads, the weights of the classes, and a block for each row. Import:
 * false, and nothing changed, if it is no valid state. */
size_t attune_softmax_size(const attune_sensors *sensors, uint8_t classes, attune_format format);
void attune_softmax_export(const attune_softmax *softmax, attune_format format, uint8_t *bytes);
bool attune_softmax_import(attune_softmax *softmax, uint8_t classes, attune_format format, const uint8_t *bytes);

#endif
