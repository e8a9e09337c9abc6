/* An update on trial: what it reports, what labels teach, and how it ends. */
#include "updated_node.h"

#include <string.h>

#define OK attune_v1_UpdateResult_UPDATE_RESULT_OK

static void say_label(uint32_t number, uint32_t k, uint32_t first, uint32_t last) {
    fake_daemon_label(&updated.daemon, number, k, first, last);
}

/* The update knows label 1; what comes later teaches both, whichever of the two goes on. */
static void labels_teach_both(void **state) {
    for (int commit = 0; commit < 2; commit++) {
        (void)updated_fresh(state);
        updated_run_windows(30, 1);
        say_label(1, 0, 1, 10);
        const envelope sent = updated_model_update(2, 1, 7);
        assert_int_equal(updated_verdict_of(&sent), OK);
        attune_model only = updated.node.trial;
        say_label(2, 1, 11, 20);
        say_label(3, 0, 21, 25);
        assert_int_equal(updated.daemon.learned, 25);
        for (uint32_t seq = 11; seq <= 25; seq++) {
            int16_t x[ATTUNE_MAX_FEATURES];
            memcpy(x, updated.daemon.report[seq].features.bytes, sizeof x);
            assert_int_equal(attune_model_learn(&only, x, seq <= 20, 1), ATTUNE_HEAD_OK);
        }
        assert_memory_equal(&updated.node.trial, &only, sizeof only);
        updated_expect_what_a_restart_gives();
        updated_run_windows(1, 3); /* the new boot */
        updated_say(&(attune_v1_DaemonMessage){.which_body = attune_v1_DaemonMessage_unlearn_tag,
                                               .body.unlearn = {.number = 2}});
        updated_expect_what_a_restart_gives();
        assert_int_equal(updated.node.log.count, 15);
        updated_decide(2, commit == 1);
        assert_false(attune_node_on_trial(&updated.node));
        assert_int_equal(updated.node.model.through_label, commit);
        updated_expect_what_a_restart_gives();
    }
}

static void the_base_is_the_release_and_not_what_labels_made_of_it(void **state) {
    (void)state;
    updated_run_windows(20, 1);
    say_label(1, 0, 1, 10);
    const envelope sent = updated_read_golden("normaliser");
    const envelope result = updated_read_golden("normaliser_result");
    assert_int_equal(updated_verdict_of(&sent), OK);
    assert_memory_equal(updated.store.slots.info[updated.store.slots.trial].digest, result.bytes, ATTUNE_DIGEST);
    updated_expect_what_a_restart_gives();
}

/* What a report says beside the committed release's evidence, as its models say it. */
static void reports_say_how_the_trial_differs(void **state) {
    (void)state;
    const envelope sent = updated_model_update(2, 0, 9);
    updated_run_windows(1, 2);
    assert_int_equal(updated.daemon.report[1].trial, 0);
    assert_int_equal(updated_verdict_of(&sent), OK);
    updated_run_windows(60, 5);
    uint32_t differing = 0;
    for (uint32_t seq = 2; seq <= 61; seq++) {
        attune_real committed;
        attune_real trial;
        int16_t x[ATTUNE_MAX_FEATURES];
        memcpy(x, updated.daemon.report[seq].features.bytes, sizeof x);
        assert_true(attune_model_evidence(&updated.node.model, x, &committed) &&
                    attune_model_evidence(&updated.node.trial, x, &trial));
        const uint32_t differs = (committed > 0) != (trial > 0) ? 16 : 0;
        assert_int_equal(updated.daemon.report[seq].trial, (trial > 0 ? 2 : 1) + differs);
        assert_int_equal(fake_daemon_evidence(&updated.daemon, seq, 1) * 256, attune_round_i16(committed * 256));
        differing += differs / 16;
    }
    assert_in_range(differing, 1, 59);
    updated_decide(2, false);
    updated_run_windows(1, 5);
    assert_int_equal(updated.daemon.report[62].trial, 0);
}

static void trial_bytes_pass_through_flash(void **state) {
    (void)state;
    const envelope sent = updated_model_update(2, 0, 9);
    assert_int_equal(updated_verdict_of(&sent), OK);
    updated_run_windows(3, 5);
    attune_node_link(&updated.node, false);
    updated_run_windows(ATTUNE_BACKLOG + 10, 5); /* a batch moves to flash */
    assert_true(updated.store.batches > 0);
    updated_connect_link();
    for (int second = 0; second < 200; second++) {
        attune_node_poll(&updated.node, updated.node.now_ms + 1000);
        fake_daemon_exchange(&updated.daemon);
    }
    for (uint32_t seq = 4; seq <= 60; seq++) {
        int16_t x[ATTUNE_MAX_FEATURES];
        attune_real evidence;
        memcpy(x, updated.daemon.report[seq].features.bytes, sizeof x);
        assert_true(updated.daemon.have[seq] && attune_model_evidence(&updated.node.trial, x, &evidence));
        assert_int_equal(updated.daemon.report[seq].trial & 15u, evidence > 0 ? 2 : 1);
        assert_int_equal(updated.daemon.report[seq].evidence.size, 2);
    }
}

/* Evidence is reported as it is; the node's own filter calibrates it, and stays as long as it says. */
static void a_calibration_is_for_the_filter_alone(void **state) {
    (void)state;
    const envelope sent = updated_calibration(2, 40);
    assert_int_equal(updated_verdict_of(&sent), OK);
    updated_run_windows(1, 4);
    attune_filter steady = updated.node.filter;
    updated_decide(2, true);
    assert_memory_equal(updated.node.filter.probability, steady.probability, sizeof steady.probability);
    static const uint32_t stays[] = {40 << 8, 40 << 8};
    attune_filter expected;
    attune_filter_init(&expected, 2, 60, stays);
    assert_memory_equal(updated.node.filter.leave, expected.leave, sizeof expected.leave);
    steady = updated.node.filter;
    updated_run_windows(1, 4);
    attune_real evidence;
    int16_t x[ATTUNE_MAX_FEATURES];
    memcpy(x, updated.daemon.report[2].features.bytes, sizeof x);
    assert_true(attune_head_predict(&updated.node.model.head, x, &evidence));
    assert_int_equal(fake_daemon_evidence(&updated.daemon, 2, 1) * 256, attune_round_i16(evidence * 256));
    evidence = (attune_real)0.5 * evidence + (attune_real)0.25;
    attune_filter_predict(&steady);
    attune_filter_update(&steady, &evidence);
    assert_memory_equal(&updated.node.filter, &steady, sizeof steady);
    updated_restart();
    assert_memory_equal(updated.node.filter.leave, expected.leave, sizeof expected.leave);
}

static void one_trial_at_a_time(void **state) {
    (void)state;
    const envelope first = updated_calibration(2, 60);
    envelope second = updated_calibration(3, 90);
    assert_int_equal(updated_verdict_of(&first), OK);
    static attune_model trial;
    trial = updated.node.trial;
    assert_int_equal(updated_verdict_of(&second), ATTUNE_UPDATE_BUSY);
    second.bytes[50] ^= 1;
    assert_int_equal(updated_verdict_of(&second), ATTUNE_UPDATE_SIGNATURE);
    assert_memory_equal(&trial, &updated.node.trial, sizeof trial);
    assert_int_equal(updated_running()->trial, 2);
    updated_decide(2, false);
    second.bytes[50] ^= 1;
    assert_int_equal(updated_verdict_of(&second), OK);
}

/* The same envelope again is answered as it was, on trial and committed; and yesterday's is none any more. */
static void a_lost_verdict_does_no_harm(void **state) {
    (void)state;
    const envelope sent = updated_read_golden("head");
    updated.daemon.loss = 0;
    assert_int_equal(updated_verdict_of(&sent), OK);
    assert_int_equal(updated_verdict_of(&sent), OK);
    updated_restart();
    assert_int_equal(updated_verdict_of(&sent), OK);
    assert_int_equal(updated_running()->trial, GOLDEN_SEQUENCE);
    updated_decide(GOLDEN_SEQUENCE, true);
    assert_int_equal(updated_verdict_of(&sent), OK);
    assert_false(attune_node_on_trial(&updated.node));
    const envelope next = updated_calibration(GOLDEN_SEQUENCE + 1, 60);
    assert_int_equal(updated_verdict_of(&next), OK);
    updated_decide(GOLDEN_SEQUENCE + 1, false);
    assert_int_equal(updated_verdict_of(&next), ATTUNE_UPDATE_SEQUENCE);
    const envelope after = updated_calibration(GOLDEN_SEQUENCE + 2, 60);
    assert_int_equal(updated_verdict_of(&after), OK);
    updated_decide(GOLDEN_SEQUENCE + 2, true);
    assert_int_equal(updated_verdict_of(&sent), ATTUNE_UPDATE_SIGNATURE); /* its base is long gone */
}

static void the_daemon_decides(void **state) {
    (void)state;
    const envelope sent = updated_calibration(2, 60);
    uint8_t base[ATTUNE_DIGEST];
    memcpy(base, updated.node.release_digest, sizeof base);
    assert_int_equal(updated_verdict_of(&sent), OK);
    uint32_t healths = updated.daemon.healths;
    updated_decide(7, true);
    updated_decide(1, false); /* the committed one is not to be taken back */
    assert_int_equal(updated.daemon.healths, healths + 2);
    assert_int_equal(updated.daemon.health.running.trial, 2);
    assert_int_equal(updated.daemon.health.running.last_trial, attune_v1_TrialEnd_TRIAL_END_UNSPECIFIED);
    updated_decide(2, false);
    assert_int_equal(updated.daemon.health.running.trial, 0);
    assert_int_equal(updated.daemon.health.running.last_trial, attune_v1_TrialEnd_TRIAL_END_DECISION);
    assert_memory_equal(updated.daemon.health.running.release, base, sizeof base);
    updated_decide(2, true);
    assert_memory_equal(updated_running()->release, base, sizeof base);
    assert_int_equal(updated_running()->highest, 2);
}

static void a_trial_ends_by_itself(void **state) {
    (void)state;
    envelope sent = updated_calibration(2, 60);
    assert_int_equal(updated_verdict_of(&sent), OK);
    attune_node_poll(&updated.node, updated.node.now_ms + (ATTUNE_TRIAL_S - 10) * 1000ull);
    fake_daemon_exchange(&updated.daemon);
    assert_in_range(updated_running()->trial_left_s, 9, 10);
    const uint32_t healths = updated.daemon.healths;
    attune_node_poll(&updated.node, updated.node.now_ms + 11000);
    fake_daemon_exchange(&updated.daemon);
    assert_int_equal(updated.daemon.healths, healths + 1);
    assert_int_equal(updated.daemon.health.running.trial, 0);
    assert_int_equal(updated.daemon.health.running.last_trial, attune_v1_TrialEnd_TRIAL_END_DEADLINE);
    sent = updated_calibration(3, 60);
    assert_int_equal(updated_verdict_of(&sent), OK);
    for (int restarts = 0; restarts < ATTUNE_TRIAL_RESTARTS; restarts++) {
        updated_restart();
        assert_int_equal(updated.daemon.hello.running.trial, 3);
    }
    updated_restart();
    assert_int_equal(updated.daemon.hello.running.trial, 0);
    assert_int_equal(updated.daemon.hello.running.last_trial, attune_v1_TrialEnd_TRIAL_END_RESTARTS);
    updated_restart();
    assert_int_equal(updated.daemon.hello.running.last_trial, attune_v1_TrialEnd_TRIAL_END_UNSPECIFIED);
}

/* A trial that the slots hold and the node cannot run, as after another firmware, is none. */
static void a_trial_of_another_schema_ends(void **state) {
    (void)state;
    uint8_t image[ATTUNE_MAX_IMAGE];
    attune_slot_info info = {.sequence = 5};
    uint8_t hash[8] = {9};
    info.size = (uint16_t)attune_model_write(&updated.node.model, hash, image, sizeof image);
    attune_model_digest(image, info.size, info.digest);
    assert_int_equal(attune_slots_install(&updated.store, &info, image, 3600), ATTUNE_STORE_OK);
    updated_restart();
    assert_int_equal(updated.daemon.hello.running.trial, 0);
    assert_int_equal(updated.daemon.hello.running.last_trial, attune_v1_TrialEnd_TRIAL_END_DAMAGED);
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
        many = updated.node.model;
        assert_int_equal(attune_head_learn(&many.head, x, k, 1), ATTUNE_HEAD_OK);
        info.size = (uint16_t)attune_model_write(&many, updated.node.schema.hash, image, sizeof image);
        attune_model_digest(image, info.size, info.digest);
        assert_int_equal(attune_slots_install(&updated.store, &info, image, 3600), ATTUNE_STORE_OK);
        assert_int_equal(attune_slots_commit(&updated.store, k), ATTUNE_STORE_OK);
        updated_restart();
        assert_memory_equal(&updated.node.model, &many, sizeof many);
        assert_int_equal(updated.node.filter.classes, k + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(labels_teach_both, updated_fresh),
        cmocka_unit_test_setup(the_base_is_the_release_and_not_what_labels_made_of_it, updated_fresh),
        cmocka_unit_test_setup(reports_say_how_the_trial_differs, updated_fresh),
        cmocka_unit_test_setup(trial_bytes_pass_through_flash, updated_fresh),
        cmocka_unit_test_setup(a_calibration_is_for_the_filter_alone, updated_fresh),
        cmocka_unit_test_setup(one_trial_at_a_time, updated_fresh),
        cmocka_unit_test_setup(a_lost_verdict_does_no_harm, updated_fresh),
        cmocka_unit_test_setup(the_daemon_decides, updated_fresh),
        cmocka_unit_test_setup(a_trial_ends_by_itself, updated_fresh),
        cmocka_unit_test_setup(a_trial_of_another_schema_ends, updated_fresh),
        cmocka_unit_test_setup(the_largest_release_runs, updated_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
