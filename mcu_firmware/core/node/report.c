#include "node/parts.h"

uint16_t attune_node_write_i16(uint8_t *bytes, const int16_t *numbers, uint8_t count) {
    for (uint8_t i = 0; i < count; i++) {
        uint16_t bits = (uint16_t)numbers[i];
        bytes[2 * i] = (uint8_t)bits;
        bytes[2 * i + 1] = (uint8_t)(bits >> 8);
    }
    return (uint16_t)(2 * count);
}

void attune_node_fill_report(const attune_node *node, const attune_report *report, attune_v1_Report *out) {
    out->seq = report->seq;
    out->end_s = report->end_s;
    out->features.size = attune_node_write_i16(out->features.bytes, report->features, node->schema.features);
    out->evidence.size = attune_node_write_i16(out->evidence.bytes, report->evidence, report->evidences);
    out->state = report->state;
    out->trial = report->trial;
}
