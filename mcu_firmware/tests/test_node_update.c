/* A node with a flash takes updates: every verdict, every kind, parts that get lost, a flash that fails, and who signs. */
#include "store/incoming.h"
#include "updated_node.h"

#include <stdio.h>
#include <string.h>

#define OK attune_v1_UpdateResult_UPDATE_RESULT_OK

/* --- Kinds and verdicts --- */

static void golden_envelopes_start_their_trial(void **state) {
    static const char *const kinds[] = {"head", "calibration", "normaliser", "model"};
    for (size_t i = 0; i < 4; i++) {
        char name[32];
        (void)updated_fresh(state);
        const envelope sent = updated_read_golden(kinds[i]);
        snprintf(name, sizeof name, "%s_result", kinds[i]);
        const envelope result = updated_read_golden(name);
        const uint32_t healths = updated.daemon.healths;
        assert_int_equal(updated_verdict_of(&sent), OK);
        assert_int_equal(updated.daemon.verdict.sequence, GOLDEN_SEQUENCE);
        assert_memory_equal(updated.store.slots.info[updated.store.slots.trial].digest, result.bytes, ATTUNE_DIGEST);
        assert_int_equal(updated.store.slots.info[updated.store.slots.trial].labels, updated.node.trial.through_label);
        assert_int_equal(updated.daemon.healths, healths + 1);
        assert_int_equal(updated.daemon.health.running.trial, GOLDEN_SEQUENCE);
        assert_in_range(updated.daemon.health.running.trial_left_s, ATTUNE_TRIAL_S - 1, ATTUNE_TRIAL_S);
        assert_memory_equal(updated.daemon.health.running.release, updated.node.release_digest, ATTUNE_DIGEST);
        updated_decide(GOLDEN_SEQUENCE, true);
        assert_memory_equal(updated.daemon.health.running.release, result.bytes, ATTUNE_DIGEST);
        updated_expect_what_a_restart_gives();
    }
}

static void the_signer_of_this_test_signs_as_the_daemon(void **state) {
    (void)state;
    const envelope golden = updated_read_golden("calibration");
    const envelope key = updated_read_golden("key");
    const attune_update_own own = updated_own_of_node();
    envelope again = {{0}, 0};
    const attune_update update = {.kind = ATTUNE_UPDATE_CALIBRATION,
                                  .sequence = GOLDEN_SEQUENCE,
                                  .result = golden.bytes + 6,
                                  .payload = golden.bytes + ATTUNE_ENVELOPE_HEADER,
                                  .payload_size = golden.size - ATTUNE_ENVELOPE_AROUND};
    assert_memory_equal(updated.signer.key, key.bytes, key.size);
    again.size = update_signer_envelope(&updated.signer, &own, &update, again.bytes);
    assert_int_equal(again.size, golden.size);
    assert_memory_equal(again.bytes, golden.bytes, golden.size);
}

static void each_verdict(void **state) {
    (void)state;
    envelope sent = updated_read_golden("head");
    const attune_slots before = updated.store.slots;
    envelope small = {{1, 1, 9}, 20};
    assert_int_equal(updated_verdict_of(&small), ATTUNE_UPDATE_SIZE);
    assert_int_equal(updated.daemon.verdict.sequence, 9);
    sent.bytes[0] = 2;
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_FORMAT);
    sent = updated_read_golden("head_cohort"); /* the node is in none */
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    sent = updated_read_golden("head");
    sent.bytes[100] ^= 4;
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    sent = updated_calibration(1, 60); /* the number of the base */
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SEQUENCE);
    sent = updated_made(ATTUNE_UPDATE_CALIBRATION, 2, (const uint8_t *)"\x02\x00\x00\x00", 4);
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_PAYLOAD);
    const attune_update_own own = updated_own_of_node();
    const attune_update other = {.kind = ATTUNE_UPDATE_CALIBRATION,
                                 .sequence = 2,
                                 .result = own.base,
                                 .payload = (const uint8_t *)"\x02\x00\x38\x00\x34\x00\x60\x00\x00\x00\x60\x00\x00",
                                 .payload_size = 13};
    sent.size = update_signer_envelope(&updated.signer, &own, &other, sent.bytes);
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_DIGEST);
    assert_memory_equal(&updated.store.slots, &before, sizeof before);
    assert_int_equal(attune_store_sequence(&updated.store), 1);
    updated_expect_what_a_restart_gives();
}

/* Signed with the node's own key, each for something that is not quite this node: the fields are signed and not sent. */
static void what_is_signed_for_another(void **state) {
    (void)state;
    static const char *const boards[] = {"mps2-an385", "", "mps2-an386"};
    const attune_slots before = updated.store.slots;
    envelope sent = updated_calibration(2, 60);
    const envelope meant = sent;
    const attune_update update = {.kind = ATTUNE_UPDATE_CALIBRATION,
                                  .sequence = 2,
                                  .result = sent.bytes + 6,
                                  .payload = sent.bytes + ATTUNE_ENVELOPE_HEADER,
                                  .payload_size = sent.size - ATTUNE_ENVELOPE_AROUND};
    for (int i = 0; i < 5; i++) {
        attune_update_own own = updated_own_of_node();
        uint8_t id[8];
        uint8_t hash[8];
        memcpy(id, updated.node.identity.node_id, sizeof id);
        memcpy(hash, updated.node.schema.hash, sizeof hash);
        id[7] ^= i == 2;
        hash[0] ^= i == 3;
        own.base[15] ^= i == 4;
        attune_audience(false, id, hash, boards[i < 2 ? i : 2], own.node);
        sent.size = update_signer_envelope(&updated.signer, &own, &update, sent.bytes);
        assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    }
    assert_memory_equal(&updated.store.slots, &before, sizeof before);
    assert_int_equal(attune_store_sequence(&updated.store), 1);
    assert_int_equal(updated_verdict_of(&meant), OK);
}

static void a_chunk_that_cannot_be(void **state) {
    (void)state;
    envelope large = {{1}, ATTUNE_MAX_ENVELOPE};
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_update_chunk_tag};
    message.body.update_chunk = (attune_v1_UpdateChunk){.size = ATTUNE_MAX_ENVELOPE + 1, .data = {.size = 5}};
    updated_say(&message);
    assert_int_equal(updated.daemon.verdict.result, ATTUNE_UPDATE_SIZE);
    updated_say_chunk(&large, 0, 100);
    const uint32_t acks = updated.daemon.update_acks;
    message.body.update_chunk.size = 100;
    message.body.update_chunk.offset = 96;
    updated_say(&message);
    assert_int_equal(updated.daemon.update_acks, acks);
    assert_int_equal(updated.node.counters.bad_frames, 1);
    updated_say_chunk(&large, 0, 0);
    assert_int_equal(updated.daemon.update_ack.offset, 100);
}

/* --- On the way --- */

/* Each chunk gets lost, comes twice, or is the last thing before the power fails; and so does each answer. */
static void chunks_survive_everything(void **state) {
    (void)state;
    const envelope sent = updated_read_golden("model");
    uint64_t seed = 5;
    uint32_t expected = 0;
    while (updated.daemon.verdicts == 0) {
        updated_say_chunk(&sent, 0, 0);
        const uint32_t offset = updated.daemon.update_ack.offset;
        assert_int_equal(offset, expected);
        const uint32_t left = (uint32_t)sent.size - offset;
        const uint32_t count = left < 40 ? left : 40;
        expected = offset + count;
        switch (random_below(&seed, 4)) {
        case 0: /* lost */
            expected = offset;
            break;
        case 1:
            updated_say_chunk(&sent, offset, count);
            updated_say_chunk(&sent, offset, count < 40 ? 0 : count);
            break;
        case 2: /* durable, and unheard of */
            updated.daemon.loss = 100;
            updated_say_chunk(&sent, offset, 0);
            updated.daemon.loss = 0;
            updated_say_chunk(&sent, offset, count);
            updated_restart();
            break;
        default:
            updated_say_chunk(&sent, offset, count);
            attune_node_link(&updated.node, false);
            updated_connect_link();
        }
    }
    assert_int_equal(updated.daemon.verdict.result, OK);
    assert_true(attune_node_on_trial(&updated.node));
}

/* All of it is in flash, and the power failed before anybody looked at it. */
static void an_envelope_that_nobody_judged(void **state) {
    (void)state;
    const envelope sent = updated_read_golden("head");
    uint8_t id[ATTUNE_INCOMING_ID];
    uint32_t offset;
    attune_model_digest(sent.bytes, sent.size, id);
    assert_int_equal(attune_incoming_begin(&updated.store, id, (uint32_t)sent.size, &offset), ATTUNE_STORE_OK);
    assert_int_equal(attune_incoming_write(&updated.store, 0, sent.bytes, sent.size), ATTUNE_STORE_OK);
    updated_restart();
    assert_int_equal(updated.daemon.verdicts, 0);
    updated_say_chunk(&sent, 0, 0);
    assert_int_equal(updated.daemon.update_ack.offset, sent.size);
    assert_int_equal(updated.daemon.verdict.result, OK);
    updated_say_chunk(&sent, 0, 0);
    assert_int_equal(updated.daemon.update_ack.offset, 0);
}

static void another_envelope_takes_the_place(void **state) {
    (void)state;
    const envelope first = updated_read_golden("model");
    const envelope second = updated_read_golden("head");
    updated_say_chunk(&first, 0, 300);
    updated_say_chunk(&second, 0, 100);
    assert_int_equal(updated.daemon.update_ack.offset, 100);
    updated_say_chunk(&first, 300, 100);
    assert_int_equal(updated.daemon.update_ack.offset, 0);
    assert_int_equal(updated_verdict_of(&second), OK); /* whole, though a part of it was here */
}

static void a_flash_that_fails_says_nothing(void **state) {
    (void)state;
    const envelope sent = updated_read_golden("head");
    updated.flash.dead = true;
    updated_say_whole(&sent);
    updated_say_chunk(&sent, 0, 100);
    updated.flash.dead = false;
    assert_int_equal(updated.daemon.verdicts + updated.daemon.update_acks, 0);
    assert_false(attune_node_on_trial(&updated.node));
    assert_int_equal(updated_verdict_of(&sent), OK);
}

/* The flash fails at each of its operations in turn: either nothing has happened, or all of it. */
static void a_flash_that_fails_anywhere(void **state) {
    (void)state;
    for (uint64_t at = 1; at < 60; at++) {
        (void)updated_fresh(state);
        const envelope sent = updated_read_golden("head");
        emulated_flash_cut(&updated.flash, at, CUT_BETWEEN, at);
        updated_say_whole(&sent);
        const bool done = updated.daemon.verdicts > 0;
        emulated_flash_power_on(&updated.flash);
        updated_restart();
        assert_true(!done || attune_node_on_trial(&updated.node));
        const uint32_t verdict = updated_verdict_of(&sent);
        const bool used_up =
            verdict == ATTUNE_UPDATE_SEQUENCE && attune_store_sequence(&updated.store) == GOLDEN_SEQUENCE;
        assert_true(verdict == OK || used_up);
        if (done && at > 1) {
            return;
        }
    }
    fail_msg("The update never came to its end.");
}

/* --- Who signs --- */

static void expect_key_ack(uint32_t acks, uint32_t number, attune_v1_SigningKeyResult result) {
    assert_int_equal(updated.daemon.key_acks, acks);
    assert_int_equal(updated.daemon.key_ack.number, number);
    assert_int_equal(updated.daemon.key_ack.result, result);
}

static void a_node_takes_its_first_key_alone(void **state) {
    (void)state;
    update_signer other;
    update_signer_init(&other, 9);
    updated_give_key(1, &updated.signer);
    expect_key_ack(1, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    updated_give_key(1, &other);
    expect_key_ack(2, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    updated_give_key(2, &other);
    expect_key_ack(3, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    assert_memory_equal(attune_store_keys(&updated.store)->key[ATTUNE_KEY_SIGNING], updated.signer.key,
                        sizeof updated.signer.key);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_command_tag};
    message.body.command.signing_key.size = 35;
    updated_say(&message);
    expect_key_ack(4, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIZE);
}

static void say_chain(const uint8_t *chain, size_t size) {
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_signing_keys_tag};
    message.body.signing_keys.size = (pb_size_t)size;
    memcpy(message.body.signing_keys.bytes, chain, size);
    updated_say(&message);
}

static void keys_change_in_chains(void **state) {
    (void)state;
    envelope chain = updated_read_golden("chain");
    const envelope third = updated_read_golden("third_key");
    say_chain(chain.bytes + ATTUNE_STATEMENT, ATTUNE_STATEMENT);
    expect_key_ack(1, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_GAP);
    say_chain(chain.bytes, 100);
    expect_key_ack(2, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIZE);
    chain.bytes[60] ^= 1;
    say_chain(chain.bytes, chain.size);
    expect_key_ack(3, 1, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_SIGNATURE);
    chain.bytes[60] ^= 1;
    updated.flash.dead = true;
    say_chain(chain.bytes, chain.size);
    updated.flash.dead = false;
    assert_int_equal(updated.daemon.key_acks, 3); /* what is not durable does not count */
    assert_int_equal(updated_running()->signing_key, 1);
    const uint32_t healths = updated.daemon.healths;
    say_chain(chain.bytes, chain.size);
    expect_key_ack(4, 3, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    assert_int_equal(updated.daemon.healths, healths + 1);
    updated_restart();
    assert_int_equal(updated.daemon.hello.running.signing_key, 3);
    assert_memory_equal(attune_store_keys(&updated.store)->key[ATTUNE_KEY_SIGNING], third.bytes, third.size);
    envelope sent = updated_calibration(2, 60);
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    update_signer_init(&updated.signer, 3);
    sent = updated_calibration(2, 60);
    assert_int_equal(updated_verdict_of(&sent), OK);
    say_chain(chain.bytes, chain.size); /* all of it is known */
    expect_key_ack(1, 3, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
}

/* Nobody signs for a node that has no key, not even with a key of zeros. */
static void a_node_without_a_key_takes_nothing(void **state) {
    (void)state;
    const envelope sent = updated_calibration(2, 60);
    const envelope chain = updated_read_golden("chain");
    attune_session_disown(&updated.node.session, updated.node.now_ms);
    assert_false(attune_keys_hold(attune_store_keys(&updated.store), ATTUNE_KEY_SIGNING));
    assert_int_equal(attune_store_keys(&updated.store)->signing_number, 0);
    attune_keys keys = *attune_store_keys(&updated.store);
    attune_keys_set(&keys, ATTUNE_KEY_DAEMON, updated.daemon.own.public_key, ATTUNE_NOISE_KEY); /* a new owner */
    assert_int_equal(attune_store_write_keys(&updated.store, &keys), ATTUNE_STORE_OK);
    updated_restart();
    assert_int_equal(updated.daemon.hello.running.signing_key, 0);
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE);
    /* Of a key of zeros, a point of order four, these are signatures of every fourth message: R of order one, S of zero. */
    for (uint32_t sequence = 2; sequence < 34; sequence++) {
        envelope forged = updated_calibration(sequence, 60);
        uint8_t *signature = forged.bytes + forged.size - ATTUNE_ED25519_SIGNATURE;
        memset(signature, 0, ATTUNE_ED25519_SIGNATURE);
        signature[0] = 1;
        assert_int_equal(updated_verdict_of(&forged), ATTUNE_UPDATE_SIGNATURE);
    }
    say_chain(chain.bytes, chain.size);
    expect_key_ack(1, 0, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_GAP);
    update_signer_init(&updated.signer, 9);
    updated_give_key(4, &updated.signer);
    expect_key_ack(2, 4, attune_v1_SigningKeyResult_SIGNING_KEY_RESULT_OK);
    assert_int_equal(updated_running()->highest, 1); /* it never falls */
    const envelope low = updated_calibration(1, 60);
    const envelope high = updated_calibration(2, 60);
    assert_int_equal(updated_verdict_of(&low), ATTUNE_UPDATE_SEQUENCE);
    assert_int_equal(updated_verdict_of(&high), OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(golden_envelopes_start_their_trial, updated_fresh),
        cmocka_unit_test_setup(what_is_signed_for_another, updated_fresh),
        cmocka_unit_test_setup(the_signer_of_this_test_signs_as_the_daemon, updated_fresh),
        cmocka_unit_test_setup(each_verdict, updated_fresh),
        cmocka_unit_test_setup(a_chunk_that_cannot_be, updated_fresh),
        cmocka_unit_test_setup(chunks_survive_everything, updated_fresh),
        cmocka_unit_test_setup(an_envelope_that_nobody_judged, updated_fresh),
        cmocka_unit_test_setup(another_envelope_takes_the_place, updated_fresh),
        cmocka_unit_test_setup(a_flash_that_fails_says_nothing, updated_fresh),
        cmocka_unit_test_setup(a_flash_that_fails_anywhere, updated_fresh),
        cmocka_unit_test_setup(a_node_takes_its_first_key_alone, updated_fresh),
        cmocka_unit_test_setup(keys_change_in_chains, updated_fresh),
        cmocka_unit_test_setup(a_node_without_a_key_takes_nothing, updated_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
