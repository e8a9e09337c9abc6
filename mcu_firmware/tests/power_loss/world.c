#include "world.h"

#include <string.h>

void world_init(world *world) {
    memset(world, 0, sizeof *world);
    emulated_flash_init(&world->flash);
    attune_backlog_init(&world->ring);
}

bool world_start(world *world) {
    attune_backlog_init(&world->ring);
    world->ring.next_seq = world->known.moved + 1;
    const attune_identity identity = {.node_id = "node-001", .boot = WORLD_BOOT, .hardware = "world"};
    if (attune_store_open(&world->store, &world->flash.port) != ATTUNE_STORE_OK ||
        attune_node_init(&world->node, &identity, world_sensors, WORLD_SENSORS, 60) != ATTUNE_SCHEMA_OK) {
        return false;
    }
    world->node.session.store = &world->store;
    return attune_node_keep(&world->node, &world->store) == ATTUNE_STORE_OK;
}

/* Compares what the slot gives with what releases are made of; the store's own digests have no say. */
static uint32_t release_in(world *world, uint8_t slot) {
    static uint8_t found[ATTUNE_RELEASE_MAX];
    if (slot >= ATTUNE_SLOT_FACTORY) {
        return 0;
    }
    if (attune_slots_read(&world->store, (attune_slot)slot, found, sizeof found) != ATTUNE_STORE_OK) {
        return WORLD_RELEASES;
    }
    for (uint32_t release = 1; release < WORLD_RELEASES; release++) {
        const made_release *made = world_release(release);
        if (made->image_size == world->store.slots.info[slot].size &&
            memcmp(found, made->image, made->image_size) == 0) {
            return release;
        }
    }
    return WORLD_RELEASES;
}

static bool holds(const attune_label_log *log, const attune_label_entry *entry) {
    for (uint16_t i = 0; i < log->count; i++) {
        if (memcmp(&log->entry[i], entry, sizeof *entry) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t lowest_number(const attune_label_log *log) {
    uint32_t lowest = UINT32_MAX;
    for (uint16_t i = 0; i < log->count; i++) {
        lowest = log->entry[i].number < lowest ? log->entry[i].number : lowest;
    }
    return lowest;
}

/* Whether every entry of one log is in another. Where that one is full its lowest labels have made room. */
static bool covers(const attune_label_log *log, const attune_label_log *of) {
    bool full = log->count == ATTUNE_LABEL_LOG;
    for (uint16_t i = 0; i < of->count; i++) {
        if (!holds(log, &of->entry[i]) && !(full && of->entry[i].number <= lowest_number(log))) {
            return false;
        }
    }
    return true;
}

static const char *label_violation(const world *world) {
    /* A step that forgets makes the truth smaller, one that learns larger: both are behind the one of them that is smaller. */
    bool forgets = world->tried.log.count < world->known.log.count;
    const attune_label_log *least = forgets ? &world->tried.log : &world->known.log;
    const attune_label_log *most = forgets ? &world->known.log : &world->tried.log;
    if (!covers(&world->node.log, least)) {
        return "an acknowledged label is lost";
    }
    return covers(most, &world->node.log) ? NULL : "the log holds a label that nobody gave";
}

typedef struct report_walk {
    attune_store store; /* on a copy of the flash, for what has been seen is let go of */
    emulated_flash flash;
    uint32_t last;
} report_walk;

/* What comes next in flash, from the oldest on: it has to follow the last without a gap. */
static const char *follow(report_walk *walk, const world *world, uint32_t first, uint32_t last) {
    bool gap = walk->last == 0 ? first > world->tried.taken + 1 : first != walk->last + 1;
    walk->last = last;
    return gap ? "an acknowledged report is lost, or there twice" : NULL;
}

static const char *walk_summaries(report_walk *walk, const world *world) {
    attune_summary summary;
    const char *violation = NULL;
    while (violation == NULL && attune_summaries_oldest(&walk->store, WORLD_FEATURES, &summary) == ATTUNE_STORE_OK) {
        violation = follow(walk, world, summary.first_seq, summary.last_seq);
        if (attune_summaries_remove(&walk->store, summary.number) != ATTUNE_STORE_OK) {
            violation = "a summary cannot be let go of";
        }
    }
    return violation;
}

static const char *walk_batch(report_walk *walk, const world *world, const attune_batch *batch) {
    attune_report report;
    const char *violation = NULL;
    for (uint8_t i = 0; violation == NULL && i < batch->reports; i++) {
        if (attune_reports_read(&walk->store, batch, i, &report) != ATTUNE_STORE_OK) {
            return "a report cannot be read";
        }
        violation = follow(walk, world, report.seq, report.seq);
        if (report.features[0] != (int16_t)report.seq || report.end_s != 60 * report.seq) {
            return "a report has changed";
        }
    }
    return violation;
}

static const char *walk_batches(report_walk *walk, const world *world) {
    attune_batch batch;
    const char *violation = NULL;
    while (violation == NULL && attune_reports_oldest(&walk->store, WORLD_FEATURES, &batch) == ATTUNE_STORE_OK) {
        violation = walk_batch(walk, world, &batch);
        if (attune_reports_remove(&walk->store, batch.number) != ATTUNE_STORE_OK) {
            violation = "a batch cannot be let go of";
        }
    }
    return violation;
}

static const char *walk_reports(report_walk *walk, const world *world) {
    walk->flash = world->flash;
    walk->flash.port.context = &walk->flash;
    walk->last = 0;
    if (attune_store_open(&walk->store, &walk->flash.port) != ATTUNE_STORE_OK) {
        return "the store does not open twice";
    }
    const char *violation = walk_summaries(walk, world);
    return violation != NULL ? violation : walk_batches(walk, world);
}

static report_walk walk;

static const char *report_violation(const world *world) {
    const char *violation = walk_reports(&walk, world);
    if (violation == NULL && walk.last < world->known.moved && world->known.moved > world->tried.taken) {
        return "an acknowledged report is lost";
    }
    return violation;
}

static const char *release_violation(world *world, uint32_t may_run) {
    const attune_slots *slots = &world->store.slots;
    uint32_t committed = release_in(world, slots->committed);
    uint32_t trial = slots->trial == ATTUNE_SLOT_NONE ? 0 : release_in(world, slots->trial);
    uint32_t way_back = release_in(world, slots->way_back);
    if (committed >= WORLD_RELEASES || trial >= WORLD_RELEASES || way_back >= WORLD_RELEASES) {
        return "what runs, or the way back, is no release";
    }
    if ((may_run >> committed & 1) == 0 || (trial != 0 && (may_run >> trial & 1) == 0)) {
        return "a release runs that should not";
    }
    for (int i = 0; i < 2; i++) {
        uint8_t slot = i == 0 ? slots->committed : slots->trial;
        if (slot < ATTUNE_SLOTS && slots->info[slot].sequence > attune_store_sequence(&world->store)) {
            return "an update runs whose sequence number was never accepted";
        }
    }
    return NULL;
}

static bool keys_are(const attune_keys *keys, uint32_t which) {
    return keys->held == (which == 0 ? 0 : 1u << ATTUNE_KEY_SIGNING | 1u << which % 3 | 1u) &&
           keys->key[ATTUNE_KEY_DAEMON][5] == (uint8_t)(which * 7);
}

static bool signer_is(const attune_keys *keys, uint32_t number) {
    return keys->signing_number == number &&
           (number == 0 || memcmp(keys->key[ATTUNE_KEY_SIGNING], world_signer(number)->key, ATTUNE_KEY_SIZE) == 0);
}

static const char *small_violation(world *world) {
    attune_tie tie = {.boot = 0};
    const attune_keys *keys = attune_store_keys(&world->store);
    if (!keys_are(keys, world->known.keys) && !keys_are(keys, world->tried.keys)) {
        return "the keys are neither the old nor the new ones";
    }
    if (!signer_is(keys, world->known.signer) && !signer_is(keys, world->tried.signer)) {
        return "the signing key is neither the old nor the new one";
    }
    attune_store_result result = attune_store_read_tie(&world->store, &tie);
    if (result != ATTUNE_STORE_OK && result != ATTUNE_STORE_NONE) {
        return "the tie cannot be read";
    }
    if (tie.utc_ms != 1000u * world->known.ties && tie.utc_ms != 1000u * world->tried.ties) {
        return "the tie is neither the old nor the new one";
    }
    uint32_t sequence = attune_store_sequence(&world->store);
    if (sequence < world->known.sequence || sequence < world->highest_seen) {
        return "the sequence number fell";
    }
    world->highest_seen = sequence;
    return NULL;
}

const char *world_violation(world *world, uint32_t may_run) {
    const char *violation = small_violation(world);
    violation = violation != NULL ? violation : release_violation(world, may_run);
    violation = violation != NULL ? violation : label_violation(world);
    return violation != NULL ? violation : report_violation(world);
}

void world_settle(world *world) {
    truth found = world->known;
    attune_tie tie = {.boot = 0};
    found.sequence = attune_store_sequence(&world->store);
    found.keys = keys_are(attune_store_keys(&world->store), world->tried.keys) ? world->tried.keys : world->known.keys;
    found.signer = attune_store_keys(&world->store)->signing_number;
    (void)!attune_store_read_tie(&world->store, &tie);
    found.ties = (uint32_t)(tie.utc_ms / 1000);
    (void)walk_reports(&walk, world);
    found.moved = walk.last > found.moved ? walk.last : found.moved;
    found.taken = world->store.batches == 0 ? found.moved : found.taken;
    found.committed = release_in(world, world->store.slots.committed);
    found.trial = world->store.slots.trial == ATTUNE_SLOT_NONE ? 0 : release_in(world, world->store.slots.trial);
    found.log = world->node.log;
    world->known = found;
    world->tried = found;
    world->ring.next_seq = found.moved + 1;
}
