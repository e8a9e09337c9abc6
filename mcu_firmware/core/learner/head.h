/* The one interface of all heads: incremental classifiers over a window's int16 features.
 *
 * Class 0 is free, class 1 occupied, more as they are taught. A head's evidence for class k > 0 is the log-likelihood
 * ratio of the window against class 0, in nats, with every prior left out. It is bounded: every class that lies more than
 * ATTUNE_EVIDENCE_LIMIT below the most likely one is lifted to there, so each ratio is within +-ATTUNE_EVIDENCE_LIMIT (with two
 * classes that is a clamp) and the best class stays the best. */
#ifndef ATTUNE_HEAD_H
#define ATTUNE_HEAD_H

#include "learner/gnb.h"
#include "learner/mixture.h"
#include "learner/prototype.h"
#include "learner/ridge.h"
#include "learner/softmax.h"

/* Beyond this nothing is known any more. It lets one window change any state that filter.h allows; how much of it a state
 * heeds is the filter's to bound, which knows how long windows and stays are. */
#define ATTUNE_EVIDENCE_LIMIT ATTUNE_REAL(16.0)

/* Weight of one learned window; one person's word weighs 1, and labels come as 1/256 to 65535/256. */
#define ATTUNE_MIN_WEIGHT ATTUNE_REAL(1e-6)
#define ATTUNE_MAX_WEIGHT ATTUNE_REAL(1e6)

/* Every kind that is built: name, and the part of the names of its functions and state. A kind is a pair of files and a line
 * here; the numbers are wire format. A build for one kind alone names it on the compiler's command line. */
#ifndef ATTUNE_HEAD_KINDS
#define ATTUNE_EVERY_HEAD
#define ATTUNE_HEAD_KINDS(KIND)                                                                                        \
    KIND(GNB, gnb)                                                                                                     \
    KIND(RIDGE, ridge)                                                                                                 \
    KIND(SOFTMAX, softmax)                                                                                             \
    KIND(PROTOTYPE, prototype)                                                                                         \
    KIND(MIXTURE, mixture)
#endif

typedef enum attune_head_kind {
    ATTUNE_HEAD_GNB = 1,
    ATTUNE_HEAD_RIDGE = 2,
    ATTUNE_HEAD_SOFTMAX = 3,
    ATTUNE_HEAD_PROTOTYPE = 4,
    ATTUNE_HEAD_MIXTURE = 5
} attune_head_kind;

typedef enum attune_head_result {
    ATTUNE_HEAD_OK = 0,
    ATTUNE_HEAD_CLASS,  /* class index at or above ATTUNE_MAX_CLASSES */
    ATTUNE_HEAD_WEIGHT, /* weight outside ATTUNE_MIN_WEIGHT..ATTUNE_MAX_WEIGHT, or NaN */
    ATTUNE_HEAD_SHAPE, /* heads of different kind, features or sensors cannot be merged; bytes that are no state of this head */
    ATTUNE_HEAD_RANGE, /* the result would leave the range of valid states (unmerge of what was never merged) */
    ATTUNE_HEAD_NO_SUM /* heads of this kind are no sums over samples: they can be neither merged nor unmerged */
} attune_head_result;

typedef struct attune_head {
    attune_head_kind kind;
    union {
#define ATTUNE_HEAD_STATE(NAME, name) attune_##name name;
        ATTUNE_HEAD_KINDS(ATTUNE_HEAD_STATE)
#undef ATTUNE_HEAD_STATE
    } state;
} attune_head;

/* d features, 2 classes, nothing known. sensor[d] is the index of each feature's sensor, NULL: attune_sensors_init. ATTUNE_HEAD_SHAPE
 * for sensors or a kind that there are not. */
attune_head_result attune_head_init(attune_head *head, attune_head_kind kind, uint8_t d, const uint8_t *sensor);

/* evidence[k - 1] for each class k in 1..classes-1. Returns false, with zeros, if the head cannot tell anything about this
 * window: no class can be compared with class 0 by any feature that is present. Where some can, a class that was never
 * taught counts as ATTUNE_EVIDENCE_LIMIT below the best, and one that is taught but knows none of the window's features as 0. */
bool attune_head_predict(const attune_head *head, const int16_t *x, attune_real *evidence);

/* Learns one window; a new class index makes the head grow. The head is unchanged unless the result is ATTUNE_HEAD_OK. */
attune_head_result attune_head_learn(attune_head *head, const int16_t *x, uint8_t class_index, attune_real weight);

/* head += other and head -= other, exact but for rounding. The head is unchanged unless the result is ATTUNE_HEAD_OK. */
attune_head_result attune_head_merge(attune_head *head, const attune_head *other);
attune_head_result attune_head_unmerge(attune_head *head, const attune_head *other);

/* Portable state: kind, d, classes, format (a byte each), then what the kind's header says. export returns the bytes
 * written, 0 if the buffer is too small. import takes states of the head's own kind and d in any format, and leaves the head
 * unchanged unless the result is ATTUNE_HEAD_OK. */
size_t attune_head_export(const attune_head *head, attune_format format, uint8_t *bytes, size_t capacity);
attune_head_result attune_head_import(attune_head *head, const uint8_t *bytes, size_t size);

/* The same without a copy of the head on the stack, which a node has no room for: head keeps kind and sensors, and is a head that knows
 * nothing unless the result is ATTUNE_HEAD_OK. */
attune_head_result attune_head_load(attune_head *head, const uint8_t *bytes, size_t size);

uint8_t attune_head_classes(const attune_head *head);
const attune_sensors *attune_head_sensors(const attune_head *head);
uint8_t attune_head_features(const attune_head *head);

/* Bytes of exported state for sensors and classes, 0 for a kind or format that there is not; in RAM a head takes room for the
 * largest shape. */
size_t attune_head_size(attune_head_kind kind, const attune_sensors *sensors, uint8_t classes, attune_format format);

/* "gnb"; NULL for a number that is no kind. */
const char *attune_head_kind_name(attune_head_kind kind);

#endif
