/* A node with a flash takes updates: every verdict, every kind, parts that get lost, trials and how they end, and who signs. */
#include "emulated_flash.h"
#include "fake_daemon.h"
#include "node/parts.h"
#include "store/incoming.h"
#include "store/slots.h"
#include "update/transfer.h"
#include "update_signer.h"
#include "vectors.h"

#include <monocypher.h>
#include <string.h>

#define OK attune_v1_UpdateResult_UPDATE_RESULT_OK
#define GOLDEN_SEQUENCE 300
#define CHUNK 200

typedef struct envelope {
    uint8_t bytes[ATTUNE_MAX_ENVELOPE];
    size_t size;
} envelope;

static emulated_flash flash;
static attune_store store;
static attune_node node;
static fake_daemon daemon_;
static update_signer signer;

static const uint8_t sensors[] = {ATTUNE_TEMPERATURE | ATTUNE_HISTORY, ATTUNE_HUMIDITY | ATTUNE_HISTORY,
                                  ATTUNE_LIGHT | ATTUNE_HISTORY,       ATTUNE_CO2 | ATTUNE_HISTORY,
                                  ATTUNE_VOC | ATTUNE_HISTORY,         ATTUNE_PM25 | ATTUNE_HISTORY,
                                  ATTUNE_SOUND | ATTUNE_HISTORY,       ATTUNE_POWER | ATTUNE_HISTORY};

/* --- A node that starts, and a daemon that speaks to it --- */

static void connect_link(void) {
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void start(uint32_t boot) {
    const attune_identity identity = {.node_id = "node-001", .boot = boot, .hardware = "mps2-an386"};
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(attune_node_keep(&node, &store), ATTUNE_STORE_OK);
    fake_daemon_init(&daemon_, &node);
    connect_link();
}

/* Power off and on. */
static void restart(void) { start(node.identity.boot + 1); }

static void step(void) {
    attune_node_poll(&node, node.now_ms + 1);
    fake_daemon_exchange(&daemon_);
}

static void say(const attune_v1_DaemonMessage *message) {
    fake_daemon_say(&daemon_, message);
    step();
}

static void give_key(uint32_t number, const update_signer *who) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_command_tag};
    uint8_t *bytes = message.body.command.signing_key.bytes;
    message.body.command.signing_key.size = 36;
    memset(bytes, 0, 4);
    bytes[0] = (uint8_t)number;
    memcpy(bytes + 4, who->key, sizeof who->key);
    say(&message);
}

static void run_windows(uint32_t count, uint64_t seed) {
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t end = attune_window_end_ms(&node.window);
        static const float middle[] = {21, 45, 200, 700, 150, 9, 45, 100};
        for (uint8_t s = 0; s < sizeof sensors; s++) {
            const float value = middle[s] * (0.5f + (float)random_below(&seed, 1000) / 1000);
            assert_int_equal(attune_node_sample(&node, s, end - 1000, value), ATTUNE_SAMPLE_OK);
        }
        attune_node_poll(&node, end);
        fake_daemon_exchange(&daemon_);
    }
}

/* The base of the golden envelopes is committed, as the first update: another factory release changes nothing here. */
static void commit_base(void) {
    uint8_t image[ATTUNE_MAX_IMAGE];
    attune_slot_info info = {.sequence = 1};
    info.size = (uint16_t)read_vector("updates/base", image, sizeof image);
    attune_model_digest(image, info.size, info.digest);
    assert_int_equal(attune_slots_install(&store, &info, image, 60), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_commit(&store, 1), ATTUNE_STORE_OK);
}

static int fresh(void **state) {
    (void)state;
    emulated_flash_init(&flash);
    start(1);
    commit_base();
    update_signer_init(&signer, 1);
    give_key(1, &signer);
    restart();
    return 0;
}

/* --- Envelopes --- */

static envelope read_golden(const char *name) {
    envelope read = {{0}, 0};
    char stem[64];
    snprintf(stem, sizeof stem, "updates/%s", name);
    read.size = read_vector(stem, read.bytes, sizeof read.bytes);
    return read;
}

static attune_update_own own_of_node(void) {
    attune_update_own own = {.highest = 0};
    memcpy(own.base, node.release_digest, sizeof own.base);
    attune_audience(false, node.identity.node_id, node.schema.hash, "mps2-an386", own.node);
    return own;
}

/* An update of what is committed, signed as the daemon would. */
static envelope made(attune_update_kind kind, uint32_t sequence, const uint8_t *payload, size_t size) {
    static attune_model model;
    uint8_t image[ATTUNE_MAX_IMAGE];
    uint8_t digest[ATTUNE_DIGEST_SIZE] = {0};
    envelope made = {{0}, 0};
    const attune_update_own own = own_of_node();
    attune_update update = {
        .kind = kind, .sequence = sequence, .result = digest, .payload = payload, .payload_size = size};
    (void)attune_node_load(&node, store.slots.committed, &model);
    size_t image_size = 0;
    if (attune_update_result(&update, node.schema.hash, &model, image, sizeof image, &image_size) == ATTUNE_UPDATE_OK) {
        attune_model_digest(image, image_size, digest);
    }
    made.size = update_signer_envelope(&signer, &own, &update, made.bytes);
    return made;
}

/* A slope, an offset and two stays: the smallest update. */
static envelope calibration(uint32_t sequence, uint8_t stay) {
    const uint8_t payload[] = {2, 0, 0x38, 0, 0x34, 0, stay, 0, 0, 0, stay, 0, 0}; /* 0.5, 0.25, 256 * stay s */
    return made(ATTUNE_UPDATE_CALIBRATION, sequence, payload, sizeof payload);
}

/* A mixture that was taught other windows, and all labels up to a number. */
static envelope model_update(uint32_t sequence, uint32_t through_label, uint64_t seed) {
    static attune_model model;
    uint8_t payload[ATTUNE_MAX_ENVELOPE];
    int16_t x[ATTUNE_MAX_FEATURES];
    (void)attune_node_load(&node, store.slots.committed, &model);
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
    return made(ATTUNE_UPDATE_MODEL, sequence, payload, size);
}

static void say_whole(const envelope *sent) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_tag};
    message.body.update.size = (pb_size_t)sent->size;
    memcpy(message.body.update.bytes, sent->bytes, sent->size);
    say(&message);
}

static void say_chunk(const envelope *sent, uint32_t offset, uint32_t count) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_chunk_tag};
    attune_v1_UpdateChunk *chunk = &message.body.update_chunk;
    attune_model_digest(sent->bytes, sent->size, chunk->id);
    chunk->size = (uint32_t)sent->size;
    chunk->offset = offset;
    chunk->data.size = (pb_size_t)count;
    memcpy(chunk->data.bytes, sent->bytes + offset, count);
    say(&message);
}

/* From where the node is, to the end. */
static void say_chunks(const envelope *sent) {
    say_chunk(sent, 0, 0);
    for (uint32_t offset = daemon_.update_ack.offset; offset < sent->size; offset = daemon_.update_ack.offset) {
        const uint32_t left = (uint32_t)sent->size - offset;
        say_chunk(sent, offset, left < CHUNK ? left : CHUNK);
    }
}

/* Exactly one verdict comes of it. */
static uint32_t verdict_of(const envelope *sent) {
    const uint32_t before = daemon_.verdicts;
    if (sent->size <= ATTUNE_MAX_CHUNK) {
        say_whole(sent);
    } else {
        say_chunks(sent);
    }
    assert_int_equal(daemon_.verdicts, before + 1);
    return daemon_.verdict.result;
}

static void decide(uint32_t sequence, bool commit) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_trial_decision_tag};
    message.body.trial_decision = (attune_v1_TrialDecision){.sequence = sequence, .commit = commit};
    say(&message);
}

/* What the node says it runs, in a hello that it was asked for. */
static const attune_v1_Running *running(void) {
    say(&(attune_v1_DaemonMessage){.which_body = attune_v1_DaemonMessage_hello_request_tag});
    assert_true(daemon_.hello.has_running);
    return &daemon_.hello.running;
}

/* Both models are what a node would make of flash alone. */
static void expect_what_a_restart_gives(void) {
    static attune_model model;
    static attune_model trial;
    const bool both = attune_node_on_trial(&node);
    model = node.model;
    trial = node.trial;
    const uint8_t slots = store.slots.trial;
    restart();
    assert_int_equal(store.slots.trial, slots);
    assert_memory_equal(&model, &node.model, sizeof model);
    if (both) {
        assert_memory_equal(&trial, &node.trial, sizeof trial);
    }
}

/* --- Kinds and verdicts --- */

static void golden_envelopes_start_their_trial(void **state) {
    static const char *const kinds[] = {"head", "calibration", "normaliser", "model"};
    for (size_t i = 0; i < 4; i++) {
        char name[32];
        (void)fresh(state);
        const envelope sent = read_golden(kinds[i]);
        snprintf(name, sizeof name, "%s_result", kinds[i]);
        const envelope result = read_golden(name);
        const uint32_t healths = daemon_.healths;
        assert_int_equal(verdict_of(&sent), OK);
        assert_int_equal(daemon_.verdict.sequence, GOLDEN_SEQUENCE);
        assert_memory_equal(store.slots.info[store.slots.trial].digest, result.bytes, ATTUNE_DIGEST);
        assert_int_equal(store.slots.info[store.slots.trial].labels, node.trial.through_label);
        assert_int_equal(daemon_.healths, healths + 1);
        assert_int_equal(daemon_.health.running.trial, GOLDEN_SEQUENCE);
        assert_in_range(daemon_.health.running.trial_left_s, ATTUNE_TRIAL_S - 1, ATTUNE_TRIAL_S);
        assert_memory_equal(daemon_.health.running.release, node.release_digest, ATTUNE_DIGEST);
        decide(GOLDEN_SEQUENCE, true);
        assert_memory_equal(daemon_.health.running.release, result.bytes, ATTUNE_DIGEST);
        expect_what_a_restart_gives();
    }
}

static void the_signer_of_this_test_signs_as_the_daemon(void **state) {
    (void)state;
    const envelope golden = read_golden("calibration");
    const envelope key = read_golden("key");
    const attune_update_own own = own_of_node();
    envelope again = {{0}, 0};
    const attune_update update = {.kind = ATTUNE_UPDATE_CALIBRATION,
                                  .sequence = GOLDEN_SEQUENCE,
                                  .result = golden.bytes + 6,
                                  .payload = golden.bytes + ATTUNE_ENVELOPE_HEADER,
                                  .payload_size = golden.size - ATTUNE_ENVELOPE_AROUND};
    assert_memory_equal(signer.key, key.bytes, key.size);
    again.size = update_signer_envelope(&signer, &own, &update, again.bytes);
    assert_int_equal(again.size, golden.size);
    assert_memory_equal(again.bytes, golden.bytes, golden.size);
}

static void each_verdict(void **state) {
    (void)state;
    envelope sent = read_golden("head");
    const attune_slots before = store.slots;
    envelope small = {{1, 1, 9}, 20};
    assert_int_equal(verdict_of(&small), ATTUNE_UPDATE_SIZE);
    assert_int_equal(daemon_.verdict.sequence, 9);
    sent.bytes[0] = 2;
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_FORMAT);
    sent = read_golden("head_cohort"); /* the node is in none */
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    sent = read_golden("head");
    sent.bytes[100] ^= 4;
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    sent = calibration(1, 60); /* the number of the base */
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_SEQUENCE);
    sent = made(ATTUNE_UPDATE_CALIBRATION, 2, (const uint8_t *)"\x02\x00\x00\x00", 4);
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_PAYLOAD);
    const attune_update_own own = own_of_node();
    const attune_update other = {.kind = ATTUNE_UPDATE_CALIBRATION,
                                 .sequence = 2,
                                 .result = own.base,
                                 .payload = (const uint8_t *)"\x02\x00\x38\x00\x34\x00\x60\x00\x00\x00\x60\x00\x00",
                                 .payload_size = 13};
    sent.size = update_signer_envelope(&signer, &own, &other, sent.bytes);
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_DIGEST);
    assert_memory_equal(&store.slots, &before, sizeof before);
    assert_int_equal(attune_store_sequence(&store), 1);
    expect_what_a_restart_gives();
}

static void a_chunk_that_cannot_be(void **state) {
    (void)state;
    envelope large = {{1}, ATTUNE_MAX_ENVELOPE};
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_chunk_tag};
    message.body.update_chunk = (attune_v1_UpdateChunk){.size = ATTUNE_MAX_ENVELOPE + 1, .data = {.size = 5}};
    say(&message);
    assert_int_equal(daemon_.verdict.result, ATTUNE_UPDATE_SIZE);
    say_chunk(&large, 0, 100);
    const uint32_t acks = daemon_.update_acks;
    message.body.update_chunk.size = 100;
    message.body.update_chunk.offset = 96;
    say(&message);
    assert_int_equal(daemon_.update_acks, acks);
    assert_int_equal(node.counters.bad_frames, 1);
    say_chunk(&large, 0, 0);
    assert_int_equal(daemon_.update_ack.offset, 100);
}

/* --- On the way --- */

/* Each chunk gets lost, comes twice, or is the last thing before the power fails; and so does each answer. */
static void chunks_survive_everything(void **state) {
    (void)state;
    const envelope sent = read_golden("model");
    uint64_t seed = 5;
    uint32_t expected = 0;
    while (daemon_.verdicts == 0) {
        say_chunk(&sent, 0, 0);
        const uint32_t offset = daemon_.update_ack.offset;
        assert_int_equal(offset, expected);
        const uint32_t left = (uint32_t)sent.size - offset;
        const uint32_t count = left < 40 ? left : 40;
        expected = offset + count;
        switch (random_below(&seed, 4)) {
        case 0: /* lost */
            expected = offset;
            break;
        case 1:
            say_chunk(&sent, offset, count);
            say_chunk(&sent, offset, count < 40 ? 0 : count);
            break;
        case 2: /* durable, and unheard of */
            daemon_.loss = 100;
            say_chunk(&sent, offset, 0);
            daemon_.loss = 0;
            say_chunk(&sent, offset, count);
            restart();
            break;
        default:
            say_chunk(&sent, offset, count);
            attune_node_link(&node, false);
            connect_link();
        }
    }
    assert_int_equal(daemon_.verdict.result, OK);
    assert_true(attune_node_on_trial(&node));
}

/* All of it is in flash, and the power failed before anybody looked at it. */
static void an_envelope_that_nobody_judged(void **state) {
    (void)state;
    const envelope sent = read_golden("head");
    uint8_t id[ATTUNE_INCOMING_ID];
    uint32_t offset;
    attune_model_digest(sent.bytes, sent.size, id);
    assert_int_equal(attune_incoming_begin(&store, id, (uint32_t)sent.size, &offset), ATTUNE_STORE_OK);
    assert_int_equal(attune_incoming_write(&store, 0, sent.bytes, sent.size), ATTUNE_STORE_OK);
    restart();
    assert_int_equal(daemon_.verdicts, 0);
    say_chunk(&sent, 0, 0);
    assert_int_equal(daemon_.update_ack.offset, sent.size);
    assert_int_equal(daemon_.verdict.result, OK);
    say_chunk(&sent, 0, 0);
    assert_int_equal(daemon_.update_ack.offset, 0);
}

static void another_envelope_takes_the_place(void **state) {
    (void)state;
    const envelope first = read_golden("model");
    const envelope second = read_golden("head");
    say_chunk(&first, 0, 300);
    say_chunk(&second, 0, 100);
    assert_int_equal(daemon_.update_ack.offset, 100);
    say_chunk(&first, 300, 100);
    assert_int_equal(daemon_.update_ack.offset, 0);
    assert_int_equal(verdict_of(&second), OK); /* whole, though a part of it was here */
}

static void a_flash_that_fails_says_nothing(void **state) {
    (void)state;
    const envelope sent = read_golden("head");
    flash.dead = true;
    say_whole(&sent);
    say_chunk(&sent, 0, 100);
    flash.dead = false;
    assert_int_equal(daemon_.verdicts + daemon_.update_acks, 0);
    assert_false(attune_node_on_trial(&node));
    assert_int_equal(verdict_of(&sent), OK);
}

/* The flash fails at each of its operations in turn: either nothing has happened, or all of it. */
static void a_flash_that_fails_anywhere(void **state) {
    (void)state;
    for (uint64_t at = 1; at < 60; at++) {
        (void)fresh(state);
        const envelope sent = read_golden("head");
        emulated_flash_cut(&flash, at, CUT_BETWEEN, at);
        say_whole(&sent);
        const bool done = daemon_.verdicts > 0;
        emulated_flash_power_on(&flash);
        restart();
        assert_true(!done || attune_node_on_trial(&node));
        const uint32_t verdict = verdict_of(&sent);
        const bool used_up = verdict == ATTUNE_UPDATE_SEQUENCE && attune_store_sequence(&store) == GOLDEN_SEQUENCE;
        assert_true(verdict == OK || used_up);
        if (done && at > 1) {
            return;
        }
    }
    fail_msg("The update never came to its end.");
}

/* --- The trial --- */

static void say_label(uint32_t number, uint32_t k, uint32_t first, uint32_t last) {
    fake_daemon_label(&daemon_, number, k, first, last);
}

/* The update knows label 1; what comes later teaches both, whichever of the two goes on. */
static void labels_teach_both(void **state) {
    for (int commit = 0; commit < 2; commit++) {
        (void)fresh(state);
        run_windows(30, 1);
        say_label(1, 0, 1, 10);
        const envelope sent = model_update(2, 1, 7);
        assert_int_equal(verdict_of(&sent), OK);
        attune_model only = node.trial;
        say_label(2, 1, 11, 20);
        say_label(3, 0, 21, 25);
        assert_int_equal(daemon_.learned, 25);
        for (uint32_t seq = 11; seq <= 25; seq++) {
            int16_t x[ATTUNE_MAX_FEATURES];
            memcpy(x, daemon_.report[seq].features.bytes, sizeof x);
            assert_int_equal(attune_model_learn(&only, x, seq <= 20, 1), ATTUNE_HEAD_OK);
        }
        assert_memory_equal(&node.trial, &only, sizeof only);
        expect_what_a_restart_gives();
        run_windows(1, 3); /* the new boot */
        say(&(attune_v1_DaemonMessage){.which_body = attune_v1_DaemonMessage_unlearn_tag,
                                       .body.unlearn = {.number = 2}});
        expect_what_a_restart_gives();
        assert_int_equal(node.log.count, 15);
        decide(2, commit == 1);
        assert_false(attune_node_on_trial(&node));
        assert_int_equal(node.model.through_label, commit);
        expect_what_a_restart_gives();
    }
}

static void the_base_is_the_release_and_not_what_labels_made_of_it(void **state) {
    (void)state;
    run_windows(20, 1);
    say_label(1, 0, 1, 10);
    const envelope sent = read_golden("normaliser");
    const envelope result = read_golden("normaliser_result");
    assert_int_equal(verdict_of(&sent), OK);
    assert_memory_equal(store.slots.info[store.slots.trial].digest, result.bytes, ATTUNE_DIGEST);
    expect_what_a_restart_gives();
}

/* What a report says beside the committed release's evidence, as its models say it. */
static void reports_say_how_the_trial_differs(void **state) {
    (void)state;
    const envelope sent = model_update(2, 0, 9);
    run_windows(1, 2);
    assert_int_equal(daemon_.report[1].trial, 0);
    assert_int_equal(verdict_of(&sent), OK);
    run_windows(60, 5);
    uint32_t differing = 0;
    for (uint32_t seq = 2; seq <= 61; seq++) {
        attune_real committed;
        attune_real trial;
        int16_t x[ATTUNE_MAX_FEATURES];
        memcpy(x, daemon_.report[seq].features.bytes, sizeof x);
        assert_true(attune_model_evidence(&node.model, x, &committed) && attune_model_evidence(&node.trial, x, &trial));
        const uint32_t differs = (committed > 0) != (trial > 0) ? 16 : 0;
        assert_int_equal(daemon_.report[seq].trial, (trial > 0 ? 2 : 1) + differs);
        assert_int_equal(fake_daemon_evidence(&daemon_, seq, 1) * 256, attune_round_i16(committed * 256));
        differing += differs / 16;
    }
    assert_in_range(differing, 1, 59);
    decide(2, false);
    run_windows(1, 5);
    assert_int_equal(daemon_.report[62].trial, 0);
}

static void trial_bytes_pass_through_flash(void **state) {
    (void)state;
    const envelope sent = model_update(2, 0, 9);
    assert_int_equal(verdict_of(&sent), OK);
    run_windows(3, 5);
    attune_node_link(&node, false);
    run_windows(ATTUNE_BACKLOG + 10, 5); /* a batch moves to flash */
    assert_true(store.batches > 0);
    connect_link();
    for (int second = 0; second < 200; second++) {
        attune_node_poll(&node, node.now_ms + 1000);
        fake_daemon_exchange(&daemon_);
    }
    for (uint32_t seq = 4; seq <= 60; seq++) {
        int16_t x[ATTUNE_MAX_FEATURES];
        attune_real evidence;
        memcpy(x, daemon_.report[seq].features.bytes, sizeof x);
        assert_true(daemon_.have[seq] && attune_model_evidence(&node.trial, x, &evidence));
        assert_int_equal(daemon_.report[seq].trial & 15u, evidence > 0 ? 2 : 1);
        assert_int_equal(daemon_.report[seq].evidence.size, 2);
    }
}

/* Evidence is reported as it is; the node's own filter calibrates it, and stays as long as it says. */
static void a_calibration_is_for_the_filter_alone(void **state) {
    (void)state;
    const envelope sent = calibration(2, 40);
    assert_int_equal(verdict_of(&sent), OK);
    run_windows(1, 4);
    attune_filter steady = node.filter;
    decide(2, true);
    assert_memory_equal(node.filter.probability, steady.probability, sizeof steady.probability);
    static const uint32_t stays[] = {40 << 8, 40 << 8};
    attune_filter expected;
    attune_filter_init(&expected, 2, 60, stays);
    assert_memory_equal(node.filter.leave, expected.leave, sizeof expected.leave);
    steady = node.filter;
    run_windows(1, 4);
    attune_real evidence;
    int16_t x[ATTUNE_MAX_FEATURES];
    memcpy(x, daemon_.report[2].features.bytes, sizeof x);
    assert_true(attune_head_predict(&node.model.head, x, &evidence));
    assert_int_equal(fake_daemon_evidence(&daemon_, 2, 1) * 256, attune_round_i16(evidence * 256));
    evidence = (attune_real)0.5 * evidence + (attune_real)0.25;
    attune_filter_predict(&steady);
    attune_filter_update(&steady, &evidence);
    assert_memory_equal(&node.filter, &steady, sizeof steady);
    restart();
    assert_memory_equal(node.filter.leave, expected.leave, sizeof expected.leave);
}

static void one_trial_at_a_time(void **state) {
    (void)state;
    const envelope first = calibration(2, 60);
    envelope second = calibration(3, 90);
    assert_int_equal(verdict_of(&first), OK);
    static attune_model trial;
    trial = node.trial;
    assert_int_equal(verdict_of(&second), ATTUNE_UPDATE_BUSY);
    second.bytes[50] ^= 1;
    assert_int_equal(verdict_of(&second), ATTUNE_UPDATE_SIGNATURE);
    assert_memory_equal(&trial, &node.trial, sizeof trial);
    assert_int_equal(running()->trial, 2);
    decide(2, false);
    second.bytes[50] ^= 1;
    assert_int_equal(verdict_of(&second), OK);
}

/* The same envelope again is answered as it was, on trial and committed; and yesterday's is none any more. */
static void a_lost_verdict_does_no_harm(void **state) {
    (void)state;
    const envelope sent = read_golden("head");
    daemon_.loss = 0;
    assert_int_equal(verdict_of(&sent), OK);
    assert_int_equal(verdict_of(&sent), OK);
    restart();
    assert_int_equal(verdict_of(&sent), OK);
    assert_int_equal(running()->trial, GOLDEN_SEQUENCE);
    decide(GOLDEN_SEQUENCE, true);
    assert_int_equal(verdict_of(&sent), OK);
    assert_false(attune_node_on_trial(&node));
    const envelope next = calibration(GOLDEN_SEQUENCE + 1, 60);
    assert_int_equal(verdict_of(&next), OK);
    decide(GOLDEN_SEQUENCE + 1, false);
    assert_int_equal(verdict_of(&next), ATTUNE_UPDATE_SEQUENCE);
    const envelope after = calibration(GOLDEN_SEQUENCE + 2, 60);
    assert_int_equal(verdict_of(&after), OK);
    decide(GOLDEN_SEQUENCE + 2, true);
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE); /* its base is long gone */
}

static void the_daemon_decides(void **state) {
    (void)state;
    const envelope sent = calibration(2, 60);
    uint8_t base[ATTUNE_DIGEST];
    memcpy(base, node.release_digest, sizeof base);
    assert_int_equal(verdict_of(&sent), OK);
    uint32_t healths = daemon_.healths;
    decide(7, true);
    decide(1, false); /* the committed one is not to be taken back */
    assert_int_equal(daemon_.healths, healths + 2);
    assert_int_equal(daemon_.health.running.trial, 2);
    assert_int_equal(daemon_.health.running.last_trial, attune_v1_TrialEnd_TRIAL_END_UNSPECIFIED);
    decide(2, false);
    assert_int_equal(daemon_.health.running.trial, 0);
    assert_int_equal(daemon_.health.running.last_trial, attune_v1_TrialEnd_TRIAL_END_DECISION);
    assert_memory_equal(daemon_.health.running.release, base, sizeof base);
    decide(2, true);
    assert_memory_equal(running()->release, base, sizeof base);
    assert_int_equal(running()->highest, 2);
}

static void a_trial_ends_by_itself(void **state) {
    (void)state;
    envelope sent = calibration(2, 60);
    assert_int_equal(verdict_of(&sent), OK);
    attune_node_poll(&node, node.now_ms + (ATTUNE_TRIAL_S - 10) * 1000ull);
    fake_daemon_exchange(&daemon_);
    assert_in_range(running()->trial_left_s, 9, 10);
    const uint32_t healths = daemon_.healths;
    attune_node_poll(&node, node.now_ms + 11000);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.healths, healths + 1);
    assert_int_equal(daemon_.health.running.trial, 0);
    assert_int_equal(daemon_.health.running.last_trial, attune_v1_TrialEnd_TRIAL_END_DEADLINE);
    sent = calibration(3, 60);
    assert_int_equal(verdict_of(&sent), OK);
    for (int restarts = 0; restarts < ATTUNE_TRIAL_RESTARTS; restarts++) {
        restart();
        assert_int_equal(daemon_.hello.running.trial, 3);
    }
    restart();
    assert_int_equal(daemon_.hello.running.trial, 0);
    assert_int_equal(daemon_.hello.running.last_trial, attune_v1_TrialEnd_TRIAL_END_RESTARTS);
    restart();
    assert_int_equal(daemon_.hello.running.last_trial, attune_v1_TrialEnd_TRIAL_END_UNSPECIFIED);
}

/* A trial that the slots hold and the node cannot run, as after another firmware, is none. */
static void a_trial_of_another_schema_ends(void **state) {
    (void)state;
    uint8_t image[ATTUNE_MAX_IMAGE];
    attune_slot_info info = {.sequence = 5};
    uint8_t hash[8] = {9};
    info.size = (uint16_t)attune_model_write(&node.model, hash, image, sizeof image);
    attune_model_digest(image, info.size, info.digest);
    assert_int_equal(attune_slots_install(&store, &info, image, 3600), ATTUNE_STORE_OK);
    restart();
    assert_int_equal(daemon_.hello.running.trial, 0);
    assert_int_equal(daemon_.hello.running.last_trial, attune_v1_TrialEnd_TRIAL_END_DAMAGED);
}

/* The largest model that there is fits, on the way to a slot and out of it. */
static void the_largest_release_runs(void **state) {
    (void)state;
    static attune_model model;
    uint8_t image[ATTUNE_MAX_IMAGE];
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t i = 0; i < ATTUNE_MAX_FEATURES; i++) {
        sensor[i] = i / 2;
    }
    assert_true(attune_model_init(&model, ATTUNE_HEAD_MIXTURE, ATTUNE_MAX_FEATURES, sensor));
    const int16_t x[ATTUNE_MAX_FEATURES] = {100};
    assert_int_equal(attune_head_learn(&model.head, x, ATTUNE_MAX_CLASSES - 1, 1), ATTUNE_HEAD_OK);
    model.through_label = 1;
    model.normaliser.present = true;
    model.calibration.present = true;
    model.calibration.classes = ATTUNE_MAX_CLASSES;
    assert_int_equal(attune_model_size(&model), ATTUNE_MAX_IMAGE);
    for (uint8_t k = 2; k < ATTUNE_MAX_CLASSES; k++) {
        static attune_model many;
        attune_slot_info info = {.sequence = k};
        many = node.model;
        assert_int_equal(attune_head_learn(&many.head, x, k, 1), ATTUNE_HEAD_OK);
        info.size = (uint16_t)attune_model_write(&many, node.schema.hash, image, sizeof image);
        attune_model_digest(image, info.size, info.digest);
        assert_int_equal(attune_slots_install(&store, &info, image, 3600), ATTUNE_STORE_OK);
        assert_int_equal(attune_slots_commit(&store, k), ATTUNE_STORE_OK);
        restart();
        assert_memory_equal(&node.model, &many, sizeof many);
        assert_int_equal(node.filter.classes, k + 1);
    }
}

/* --- Who signs --- */

static void expect_key_ack(uint32_t acks, uint32_t number, attune_v1_SigningKeyResult result) {
    assert_int_equal(daemon_.key_acks, acks);
    assert_int_equal(daemon_.key_ack.number, number);
    assert_int_equal(daemon_.key_ack.result, result);
}

static void a_node_takes_its_first_key_alone(void **state) {
    (void)state;
    update_signer other;
    update_signer_init(&other, 9);
    give_key(1, &signer);
    expect_key_ack(1, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    give_key(1, &other);
    expect_key_ack(2, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    give_key(2, &other);
    expect_key_ack(3, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    assert_memory_equal(attune_store_keys(&store)->key[ATTUNE_KEY_SIGNING], signer.key, sizeof signer.key);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_command_tag};
    message.body.command.signing_key.size = 35;
    say(&message);
    expect_key_ack(4, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIZE);
}

static void say_chain(const uint8_t *chain, size_t size) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_signing_keys_tag};
    message.body.signing_keys.size = (pb_size_t)size;
    memcpy(message.body.signing_keys.bytes, chain, size);
    say(&message);
}

static void keys_change_in_chains(void **state) {
    (void)state;
    envelope chain = read_golden("chain");
    const envelope third = read_golden("third_key");
    say_chain(chain.bytes + ATTUNE_STATEMENT, ATTUNE_STATEMENT);
    expect_key_ack(1, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_GAP);
    say_chain(chain.bytes, 100);
    expect_key_ack(2, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIZE);
    chain.bytes[60] ^= 1;
    say_chain(chain.bytes, chain.size);
    expect_key_ack(3, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    chain.bytes[60] ^= 1;
    flash.dead = true;
    say_chain(chain.bytes, chain.size);
    flash.dead = false;
    assert_int_equal(daemon_.key_acks, 3); /* what is not durable does not count */
    assert_int_equal(running()->signing_key, 1);
    const uint32_t healths = daemon_.healths;
    say_chain(chain.bytes, chain.size);
    expect_key_ack(4, 3, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    assert_int_equal(daemon_.healths, healths + 1);
    restart();
    assert_int_equal(daemon_.hello.running.signing_key, 3);
    assert_memory_equal(attune_store_keys(&store)->key[ATTUNE_KEY_SIGNING], third.bytes, third.size);
    envelope sent = calibration(2, 60);
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    update_signer_init(&signer, 3);
    sent = calibration(2, 60);
    assert_int_equal(verdict_of(&sent), OK);
    say_chain(chain.bytes, chain.size); /* all of it is known */
    expect_key_ack(1, 3, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
}

/* Nobody signs for a node that has no key, not even with a key of zeros. */
static void a_node_without_a_key_takes_nothing(void **state) {
    (void)state;
    const envelope sent = calibration(2, 60);
    const envelope chain = read_golden("chain");
    attune_session_disown(&node.session, node.now_ms);
    assert_false(attune_keys_hold(attune_store_keys(&store), ATTUNE_KEY_SIGNING));
    assert_int_equal(attune_store_keys(&store)->signing_number, 0);
    attune_keys keys = *attune_store_keys(&store);
    attune_keys_set(&keys, ATTUNE_KEY_DAEMON, daemon_.own.public_key, ATTUNE_NOISE_KEY); /* a new owner */
    assert_int_equal(attune_store_write_keys(&store, &keys), ATTUNE_STORE_OK);
    restart();
    assert_int_equal(daemon_.hello.running.signing_key, 0);
    assert_int_equal(verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    say_chain(chain.bytes, chain.size);
    expect_key_ack(1, 0, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_GAP);
    update_signer_init(&signer, 9);
    give_key(4, &signer);
    expect_key_ack(2, 4, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    assert_int_equal(running()->highest, 1); /* it never falls */
    const envelope low = calibration(1, 60);
    const envelope high = calibration(2, 60);
    assert_int_equal(verdict_of(&low), ATTUNE_UPDATE_SEQUENCE);
    assert_int_equal(verdict_of(&high), OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(golden_envelopes_start_their_trial, fresh),
        cmocka_unit_test_setup(the_signer_of_this_test_signs_as_the_daemon, fresh),
        cmocka_unit_test_setup(each_verdict, fresh),
        cmocka_unit_test_setup(a_chunk_that_cannot_be, fresh),
        cmocka_unit_test_setup(chunks_survive_everything, fresh),
        cmocka_unit_test_setup(an_envelope_that_nobody_judged, fresh),
        cmocka_unit_test_setup(another_envelope_takes_the_place, fresh),
        cmocka_unit_test_setup(a_flash_that_fails_says_nothing, fresh),
        cmocka_unit_test_setup(a_flash_that_fails_anywhere, fresh),
        cmocka_unit_test_setup(labels_teach_both, fresh),
        cmocka_unit_test_setup(the_base_is_the_release_and_not_what_labels_made_of_it, fresh),
        cmocka_unit_test_setup(reports_say_how_the_trial_differs, fresh),
        cmocka_unit_test_setup(trial_bytes_pass_through_flash, fresh),
        cmocka_unit_test_setup(a_calibration_is_for_the_filter_alone, fresh),
        cmocka_unit_test_setup(one_trial_at_a_time, fresh),
        cmocka_unit_test_setup(a_lost_verdict_does_no_harm, fresh),
        cmocka_unit_test_setup(the_daemon_decides, fresh),
        cmocka_unit_test_setup(a_trial_ends_by_itself, fresh),
        cmocka_unit_test_setup(a_trial_of_another_schema_ends, fresh),
        cmocka_unit_test_setup(the_largest_release_runs, fresh),
        cmocka_unit_test_setup(a_node_takes_its_first_key_alone, fresh),
        cmocka_unit_test_setup(keys_change_in_chains, fresh),
        cmocka_unit_test_setup(a_node_without_a_key_takes_nothing, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
