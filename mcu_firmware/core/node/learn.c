#include "node/parts.h"

#include <string.h>

typedef struct answer {
    attune_v1_LabelAck ack;
    uint16_t placed; /* windows that are new at the end of the log */
} answer;

static void learn(attune_node *node, const attune_label_entry *entry, answer *answer) {
    const attune_pupil pupil = attune_node_pupil(node);
    attune_label_result result = attune_label_log_learn(&node->log, entry, &pupil);
    if (result == ATTUNE_LABEL_LEARNED || result == ATTUNE_LABEL_KNOWN) {
        answer->ack.learned += 1;
        answer->placed = (uint16_t)(answer->placed + (result == ATTUNE_LABEL_LEARNED));
    } else {
        answer->ack.refused += 1;
    }
}

/* Reads little-endian int16; the number of bytes has been checked. */
static void read_features(const uint8_t *bytes, uint8_t features, int16_t *x) {
    for (uint8_t i = 0; i < features; i++) {
        x[i] = (int16_t)(uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    }
}

static void learn_sent(attune_node *node, const attune_v1_Label *label, attune_label_entry *entry, answer *answer) {
    for (pb_size_t i = 0; i < label->windows_count; i++) {
        const attune_v1_LabelWindow *window = &label->windows[i];
        if (window->features.size != 2u * node->schema.features) {
            answer->ack.refused += 1;
            continue;
        }
        entry->boot = window->boot;
        entry->seq = window->seq;
        read_features(window->features.bytes, node->schema.features, entry->features);
        learn(node, entry, answer);
    }
}

/* The daemon sends a window that the node still holds when an acknowledgement was lost; it counts once. */
static bool was_sent(const attune_node *node, const attune_v1_Label *label, uint32_t seq) {
    for (pb_size_t i = 0; i < label->windows_count; i++) {
        if (label->windows[i].boot == node->identity.boot && label->windows[i].seq == seq) {
            return true;
        }
    }
    return false;
}

static void learn_held(attune_node *node, const attune_v1_Label *label, attune_label_entry *entry, answer *answer) {
    for (uint16_t i = 0; i < node->backlog.count; i++) {
        const attune_report *report = attune_backlog_at(&node->backlog, i);
        bool inside = report->end_s > label->from_s && report->end_s <= label->to_s;
        if (report->seq == 0 || !inside || was_sent(node, label, report->seq)) {
            continue;
        }
        entry->boot = node->identity.boot;
        entry->seq = report->seq;
        memcpy(entry->features, report->features, sizeof entry->features);
        learn(node, entry, answer);
    }
}

static void queue_ack(attune_node *node, const attune_v1_LabelAck *ack) {
    if (node->label_acks == ATTUNE_LABEL_ACKS) {
        memmove(&node->label_ack[0], &node->label_ack[1], sizeof node->label_ack - sizeof node->label_ack[0]);
        node->label_acks -= 1;
    }
    node->label_ack[node->label_acks] = *ack;
    node->label_acks += 1;
}

void attune_node_learn(attune_node *node, const attune_v1_Label *label) {
    answer answer = {.ack = {.number = label->number, .part = label->part}};
    /* Out of range becomes what the log refuses. */
    attune_label_entry entry = {
        .number = label->number,
        .weight = label->weight <= UINT16_MAX ? (uint16_t)label->weight : 0,
        .class_index = label->class_index < ATTUNE_MAX_CLASSES ? (uint8_t)label->class_index : ATTUNE_MAX_CLASSES,
    };
    learn_sent(node, label, &entry, &answer);
    learn_held(node, label, &entry, &answer);
    node->counters.refused_labels += answer.ack.refused;
    attune_node_follow_classes(node);
    /* Without an acknowledgement the label comes again. */
    if (attune_node_keep_labels(node, answer.placed)) {
        queue_ack(node, &answer.ack);
    }
}

void attune_node_unlearn(attune_node *node, const attune_v1_Unlearn *unlearn) {
    attune_v1_LabelAck ack = {.number = unlearn->number, .part = unlearn->part};
    const attune_pupil pupil = attune_node_pupil(node);
    uint16_t gone = attune_label_log_forget(&node->log, unlearn->number, &pupil);
    attune_node_follow_classes(node);
    if (gone > 0 ? attune_node_keep_log(node) : attune_node_keep_labels(node, 0)) {
        queue_ack(node, &ack);
    }
}
