/* An affine map of a window's features, on top of the schema's coordinates: what a head sees of a sensor that has drifted or was
 * replaced. It changes no statistics: reports and labels stay in schema coordinates, and are mapped when a head reads them. */
#ifndef ATTUNE_NORMALISER_H
#define ATTUNE_NORMALISER_H

#include "config.h"
#include "real/real.h"

#include <stddef.h>
#include <stdint.h>

/* x' = (x - centre) / scale for x in units of q / 1024. */
typedef struct attune_normaliser {
    bool present; /* false: the identity, and nothing else counts */
    attune_real centre[ATTUNE_MAX_FEATURES];
    attune_real scale[ATTUNE_MAX_FEATURES]; /* > 0 */
} attune_normaliser;

/* Bytes: centre[d] in float16, then scale[d], a byte b each: 2^((b - 129) / 16), b > 0. */
#define ATTUNE_NORMALISER_SIZE(d) (3u * (d))

/* b of the scale nearest to x > 0, and back. */
uint8_t attune_scale_code(attune_real x);
attune_real attune_scale_of(uint8_t code);

/* False, and normaliser undefined, if the bytes say what is none: a centre outside the coordinates, or no scale. */
bool attune_normaliser_read(attune_normaliser *normaliser, uint8_t d, const uint8_t *bytes);
void attune_normaliser_write(const attune_normaliser *normaliser, uint8_t d, uint8_t *bytes);

/* Maps one window in place; what is missing stays so, and what leaves the coordinates ends at their bounds. */
void attune_normaliser_map(const attune_normaliser *normaliser, uint8_t d, int16_t *x);

#endif
