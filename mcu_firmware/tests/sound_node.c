#include "sound_node.h"

#include "node/parts.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds) {
    if (!holds) {
        abort();
    }
}

/* Import refuses what is no valid state. */
static void must_be_storable(const attune_head *head) {
    static uint8_t bytes[8192];
    static attune_head copy;
    copy = *head;
    const size_t size = attune_head_export(head, ATTUNE_FLOAT32, bytes, sizeof bytes);
    must(size > 0 && attune_head_import(&copy, bytes, size) == ATTUNE_HEAD_OK);
}

void must_be_sound(const attune_node *node) {
    static attune_node twin;
    double sum = 0;
    must(node->filter.classes == attune_head_classes(&node->model.head));
    for (uint8_t k = 0; k < node->filter.classes; k++) {
        sum += (double)node->filter.probability[k];
    }
    must(sum > 0.9999 && sum < 1.0001);
    must(node->log.count <= ATTUNE_LABEL_LOG && node->backlog.count <= ATTUNE_BACKLOG);
    must(node->label_acks <= ATTUNE_LABEL_ACKS);
    twin = *node;
    const attune_pupil pupil = attune_node_pupil(&twin);
    attune_label_log_replay(&node->log, &pupil);
    must(memcmp(&twin.model, &node->model, sizeof twin.model) == 0);
    must(!attune_node_on_trial(node) || memcmp(&twin.trial, &node->trial, sizeof twin.trial) == 0);
    must_be_storable(&node->model.head);
}
