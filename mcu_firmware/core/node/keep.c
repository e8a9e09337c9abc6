#include "node/parts.h"

#include "store/labels.h"
#include "store/slots.h"

#include <string.h>

/* --- Release --- */

static void load_factory(const attune_node *node, attune_head *head) {
    (void)attune_factory_load(head, ATTUNE_FACTORY_HEAD, &node->schema);
}

/* A release is a head's exported state and the hash of its schema, so that its digest is the one that hello carries. */
static bool load_slot(const attune_node *node, attune_slot slot, attune_head *head) {
    uint8_t bytes[ATTUNE_NODE_RELEASE];
    attune_store *store = node->keep.store;
    size_t size = slot < ATTUNE_SLOT_FACTORY ? store->slots.info[slot].size : 0;
    const size_t hash = sizeof node->schema.hash;
    return size > hash && attune_slots_read(store, slot, bytes, sizeof bytes) == ATTUNE_STORE_OK &&
           memcmp(bytes + size - hash, node->schema.hash, hash) == 0 &&
           attune_head_import(head, bytes, size - hash) == ATTUNE_HEAD_OK;
}

static attune_slot committed(const attune_node *node) { return (attune_slot)node->keep.store->slots.committed; }

static void load_release(const void *from, attune_head *head) {
    const attune_node *node = from;
    load_factory(node, head);
    (void)load_slot(node, committed(node), head);
}

attune_release attune_node_release(const attune_node *node) {
    attune_slot slot = committed(node);
    uint32_t through = slot < ATTUNE_SLOT_FACTORY ? node->keep.store->slots.info[slot].labels : 0;
    return (attune_release){load_release, node, through};
}

attune_store_result attune_node_keep(attune_node *node, attune_store *store) {
    attune_store_result result = attune_slots_start(store);
    if (result == ATTUNE_STORE_OK) {
        result = attune_labels_load(store, node->schema.features, &node->log);
    }
    if (result != ATTUNE_STORE_OK) {
        return result;
    }
    node->keep.store = store;
    if (load_slot(node, committed(node), &node->head)) {
        memcpy(node->release_digest, store->slots.info[committed(node)].digest, sizeof node->release_digest);
    } else {
        store->slots.committed = ATTUNE_SLOT_FACTORY; /* as this node runs; what is in flash stays */
    }
    attune_release release = attune_node_release(node);
    attune_label_log_replay(&node->log, &release, &node->head);
    attune_filter_init(&node->filter, attune_head_classes(&node->head), node->schema.window_s, NULL);
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

void attune_node_keep_poll(attune_node *node) {
    (void)!attune_slots_poll(node->keep.store, (uint32_t)(node->now_ms / 1000));
    attune_earlier_poll(node);
}

uint32_t attune_node_first_seq(const attune_node *node) {
    return node->earlier.first_seq != 0 ? node->earlier.first_seq : attune_backlog_first_seq(&node->backlog);
}
