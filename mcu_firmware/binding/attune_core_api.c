#include "attune_core_api.h"

#include "core_keeper.h"

#include "drift/sketch.h"
#include "framing/frame.h"
#include "framing/part.h"
#include "node/parts.h"
#include "session/handshake.h"
#include "update/transfer.h"
#include "window/sensor_name.h"

#include <string.h>

struct core_limits core_limits_of_build(void) {
    return (struct core_limits){
        .sensors = ATTUNE_MAX_SENSORS,
        .features = ATTUNE_MAX_FEATURES,
        .classes = ATTUNE_MAX_CLASSES,
        .backlog = ATTUNE_BACKLOG,
        .node_frame = ATTUNE_NODE_FRAME,
        .key_record = 1 + ATTUNE_KEYS * ATTUNE_KEY_SIZE + sizeof(uint32_t),
        .evidence_nats = (int)ATTUNE_EVIDENCE_LIMIT,
        .dwell_free_s = ATTUNE_DWELL_FREE_S,
        .dwell_other_s = ATTUNE_DWELL_OTHER_S,
        .min_dwell_s = ATTUNE_MIN_DWELL_S,
        .max_dwell_s = ATTUNE_MAX_DWELL_S,
        .sketch_bins = ATTUNE_SKETCH_BINS,
        .sketch_most = ATTUNE_SKETCH_MOST,
        .sketch_far = ATTUNE_SKETCH_FAR,
    };
}

struct core_sizes core_sizes_of_build(void) {
    return (struct core_sizes){
        .schema = sizeof(attune_schema),
        .window = sizeof(attune_window),
        .head = sizeof(attune_head),
        .filter = sizeof(attune_filter),
        .node = sizeof(attune_node),
        .frame_decoder = sizeof(attune_frame_decoder),
        .part_joiner = sizeof(attune_part_joiner),
        .sketch = sizeof(attune_sketch),
        .noise = sizeof(attune_noise),
        .handshake = sizeof(attune_handshake),
        .sealed_pair = sizeof(attune_sealed_pair),
        .model = sizeof(attune_model),
        .transfer = sizeof(attune_transfer),
        .test_keeper = core_keeper_size(),
    };
}

const char *core_kind_name(uint8_t kind) { return attune_kind_name(kind); }

const char *core_statistic_name(uint8_t statistic) { return attune_statistic_name(statistic); }

int core_sensor_read(const char *text, size_t size, uint8_t *byte) { return (int)attune_sensor_read(text, size, byte); }

int core_sensor_write(uint8_t byte, char *name) { return attune_sensor_write(byte, name); }

int core_schema_init(struct attune_schema *schema, const uint8_t *sensors, size_t count, uint16_t window_s) {
    return (int)attune_schema_init(schema, sensors, count, window_s);
}

int core_schema_features(const struct attune_schema *schema) { return schema->features; }

void core_schema_hash(const struct attune_schema *schema, uint8_t *hash) {
    memcpy(hash, schema->hash, sizeof schema->hash);
}

void core_schema_describe(const struct attune_schema *schema, uint8_t *sensor, uint8_t *statistic, uint8_t *transform,
                          attune_real *centre, attune_real *scale) {
    for (size_t i = 0; i < schema->features; i++) {
        const attune_feature *feature = &schema->feature[i];
        sensor[i] = feature->sensor;
        statistic[i] = feature->statistic;
        transform[i] = feature->transform;
        centre[i] = feature->centre;
        scale[i] = feature->scale;
    }
}

void core_window_init(struct attune_window *window, const struct attune_schema *schema, uint64_t now_ms) {
    attune_window_init(window, schema, now_ms);
}

size_t core_window_due(const struct attune_window *window, uint64_t tick_ms, int advance) {
    const uint64_t length = (uint64_t)window->schema->window_s * 1000u;
    const uint64_t end = attune_window_end_ms(window);
    if (tick_ms < end) {
        return 0;
    }
    /* A sample at the very end still belongs to the window. */
    const uint64_t past = tick_ms - end;
    return (size_t)(advance != 0 ? past / length + 1 : (past + length - 1) / length);
}

static void close_window(struct attune_window *window, uint32_t *end_s, int16_t *features) {
    *end_s = (uint32_t)(attune_window_end_ms(window) / 1000u);
    attune_window_close(window, features);
}

size_t core_window_samples(struct attune_window *window, const uint8_t *sensor, const uint64_t *tick_ms,
                           const attune_real *value, size_t n, uint32_t *end_s, int16_t *features, uint64_t *refused) {
    const size_t width = window->schema->features;
    size_t written = 0;
    for (size_t i = 0; i < n; i++) {
        while (tick_ms[i] > attune_window_end_ms(window)) {
            close_window(window, end_s + written, features + written * width);
            written++;
        }
        *refused += attune_window_sample(window, sensor[i], tick_ms[i], value[i]) != ATTUNE_SAMPLE_OK;
    }
    return written;
}

size_t core_window_advance(struct attune_window *window, uint64_t tick_ms, uint32_t *end_s, int16_t *features) {
    const size_t width = window->schema->features;
    size_t written = 0;
    while (tick_ms >= attune_window_end_ms(window)) {
        close_window(window, end_s + written, features + written * width);
        written++;
    }
    return written;
}

const char *core_head_kind_name(int kind) { return attune_head_kind_name((attune_head_kind)kind); }

int core_factory_head_kind(void) { return ATTUNE_FACTORY_HEAD; }

int core_head_kind(const struct attune_head *head) { return head->kind; }

int core_head_init(struct attune_head *head, int kind, uint8_t features, const uint8_t *sensor) {
    return (int)attune_head_init(head, (attune_head_kind)kind, features, sensor);
}

static attune_real weight_of(const float *weights, size_t row) {
    return weights != NULL ? (attune_real)weights[row] : ATTUNE_REAL(1.0);
}

/* Class of a row that has no label. */
#define UNLABELLED 255

/* The classes and weights of rows that are to be learned; without is the class that says that a row is not. */
static int check_rows(const uint8_t *classes, const float *weights, size_t n, int without, size_t *row) {
    for (*row = 0; *row < n; ++*row) {
        if (classes[*row] == without) {
            continue;
        }
        if (classes[*row] >= ATTUNE_MAX_CLASSES) {
            return ATTUNE_HEAD_CLASS;
        }
        const attune_real weight = weight_of(weights, *row);
        if (!(weight >= ATTUNE_MIN_WEIGHT && weight <= ATTUNE_MAX_WEIGHT)) {
            return ATTUNE_HEAD_WEIGHT;
        }
    }
    return ATTUNE_HEAD_OK;
}

int core_head_learn(struct attune_head *head, const int16_t *features, const uint8_t *classes, const float *weights,
                    size_t n, size_t *row) {
    const size_t width = attune_head_features(head);
    int result = check_rows(classes, weights, n, -1, row);
    if (result != ATTUNE_HEAD_OK) {
        return result;
    }
    for (*row = 0; *row < n; ++*row) {
        result = (int)attune_head_learn(head, features + *row * width, classes[*row], weight_of(weights, *row));
        if (result != ATTUNE_HEAD_OK) {
            return result;
        }
    }
    return ATTUNE_HEAD_OK;
}

void core_head_predict(const struct attune_head *head, const int16_t *features, size_t n, attune_real *evidence,
                       uint8_t *known) {
    const size_t width = attune_head_features(head);
    const size_t others = attune_head_classes(head) - 1u;
    for (size_t i = 0; i < n; i++) {
        known[i] = attune_head_predict(head, features + i * width, evidence + i * others);
    }
}

/* Predicts one row of others values; classes that came later count as what a class without knowledge does. */
static uint8_t predict_row(const attune_head *head, const int16_t *x, size_t others, attune_real *evidence) {
    const size_t known_others = attune_head_classes(head) - 1u;
    const bool known = attune_head_predict(head, x, evidence);
    attune_real best = 0;
    for (size_t k = 0; k < known_others; k++) {
        best = evidence[k] > best ? evidence[k] : best;
    }
    for (size_t k = known_others; k < others; k++) {
        evidence[k] = known ? best - ATTUNE_EVIDENCE_LIMIT : 0;
    }
    return known;
}

int core_head_run(struct attune_head *head, const int16_t *features, const uint8_t *classes, const float *weights,
                  size_t n, size_t others, attune_real *evidence, uint8_t *known, size_t *row) {
    const size_t width = attune_head_features(head);
    int result = check_rows(classes, weights, n, UNLABELLED, row);
    for (*row = 0; *row < n && result == ATTUNE_HEAD_OK; ++*row) {
        const int16_t *x = features + *row * width;
        known[*row] = predict_row(head, x, others, evidence + *row * others);
        if (classes[*row] != UNLABELLED) {
            result = (int)attune_head_learn(head, x, classes[*row], weight_of(weights, *row));
        }
    }
    return result;
}

int core_head_merge(struct attune_head *head, const struct attune_head *other) {
    return (int)attune_head_merge(head, other);
}

int core_head_unmerge(struct attune_head *head, const struct attune_head *other) {
    return (int)attune_head_unmerge(head, other);
}

int core_head_classes(const struct attune_head *head) { return attune_head_classes(head); }

size_t core_head_size(const struct attune_head *head, int format) {
    return attune_head_size(head->kind, attune_head_sensors(head), attune_head_classes(head), (attune_format)format);
}

size_t core_head_export(const struct attune_head *head, int format, uint8_t *bytes, size_t capacity) {
    return attune_head_export(head, (attune_format)format, bytes, capacity);
}

int core_head_import(struct attune_head *head, const uint8_t *bytes, size_t size) {
    return (int)attune_head_import(head, bytes, size);
}

void core_ridge_solution(const struct attune_head *head, uint8_t k, attune_real *weight, attune_real *intercept) {
    attune_ridge_solution(&head->state.ridge, k, weight, intercept);
}

int core_ridge_forget(struct attune_head *head, attune_real factor) {
    return attune_ridge_forget(&head->state.ridge, factor);
}

int core_factory_load(struct attune_head *head, int kind, const struct attune_schema *schema, uint8_t *digest) {
    attune_head_result result = attune_factory_load(head, (attune_head_kind)kind, schema);
    if (result == ATTUNE_HEAD_OK) {
        attune_factory_digest(head, schema, digest);
    }
    return (int)result;
}

void core_filter_init(struct attune_filter *filter, uint8_t classes, uint16_t step_s, const uint32_t *dwell_s) {
    attune_filter_init(filter, classes, step_s, dwell_s);
}

attune_real core_filter_limit(const struct attune_filter *filter) { return filter->limit; }

void core_filter_predict(struct attune_filter *filter) { attune_filter_predict(filter); }

void core_filter_update(struct attune_filter *filter, const attune_real *evidence) {
    attune_filter_update(filter, evidence);
}

attune_real core_filter_step(struct attune_filter *filter, const attune_real *evidence) {
    attune_filter_predict(filter);
    if (evidence != NULL) {
        attune_filter_update(filter, evidence);
    }
    attune_real others = 0;
    for (size_t k = 1; k < filter->classes; k++) {
        others += filter->probability[k];
    }
    return others;
}

void core_filter_run(struct attune_filter *filter, const attune_real *evidence, const uint8_t *known, size_t n,
                     attune_real *probabilities) {
    const size_t classes = filter->classes;
    for (size_t i = 0; i < n; i++) {
        (void)core_filter_step(filter, known[i] ? evidence + i * (classes - 1) : NULL);
        core_filter_get(filter, probabilities + i * classes);
    }
}

attune_real core_filter_log_odds(const struct attune_filter *filter, uint8_t k) {
    return attune_filter_log_odds(filter, k);
}

void core_filter_get(const struct attune_filter *filter, attune_real *probabilities) {
    memcpy(probabilities, filter->probability, filter->classes * sizeof *probabilities);
}

void core_filter_set(struct attune_filter *filter, const attune_real *probabilities) {
    memcpy(filter->probability, probabilities, filter->classes * sizeof *probabilities);
}

int core_sketch_init(struct attune_sketch *sketch, uint8_t features, const uint8_t *sensor) {
    return attune_sketch_init(sketch, features, sensor);
}

size_t core_sketch_add(struct attune_sketch *sketch, const int16_t *features, size_t n) {
    size_t counted = 0;
    while (counted < n && !sketch->full) {
        attune_sketch_add(sketch, features + counted * sketch->sensors.features);
        counted++;
    }
    return counted;
}

void core_sketch_clear(struct attune_sketch *sketch) { attune_sketch_clear(sketch); }

int core_sketch_full(const struct attune_sketch *sketch) { return sketch->full; }

void core_sketch_counts(const struct attune_sketch *sketch, uint16_t *bins, uint16_t *missing, uint16_t *stuck,
                        uint16_t *far_out) {
    const size_t sensors = sketch->sensors.count;
    memcpy(bins, sketch->bin, sketch->sensors.features * sizeof sketch->bin[0]);
    memcpy(missing, sketch->missing, sensors * sizeof *missing);
    memcpy(stuck, sketch->stuck, sensors * sizeof *stuck);
    memcpy(far_out, sketch->far, sensors * sizeof *far_out);
}

size_t core_sketch_size(const struct attune_sketch *sketch) { return attune_sketch_size(sketch); }

void core_sketch_export(const struct attune_sketch *sketch, uint8_t *bytes) { attune_sketch_export(sketch, bytes); }

int core_sketch_import(struct attune_sketch *sketch, const uint8_t *bytes, size_t size) {
    return attune_sketch_import(sketch, bytes, size);
}

int core_node_init(struct attune_node *node, const uint8_t *node_id, uint32_t boot, const char *firmware,
                   const char *hardware, const uint8_t *sensors, size_t count, uint16_t window_s, int test) {
    attune_identity identity = {
        .boot = boot, .reset_reason = attune_v1_ResetReason_RESET_REASON_POWER_ON, .test = test != 0};
    memcpy(identity.node_id, node_id, sizeof identity.node_id);
    strncpy(identity.firmware, firmware, sizeof identity.firmware - 1);
    strncpy(identity.hardware, hardware, sizeof identity.hardware - 1);
    return (int)attune_node_init(node, &identity, sensors, count, window_s);
}

int core_node_sample(struct attune_node *node, uint8_t sensor, uint64_t tick_ms, attune_real value) {
    return (int)attune_node_sample(node, sensor, tick_ms, value);
}

void core_node_press(struct attune_node *node, uint64_t tick_ms, uint8_t class_index) {
    attune_node_press(node, tick_ms, class_index);
}

void core_node_poll(struct attune_node *node, uint64_t now_ms) { attune_node_poll(node, now_ms); }

void core_node_link(struct attune_node *node, int up) { attune_node_link(node, up != 0); }

void core_node_receive(struct attune_node *node, const uint8_t *frame, size_t size) {
    uint8_t copy[ATTUNE_NODE_FRAME + 1];
    const size_t taken = size < sizeof copy ? size : sizeof copy;
    memcpy(copy, frame, taken);
    attune_node_receive(node, copy, taken);
}

size_t core_node_send(struct attune_node *node, uint8_t *frame, size_t capacity) {
    return attune_node_send(node, frame, capacity);
}

const struct attune_head *core_node_head(const struct attune_node *node) { return &node->model.head; }

void core_node_describe(const struct attune_node *node, struct core_node_facts *facts) {
    facts->next_seq = node->backlog.next_seq;
    facts->through = node->through;
    facts->waiting = attune_backlog_waiting(&node->backlog);
    facts->dropped = node->backlog.dropped;
    facts->label_windows = node->log.count;
    facts->bad_frames = node->counters.bad_frames;
    facts->refused_samples = node->counters.refused_samples;
    facts->refused_labels = node->counters.refused_labels;
    facts->classes = attune_head_classes(&node->model.head);
    facts->state = attune_filter_class(&node->filter);
    facts->link_up = node->link_up;
    facts->timed = node->timed;
    facts->ready = attune_session_ready(&node->session);
    facts->blinks = attune_node_blinks(node);
    attune_v1_Running running = attune_v1_Running_init_zero;
    attune_node_fill_running(node, &running);
    facts->highest = running.highest;
    facts->trial = running.trial;
    facts->signing_key = running.signing_key;
    memcpy(facts->release, node->release_digest, sizeof facts->release);
    memcpy(facts->schema, node->schema.hash, sizeof facts->schema);
}

uint32_t core_node_newest(const struct attune_node *node, uint32_t *end_s, uint8_t *evidences, int16_t *evidence,
                          int16_t *features) {
    const uint32_t next = node->backlog.next_seq;
    const attune_report *report = next >= 2 ? attune_backlog_next(&node->backlog, next - 2) : NULL;
    if (report == NULL) {
        return 0;
    }
    *end_s = report->end_s;
    *evidences = report->evidences;
    memcpy(evidence, report->evidence, sizeof report->evidence);
    memcpy(features, report->features, node->schema.features * sizeof *features);
    return report->seq;
}
