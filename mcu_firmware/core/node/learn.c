#include "node/parts.h"

#include <string.h>

static void count(attune_label_result result, attune_v1_LabelAck *ack) {
    if (result == ATTUNE_LABEL_LEARNED || result == ATTUNE_LABEL_KNOWN) {
        ack->learned += 1;
    } else {
        ack->refused += 1;
    }
}

static void load_release(const void *schema, attune_head *head) {
    (void)attune_factory_load(head, ATTUNE_FACTORY_HEAD, (const attune_schema *)schema);
}

attune_release attune_node_release(const attune_node *node) { return (attune_release){load_release, &node->schema, 0}; }

static void learn(attune_node *node, const attune_label_entry *entry, attune_v1_LabelAck *ack) {
    attune_release release = attune_node_release(node);
    count(attune_label_log_learn(&node->log, entry, &release, &node->head), ack);
}

/* Reads little-endian int16; the number of bytes has been checked. */
static void read_features(const uint8_t *bytes, uint8_t features, int16_t *x) {
    for (uint8_t i = 0; i < features; i++) {
        x[i] = (int16_t)(uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    }
}

static void learn_sent(attune_node *node, const attune_v1_Label *label, attune_label_entry *entry,
                       attune_v1_LabelAck *ack) {
    for (pb_size_t i = 0; i < label->windows_count; i++) {
        const attune_v1_LabelWindow *window = &label->windows[i];
        if (window->features.size != 2u * node->schema.features) {
            ack->refused += 1;
            continue;
        }
        entry->boot = window->boot;
        entry->seq = window->seq;
        read_features(window->features.bytes, node->schema.features, entry->features);
        learn(node, entry, ack);
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

static void learn_held(attune_node *node, const attune_v1_Label *label, attune_label_entry *entry,
                       attune_v1_LabelAck *ack) {
    for (uint16_t i = 0; i < node->backlog.count; i++) {
        const attune_report *report = attune_backlog_at(&node->backlog, i);
        bool inside = report->end_s > label->from_s && report->end_s <= label->to_s;
        if (report->seq == 0 || !inside || was_sent(node, label, report->seq)) {
            continue;
        }
        entry->boot = node->identity.boot;
        entry->seq = report->seq;
        memcpy(entry->features, report->features, sizeof entry->features);
        learn(node, entry, ack);
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
    attune_v1_LabelAck ack = {.number = label->number, .part = label->part};
    /* Out of range becomes what the log refuses. */
    attune_label_entry entry = {
        .number = label->number,
        .weight = label->weight <= UINT16_MAX ? (uint16_t)label->weight : 0,
        .class_index = label->class_index < ATTUNE_MAX_CLASSES ? (uint8_t)label->class_index : ATTUNE_MAX_CLASSES,
    };
    learn_sent(node, label, &entry, &ack);
    learn_held(node, label, &entry, &ack);
    node->counters.refused_labels += ack.refused;
    attune_filter_resize(&node->filter, attune_head_classes(&node->head), node->schema.window_s);
    queue_ack(node, &ack);
}

void attune_node_unlearn(attune_node *node, const attune_v1_Unlearn *unlearn) {
    attune_v1_LabelAck ack = {.number = unlearn->number, .part = unlearn->part};
    attune_release release = attune_node_release(node);
    (void)attune_label_log_forget(&node->log, unlearn->number, &release, &node->head);
    attune_filter_resize(&node->filter, attune_head_classes(&node->head), node->schema.window_s);
    queue_ack(node, &ack);
}
