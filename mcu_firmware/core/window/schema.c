#include "window/schema.h"

#include "real/bits.h"

#include <monocypher.h>
#include <string.h>

typedef struct kind_row {
    uint8_t kind;
    const char *name;
} kind_row;

static const kind_row kinds[] = {
    {ATTUNE_TEMPERATURE, "temperature"},
    {ATTUNE_HUMIDITY, "humidity"},
    {ATTUNE_LIGHT, "light"},
    {ATTUNE_CO2, "co2"},
    {ATTUNE_VOC, "voc"},
    {ATTUNE_PM25, "pm25"},
    {ATTUNE_SOUND, "sound"},
    {ATTUNE_POWER, "power"},
    {ATTUNE_LEVEL, "level"},
    {ATTUNE_CLOCK, "clock"},
    {ATTUNE_PIR, "pir"},
    {ATTUNE_DOOR, "door"},
    {ATTUNE_EVENT, "event"},
};

/* Coordinates are wire format and part of the schema hash: never change a row, add a kind instead. They are float in
 * both builds, so that both round a window alike. */
typedef struct coordinate_row {
    uint8_t kind; /* 0: every kind that has the statistic */
    uint8_t statistic;
    uint8_t transform;
    float centre;
    float scale;
} coordinate_row;

static const coordinate_row coordinates[] = {
    {ATTUNE_TEMPERATURE, ATTUNE_MEAN, ATTUNE_IDENTITY, 22.0f, 2.0f},
    {ATTUNE_TEMPERATURE, ATTUNE_DEVIATION, ATTUNE_IDENTITY, 0.125f, 0.125f},
    {ATTUNE_HUMIDITY, ATTUNE_MEAN, ATTUNE_IDENTITY, 45.0f, 10.0f},
    {ATTUNE_HUMIDITY, ATTUNE_DEVIATION, ATTUNE_IDENTITY, 0.5f, 0.5f},
    /* Lux as they are: the logarithm spreads the dark hours so widely that lamps no longer stand out (candanedo). */
    {ATTUNE_LIGHT, ATTUNE_MEAN, ATTUNE_IDENTITY, 200.0f, 200.0f},
    {ATTUNE_LIGHT, ATTUNE_DEVIATION, ATTUNE_LOG1P, 1.0f, 1.5f},
    /* People add to what is outdoors, which on a plain scale is the difference between hours: a few crowded ones would widen both
     * classes. 450, 720 and 1,090 ppm are a unit apart. */
    {ATTUNE_CO2, ATTUNE_MEAN, ATTUNE_LOG_EXCESS, 2.0f, 0.7f},
    {ATTUNE_CO2, ATTUNE_DEVIATION, ATTUNE_LOG1P, 2.0f, 1.0f},
    {ATTUNE_VOC, ATTUNE_MEAN, ATTUNE_LOG1P, 5.0f, 1.0f},
    {ATTUNE_VOC, ATTUNE_DEVIATION, ATTUNE_LOG1P, 1.5f, 1.0f},
    {ATTUNE_PM25, ATTUNE_MEAN, ATTUNE_LOG1P, 2.25f, 0.75f},
    {ATTUNE_PM25, ATTUNE_DEVIATION, ATTUNE_LOG1P, 0.5f, 0.5f},
    {ATTUNE_SOUND, ATTUNE_MEAN, ATTUNE_IDENTITY, 45.0f, 8.0f},
    {ATTUNE_SOUND, ATTUNE_DEVIATION, ATTUNE_IDENTITY, 2.0f, 2.0f},
    {ATTUNE_POWER, ATTUNE_MEAN, ATTUNE_LOG1P, 3.5f, 2.0f},
    {ATTUNE_POWER, ATTUNE_DEVIATION, ATTUNE_LOG1P, 1.0f, 1.5f},
    {ATTUNE_LEVEL, ATTUNE_MEAN, ATTUNE_IDENTITY, 0.0f, 1.0f},
    {ATTUNE_LEVEL, ATTUNE_DEVIATION, ATTUNE_IDENTITY, 0.0f, 0.25f},
    {0, ATTUNE_SINE, ATTUNE_IDENTITY, 0.0f, 1.0f},
    {0, ATTUNE_COSINE, ATTUNE_IDENTITY, 0.0f, 1.0f},
    {0, ATTUNE_WEEKEND, ATTUNE_IDENTITY, 0.0f, 1.0f},
    {0, ATTUNE_COUNT, ATTUNE_LOG1P, 0.5f, 1.0f},
    {0, ATTUNE_ACTIVITY, ATTUNE_LOG1P, 0.5f, 0.75f},
    {0, ATTUNE_SINCE, ATTUNE_LOG1P, 6.0f, 2.5f},
    {0, ATTUNE_SLOPE, ATTUNE_IDENTITY, 0.0f, 1.0f},
    {0, ATTUNE_VARIATION, ATTUNE_LOG1P, 2.0f, 2.0f},
};

static const char *const statistic_names[] = {"mean", "deviation", "count",   "activity", "since",
                                              "sine", "cosine",    "weekend", "slope",    "variation"};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

const char *attune_kind_name(uint8_t kind) {
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].name;
        }
    }
    return NULL;
}

const char *attune_statistic_name(uint8_t statistic) {
    return statistic < LENGTH(statistic_names) ? statistic_names[statistic] : NULL;
}

static const coordinate_row *find_row(uint8_t kind, uint8_t statistic) {
    uint8_t wanted = statistic == ATTUNE_MEAN || statistic == ATTUNE_DEVIATION ? kind : 0;
    for (size_t i = 0; i < LENGTH(coordinates); i++) {
        if (coordinates[i].kind == wanted && coordinates[i].statistic == statistic) {
            return &coordinates[i];
        }
    }
    return NULL;
}

static attune_schema_error add_feature(attune_schema *schema, uint8_t sensor, uint8_t statistic) {
    if (schema->features == ATTUNE_MAX_FEATURES) {
        return ATTUNE_SCHEMA_FEATURES;
    }
    const coordinate_row *row = find_row(schema->sensor[sensor] & ATTUNE_KIND_BITS, statistic);
    if (row == NULL) {
        return ATTUNE_SCHEMA_KIND;
    }
    schema->feature[schema->features] = (attune_feature){
        .sensor = sensor,
        .statistic = statistic,
        .transform = row->transform,
        .centre = (attune_real)row->centre,
        .scale = (attune_real)row->scale,
    };
    schema->features += 1;
    return ATTUNE_SCHEMA_OK;
}

typedef enum statistics_group { LEVEL, CLOCK, EVENTS } statistics_group;

static statistics_group group_of(uint8_t kind) {
    return attune_kind_is_level(kind) ? LEVEL : (kind == ATTUNE_CLOCK ? CLOCK : EVENTS);
}

static attune_schema_error add_sensor(attune_schema *schema, uint8_t byte) {
    /* In the order of the features; a bit of the sensor byte asks for a statistic, 0 means always. */
    static const struct {
        uint8_t statistic;
        uint8_t asked_by;
        statistics_group group;
    } statistics[] = {
        {ATTUNE_MEAN, 0, LEVEL},
        {ATTUNE_DEVIATION, ATTUNE_SPREAD, LEVEL},
        {ATTUNE_SLOPE, ATTUNE_HISTORY, LEVEL},
        {ATTUNE_VARIATION, ATTUNE_HISTORY, LEVEL},
        {ATTUNE_SINE, 0, CLOCK},
        {ATTUNE_COSINE, 0, CLOCK},
        {ATTUNE_WEEKEND, 0, CLOCK},
        {ATTUNE_COUNT, 0, EVENTS},
        {ATTUNE_ACTIVITY, 0, EVENTS},
        {ATTUNE_SINCE, 0, EVENTS},
    };
    uint8_t kind = byte & ATTUNE_KIND_BITS;
    uint8_t asked = byte & (uint8_t)~ATTUNE_KIND_BITS;
    statistics_group group = group_of(kind);
    if (attune_kind_name(kind) == NULL || (group != LEVEL && asked != 0)) {
        return ATTUNE_SCHEMA_KIND;
    }
    uint8_t sensor = schema->sensors;
    schema->sensor[sensor] = byte;
    schema->sensors += 1;
    attune_schema_error error = ATTUNE_SCHEMA_OK;
    for (size_t i = 0; i < LENGTH(statistics) && error == ATTUNE_SCHEMA_OK; i++) {
        uint8_t bit = statistics[i].asked_by;
        if (statistics[i].group == group && (asked & bit) == bit) {
            error = add_feature(schema, sensor, statistics[i].statistic);
        }
    }
    return error;
}

static void hash_float(crypto_blake2b_ctx *blake, attune_real value) {
    uint32_t bits = attune_bits_of_float((float)value);
    uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24)};
    crypto_blake2b_update(blake, bytes, sizeof bytes);
}

static void compute_hash(attune_schema *schema) {
    crypto_blake2b_ctx blake;
    uint8_t digest[64];
    uint8_t window[2] = {(uint8_t)schema->window_s, (uint8_t)(schema->window_s >> 8)};
    crypto_blake2b_init(&blake, sizeof digest);
    crypto_blake2b_update(&blake, window, sizeof window);
    for (uint8_t i = 0; i < schema->features; i++) {
        const attune_feature *f = &schema->feature[i];
        uint8_t kind = schema->sensor[f->sensor] & ATTUNE_KIND_BITS;
        uint8_t head[3] = {kind, f->statistic, f->transform};
        crypto_blake2b_update(&blake, head, sizeof head);
        hash_float(&blake, f->centre);
        hash_float(&blake, f->scale);
    }
    crypto_blake2b_final(&blake, digest);
    memcpy(schema->hash, digest, sizeof schema->hash);
}

attune_schema_error attune_schema_init(attune_schema *schema, const uint8_t *sensors, size_t count, uint16_t window_s) {
    memset(schema, 0, sizeof *schema);
    if (count == 0 || count > ATTUNE_MAX_SENSORS) {
        return ATTUNE_SCHEMA_SENSORS;
    }
    if (window_s < ATTUNE_MIN_WINDOW_S || window_s > ATTUNE_MAX_WINDOW_S) {
        return ATTUNE_SCHEMA_WINDOW;
    }
    schema->window_s = window_s;
    for (size_t i = 0; i < count; i++) {
        attune_schema_error error = add_sensor(schema, sensors[i]);
        if (error != ATTUNE_SCHEMA_OK) {
            return error;
        }
    }
    compute_hash(schema);
    return ATTUNE_SCHEMA_OK;
}

static attune_real transformed(uint8_t transform, attune_real x) {
    if (transform == ATTUNE_IDENTITY) {
        return x;
    }
    attune_real excess = transform == ATTUNE_LOG_EXCESS ? (x - ATTUNE_CLEAN_AIR_PPM) / ATTUNE_EXCESS_STEP_PPM : x;
    return attune_log(1 + (excess > 0 ? excess : 0));
}

int16_t attune_schema_coordinate(const attune_feature *f, attune_real x) {
    if (!attune_finite(x)) {
        return ATTUNE_MISSING;
    }
    return attune_round_i16((transformed(f->transform, x) - f->centre) / f->scale * ATTUNE_UNIT);
}
