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
    keys.key[ATTUNE_KEY_DAEMON][5] = (uint8_t)(which * 7);
    world->tried.keys = which;
    return done(world, attune_store_write_keys(&world->store, &keys));
}

bool step_tie(world *world, uint32_t which) {
    attune_tie tie = {.boot = WORLD_BOOT, .tick_ms = which, .utc_ms = 1000u * which};
    world->tried.ties = which;
    return world->known.ties >= which || done(world, attune_store_write_tie(&world->store, &tie));
}

static uint32_t next_number(const attune_label_log *log) {
    return log->count == 0 ? 1 : log->entry[log->count - 1].number + 1;
}

bool step_label(world *world, uint16_t windows) {
    uint32_t number = next_number(&world->log);
    for (uint16_t i = 0; i < windows; i++) {
        attune_label_entry entry;
        memset(&entry, 0, sizeof entry);
        entry.number = number;
        entry.boot = WORLD_BOOT;
        entry.seq = 100 * number + i;
        entry.weight = 256;
        entry.class_index = i % 2;
        entry.features[i % WORLD_FEATURES] = (int16_t)(number * 3 + i);
        attune_label_log_place(&world->log, &entry);
    }
    world->tried.log = world->log;
    return done(world, attune_labels_append(&world->store, WORLD_FEATURES, &world->log, windows));
}

static void forget(attune_label_log *log, uint32_t number) {
    uint16_t kept = 0;
    for (uint16_t i = 0; i < log->count; i++) {
        if (log->entry[i].number != number) {
            log->entry[kept] = log->entry[i];
            kept += 1;
        }
    }
    log->count = kept;
}

bool step_forget(world *world, uint32_t number) {
    forget(&world->log, number);
    world->tried.log = world->log;
    return done(world, attune_labels_rewrite(&world->store, WORLD_FEATURES, &world->log));
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
    return done(world, attune_reports_acknowledge(&world->store, WORLD_FEATURES, WORLD_BOOT, batch.last_seq));
}

static bool runs(const world *world, uint32_t release) {
    return world->known.committed == release || world->known.trial == release;
}

bool step_receive(world *world, uint32_t release, uint32_t through) {
    static uint8_t bytes[ATTUNE_RELEASE_MAX];
    attune_slot_info info;
    uint32_t offset = 0;
    world_release(release, &info, bytes);
    through = through < info.size ? through : info.size;
    if (runs(world, release)) {
        return true;
    }
    attune_store_result result = attune_incoming_begin(&world->store, info.digest, info.size, &offset);
    while (result == ATTUNE_STORE_OK && offset < through) {
        uint32_t size = through - offset < PART ? through - offset : PART;
        result = attune_incoming_write(&world->store, offset, bytes + offset, size);
        offset += size;
    }
    return result == ATTUNE_STORE_OK;
}

/* A number that has been used up is signed anew, with a higher one. */
static attune_store_result install(world *world, attune_slot_info *info, uint8_t *bytes) {
    uint32_t highest = attune_store_sequence(&world->store);
    attune_store_result result = attune_incoming_read(&world->store, 0, bytes, info->size);
    info->sequence = info->sequence > highest ? info->sequence : highest + 1;
    return result == ATTUNE_STORE_OK ? attune_slots_install(&world->store, info, bytes, WORLD_TRIAL_S) : result;
}

bool step_install(world *world, uint32_t release) {
    static uint8_t bytes[ATTUNE_RELEASE_MAX];
    attune_slot_info info;
    world_release(release, &info, bytes);
    if (runs(world, release)) {
        return true;
    }
    attune_store_result result = install(world, &info, bytes);
    world->tried.sequence = attune_store_sequence(&world->store);
    world->tried.trial = release;
    return done(world, result) && attune_incoming_end(&world->store) == ATTUNE_STORE_OK;
}

bool step_splice(world *world, uint32_t received, uint32_t said) {
    static uint8_t bytes[ATTUNE_RELEASE_MAX];
    attune_slot_info info;
    world_release(said, &info, bytes);
    if (!step_receive(world, received, UINT32_MAX)) {
        return false;
    }
    attune_store_result result = install(world, &info, bytes);
    return result != ATTUNE_STORE_FLASH;
}

bool step_commit(world *world) {
    const attune_slots *slots = &world->store.slots;
    if (slots->trial == ATTUNE_SLOT_NONE) {
        return true;
    }
    world->tried.committed = world->known.trial;
    world->tried.trial = 0;
    return done(world, attune_slots_commit(&world->store, slots->info[slots->trial].sequence));
}

bool step_end(world *world) {
    const attune_slots *slots = &world->store.slots;
    if (slots->trial == ATTUNE_SLOT_NONE) {
        return true;
    }
    world->tried.trial = 0;
    return done(world, attune_slots_end(&world->store, slots->info[slots->trial].sequence));
}

/* Polls of a node that stays on, a quarter of an hour apart. */
bool step_deadline(world *world) {
    for (uint32_t tick_s = 900; tick_s <= WORLD_TRIAL_S + 900; tick_s += 900) {
        if (attune_slots_poll(&world->store, tick_s) != ATTUNE_STORE_OK) {
            return false;
        }
    }
    return true;
}

bool step_restart(world *world) { return world_start(world); }
