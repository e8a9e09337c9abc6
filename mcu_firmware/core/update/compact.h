/* The default head in one packet: a mixture of few numbers, from which the whole state is made.
 *
 * A mixture's state is mostly how features vary together: for 24 features and two classes 680 bytes in int8. What a release needs is what
 * tells the classes apart, and a state that labels can be added to. So sent are, in coordinates that a normaliser has conditioned
 * (centre and scale of each feature), for each class above 0 the linear weights of ridge, and how its means and variances
 * differ from those of class 0. The state is made from them:
 *   - naive Bayes: means and variances, with the weight of each class on every sensor that is known;
 *   - ridge: the diagonal of the pooled variances and the regularisation, changed as little as possible so that it gives the
 *     weights that were sent: W w = N (mean_k - mean_0), the secant condition, by the update of two rows that Davidon,
 *     Fletcher and Powell, and Broyden, Fletcher, Goldfarb and Shanno (1970) found, with later classes made conjugate to those before.
 * It is a mixture as any other: labels are learned onto it, and its float32 state is the release's. Written again, one of
 * two classes gives the same bytes.
 *
 * Bytes, numbers little endian, d features, K classes:
 *   1          head kind (low four bits, ATTUNE_HEAD_MIXTURE) and K
 *   K          weight of each class: 0 is 0, b is 2^((b - 1) / 8 - 6)
 *   2 d        centre of each feature, float16, in units of q / 1024
 *   d          scale of each feature: 0 for one that is not known, else as in normaliser.h
 *   each class from 1 to K - 1:
 *     2        scale of the weights, float16
 *     d        weights, int8: times their scale, nats for each scale of the feature
 *     d        low four bits, signed: mean less that of class 0, in scales of the feature: 0, or c is 2^(c - 5) and -c the
 *              same below 0; high four bits, signed: logarithm of the variance over that of class 0, in steps of 0.5.
 *              -8 is none that is written, and is read as what it says. */
#ifndef ATTUNE_COMPACT_H
#define ATTUNE_COMPACT_H

#include "learner/head.h"

/* Bytes for d features and so many classes: 125 for 24 and 2. */
size_t attune_compact_size(uint8_t d, uint8_t classes);

/* Writes a head of kind mixture; returns the bytes written, or 0 for another kind, if there is no room, or if what the bytes say is
 * none that attune_compact_read takes: it reads them itself, into a head on the stack. */
size_t attune_compact_write(const attune_head *head, uint8_t *bytes, size_t capacity);

/* Makes a mixture of the bytes, for these sensors. False for bytes that are none; head is then undefined. Every state that is made
 * is one that attune_head_load would take. */
bool attune_compact_read(attune_head *head, const attune_sensors *sensors, const uint8_t *bytes, size_t size);

#endif
