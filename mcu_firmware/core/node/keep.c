#include "node/parts.h"

#include "store/labels.h"
#include "store/slots.h"

#include <string.h>

attune_store_result attune_node_keep(attune_node *node, attune_store *store) {
    attune_store_result result = attune_node_start_slots(node, store);
    if (result == ATTUNE_STORE_OK) {
        result = attune_labels_load(store, node->schema.features, &node->log);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    node->keep.store = store;
    attune_node_start_releases(node);
    attune_node_start_filter(node);
    return ATTUNE_STORE_OK;
}

/* --- Labels and ties --- */

bool attune_node_keep_labels(attune_node *node, uint16_t learned) {
    attune_store *store = node->keep.store;
    return attune_labels_append(store, node->schema.features, &node->log, learned) == ATTUNE_STORE_OK;
}

bool attune_node_keep_log(attune_node *node) {
    attune_store *store = node->keep.store;
    return attune_labels_rewrite(store, node->schema.features, &node->log) == ATTUNE_STORE_OK;
}

void attune_node_keep_tie(attune_node *node, uint64_t tick_ms, uint64_t utc_ms) {
    const attune_tie tie = {.boot = node->identity.boot, .tick_ms = tick_ms, .utc_ms = utc_ms};
    attune_keep *keep = &node->keep;
    if (keep->tied && tick_ms < keep->tie_ms + ATTUNE_TIE_MS) {
        return;
    }
    keep->tied = attune_store_write_tie(keep->store, &tie) == ATTUNE_STORE_OK;
    keep->tie_ms = tick_ms;
}

/* --- Reports --- */

uint32_t attune_node_first_seq(const attune_node *node) {
    return node->earlier.first_seq != 0 ? node->earlier.first_seq : attune_backlog_first_seq(&node->backlog);
}

bool attune_node_has_gap(const attune_node *node) { return attune_node_first_seq(node) > node->through + 1; }
