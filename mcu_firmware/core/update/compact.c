#include "update/compact.h"

#include "learner/ridge_parts.h"
#include "update/compact_ridge.h"
#include "update/normaliser.h"

#include <string.h>

#define CLASS_HEADER 2 /* scale of the weights */

/* Steps a doubling, and the place of 1, of what is written as a logarithm. */
#define WEIGHT_STEPS 8
#define WEIGHT_ONE 49
#define APART_STEPS 1
#define APART_ONE 5
#define RATIO_STEP ATTUNE_REAL(0.5)
#define NIBBLE_MOST 7

/* The square of the smallest scale; naive Bayes adds far more to every variance. */
#define LEAST_WRITTEN ATTUNE_REAL(1.52587890625e-5)

static attune_real power_of(int32_t code, int32_t steps, int32_t one) {
    return attune_exp((attune_real)(code - one) / (attune_real)steps * ATTUNE_LN2);
}

/* The nearest code from 1 to most for x > 0. */
static uint8_t code_of(attune_real x, int32_t steps, int32_t one, int32_t most) {
    int32_t code = one + attune_round_i16(attune_log(x) / ATTUNE_LN2 * (attune_real)steps);
    return (uint8_t)(code < 1 ? 1 : code > most ? most : code);
}

size_t attune_compact_size(uint8_t d, uint8_t classes) {
    return 1u + classes + 3u * d + (classes - 1u) * (CLASS_HEADER + 2u * d);
}

static int8_t nibble(uint8_t bits) { return (int8_t)((bits & 15u) < 8 ? bits & 15u : (bits & 15u) - 16); }

static attune_real apart_of(int8_t code) {
    attune_real size = power_of(code < 0 ? -code : code, APART_STEPS, APART_ONE);
    return code == 0 ? 0 : code < 0 ? -size : size;
}

static int8_t apart_code(attune_real x) {
    attune_real size = x < 0 ? -x : x;
    if (!(size > power_of(1, APART_STEPS, APART_ONE) / 2)) {
        return 0;
    }
    int8_t code = (int8_t)code_of(size, APART_STEPS, APART_ONE, NIBBLE_MOST);
    return x < 0 ? (int8_t)-code : code;
}

static int8_t ratio_code(attune_real x) {
    int16_t steps = attune_round_i16(x / RATIO_STEP);
    return (int8_t)(steps > NIBBLE_MOST ? NIBBLE_MOST : steps < -NIBBLE_MOST ? -NIBBLE_MOST : steps);
}

/* Where the parts of the bytes are. */
typedef struct places {
    uint8_t d;
    uint8_t classes;
    const uint8_t *n, *centre, *scale, *columns;
} places;

static places find(uint8_t d, uint8_t classes, const uint8_t *bytes) {
    places at = {.d = d, .classes = classes, .n = bytes + 1};
    at.centre = at.n + classes;
    at.scale = at.centre + 2u * d;
    at.columns = at.scale + d;
    return at;
}

static const uint8_t *column(const places *at, uint8_t k) {
    return at->columns + (k - 1u) * (CLASS_HEADER + 2u * at->d);
}

static uint8_t both(const places *at, uint8_t k, uint8_t i) { return column(at, k)[CLASS_HEADER + at->d + i]; }

static attune_real weight_of(const places *at, uint8_t k) {
    return at->n[k] == 0 ? 0 : power_of(at->n[k], WEIGHT_STEPS, WEIGHT_ONE);
}

static attune_real scale_of(const places *at, uint8_t i) {
    return at->scale[i] == 0 ? 0 : attune_scale_of(at->scale[i]);
}

/* Mean of class 0 and its variance in units of the pooled one. */
typedef struct origin {
    attune_real mean;
    attune_real variance;
} origin;

/* The centre is the middle of the classes' means, the scale squared their mean variance by weight. */
static origin find_origin(const places *at, uint8_t i, attune_real centre) {
    attune_real apart = 0, variances = 0, all = 0, taught = 0;
    for (uint8_t k = 0; k < at->classes; k++) {
        attune_real n = weight_of(at, k);
        int8_t ratio = k == 0 ? 0 : nibble(both(at, k, i) >> 4);
        apart += n > 0 && k > 0 ? apart_of(nibble(both(at, k, i))) : 0;
        variances += n * attune_exp((attune_real)ratio * RATIO_STEP);
        taught += n > 0 ? 1 : 0;
        all += n;
    }
    return (origin){centre - apart / taught * scale_of(at, i), all / variances};
}

static void read_feature(attune_mixture *mixture, const places *at, uint8_t i, attune_real centre) {
    attune_real scale = scale_of(at, i);
    origin free = find_origin(at, i, centre);
    for (uint8_t k = 0; k < at->classes; k++) {
        attune_gnb_class *of = &mixture->gnb.of[k];
        attune_real n = weight_of(at, k);
        attune_real apart = k == 0 ? 0 : apart_of(nibble(both(at, k, i))) * scale;
        int8_t ratio = k == 0 ? 0 : nibble(both(at, k, i) >> 4);
        if (n > 0 && scale > 0) {
            of->means.n[mixture->sensors.of[i]] = n;
            of->means.mean[i] = free.mean + apart;
            of->m2[i] = n * scale * scale * free.variance * attune_exp((attune_real)ratio * RATIO_STEP);
        }
    }
}

/* Features of one sensor are known together. */
static bool read_known(const attune_sensors *sensors, const places *at, uint32_t *known) {
    uint32_t sensors_known = 0, sensors_unknown = 0;
    *known = 0;
    for (uint8_t i = 0; i < at->d; i++) {
        bool is = at->scale[i] != 0;
        *known |= (uint32_t)is << i;
        sensors_known |= (uint32_t)is << sensors->of[i];
        sensors_unknown |= (uint32_t)!is << sensors->of[i];
    }
    return (sensors_known & sensors_unknown) == 0;
}

/* Ridge's weights in units of q / 1024. */
static void read_weights(attune_ridge *ridge, const places *at, uint8_t k) {
    attune_real unit;
    (void)attune_block_read(ATTUNE_FLOAT16, &unit, 1, column(at, k));
    for (uint8_t i = 0; i < at->d; i++) {
        attune_real steps = (attune_real)(int8_t)column(at, k)[CLASS_HEADER + i];
        ridge->weight[k - 1][i] = at->scale[i] == 0 ? 0 : steps * unit / scale_of(at, i);
    }
}

static bool make(attune_mixture *mixture, const places *at) {
    attune_real centre[ATTUNE_MAX_FEATURES];
    uint32_t known;
    if (!read_known(&mixture->sensors, at, &known) || at->n[0] == 0) {
        return false;
    }
    (void)attune_block_read(ATTUNE_FLOAT16, centre, at->d, at->centre);
    mixture->classes = mixture->gnb.classes = mixture->ridge.classes = at->classes;
    for (uint8_t i = 0; i < at->d; i++) {
        read_feature(mixture, at, i, centre[i]);
    }
    for (uint8_t k = 0; k < at->classes; k++) {
        mixture->ridge.n[k] = weight_of(at, k);
        if (!attune_gnb_valid(&mixture->gnb.of[k], &mixture->sensors)) {
            return false;
        }
        if (k > 0) {
            read_weights(&mixture->ridge, at, k);
        }
    }
    return attune_compact_ridge(&mixture->ridge, &mixture->gnb, known);
}

bool attune_compact_read(attune_head *head, const attune_sensors *sensors, const uint8_t *bytes, size_t size) {
    uint8_t classes = size > 0 ? bytes[0] >> 4 : 0;
    bool fits = size > 0 && (bytes[0] & 15u) == ATTUNE_HEAD_MIXTURE && classes >= 2 && classes <= ATTUNE_MAX_CLASSES &&
                size == attune_compact_size(sensors->features, classes);
    if (!fits) {
        return false;
    }
    memset(head, 0, sizeof *head);
    head->kind = ATTUNE_HEAD_MIXTURE;
    attune_mixture_init(&head->state.mixture, sensors);
    places at = find(sensors->features, classes, bytes);
    return make(&head->state.mixture, &at);
}

/* What is written of one feature. */
typedef struct feature {
    attune_real centre, scale;
    attune_real mean[ATTUNE_MAX_CLASSES], variance[ATTUNE_MAX_CLASSES];
} feature;

static bool knows(const attune_mixture *mixture, uint8_t k, uint8_t i) {
    return mixture->gnb.of[k].means.n[mixture->sensors.of[i]] > 0;
}

/* A feature counts if class 0 and another know it and ridge has seen all of its sensor. */
static bool is_known(const attune_mixture *mixture, uint8_t i) {
    bool known = false;
    for (uint8_t k = 1; k < mixture->classes; k++) {
        known = known || knows(mixture, k, i);
    }
    for (uint8_t j = 0; j < mixture->sensors.features; j++) {
        known =
            known && (mixture->sensors.of[j] != mixture->sensors.of[i] || attune_ridge_has_seen(&mixture->ridge, j));
    }
    return known && knows(mixture, 0, i);
}

/* A class that does not know a feature is written as if it were as class 0. */
static feature describe(const attune_mixture *mixture, uint8_t i) {
    feature f = {.centre = 0, .scale = 0};
    attune_real all = 0, taught = 0, variances = 0;
    for (uint8_t k = 0; k < mixture->classes; k++) {
        const attune_gnb_class *of = &mixture->gnb.of[knows(mixture, k, i) ? k : 0];
        attune_real n = mixture->ridge.n[k];
        f.mean[k] = of->means.mean[i];
        attune_real variance = of->m2[i] / of->means.n[mixture->sensors.of[i]];
        f.variance[k] = variance > LEAST_WRITTEN ? variance : LEAST_WRITTEN;
        f.centre += n > 0 ? f.mean[k] : 0;
        variances += n * f.variance[k];
        all += n;
        taught += n > 0 ? 1 : 0;
    }
    f.centre /= taught;
    f.scale = attune_sqrt(variances / all);
    return f;
}

static void write_feature(const attune_mixture *mixture, const places *at, uint8_t i, uint8_t *bytes) {
    uint8_t *centre = bytes + (at->centre - bytes) + 2u * i;
    uint8_t *scale = bytes + (at->scale - bytes) + i;
    if (!is_known(mixture, i)) {
        memset(centre, 0, 2);
        *scale = 0;
        return;
    }
    feature f = describe(mixture, i);
    (void)attune_block_write(ATTUNE_FLOAT16, &f.centre, 1, centre);
    *scale = attune_scale_code(f.scale);
    for (uint8_t k = 1; k < at->classes; k++) {
        int8_t apart = apart_code((f.mean[k] - f.mean[0]) / scale_of(at, i));
        int8_t ratio = ratio_code(attune_log(f.variance[k] / f.variance[0]));
        bytes[column(at, k) - bytes + CLASS_HEADER + at->d + i] = (uint8_t)((apart & 15) | (ratio & 15) << 4);
    }
}

static void write_weights(const attune_mixture *mixture, const places *at, uint8_t k, uint8_t *to) {
    attune_real row[ATTUNE_MAX_FEATURES];
    attune_real largest = 0;
    for (uint8_t i = 0; i < at->d; i++) {
        row[i] = mixture->ridge.weight[k - 1][i] * scale_of(at, i);
        attune_real size = row[i] < 0 ? -row[i] : row[i];
        largest = size > largest ? size : largest;
    }
    attune_real unit = largest / INT8_MAX;
    (void)attune_block_write(ATTUNE_FLOAT16, &unit, 1, to);
    (void)attune_block_read(ATTUNE_FLOAT16, &unit, 1, to);
    for (uint8_t i = 0; i < at->d; i++) {
        attune_real steps = unit > 0 ? row[i] / unit : 0;
        steps = steps > INT8_MAX ? INT8_MAX : steps < -INT8_MAX ? -INT8_MAX : steps;
        to[CLASS_HEADER + i] = (uint8_t)attune_round_i16(steps);
    }
}

size_t attune_compact_write(const attune_head *head, uint8_t *bytes, size_t capacity) {
    const attune_mixture *mixture = &head->state.mixture;
    uint8_t classes = attune_head_classes(head);
    size_t size = attune_compact_size(attune_head_features(head), classes);
    if (head->kind != ATTUNE_HEAD_MIXTURE || capacity < size || !(mixture->ridge.n[0] > 0)) {
        return 0;
    }
    memset(bytes, 0, size);
    bytes[0] = (uint8_t)(ATTUNE_HEAD_MIXTURE | classes << 4);
    places at = find(mixture->sensors.features, classes, bytes);
    for (uint8_t k = 0; k < classes; k++) {
        attune_real n = mixture->ridge.n[k];
        bytes[1 + k] = n > 0 ? code_of(n, WEIGHT_STEPS, WEIGHT_ONE, UINT8_MAX) : 0;
    }
    for (uint8_t i = 0; i < at.d; i++) {
        write_feature(mixture, &at, i, bytes);
    }
    for (uint8_t k = 1; k < classes; k++) {
        write_weights(mixture, &at, k, bytes + (column(&at, k) - bytes));
    }
    attune_head read;
    return attune_compact_read(&read, &mixture->sensors, bytes, size) ? size : 0;
}
