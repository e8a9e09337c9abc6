#include "updated_node.h"

#include "update/transfer.h"
#include "vectors.h"

#include <string.h>

#define CHUNK 200

updated_world updated;

static const uint8_t sensors[] = {ATTUNE_TEMPERATURE | ATTUNE_HISTORY, ATTUNE_HUMIDITY | ATTUNE_HISTORY,
                                  ATTUNE_LIGHT | ATTUNE_HISTORY,       ATTUNE_CO2 | ATTUNE_HISTORY,
                                  ATTUNE_VOC | ATTUNE_HISTORY,         ATTUNE_PM25 | ATTUNE_HISTORY,
                                  ATTUNE_SOUND | ATTUNE_HISTORY,       ATTUNE_POWER | ATTUNE_HISTORY};

void updated_connect_link(void) {
    attune_node_link(&updated.node, true);
    fake_daemon_exchange(&updated.daemon);
}

static void start(uint32_t boot) {
    const attune_identity identity = {.node_id = "node-001", .boot = boot, .hardware = "mps2-an386"};
    assert_int_equal(attune_store_open(&updated.store, &updated.flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_node_init(&updated.node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(attune_node_keep(&updated.node, &updated.store), ATTUNE_STORE_OK);
    fake_daemon_init(&updated.daemon, &updated.node);
    updated_connect_link();
}

/* Power off and on. */
void updated_restart(void) { start(updated.node.identity.boot + 1); }

static void step(void) {
    attune_node_poll(&updated.node, updated.node.now_ms + 1);
    fake_daemon_exchange(&updated.daemon);
}

void updated_say(const attune_v1_DaemonMessage *message) {
    fake_daemon_say(&updated.daemon, message);
    step();
}

void updated_give_key(uint32_t number, const update_signer *who) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_command_tag};
    uint8_t *bytes = message.body.command.signing_key.bytes;
    message.body.command.signing_key.size = 36;
    memset(bytes, 0, 4);
    bytes[0] = (uint8_t)number;
    memcpy(bytes + 4, who->key, sizeof who->key);
    updated_say(&message);
}

void updated_run_windows(uint32_t count, uint64_t seed) {
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t end = attune_window_end_ms(&updated.node.window);
        static const float middle[] = {21, 45, 200, 700, 150, 9, 45, 100};
        for (uint8_t s = 0; s < sizeof sensors; s++) {
            const float value = middle[s] * (0.5f + (float)random_below(&seed, 1000) / 1000);
            assert_int_equal(attune_node_sample(&updated.node, s, end - 1000, value), ATTUNE_SAMPLE_OK);
        }
        attune_node_poll(&updated.node, end);
        fake_daemon_exchange(&updated.daemon);
    }
}

/* The base of the golden envelopes is committed, as the first update: another factory release changes nothing here. */
static void commit_base(void) {
    uint8_t image[ATTUNE_MAX_IMAGE];
    attune_slot_info info = {.sequence = 1};
    info.size = (uint16_t)read_vector("updates/base", image, sizeof image);
    attune_model_digest(image, info.size, info.digest);
    assert_int_equal(attune_slots_install(&updated.store, &info, image, 60), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_commit(&updated.store, 1), ATTUNE_STORE_OK);
}

int updated_fresh(void **state) {
    (void)state;
    emulated_flash_init(&updated.flash);
    start(1);
    commit_base();
    update_signer_init(&updated.signer, 1);
    updated_give_key(1, &updated.signer);
    updated_restart();
    return 0;
}

/* --- Envelopes --- */

envelope updated_read_golden(const char *name) {
    envelope read = {{0}, 0};
    char stem[64];
    snprintf(stem, sizeof stem, "updates/%s", name);
    read.size = read_vector(stem, read.bytes, sizeof read.bytes);
    return read;
}

attune_update_own updated_own_of_node(void) {
    attune_update_own own = {.highest = 0};
    memcpy(own.base, updated.node.release_digest, sizeof own.base);
    attune_audience(false, updated.node.identity.node_id, updated.node.schema.hash, "mps2-an386", own.node);
    return own;
}

/* An update of what is committed, signed as the daemon would. */
envelope updated_made(attune_update_kind kind, uint32_t sequence, const uint8_t *payload, size_t size) {
    static attune_model model;
    uint8_t image[ATTUNE_MAX_IMAGE];
    uint8_t digest[ATTUNE_DIGEST_SIZE] = {0};
    envelope made = {{0}, 0};
    const attune_update_own own = updated_own_of_node();
    attune_update update = {
        .kind = kind, .sequence = sequence, .result = digest, .payload = payload, .payload_size = size};
    (void)attune_node_load(&updated.node, updated.store.slots.committed, &model);
    size_t image_size = 0;
    if (attune_update_result(&update, updated.node.schema.hash, &model, image, sizeof image, &image_size) ==
        ATTUNE_UPDATE_OK) {
        attune_model_digest(image, image_size, digest);
    }
    made.size = update_signer_envelope(&updated.signer, &own, &update, made.bytes);
    return made;
}

/* A slope, an offset and two stays: the smallest update. */
envelope updated_calibration(uint32_t sequence, uint8_t stay) {
    const uint8_t payload[] = {2, 0, 0x38, 0, 0x34, 0, stay, 0, 0, 0, stay, 0, 0}; /* 0.5, 0.25, 256 * stay s */
    return updated_made(ATTUNE_UPDATE_CALIBRATION, sequence, payload, sizeof payload);
}

/* A mixture that was taught other windows, and all labels up to a number. */
envelope updated_model_update(uint32_t sequence, uint32_t through_label, uint64_t seed) {
    static attune_model model;
    uint8_t payload[ATTUNE_MAX_ENVELOPE];
    int16_t x[ATTUNE_MAX_FEATURES];
    (void)attune_node_load(&updated.node, updated.store.slots.committed, &model);
    for (int i = 0; i < 60; i++) {
        for (int f = 0; f < ATTUNE_MAX_FEATURES; f++) {
            x[f] = (int16_t)((int32_t)random_below(&seed, 3000) - 1500);
        }
        assert_int_equal(attune_head_learn(&model.head, x, i % 2, 1), ATTUNE_HEAD_OK);
    }
    size_t size = attune_head_export(&model.head, ATTUNE_FLOAT16, payload, sizeof payload);
    if (through_label > 0) {
        memcpy(payload + size, (const uint8_t[]){1, (uint8_t)through_label, 0, 0, 0}, 5);
        size += 5;
    }
    return updated_made(ATTUNE_UPDATE_MODEL, sequence, payload, size);
}

void updated_say_whole(const envelope *sent) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_tag};
    message.body.update.size = (pb_size_t)sent->size;
    memcpy(message.body.update.bytes, sent->bytes, sent->size);
    updated_say(&message);
}

void updated_say_chunk(const envelope *sent, uint32_t offset, uint32_t count) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_chunk_tag};
    attune_v1_UpdateChunk *chunk = &message.body.update_chunk;
    attune_model_digest(sent->bytes, sent->size, chunk->id);
    chunk->size = (uint32_t)sent->size;
    chunk->offset = offset;
    chunk->data.size = (pb_size_t)count;
    memcpy(chunk->data.bytes, sent->bytes + offset, count);
    updated_say(&message);
}

/* From where the node is, to the end. */
static void say_chunks(const envelope *sent) {
    updated_say_chunk(sent, 0, 0);
    for (uint32_t offset = updated.daemon.update_ack.offset; offset < sent->size;
         offset = updated.daemon.update_ack.offset) {
        const uint32_t left = (uint32_t)sent->size - offset;
        updated_say_chunk(sent, offset, left < CHUNK ? left : CHUNK);
    }
}

/* Exactly one verdict comes of it. */
uint32_t updated_verdict_of(const envelope *sent) {
    const uint32_t before = updated.daemon.verdicts;
    if (sent->size <= ATTUNE_MAX_CHUNK) {
        updated_say_whole(sent);
    } else {
        say_chunks(sent);
    }
    assert_int_equal(updated.daemon.verdicts, before + 1);
    return updated.daemon.verdict.result;
}

void updated_decide(uint32_t sequence, bool commit) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_trial_decision_tag};
    message.body.trial_decision = (attune_v1_TrialDecision){.sequence = sequence, .commit = commit};
    updated_say(&message);
}

/* What the node says it runs, in a hello that it was asked for. */
const attune_v1_Running *updated_running(void) {
    updated_say(&(attune_v1_DaemonMessage){.which_body = attune_v1_DaemonMessage_hello_request_tag});
    assert_true(updated.daemon.hello.has_running);
    return &updated.daemon.hello.running;
}

/* Both models are what a node would make of flash alone. */
void updated_expect_what_a_restart_gives(void) {
    static attune_model model;
    static attune_model trial;
    const bool both = attune_node_on_trial(&updated.node);
    model = updated.node.model;
    trial = updated.node.trial;
    const uint8_t slots = updated.store.slots.trial;
    updated_restart();
    assert_int_equal(updated.store.slots.trial, slots);
    assert_memory_equal(&model, &updated.node.model, sizeof model);
    if (both) {
        assert_memory_equal(&trial, &updated.node.trial, sizeof trial);
    }
}
