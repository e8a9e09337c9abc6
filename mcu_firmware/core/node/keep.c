#include "node/parts.h"

#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#include <string.h>

/* No batch and no summary has no features: all of them are let go of, and counted. */
static attune_store_result let_go(const attune_node *node, attune_store *store) {
    attune_batch batch;
    attune_summary summary;
    attune_store_result result = attune_reports_oldest(store, 0, &batch);
    if (result == ATTUNE_STORE_NONE) {
        result = attune_summaries_oldest(store, 0, &summary);
    }
    return result == ATTUNE_STORE_NONE ? attune_labels_rewrite(store, node->schema.features, &node->log) : result;
}

/* What sensors measured that are not these any more would be taken for something else where there are as many features. The schema is
 * written down last, so that a loss of power in between begins anew. */
static attune_store_result take_up_schema(const attune_node *node, attune_store *store) {
    uint8_t kept[ATTUNE_STORE_SCHEMA];
    attune_store_result result = attune_store_read_schema(store, kept);
    if (result == ATTUNE_STORE_OK && memcmp(kept, node->schema.hash, sizeof kept) == 0) {
        return ATTUNE_STORE_OK;
    }
    if (result == ATTUNE_STORE_OK) {
        result = let_go(node, store);
    } else if (result != ATTUNE_STORE_FLASH) {
        result = ATTUNE_STORE_OK; /* of a version that wrote none: as a rule it measured what is measured now */
    }
    return result == ATTUNE_STORE_OK ? attune_store_write_schema(store, node->schema.hash) : result;
}

attune_store_result attune_node_keep(attune_node *node, attune_store *store) {
    attune_store_result result = take_up_schema(node, store);
    if (result == ATTUNE_STORE_OK) {
        result = attune_node_start_slots(node, store);
    }
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
