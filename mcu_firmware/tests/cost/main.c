/* An image that counts instructions: what window, heads, filter and drift sketch cost on the board, and what they leave in memory.
 *
 * Each figure is the largest of many calls. UART2 gets the lines of cost/count.h, and for each head "digest HEAD HEX".
 * bench/cost.py runs it; tests/e2e/test_cost.py makes the digests with the binding. */
#include "cost/count.h"
#include "drift/sketch.h"
#include "filter/filter.h"
#include "learner/head.h"
#include "memory.h"
#include "stack.h"
#include "uart.h"
#include "window/window.h"

#include <monocypher.h>
#include <string.h>

#define CALLS 64
#define STREAM 300

int main(void);

static uint32_t random_state;
static attune_head head;
static int16_t row[ATTUNE_MAX_FEATURES];
static attune_real evidence[ATTUNE_MAX_CLASSES - 1];
static attune_schema schema;

/* A linear congruential generator (Knuth, Numerical Recipes' constants); the upper half of its state. */
static uint32_t next_random(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 16;
}

/* A window of class k: every feature somewhere within 2 units of its class's own centre, missing once in `missing` (0: never). */
static void next_row(uint8_t d, uint8_t k, uint32_t missing) {
    for (uint8_t i = 0; i < d; i++) {
        int32_t centre = (int32_t)((k * 5u + i * 3u) % 7u) * 200;
        int32_t q = (int32_t)(next_random() % 4096u) - 2048 + centre;
        bool gone = missing > 0 && next_random() % missing == 0;
        row[i] = gone ? ATTUNE_MISSING : (int16_t)q;
    }
}

static void nothing(void) {}

static uint8_t class_of_call;

static void learn(void) { (void)attune_head_learn(&head, row, class_of_call, 1); }

static void predict(void) { (void)attune_head_predict(&head, row, evidence); }

/* The largest cost of a call on many windows of K classes. */
static uint32_t count_largest(work *what, uint8_t classes) {
    uint32_t largest = 0;
    for (uint8_t call = 0; call < CALLS; call++) {
        class_of_call = call % classes;
        next_row(attune_head_features(&head), class_of_call, 0);
        uint32_t cost = count_once(what);
        largest = cost > largest ? cost : largest;
    }
    return largest;
}

/* sensor[d] as attune_head_init has it. */
static void measure_shape(attune_head_kind kind, uint8_t d, const uint8_t *sensor, uint8_t classes, const char *shape) {
    char subject[24] = "";
    strcat(subject, attune_head_kind_name(kind));
    strcat(subject, shape);
    (void)attune_head_init(&head, kind, d, sensor);
    (void)count_largest(learn, classes);
    say_cost(subject, " learn", count_largest(learn, classes));
    say_cost(subject, " predict", count_largest(predict, classes));
    say_cost(subject, " state", (uint32_t)attune_head_size(kind, attune_head_sensors(&head), classes, ATTUNE_FLOAT32));
}

/* A stream of three classes with weights and missing features, each window predicted and then learned: BLAKE2b over the evidence
 * of every window and the states in which it ends. */
static void say_digest(attune_head_kind kind) {
    static uint8_t state[4096];
    uint8_t digest[16];
    crypto_blake2b_ctx blake;
    crypto_blake2b_init(&blake, sizeof digest);
    (void)attune_head_init(&head, kind, ATTUNE_MAX_FEATURES, NULL);
    for (uint16_t window = 0; window < STREAM; window++) {
        uint8_t k = (uint8_t)(window % 3);
        next_row(ATTUNE_MAX_FEATURES, k, 8);
        predict();
        crypto_blake2b_update(&blake, (const uint8_t *)evidence, (attune_head_classes(&head) - 1u) * sizeof *evidence);
        (void)attune_head_learn(&head, row, k, (attune_real)(1 + window % 5) / 4);
    }
    for (int format = ATTUNE_FLOAT32; format <= ATTUNE_INT8; format++) {
        size_t size = attune_head_export(&head, (attune_format)format, state, sizeof state);
        crypto_blake2b_update(&blake, state, size);
    }
    crypto_blake2b_final(&blake, digest);
    attune_uart_say("digest ");
    attune_uart_say(attune_head_kind_name(kind));
    attune_uart_say(" ");
    for (uint8_t i = 0; i < sizeof digest; i++) {
        const char *hex = "0123456789abcdef";
        attune_uart_say((char[]){hex[digest[i] >> 4], hex[digest[i] & 15], '\0'});
    }
    attune_uart_say("\n");
}

static attune_window window;
static attune_filter filter;

static void close_window(void) { attune_window_close(&window, row); }

static void filter_step(void) {
    attune_filter_predict(&filter);
    attune_filter_update(&filter, evidence);
}

static void fill_window(uint32_t call) {
    for (uint8_t s = 0; s < schema.sensors; s++) {
        for (uint32_t part = 1; part <= 6; part++) {
            attune_real value = (attune_real)(next_random() % 1000u) / 10;
            (void)attune_window_sample(&window, s, call * 60000u + part * 10000u, value);
        }
    }
}

static void measure_window(void) {
    uint32_t largest = 0;
    attune_window_init(&window, &schema, 0);
    for (uint32_t call = 0; call < CALLS; call++) {
        fill_window(call);
        uint32_t cost = count_once(close_window);
        largest = cost > largest ? cost : largest;
    }
    say_cost("window", " features", schema.features);
    say_cost("window", " close", largest);
}

static void measure_filter(void) {
    uint32_t largest = 0;
    attune_filter_init(&filter, 2, 60, NULL);
    for (uint32_t call = 0; call < CALLS; call++) {
        evidence[0] = (attune_real)(next_random() % 1200u) / 100 - 6;
        uint32_t cost = count_once(filter_step);
        largest = cost > largest ? cost : largest;
    }
    say_cost("filter", " step", largest);
}

static attune_sketch sketch;
static uint8_t exported[ATTUNE_SKETCH_SIZE];

static void add_to_sketch(void) { attune_sketch_add(&sketch, row); }

static void measure_sketch(const uint8_t *sensor) {
    uint32_t largest = 0;
    (void)attune_sketch_init(&sketch, ATTUNE_MAX_FEATURES, sensor);
    for (uint32_t call = 0; call < CALLS; call++) {
        next_row(ATTUNE_MAX_FEATURES, call % 2, 0);
        uint32_t cost = count_once(add_to_sketch);
        largest = cost > largest ? cost : largest;
    }
    say_cost("sketch", " add", largest);
    attune_sketch_export(&sketch, exported);
    say_cost("sketch", " bytes", (uint32_t)attune_sketch_size(&sketch));
}

/* What a node holds for as long as it runs, and the deepest that the stack has been in all that was measured before. */
static void measure_memory(void) {
    say_cost("memory", " held", sizeof schema + sizeof window + sizeof filter + sizeof head + sizeof row);
    say_cost("memory", " sketch", sizeof sketch);
    say_cost("memory", " stack", attune_span(attune_stack_begin, attune_stack_end) - attune_stack_free());
}

/* Layers that are published for other code: by the formula of softmax.h, as the build holds windows of ATTUNE_MAX_FEATURES. */
static void say_layers(void) {
    say_cost("softmax 64-10", " training", ATTUNE_SOFTMAX_BYTES(64, 1, 10));
    say_cost("softmax 128-8", " training", ATTUNE_SOFTMAX_BYTES(128, 1, 8));
    say_cost("softmax 40-3", " training", ATTUNE_SOFTMAX_BYTES(40, 1, 3));
}

/* Every kind of level, with all that a level gives unless told otherwise. Returns the sensor of each feature. */
static const uint8_t *make_schema(void) {
    static uint8_t sensors[ATTUNE_MAX_SENSORS];
    static uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t kind = ATTUNE_TEMPERATURE; kind <= ATTUNE_POWER; kind++) {
        sensors[kind - ATTUNE_TEMPERATURE] = kind | ATTUNE_HISTORY;
    }
    (void)attune_schema_init(&schema, sensors, ATTUNE_POWER, 60);
    for (uint8_t i = 0; i < schema.features; i++) {
        sensor[i] = schema.feature[i].sensor;
    }
    return sensor;
}

int main(void) {
    const uint8_t *sensor = make_schema();
    begin_counting();
    say_cost("nothing", "", count_once(nothing));
    for (int kind = 1; kind < 256; kind++) {
        if (attune_head_kind_name((attune_head_kind)kind) != NULL) {
            random_state = (uint32_t)kind;
            say_digest((attune_head_kind)kind);
            measure_shape((attune_head_kind)kind, ATTUNE_MAX_FEATURES, sensor, 2, " 24x2");
            measure_shape((attune_head_kind)kind, 5, NULL, 3, " 5x3");
        }
    }
    measure_window();
    measure_filter();
    measure_sketch(sensor);
    measure_memory();
    say_layers();
    end_counting();
}
