/* Weights, means and spreads in the formats that a state travels in.
 *
 * float32 keeps them as they are. The others keep what predictions feel alike everywhere: sqrt(n), which stays in float16's range,
 * and the spread as deviation sqrt(m2 / n) (float16) or log(m2 / n + ATTUNE_LEAST_VARIANCE) (int8). Means are float16 in int8 as
 * well: they lie far from 0 where spreads are small. Reading puts back within its limits what rounding has lifted over them. */
#ifndef ATTUNE_MEANS_STATE_H
#define ATTUNE_MEANS_STATE_H

#include "learner/format.h"
#include "learner/means.h"

/* One block of weights. */
uint8_t *attune_weights_write(attune_format format, const attune_real *n, uint8_t count, uint8_t *bytes);
const uint8_t *attune_weights_read(attune_format format, attune_real *n, uint8_t count, const uint8_t *bytes);

/* A block of weights by sensor, and one of means by feature. */
size_t attune_means_size(attune_format format, const attune_sensors *sensors);
uint8_t *attune_means_write(attune_format format, const attune_means *means, const attune_sensors *sensors,
                            uint8_t *bytes);
const uint8_t *attune_means_read(attune_format format, attune_means *means, const attune_sensors *sensors,
                                 const uint8_t *bytes);

/* What lossy formats do to read means that is not in their bytes: 0 where no weight is left, and limits as above. */
void attune_means_settle(attune_format format, attune_means *means, const attune_sensors *sensors);

/* One block of sums of squares m2[d] of weights n[d]; to read what was written, pass what the weights were read as. */
uint8_t *attune_squares_write(attune_format format, const attune_real *m2, const attune_real *n, uint8_t d,
                              uint8_t *bytes);
const uint8_t *attune_squares_read(attune_format format, attune_real *m2, const attune_real *n, uint8_t d,
                                   const uint8_t *bytes);

#endif
