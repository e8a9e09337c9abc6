/* A model version as a node runs it: head, what conditions its input and what is made of its evidence; and its image, the bytes that
 * a slot holds and that its digest is of.
 *
 * Image: the head's state in float32 (attune_head_export), then those sections that there are, each a byte that says which
 * and its contents, in ascending order, then the schema's hash (8 bytes). A head alone so has the digest of attune_factory_digest.
 *
 *   section 1   through_label (4 bytes, little endian), if it is not 0
 *   section 2   the normaliser (normaliser.h)
 *   section 3   the calibration (calibration.h)
 */
#ifndef ATTUNE_MODEL_H
#define ATTUNE_MODEL_H

#include "learner/head.h"
#include "update/calibration.h"
#include "update/normaliser.h"

#define ATTUNE_DIGEST_SIZE 16

/* Bytes of the largest image: a mixture of ATTUNE_MAX_FEATURES features, ATTUNE_MAX_SENSORS sensors and ATTUNE_MAX_CLASSES classes with every
 * section. */
#define ATTUNE_MAX_IMAGE                                                                                               \
    (8 + 4 * (ATTUNE_MAX_FEATURES * (ATTUNE_MAX_FEATURES + 1) / 2) +                                                   \
     4 * ATTUNE_MAX_CLASSES * (ATTUNE_MAX_SENSORS + 3 * ATTUNE_MAX_FEATURES + 1) + 5 + 1 +                             \
     ATTUNE_NORMALISER_SIZE(ATTUNE_MAX_FEATURES) + 1 + ATTUNE_CALIBRATION_SIZE(ATTUNE_MAX_CLASSES) + 8)

typedef struct attune_model {
    attune_head head;
    attune_normaliser normaliser;
    attune_calibration calibration; /* of as many classes as the head has */
    uint32_t through_label; /* highest number of a label that it was built from; a label log keeps later ones only */
} attune_model;

/* A head that knows nothing and nothing else. False as attune_head_init. */
bool attune_model_init(attune_model *model, attune_head_kind kind, uint8_t d, const uint8_t *sensor);

size_t attune_model_size(const attune_model *model);

/* Returns the bytes written, 0 if there is no room. */
size_t attune_model_write(const attune_model *model, const uint8_t schema_hash[8], uint8_t *image, size_t capacity);

/* Reads a head in any format and sections, as an image has them before the schema's hash. model says what kind and sensors the
 * head has. False for bytes that are none; model is then undefined. */
bool attune_model_read(attune_model *model, const uint8_t *bytes, size_t size);

/* The same of a whole image. */
bool attune_model_read_image(attune_model *model, const uint8_t schema_hash[8], const uint8_t *image, size_t size);

/* The first 16 bytes of BLAKE2b-512 of an image. */
void attune_model_digest(const uint8_t *image, size_t size, uint8_t digest[ATTUNE_DIGEST_SIZE]);

/* Evidence of a window in schema coordinates, as attune_head_predict, but normalised before it. This is what reports carry: the daemon
 * calibrates it anew. */
bool attune_model_evidence(const attune_model *model, const int16_t *x, attune_real *evidence);

/* What the model's own filter makes of that evidence: calibrated, and bounded again. */
void attune_model_calibrate(const attune_model *model, attune_real *evidence);

/* Learns a window in schema coordinates, as attune_head_learn. A calibration of fewer classes than the head then has is dropped. */
attune_head_result attune_model_learn(attune_model *model, const int16_t *x, uint8_t class_index, attune_real weight);

#endif
