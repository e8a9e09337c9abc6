#include "world.h"

#include <string.h>

#define PART 200

/* The step is done: what was tried is known. */
static bool done(world *world, attune_store_result result) {
    if (result == ATTUNE_STORE_OK) {
        world->known = world->tried;
    }
    return result == ATTUNE_STORE_OK;
}

bool step_keys(world *world, uint32_t which) {
    attune_keys keys = {.held = (uint8_t)(1u << which % 3 | 1u)};
    if (world->known.keys == which) {
        return true;
    }
    const uint32_t signer = world->known.signer == 0 ? 1 : world->known.signer;
    attune_keys_set_signer(&keys, signer, world_signer(signer)->key);
    keys.key[ATTUNE_KEY_DAEMON][5] = (uint8_t)(which * 7);
    world->tried.keys = which;
    world->tried.signer = signer;
    return done(world, attune_store_write_keys(&world->store, &keys));
}

bool step_rotate(world *world, uint32_t number) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_signing_keys_tag};
    attune_updates *updates = &world->node.updates;
    message.body.signing_keys.size = ATTUNE_STATEMENT;
    update_signer_statement(world_signer(number), number + 1, world_signer(number + 1),
                            message.body.signing_keys.bytes);
    if (world->known.signer == number) {
        world->tried.signer = number + 1;
    }
    attune_node_take_update(&world->node, &message);
    const bool ack = updates->key_ack_due;
    updates->key_ack_due = false;
    return done(world, ack ? ATTUNE_STORE_OK : ATTUNE_STORE_FLASH) &&
           updates->key_ack.result == attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK;
}

bool step_tie(world *world, uint32_t which) {
    attune_tie tie = {.boot = WORLD_BOOT, .tick_ms = which, .utc_ms = 1000u * which};
    world->tried.ties = which;
    return world->known.ties >= which || done(world, attune_store_write_tie(&world->store, &tie));
}

static uint32_t next_number(const attune_label_log *log) {
    return log->count == 0 ? 1 : log->entry[log->count - 1].number + 1;
}

static void add_window(attune_v1_Label *label, uint16_t i) {
    attune_v1_LabelWindow *window = &label->windows[label->windows_count++];
    const uint16_t feature = (uint16_t)(label->number * 3 + i);
    window->boot = WORLD_BOOT;
    window->seq = 100 * label->number + i;
    window->features.size = 2 * WORLD_FEATURES;
    window->features.bytes[2 * (i % WORLD_FEATURES)] = (uint8_t)feature;
    window->features.bytes[2 * (i % WORLD_FEATURES) + 1] = (uint8_t)(feature >> 8);
}

/* The node acknowledges what is durable, and says nothing of what is not. */
static bool acknowledged(world *world) {
    const bool ack = world->node.label_acks > 0;
    world->node.label_acks = 0;
    world->tried.log = world->node.log;
    return done(world, ack ? ATTUNE_STORE_OK : ATTUNE_STORE_FLASH);
}

bool step_label(world *world, uint16_t windows) {
    const uint32_t number = next_number(&world->node.log);
    attune_v1_Label label = {.number = number, .class_index = number % 2, .weight = 256};
    for (uint16_t i = 0; i < windows; i++) {
        add_window(&label, i);
    }
    attune_node_learn(&world->node, &label);
    return acknowledged(world);
}

bool step_forget(world *world, uint32_t number) {
    const attune_v1_Unlearn unlearn = {.number = number};
    attune_node_unlearn(&world->node, &unlearn);
    return acknowledged(world);
}

static void measure(world *world) {
    attune_report report = {.evidences = 1, .state = 0x71};
    report.end_s = 60 * world->ring.next_seq;
    report.features[0] = (int16_t)world->ring.next_seq;
    attune_backlog_push(&world->ring, &report);
}

bool step_backlog(world *world, uint16_t reports) {
    for (uint16_t i = 0; i < reports; i++) {
        measure(world);
    }
    world->tried.moved = world->ring.next_seq - 1;
    return done(world, attune_reports_move(&world->store, WORLD_BOOT, WORLD_FEATURES, &world->ring));
}

bool step_take(world *world) {
    attune_batch batch;
    attune_store_result result = attune_reports_oldest(&world->store, WORLD_FEATURES, &batch);
    if (result != ATTUNE_STORE_OK) {
        return result == ATTUNE_STORE_NONE;
    }
    world->tried.taken = batch.last_seq;
    return done(world, attune_reports_remove(&world->store, batch.number));
}

static bool runs(const world *world, uint32_t release) {
    return world->known.committed == release || world->known.trial == release;
}

static bool say_chunk(attune_node *node, const uint8_t *envelope, uint32_t size, uint32_t offset, uint32_t count) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_chunk_tag};
    attune_v1_UpdateChunk *chunk = &message.body.update_chunk;
    attune_model_digest(envelope, size, chunk->id);
    chunk->size = size;
    chunk->offset = offset;
    chunk->data.size = (pb_size_t)count;
    memcpy(chunk->data.bytes, envelope + offset, count);
    attune_node_take_update(node, &message);
    const bool ack = node->updates.ack_due;
    node->updates.ack_due = false;
    return ack;
}

/* From where the node is to a place further on. */
static bool send(attune_node *node, const uint8_t *envelope, uint32_t size, uint32_t through) {
    bool heard = say_chunk(node, envelope, size, 0, 0);
    while (heard && node->updates.ack.offset < through) {
        const uint32_t offset = node->updates.ack.offset;
        heard = say_chunk(node, envelope, size, offset, through - offset < PART ? through - offset : PART);
    }
    return heard;
}

bool step_receive(world *world, uint32_t release, uint32_t through) {
    uint8_t envelope[ATTUNE_MAX_ENVELOPE];
    if (runs(world, release)) {
        return true;
    }
    const uint32_t size = (uint32_t)world_envelope(&world->node, release, envelope);
    return send(&world->node, envelope, size, through < size ? through : size);
}

/* What the node makes of what has come; 0 if it says nothing. */
static uint32_t judge(attune_node *node) {
    attune_node_update_poll(node);
    const bool said = node->updates.verdict_due;
    node->updates.verdict_due = false;
    return said ? (uint32_t)node->updates.verdict.result : 0;
}

bool step_install(world *world, uint32_t release) {
    if (runs(world, release)) {
        return true;
    }
    const uint32_t verdict = judge(&world->node);
    world->tried.sequence = attune_store_sequence(&world->store);
    world->tried.trial = release;
    return done(world, verdict == ATTUNE_UPDATE_OK ? ATTUNE_STORE_OK : ATTUNE_STORE_FLASH);
}

bool step_splice(world *world, uint32_t received, uint32_t said) {
    const made_release *bytes = world_release(received);
    attune_slot_info info = {.sequence = attune_store_sequence(&world->store) + 1};
    info.size = (uint16_t)bytes->image_size;
    memcpy(info.digest, world_release(said)->digest, sizeof info.digest);
    return step_receive(world, received, UINT32_MAX) &&
           attune_slots_install(&world->store, &info, bytes->image, ATTUNE_TRIAL_S) != ATTUNE_STORE_FLASH;
}

/* Whether the trial is over. */
static bool decide(world *world, bool commit) {
    const attune_slots *slots = &world->store.slots;
    const attune_v1_TrialDecision decision = {.sequence = slots->info[slots->trial].sequence, .commit = commit};
    attune_node_decide(&world->node, &decision);
    return done(world, attune_node_on_trial(&world->node) ? ATTUNE_STORE_FLASH : ATTUNE_STORE_OK);
}

bool step_commit(world *world) {
    if (!attune_node_on_trial(&world->node)) {
        return true;
    }
    world->tried.committed = world->known.trial;
    world->tried.trial = 0;
    return decide(world, true);
}

bool step_end(world *world) {
    if (!attune_node_on_trial(&world->node)) {
        return true;
    }
    world->tried.trial = 0;
    return decide(world, false);
}

/* Polls of a node that stays on, a quarter of an hour apart. */
bool step_deadline(world *world) {
    for (uint32_t tick_s = 900; tick_s <= ATTUNE_TRIAL_S + 900; tick_s += 900) {
        world->node.now_ms = 1000ull * tick_s;
        attune_node_trial_poll(&world->node);
    }
    return !world->flash.dead;
}

bool step_restart(world *world) { return world_start(world); }
