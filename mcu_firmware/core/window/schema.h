/* Feature schemas: which features a node with given sensors computes, and the fixed coordinates they are rounded to.
 *
 * A coordinate is q = round((T(x) - centre) / scale * 1024), an int16; T is the identity or log(1 + x). Centre and
 * scale are constants of the sensor kind, about the middle and the spread of that quantity indoors, so that q / 1024
 * is of order one. INT16_MIN says that the window had no reading. */
#ifndef ATTUNE_SCHEMA_H
#define ATTUNE_SCHEMA_H

#include "config.h"
#include "real/real.h"

#include <stddef.h>
#include <stdint.h>

#define ATTUNE_MISSING INT16_MIN
#define ATTUNE_UNIT 1024 /* steps of q in one unit of what heads see */

/* The numbers are wire format: never renumber. */
typedef enum attune_kind {
    ATTUNE_TEMPERATURE = 1, /* degC */
    ATTUNE_HUMIDITY = 2,    /* %RH */
    ATTUNE_LIGHT = 3,       /* lux */
    ATTUNE_CO2 = 4,         /* ppm */
    ATTUNE_VOC = 5,         /* ppb */
    ATTUNE_PM25 = 6,        /* ug/m3 */
    ATTUNE_SOUND = 7,       /* dBA */
    ATTUNE_POWER = 8,       /* W */
    ATTUNE_LEVEL = 9,       /* any other level, in units of order one */
    ATTUNE_CLOCK = 10,      /* local time, where asked for: window/clock.h */
    ATTUNE_PIR = 32,        /* motion hits */
    ATTUNE_DOOR = 33,       /* openings and closings */
    ATTUNE_EVENT = 34       /* any other event */
} attune_kind;

/* Bits above the kind in a sensor byte, for levels: which more features there are beside the mean. Node types set
 * ATTUNE_HISTORY unless features run short. */
#define ATTUNE_SPREAD 0x80u  /* deviation within the window */
#define ATTUNE_HISTORY 0x40u /* slope and variation, from the windows before */
#define ATTUNE_KIND_BITS 0x3fu

typedef enum attune_statistic {
    ATTUNE_MEAN = 0,      /* of a level's readings */
    ATTUNE_DEVIATION = 1, /* standard deviation of a level's readings; 0 of one reading */
    ATTUNE_COUNT = 2,     /* events in the window */
    ATTUNE_ACTIVITY = 3,  /* exponential average of the count per minute, time constant 15 min */
    ATTUNE_SINCE = 4,     /* seconds since the last event, at most a day; a day if there was none */
    ATTUNE_SINE = 5,      /* of the local time of day, midnight at 0 */
    ATTUNE_COSINE = 6,    /* likewise */
    ATTUNE_WEEKEND = 7,   /* 1 on Saturday and Sunday, else 0 */
    ATTUNE_SLOPE = 8,     /* mean less its average over 3 h, in units of the mean's coordinate */
    ATTUNE_VARIATION = 9  /* deviation over half an hour about its average, in fiftieths of that unit */
} attune_statistic;

/* Before centre and scale. What a logarithm cannot take, below zero or cleaner than clean air, counts as zero. */
typedef enum attune_transform {
    ATTUNE_IDENTITY = 0,
    ATTUNE_LOG1P = 1,     /* log(1 + x) */
    ATTUNE_LOG_EXCESS = 2 /* log(1 + (x - ATTUNE_CLEAN_AIR_PPM) / ATTUNE_EXCESS_STEP_PPM) */
} attune_transform;

/* Clean air has 420 ppm of CO2, and a sensor may be some 50 ppm off. */
#define ATTUNE_CLEAN_AIR_PPM ATTUNE_REAL(350.0)
#define ATTUNE_EXCESS_STEP_PPM ATTUNE_REAL(50.0)

typedef struct attune_feature {
    uint8_t sensor;     /* index into the schema's sensors */
    uint8_t statistic;  /* attune_statistic */
    uint8_t transform;  /* attune_transform */
    attune_real centre; /* after the transform */
    attune_real scale;  /* > 0, after the transform */
} attune_feature;

/* hash is the first 8 bytes of BLAKE2b-512 of: window length (uint16); then for each feature kind, statistic, transform (a
 * byte each), centre and scale (float32); all little endian. */
typedef struct attune_schema {
    uint16_t window_s;
    uint8_t sensors;
    uint8_t features;
    uint8_t sensor[ATTUNE_MAX_SENSORS]; /* kind, with ATTUNE_SPREAD and ATTUNE_HISTORY where these count */
    attune_feature feature[ATTUNE_MAX_FEATURES];
    uint8_t hash[8]; /* see below */
} attune_schema;

typedef enum attune_schema_error {
    ATTUNE_SCHEMA_OK = 0,
    ATTUNE_SCHEMA_SENSORS,  /* none, or more than ATTUNE_MAX_SENSORS */
    ATTUNE_SCHEMA_KIND,     /* a sensor byte that is no kind, or spread or history of what is no level */
    ATTUNE_SCHEMA_FEATURES, /* more than ATTUNE_MAX_FEATURES follow */
    ATTUNE_SCHEMA_WINDOW    /* window_s outside its limits */
} attune_schema_error;

/* Makes the schema of a node with these sensor bytes, in this order. */
attune_schema_error attune_schema_init(attune_schema *schema, const uint8_t *sensors, size_t count, uint16_t window_s);

/* Rounds a statistic x of feature f to its coordinate; NaN and infinities are missing. */
int16_t attune_schema_coordinate(const attune_feature *f, attune_real x);

/* Name of a kind ("co2") or statistic ("mean"); NULL if there is no such kind. */
const char *attune_kind_name(uint8_t kind);
const char *attune_statistic_name(uint8_t statistic);

/* True for kinds that count events, which have numbers in a row. */
static inline bool attune_kind_is_event(uint8_t kind) { return kind >= ATTUNE_PIR && kind <= ATTUNE_EVENT; }

/* True for kinds that read a level, which alone may have bits above the kind. */
static inline bool attune_kind_is_level(uint8_t kind) { return kind >= ATTUNE_TEMPERATURE && kind <= ATTUNE_LEVEL; }

#endif
