#include "learner/head.h"

#include <string.h>

#define STATE_HEADER 4
#define STATE_CELL 12

attune_head_result attune_head_init(attune_head *head, attune_head_kind kind, uint8_t d) {
    if (kind != ATTUNE_HEAD_GNB || d == 0 || d > ATTUNE_MAX_FEATURES) {
        return ATTUNE_HEAD_SHAPE;
    }
    memset(head, 0, sizeof *head);
    head->kind = kind;
    attune_gnb_init(&head->state.gnb, d);
    return ATTUNE_HEAD_OK;
}

bool attune_head_predict(const attune_head *head, const int16_t *x, attune_real *evidence) {
    return attune_gnb_predict(&head->state.gnb, x, ATTUNE_EVIDENCE_LIMIT, evidence);
}

attune_head_result attune_head_learn(attune_head *head, const int16_t *x, uint8_t class_index, attune_real weight) {
    if (class_index >= ATTUNE_MAX_CLASSES) {
        return ATTUNE_HEAD_CLASS;
    }
    if (!(weight >= ATTUNE_MIN_WEIGHT && weight <= ATTUNE_MAX_WEIGHT)) {
        return ATTUNE_HEAD_WEIGHT;
    }
    return attune_gnb_learn(&head->state.gnb, x, class_index, weight) ? ATTUNE_HEAD_OK : ATTUNE_HEAD_RANGE;
}

static bool same_shape(const attune_head *a, const attune_head *b) {
    return a->kind == b->kind && a->state.gnb.d == b->state.gnb.d;
}

attune_head_result attune_head_merge(attune_head *head, const attune_head *other) {
    if (!same_shape(head, other)) {
        return ATTUNE_HEAD_SHAPE;
    }
    return attune_gnb_merge(&head->state.gnb, &other->state.gnb) ? ATTUNE_HEAD_OK : ATTUNE_HEAD_RANGE;
}

attune_head_result attune_head_unmerge(attune_head *head, const attune_head *other) {
    if (!same_shape(head, other)) {
        return ATTUNE_HEAD_SHAPE;
    }
    return attune_gnb_unmerge(&head->state.gnb, &other->state.gnb) ? ATTUNE_HEAD_OK : ATTUNE_HEAD_RANGE;
}

static uint8_t *write_float(uint8_t *bytes, attune_real value) {
    float number = (float)value;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(bits >> (8 * i));
    }
    return bytes + 4;
}

static attune_real read_float(const uint8_t *bytes) {
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++) {
        bits |= (uint32_t)bytes[i] << (8 * i);
    }
    float number;
    memcpy(&number, &bits, sizeof number);
    return (attune_real)number;
}

static attune_gnb_cell read_cell(const uint8_t *bytes) {
    return (attune_gnb_cell){read_float(bytes), read_float(bytes + 4), read_float(bytes + 8)};
}

size_t attune_head_export(const attune_head *head, uint8_t *bytes, size_t capacity) {
    const attune_gnb *gnb = &head->state.gnb;
    size_t size = attune_head_size(head->kind, gnb->d, gnb->classes);
    if (capacity < size) {
        return 0;
    }
    bytes[0] = (uint8_t)head->kind;
    bytes[1] = gnb->d;
    bytes[2] = gnb->classes;
    bytes[3] = 0;
    uint8_t *next = bytes + STATE_HEADER;
    for (uint8_t k = 0; k < gnb->classes; k++) {
        for (uint8_t i = 0; i < gnb->d; i++) {
            next = write_float(next, gnb->cell[k][i].n);
            next = write_float(next, gnb->cell[k][i].mean);
            next = write_float(next, gnb->cell[k][i].m2);
        }
    }
    return size;
}

static bool state_valid(const attune_head *head, const uint8_t *bytes, size_t size) {
    const attune_gnb *gnb = &head->state.gnb;
    if (size < STATE_HEADER || bytes[0] != (uint8_t)head->kind || bytes[1] != gnb->d || bytes[3] != 0) {
        return false;
    }
    if (bytes[2] < 2 || bytes[2] > ATTUNE_MAX_CLASSES || size != attune_head_size(head->kind, gnb->d, bytes[2])) {
        return false;
    }
    for (size_t at = STATE_HEADER; at < size; at += STATE_CELL) {
        attune_gnb_cell cell = read_cell(bytes + at);
        if (!attune_gnb_cell_valid(&cell)) {
            return false;
        }
    }
    return true;
}

attune_head_result attune_head_import(attune_head *head, const uint8_t *bytes, size_t size) {
    if (!state_valid(head, bytes, size)) {
        return ATTUNE_HEAD_SHAPE;
    }
    attune_gnb *gnb = &head->state.gnb;
    attune_gnb_init(gnb, bytes[1]);
    gnb->classes = bytes[2];
    const uint8_t *next = bytes + STATE_HEADER;
    for (uint8_t k = 0; k < gnb->classes; k++) {
        for (uint8_t i = 0; i < gnb->d; i++) {
            gnb->cell[k][i] = read_cell(next);
            next += STATE_CELL;
        }
    }
    return ATTUNE_HEAD_OK;
}

uint8_t attune_head_classes(const attune_head *head) { return head->state.gnb.classes; }

uint8_t attune_head_features(const attune_head *head) { return head->state.gnb.d; }

size_t attune_head_size(attune_head_kind kind, uint8_t d, uint8_t classes) {
    return kind == ATTUNE_HEAD_GNB ? STATE_HEADER + (size_t)STATE_CELL * d * classes : 0;
}
