#include "drift/sketch.h"

#include "window/schema.h"

#include <string.h>

#define FORMAT 1u
#define HEAD 3u

/* Counts as one string of bits, read or written from the lowest bit on. */
typedef struct bit_string {
    uint8_t *bytes;
    size_t at;
} bit_string;

static void forget_last(attune_sketch *sketch) {
    for (uint8_t s = 0; s < ATTUNE_MAX_SENSORS; s++) {
        sketch->last[s] = ATTUNE_MISSING;
    }
}

bool attune_sketch_init(attune_sketch *sketch, uint8_t features, const uint8_t *sensor) {
    attune_sensors sensors;
    if (!attune_sensors_init(&sensors, features, sensor) || sensors.count > ATTUNE_MAX_SENSORS) {
        return false;
    }
    *sketch = (attune_sketch){.sensors = sensors};
    forget_last(sketch);
    return true;
}

static void count(attune_sketch *sketch, uint16_t *of) {
    *of = (uint16_t)(*of + (*of < ATTUNE_SKETCH_MOST));
    sketch->full = sketch->full || *of == ATTUNE_SKETCH_MOST;
}

static uint8_t bin_of(int16_t q) {
    /* From the lower end of bin 1 up, so that the division rounds down. */
    int32_t above = (int32_t)q + 4 * ATTUNE_SKETCH_BIN_STEPS;
    if (above < 0) {
        return 0;
    }
    int32_t bin = above / ATTUNE_SKETCH_BIN_STEPS + 1;
    return (uint8_t)(bin < ATTUNE_SKETCH_BINS ? bin : ATTUNE_SKETCH_BINS - 1);
}

static bool is_far(int16_t q) { return q >= ATTUNE_SKETCH_FAR || q <= -ATTUNE_SKETCH_FAR; }

/* Bit s is set if a feature of sensor s is far. */
static uint32_t far_sensors(const attune_sensors *sensors, const int16_t *x) {
    uint32_t far = 0;
    for (uint8_t i = 0; i < sensors->features; i++) {
        far |= (uint32_t)is_far(x[i]) << sensors->of[i];
    }
    return far;
}

static void count_sensor(attune_sketch *sketch, uint8_t s, int16_t first, bool present, bool far) {
    if (!present) {
        count(sketch, &sketch->missing[s]);
        return;
    }
    if (first == sketch->last[s]) {
        count(sketch, &sketch->stuck[s]);
    }
    if (far) {
        count(sketch, &sketch->far[s]);
    }
    sketch->last[s] = first;
}

void attune_sketch_add(attune_sketch *sketch, const int16_t *x) {
    const attune_sensors *sensors = &sketch->sensors;
    const uint32_t present = attune_sensors_present(sensors, x);
    const uint32_t far = far_sensors(sensors, x);
    uint8_t next = 0;
    for (uint8_t i = 0; i < sensors->features; i++) {
        uint8_t s = sensors->of[i];
        if (s == next) {
            count_sensor(sketch, s, x[i], (present >> s & 1u) != 0, (far >> s & 1u) != 0);
            next++;
        }
        if (x[i] != ATTUNE_MISSING) {
            count(sketch, &sketch->bin[i][bin_of(x[i])]);
        }
    }
}

void attune_sketch_clear(attune_sketch *sketch) {
    memset(sketch->bin, 0, sizeof sketch->bin);
    memset(sketch->missing, 0, sizeof sketch->missing);
    memset(sketch->stuck, 0, sizeof sketch->stuck);
    memset(sketch->far, 0, sizeof sketch->far);
    sketch->full = false;
}

static size_t counts_of(const attune_sketch *sketch) {
    return (size_t)sketch->sensors.features * ATTUNE_SKETCH_BINS + (size_t)sketch->sensors.count * 3u;
}

size_t attune_sketch_size(const attune_sketch *sketch) {
    return HEAD + (counts_of(sketch) * ATTUNE_SKETCH_BITS + 7u) / 8u;
}

/* The n-th count in the order of an export. */
static uint16_t *count_at(attune_sketch *sketch, size_t n) {
    const size_t bins = (size_t)sketch->sensors.features * ATTUNE_SKETCH_BINS;
    if (n < bins) {
        return &sketch->bin[n / ATTUNE_SKETCH_BINS][n % ATTUNE_SKETCH_BINS];
    }
    uint16_t *const of_sensors[] = {sketch->missing, sketch->stuck, sketch->far};
    return &of_sensors[(n - bins) / sketch->sensors.count][(n - bins) % sketch->sensors.count];
}

static void put(bit_string *bits, uint16_t number) {
    for (uint8_t b = 0; b < ATTUNE_SKETCH_BITS; b++, bits->at++) {
        uint8_t bit = (uint8_t)((number >> b & 1u) << (bits->at % 8u));
        bits->bytes[bits->at / 8u] = (uint8_t)(bits->bytes[bits->at / 8u] | bit);
    }
}

static uint16_t get(const uint8_t *bytes, size_t at) {
    uint16_t number = 0;
    for (uint8_t b = 0; b < ATTUNE_SKETCH_BITS; b++, at++) {
        number = (uint16_t)(number | (bytes[at / 8u] >> (at % 8u) & 1u) << b);
    }
    return number;
}

void attune_sketch_export(const attune_sketch *sketch, uint8_t *bytes) {
    memset(bytes, 0, attune_sketch_size(sketch));
    bytes[0] = FORMAT;
    bytes[1] = sketch->sensors.features;
    bytes[2] = sketch->sensors.count;
    bit_string bits = {.bytes = bytes + HEAD};
    for (size_t n = 0; n < counts_of(sketch); n++) {
        /* count_at serves import too, which writes. */
        put(&bits, *count_at((attune_sketch *)sketch, n));
    }
}

bool attune_sketch_import(attune_sketch *sketch, const uint8_t *bytes, size_t size) {
    const size_t counts = counts_of(sketch);
    if (size != attune_sketch_size(sketch) || bytes[0] != FORMAT || bytes[1] != sketch->sensors.features ||
        bytes[2] != sketch->sensors.count) {
        return false;
    }
    const size_t end = counts * ATTUNE_SKETCH_BITS;
    if (end % 8u != 0 && bytes[HEAD + end / 8u] >> (end % 8u) != 0) {
        return false;
    }
    attune_sketch_clear(sketch);
    forget_last(sketch);
    for (size_t n = 0; n < counts; n++) {
        *count_at(sketch, n) = get(bytes + HEAD, n * ATTUNE_SKETCH_BITS);
        sketch->full = sketch->full || *count_at(sketch, n) == ATTUNE_SKETCH_MOST;
    }
    return true;
}
