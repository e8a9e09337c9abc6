#include "learner/head.h"

#include "learner/evidence.h"

#include <string.h>

#define STATE_HEADER 4

/* Each function asks the kind's own: CALL(name) is what it asks. */
#define CASE(NAME, name)                                                                                               \
    case ATTUNE_HEAD_##NAME:                                                                                           \
        return CALL(name);
#define CASE_WITHOUT_VALUE(NAME, name)                                                                                 \
    case ATTUNE_HEAD_##NAME:                                                                                           \
        CALL(name);                                                                                                    \
        break;

const char *attune_head_kind_name(attune_head_kind kind) {
    switch (kind) {
#define CALL(name) #name
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return NULL;
}

static void init_state(attune_head *head, const attune_sensors *sensors) {
    switch (head->kind) {
#define CALL(name) attune_##name##_init(&head->state.name, sensors)
        ATTUNE_HEAD_KINDS(CASE_WITHOUT_VALUE)
#undef CALL
    }
}

attune_head_result attune_head_init(attune_head *head, attune_head_kind kind, uint8_t d, const uint8_t *sensor) {
    attune_sensors sensors;
    if (attune_head_kind_name(kind) == NULL || !attune_sensors_init(&sensors, d, sensor)) {
        return ATTUNE_HEAD_SHAPE;
    }
    memset(head, 0, sizeof *head);
    head->kind = kind;
    init_state(head, &sensors);
    return ATTUNE_HEAD_OK;
}

uint8_t attune_head_classes(const attune_head *head) {
    switch (head->kind) {
#define CALL(name) head->state.name.classes
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return 0;
}

const attune_sensors *attune_head_sensors(const attune_head *head) {
    switch (head->kind) {
#define CALL(name) &head->state.name.sensors
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return NULL;
}

uint8_t attune_head_features(const attune_head *head) { return attune_head_sensors(head)->features; }

static bool predict(const attune_head *head, const int16_t *x, attune_real *evidence) {
    switch (head->kind) {
#define CALL(name) attune_##name##_predict(&head->state.name, x, evidence)
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return false;
}

bool attune_head_predict(const attune_head *head, const int16_t *x, attune_real *evidence) {
    uint8_t classes = attune_head_classes(head);
    if (!predict(head, x, evidence)) {
        memset(evidence, 0, (classes - 1u) * sizeof *evidence);
        return false;
    }
    attune_evidence_bound(evidence, classes, ATTUNE_EVIDENCE_LIMIT);
    return true;
}

static bool learn(attune_head *head, const int16_t *x, uint8_t class_index, attune_real weight) {
    switch (head->kind) {
#define CALL(name) attune_##name##_learn(&head->state.name, x, class_index, weight)
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return false;
}

attune_head_result attune_head_learn(attune_head *head, const int16_t *x, uint8_t class_index, attune_real weight) {
    if (class_index >= ATTUNE_MAX_CLASSES) {
        return ATTUNE_HEAD_CLASS;
    }
    if (!(weight >= ATTUNE_MIN_WEIGHT && weight <= ATTUNE_MAX_WEIGHT)) {
        return ATTUNE_HEAD_WEIGHT;
    }
    return learn(head, x, class_index, weight) ? ATTUNE_HEAD_OK : ATTUNE_HEAD_RANGE;
}

static bool same_shape(const attune_head *a, const attune_head *b) {
    return a->kind == b->kind &&
           memcmp(attune_head_sensors(a), attune_head_sensors(b), sizeof *attune_head_sensors(a)) == 0;
}

static bool is_additive(attune_head_kind kind) { return kind != ATTUNE_HEAD_SOFTMAX; }

static bool merge(attune_head *head, const attune_head *other) {
    switch (head->kind) {
#define CALL(name) attune_##name##_merge(&head->state.name, &other->state.name)
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return false;
}

attune_head_result attune_head_merge(attune_head *head, const attune_head *other) {
    if (!same_shape(head, other)) {
        return ATTUNE_HEAD_SHAPE;
    }
    if (!is_additive(head->kind)) {
        return ATTUNE_HEAD_NO_SUM;
    }
    return merge(head, other) ? ATTUNE_HEAD_OK : ATTUNE_HEAD_RANGE;
}

static bool unmerge(attune_head *head, const attune_head *other) {
    switch (head->kind) {
#define CALL(name) attune_##name##_unmerge(&head->state.name, &other->state.name)
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return false;
}

attune_head_result attune_head_unmerge(attune_head *head, const attune_head *other) {
    if (!same_shape(head, other)) {
        return ATTUNE_HEAD_SHAPE;
    }
    if (!is_additive(head->kind)) {
        return ATTUNE_HEAD_NO_SUM;
    }
    return unmerge(head, other) ? ATTUNE_HEAD_OK : ATTUNE_HEAD_RANGE;
}

static size_t body_size(attune_head_kind kind, const attune_sensors *sensors, uint8_t classes, attune_format format) {
    switch (kind) {
#define CALL(name) attune_##name##_size(sensors, classes, format)
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return 0;
}

size_t attune_head_size(attune_head_kind kind, const attune_sensors *sensors, uint8_t classes, attune_format format) {
    /* One value takes a byte at least in every format that there is. */
    size_t size = attune_block_size(format, 1) > 0 ? body_size(kind, sensors, classes, format) : 0;
    return size > 0 ? STATE_HEADER + size : 0;
}

static void export_body(const attune_head *head, attune_format format, uint8_t *bytes) {
    switch (head->kind) {
#define CALL(name) attune_##name##_export(&head->state.name, format, bytes)
        ATTUNE_HEAD_KINDS(CASE_WITHOUT_VALUE)
#undef CALL
    }
}

size_t attune_head_export(const attune_head *head, attune_format format, uint8_t *bytes, size_t capacity) {
    const attune_sensors *sensors = attune_head_sensors(head);
    uint8_t classes = attune_head_classes(head);
    size_t size = attune_head_size(head->kind, sensors, classes, format);
    if (capacity < size || size == 0) {
        return 0;
    }
    bytes[0] = (uint8_t)head->kind;
    bytes[1] = sensors->features;
    bytes[2] = classes;
    bytes[3] = (uint8_t)format;
    export_body(head, format, bytes + STATE_HEADER);
    return size;
}

static bool import_body(attune_head *head, uint8_t classes, attune_format format, const uint8_t *bytes) {
    switch (head->kind) {
#define CALL(name) attune_##name##_import(&head->state.name, classes, format, bytes)
        ATTUNE_HEAD_KINDS(CASE)
#undef CALL
    }
    return false;
}

static bool fits(const attune_head *head, const uint8_t *bytes, size_t size) {
    const attune_sensors *sensors = attune_head_sensors(head);
    if (size < STATE_HEADER || bytes[0] != (uint8_t)head->kind || bytes[1] != sensors->features) {
        return false;
    }
    return bytes[2] >= 2 && bytes[2] <= ATTUNE_MAX_CLASSES && bytes[3] <= ATTUNE_INT8 &&
           size == attune_head_size(head->kind, sensors, bytes[2], (attune_format)bytes[3]);
}

attune_head_result attune_head_load(attune_head *head, const uint8_t *bytes, size_t size) {
    const attune_sensors sensors = *attune_head_sensors(head);
    if (fits(head, bytes, size) && import_body(head, bytes[2], (attune_format)bytes[3], bytes + STATE_HEADER)) {
        return ATTUNE_HEAD_OK;
    }
    init_state(head, &sensors);
    return ATTUNE_HEAD_SHAPE;
}

attune_head_result attune_head_import(attune_head *head, const uint8_t *bytes, size_t size) {
    attune_head read = *head;
    if (attune_head_load(&read, bytes, size) != ATTUNE_HEAD_OK) {
        return ATTUNE_HEAD_SHAPE;
    }
    *head = read;
    return ATTUNE_HEAD_OK;
}
