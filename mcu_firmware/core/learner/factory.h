/* The factory release: what a node knows before anybody has labelled anything.
 *
 * A table of class statistics for each sensor kind and statistic, worth two windows a class, computed from simulated
 * buildings by `python -m attuned.demo.factory`, which writes factory_release.c. A node takes the rows of its own
 * features. Rooms on it are "not yet taught". */
#ifndef ATTUNE_FACTORY_H
#define ATTUNE_FACTORY_H

#include "learner/head.h"
#include "window/schema.h"

typedef struct attune_factory_row {
    uint8_t kind;
    uint8_t statistic;
    float mean[2]; /* free, occupied, in units of q / 1024 */
    float variance[2];
} attune_factory_row;

extern const attune_factory_row attune_factory_rows[];
extern const uint8_t attune_factory_row_count;

/* Weight of each class: what two labelled windows would weigh. Whoever teaches a room has its factory release outweighed by ten
 * labels; by cross-validation 1 to 3 a class are alike, and 10 are worse where there are 10 to 50 labels. */
#define ATTUNE_FACTORY_WEIGHT ATTUNE_REAL(2.0)

/* The kind that a node without any other release runs. */
#define ATTUNE_FACTORY_HEAD ATTUNE_HEAD_MIXTURE

/* Sets head to the factory release of this kind for this schema. A sensor with a feature that the table does not name stays
 * unknown and counts for nothing; kinds that are no sums start without knowledge. */
attune_head_result attune_factory_load(attune_head *head, attune_head_kind kind, const attune_schema *schema);

/* Digest of a release: BLAKE2b of the head's exported float32 state and the schema's hash. */
void attune_factory_digest(const attune_head *head, const attune_schema *schema, uint8_t digest[16]);

#endif
