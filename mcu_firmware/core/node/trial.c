/* The trial of an update: how it runs beside the committed release, and how it ends. */
#include "node/parts.h"

#include "store/slots.h"

#include <string.h>

/* One goes out after the time message anyway. */
static void say_health(attune_node *node) { node->health_due = node->health_due || node->timed; }

attune_store_result attune_node_start_slots(attune_node *node, attune_store *store) {
    const uint8_t trial = store->slots.trial;
    const uint8_t restarts = store->slots.restarts;
    const attune_store_result result = attune_slots_start(store);
    if (result == ATTUNE_STORE_OK && trial != ATTUNE_SLOT_NONE && store->slots.trial == ATTUNE_SLOT_NONE) {
        node->updates.last_trial =
            restarts == 0 ? attune_v1_TrialEnd_TRIAL_END_RESTARTS : attune_v1_TrialEnd_TRIAL_END_DAMAGED;
    }
    return result;
}

static uint32_t sequence_on_trial(const attune_node *node) {
    const attune_slots *slots = &node->keep.store->slots;
    return slots->info[slots->trial].sequence;
}

void attune_node_end_trial(attune_node *node, attune_v1_TrialEnd how) {
    if (attune_slots_end(node->keep.store, sequence_on_trial(node)) == ATTUNE_STORE_OK) {
        node->updates.last_trial = how;
    }
}

static void commit_trial(attune_node *node) {
    if (attune_slots_commit(node->keep.store, sequence_on_trial(node)) == ATTUNE_STORE_OK) {
        node->updates.last_trial = attune_v1_TrialEnd_TRIAL_END_DECISION;
        attune_node_run_trial(node);
    }
}

void attune_node_start_trial(attune_node *node) {
    attune_node_teach_trial(node);
    say_health(node);
}

void attune_node_decide(attune_node *node, const attune_v1_TrialDecision *decision) {
    const bool meant = attune_node_on_trial(node) && sequence_on_trial(node) == decision->sequence;
    if (meant && decision->commit) {
        commit_trial(node);
    } else if (meant) {
        attune_node_end_trial(node, attune_v1_TrialEnd_TRIAL_END_DECISION);
    }
    say_health(node);
}

void attune_node_trial_poll(attune_node *node) {
    const bool before = attune_node_on_trial(node);
    (void)!attune_slots_poll(node->keep.store, (uint32_t)(node->now_ms / 1000));
    if (before && !attune_node_on_trial(node)) {
        node->updates.last_trial = attune_v1_TrialEnd_TRIAL_END_DEADLINE;
        say_health(node);
    }
}

void attune_node_fill_running(const attune_node *node, attune_v1_Running *running) {
    const attune_store *store = node->keep.store;
    memcpy(running->release, node->release_digest, sizeof running->release);
    running->signing_key = attune_store_keys(store)->signing_number;
    running->last_trial = node->updates.last_trial;
    running->highest = attune_store_sequence(store);
    if (attune_node_on_trial(node)) {
        running->trial = sequence_on_trial(node);
        running->trial_left_s = attune_slots_left_s(store, (uint32_t)(node->now_ms / 1000));
    }
}

/* --- A window --- */

/* 1 + the class that evidence favours, as attune_v1_Report.trial has it. */
static uint8_t favoured(const attune_model *model, const attune_real *evidence) {
    uint8_t best = 0;
    for (uint8_t k = 1; k < attune_head_classes(&model->head); k++) {
        const attune_real most = best == 0 ? 0 : evidence[best - 1];
        best = evidence[k - 1] > most ? k : best;
    }
    return (uint8_t)(best + 1);
}

/* 0 where the model has nothing to say of the window. */
static uint8_t weigh(const attune_model *model, const attune_report *report, attune_real *evidence) {
    return attune_model_evidence(model, report->features, evidence) ? favoured(model, evidence) : 0;
}

void attune_node_weigh(attune_node *node, attune_report *report) {
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    const uint8_t trial = attune_node_on_trial(node) ? weigh(&node->trial, report, evidence) : 0;
    const uint8_t committed = weigh(&node->model, report, evidence);
    if (attune_node_on_trial(node)) {
        report->trial = (uint8_t)(trial | (trial != committed ? ATTUNE_TRIAL_DIFFERS : 0));
    }
    if (committed == 0) {
        return;
    }
    report->evidences = (uint8_t)(attune_head_classes(&node->model.head) - 1);
    for (uint8_t i = 0; i < report->evidences; i++) {
        report->evidence[i] = attune_round_i16(evidence[i] * 256);
    }
    attune_model_calibrate(&node->model, evidence);
    attune_filter_update(&node->filter, evidence);
}
