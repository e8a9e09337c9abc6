/* What a node runs: the committed release and the one on trial, each with the label log on top of it. */
#include "node/parts.h"

#include "store/slots.h"

#include <string.h>

static void load_factory(const attune_node *node, attune_model *model) {
    memset(model, 0, sizeof *model);
    /* A schema has 1 to ATTUNE_MAX_FEATURES features, and that is all the factory release asks for. */
    (void)attune_factory_load(&model->head, ATTUNE_FACTORY_HEAD, &node->schema);
}

bool attune_node_load(const attune_node *node, uint8_t slot, attune_model *model) {
    uint8_t image[ATTUNE_MAX_IMAGE];
    attune_store *store = node->keep.store;
    load_factory(node, model);
    if (slot >= ATTUNE_SLOT_FACTORY) {
        return false;
    }
    const bool loaded = attune_slots_read(store, (attune_slot)slot, image, sizeof image) == ATTUNE_STORE_OK &&
                        attune_model_read_image(model, node->schema.hash, image, store->slots.info[slot].size);
    if (!loaded) {
        load_factory(node, model);
    }
    return loaded;
}

bool attune_node_on_trial(const attune_node *node) { return node->keep.store->slots.trial != ATTUNE_SLOT_NONE; }

/* --- What the label log teaches --- */

static attune_head_result teach_one(attune_model *model, const attune_label_entry *entry) {
    /* What the release was built from it knows already. */
    return entry->number > model->through_label
               ? attune_model_learn(model, entry->features, entry->class_index, (attune_real)entry->weight / 256)
               : ATTUNE_HEAD_OK;
}

static void restart(void *who) {
    attune_node *node = who;
    (void)attune_node_load(node, node->keep.store->slots.committed, &node->model);
    if (attune_node_on_trial(node)) {
        (void)attune_node_load(node, node->keep.store->slots.trial, &node->trial);
    }
}

static attune_head_result teach(void *who, const attune_label_entry *entry) {
    attune_node *node = who;
    const attune_head_result result = teach_one(&node->model, entry);
    if (result == ATTUNE_HEAD_OK && attune_node_on_trial(node)) {
        (void)teach_one(&node->trial, entry);
    }
    return result;
}

attune_pupil attune_node_pupil(attune_node *node) {
    return (attune_pupil){.who = node, .restart = restart, .teach = teach};
}

void attune_node_teach_trial(attune_node *node) {
    for (uint16_t i = 0; i < node->log.count; i++) {
        (void)teach_one(&node->trial, &node->log.entry[i]);
    }
}

/* --- What runs from now on --- */

static const uint32_t *stays(const attune_model *model) {
    return model->calibration.present ? model->calibration.dwell_s : NULL;
}

void attune_node_start_filter(attune_node *node) {
    attune_filter_init(&node->filter, attune_head_classes(&node->model.head), node->schema.window_s,
                       stays(&node->model));
}

void attune_node_follow_classes(attune_node *node) {
    attune_filter_resize(&node->filter, attune_head_classes(&node->model.head), node->schema.window_s);
}

void attune_node_start_factory(attune_node *node) {
    load_factory(node, &node->model);
    attune_factory_digest(&node->model.head, &node->schema, node->release_digest);
}

void attune_node_start_releases(attune_node *node) {
    attune_store *store = node->keep.store;
    const uint8_t slot = store->slots.committed;
    if (attune_node_load(node, slot, &node->model)) {
        memcpy(node->release_digest, store->slots.info[slot].digest, sizeof node->release_digest);
    } else {
        store->slots.committed = ATTUNE_SLOT_FACTORY; /* as this node runs; what is in flash stays */
    }
    if (attune_node_on_trial(node) && !attune_node_load(node, store->slots.trial, &node->trial)) {
        attune_node_end_trial(node, attune_v1_TrialEnd_TRIAL_END_DAMAGED);
    }
    const attune_pupil pupil = attune_node_pupil(node);
    attune_label_log_replay(&node->log, &pupil);
}

void attune_node_run_trial(attune_node *node) {
    const uint8_t slot = node->keep.store->slots.committed;
    node->model = node->trial;
    memcpy(node->release_digest, node->keep.store->slots.info[slot].digest, sizeof node->release_digest);
    attune_node_follow_classes(node);
    attune_filter_retime(&node->filter, node->schema.window_s, stays(&node->model));
}
