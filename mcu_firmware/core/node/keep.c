#include "node/parts.h"

#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#include <string.h>

/* Reports in RAM at which those go to flash that a silent daemon has not taken. */
#define NEARLY_FULL (ATTUNE_BACKLOG - 8)

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

static attune_slot committed(const attune_node *node) {
    return node->keep.store == NULL ? ATTUNE_SLOT_FACTORY : (attune_slot)node->keep.store->slots.committed;
}

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

static void find_first(attune_node *node) {
    attune_batch batch;
    attune_report report = {.seq = 0};
    attune_store *store = node->keep.store;
    if (attune_reports_of_boot(store, node->schema.features, node->identity.boot, &batch) == ATTUNE_STORE_OK) {
        (void)!attune_reports_read(store, &batch, 0, &report);
    }
    node->keep.first_seq = report.seq;
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
    return store == NULL || attune_labels_append(store, node->schema.features, &node->log, learned) == ATTUNE_STORE_OK;
}

bool attune_node_keep_log(attune_node *node) {
    attune_store *store = node->keep.store;
    return store == NULL || attune_labels_rewrite(store, node->schema.features, &node->log) == ATTUNE_STORE_OK;
}

void attune_node_keep_tie(attune_node *node, uint64_t tick_ms, uint64_t utc_ms) {
    const attune_tie tie = {.boot = node->identity.boot, .tick_ms = tick_ms, .utc_ms = utc_ms};
    attune_keep *keep = &node->keep;
    if (keep->store == NULL || (keep->tied && tick_ms < keep->tie_ms + ATTUNE_TIE_MS)) {
        return;
    }
    keep->tied = attune_store_write_tie(keep->store, &tie) == ATTUNE_STORE_OK;
    keep->tie_ms = tick_ms;
}

/* --- Reports --- */

void attune_node_keep_unload(attune_node *node) {
    if (node->keep.loaded_seq != 0) {
        attune_backlog_acknowledge(&node->backlog, node->keep.loaded_seq, 0);
        node->keep.loaded_seq = 0;
    }
}

static void move(attune_node *node) {
    attune_store *store = node->keep.store;
    const uint32_t gone = store->summarised_reports;
    attune_node_keep_unload(node);
    if (attune_reports_move(store, node->identity.boot, node->schema.features, &node->backlog) != ATTUNE_STORE_OK) {
        /* Trying costs erasures: once more before a report is dropped, then no more of them than if it went well. */
        const uint16_t room = ATTUNE_BACKLOG - node->backlog.count;
        node->keep.move_seq = node->backlog.next_seq + (room > 0 ? room : ATTUNE_BATCH);
    }
    find_first(node);
    /* The daemon is told as of any report that it will never get. */
    if (store->summarised_reports != gone && node->keep.first_seq != 0) {
        node->backlog.dropped += store->summarised_reports - gone;
        node->backlog.dropped_seq = node->keep.first_seq - 1;
    }
}

/* As much of the oldest batch as there is room for goes back in front of what RAM holds, last report first. */
static void load(attune_node *node) {
    attune_batch batch;
    attune_report report;
    attune_store *store = node->keep.store;
    uint8_t first = 0;
    if (attune_reports_of_boot(store, node->schema.features, node->identity.boot, &batch) != ATTUNE_STORE_OK) {
        return;
    }
    while (attune_reports_read(store, &batch, first, &report) == ATTUNE_STORE_OK && report.seq <= node->through) {
        first++;
    }
    const uint32_t room = NEARLY_FULL - node->backlog.count;
    uint8_t end = first + room < batch.reports ? (uint8_t)(first + room) : batch.reports;
    for (uint8_t i = end; i > first; i--) {
        if (attune_reports_read(store, &batch, (uint8_t)(i - 1), &report) == ATTUNE_STORE_OK) {
            (void)attune_backlog_put_back(&node->backlog, &report);
            node->keep.loaded_seq = i == end ? report.seq : node->keep.loaded_seq;
        }
    }
    node->sent_seq = 0; /* they come before what has been sent */
}

void attune_node_keep_poll(attune_node *node) {
    attune_keep *keep = &node->keep;
    uint16_t limit = node->timed ? NEARLY_FULL : ATTUNE_BATCH_WAITING;
    if (keep->store == NULL) {
        return;
    }
    (void)!attune_slots_poll(keep->store, (uint32_t)(node->now_ms / 1000));
    if (attune_backlog_waiting(&node->backlog) >= limit && node->backlog.next_seq >= keep->move_seq) {
        move(node);
    } else if (node->timed && keep->first_seq != 0 && keep->loaded_seq == 0 && node->backlog.count < NEARLY_FULL) {
        load(node);
    }
}

void attune_node_keep_acknowledge(attune_node *node) {
    attune_keep *keep = &node->keep;
    if (keep->store == NULL || keep->first_seq == 0 || node->through < keep->first_seq) {
        return;
    }
    (void)!attune_reports_acknowledge(keep->store, node->schema.features, node->identity.boot, node->through);
    keep->loaded_seq = node->through >= keep->loaded_seq ? 0 : keep->loaded_seq;
    find_first(node);
}

uint32_t attune_node_first_seq(const attune_node *node) {
    return node->keep.first_seq != 0 ? node->keep.first_seq : attune_backlog_first_seq(&node->backlog);
}
