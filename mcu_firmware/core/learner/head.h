/* The one interface of all heads: incremental classifiers over a window's int16 features.
 *
 * Class 0 is free, class 1 occupied, more as they are taught. A head's evidence for class k > 0 is the log-likelihood
 * ratio of the window against class 0, in nats, with every prior left out, clamped to +-ATTUNE_EVIDENCE_LIMIT. */
#ifndef ATTUNE_HEAD_H
#define ATTUNE_HEAD_H

#include "config.h"
#include "learner/gnb.h"

#include <stddef.h>
#include <stdint.h>

/* One window alone may not say more: correlated features make naive likelihoods too sure of themselves. */
#define ATTUNE_EVIDENCE_LIMIT ATTUNE_REAL(6.0)

typedef enum attune_head_kind { ATTUNE_HEAD_GNB = 1 } attune_head_kind;

typedef enum attune_head_result {
    ATTUNE_HEAD_OK = 0,
    ATTUNE_HEAD_CLASS,    /* class index at or above ATTUNE_MAX_CLASSES */
    ATTUNE_HEAD_WEIGHT,   /* weight not finite or not above zero */
    ATTUNE_HEAD_SHAPE,    /* heads of different shape or kind cannot be merged; bytes that are no state of this head */
    ATTUNE_HEAD_RANGE     /* the result would leave the range of valid states (unmerge of what was never merged) */
} attune_head_result;

typedef struct attune_head {
    attune_head_kind kind;
    union {
        attune_gnb gnb;
    } state;
} attune_head;

/* d features, 2 classes, nothing known. */
attune_head_result attune_head_init(attune_head *head, attune_head_kind kind, uint8_t d);

/* evidence[k - 1] for each class k in 1..classes-1. Returns false, with zeros, if the head cannot tell anything about this
 * window (a class without knowledge, or no feature present). */
bool attune_head_predict(const attune_head *head, const int16_t *x, attune_real *evidence);

/* Learns one window; a new class index makes the head grow. */
attune_head_result attune_head_learn(attune_head *head, const int16_t *x, uint8_t class_index, attune_real weight);

/* head += other and head -= other, exact but for rounding. The head is unchanged unless the result is ATTUNE_HEAD_OK. */
attune_head_result attune_head_merge(attune_head *head, const attune_head *other);
attune_head_result attune_head_unmerge(attune_head *head, const attune_head *other);

/* Portable little-endian float32 state. export returns the bytes written, 0 if the buffer is too small. */
size_t attune_head_export(const attune_head *head, uint8_t *bytes, size_t capacity);
attune_head_result attune_head_import(attune_head *head, const uint8_t *bytes, size_t size);

uint8_t attune_head_classes(const attune_head *head);
uint8_t attune_head_features(const attune_head *head);

/* Bytes of state for d features and K classes. */
size_t attune_head_size(attune_head_kind kind, uint8_t d, uint8_t classes);

#endif
