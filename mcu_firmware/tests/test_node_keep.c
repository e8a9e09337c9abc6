/* A node with a flash: what it knows outlives a restart, and what it measures an hour without a link. */
#include "emulated_flash.h"
#include "fake_daemon.h"
#include "node/parts.h"
#include "store/labels.h"
#include "store/reports.h"
#include "store/slots.h"

#include "check.h"

#include <string.h>

static emulated_flash flash;
static attune_store store;
static attune_node node;
static fake_daemon daemon_;

static const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2};

/* The node starts, with what is in flash; its link is down. */
static void start(uint32_t boot) {
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = boot};
    assert_int_equal(attune_store_open(&store, &flash.port), ATTUNE_STORE_OK);
    assert_int_equal(attune_node_init(&node, &identity, sensors, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    assert_int_equal(attune_node_keep(&node, &store), ATTUNE_STORE_OK);
    fake_daemon_init(&daemon_, &node);
}

static int fresh(void **state) {
    (void)state;
    emulated_flash_init(&flash);
    start(1);
    return 0;
}

static void connect_link(void) {
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
}

static void run_windows(uint32_t count, float light, float co2) {
    fake_daemon_run_windows(&daemon_, count, light, co2);
}

static void hours_without_a_link_arrive(void **state) {
    (void)state;
    connect_link();
    run_windows(10, 400, 600);
    attune_node_link(&node, false);
    run_windows(500, 300, 700);
    assert_true(store.batches >= 9);
    assert_true(attune_backlog_waiting(&node.backlog) < ATTUNE_BATCH_WAITING);
    assert_int_equal(node.backlog.dropped, 0);
    connect_link();
    assert_int_equal(daemon_.hello.first_seq, 11);
    for (int second = 0; second < 200; second++) {
        attune_node_poll(&node, node.now_ms + 1000);
        fake_daemon_exchange(&daemon_);
    }
    for (uint32_t seq = 1; seq <= 510; seq++) {
        assert_true(daemon_.have[seq]);
        assert_int_equal(daemon_.report[seq].end_s, 60 * seq);
    }
    assert_true(daemon_.through >= 510);
    assert_int_equal(store.batches, 0);
    assert_int_equal(node.earlier.first_seq, 0);
}

/* A flash that fails is tried once more before anything is dropped, and then left alone for a batch of reports: trying costs erasures. */
static void a_move_that_failed_waits(void **state) {
    (void)state;
    flash.dead = true;
    run_windows(ATTUNE_BATCH_WAITING, 300, 700);
    flash.dead = false;
    run_windows(ATTUNE_BACKLOG - ATTUNE_BATCH_WAITING - 1, 300, 700);
    assert_int_equal(store.batches, 0);
    flash.dead = true;
    run_windows(1, 300, 700);
    assert_int_equal(node.backlog.dropped, 0);
    flash.dead = false;
    run_windows(ATTUNE_BATCH - 1, 300, 700);
    assert_int_equal(store.batches, 0);
    assert_int_equal(node.backlog.dropped, ATTUNE_BATCH - 1);
    run_windows(1, 300, 700);
    assert_int_equal(store.batches, 1);
}

/* The link breaks while a batch is on its way, again and again. */
static void a_link_that_breaks(void **state) {
    (void)state;
    run_windows(300, 300, 700);
    daemon_.loss = 30;
    for (int round = 0; round < 300; round++) {
        attune_node_link(&node, true);
        for (int second = 0; second < 25; second++) {
            attune_node_poll(&node, node.now_ms + 1000);
            fake_daemon_exchange(&daemon_);
        }
        attune_node_link(&node, false);
        attune_node_poll(&node, node.now_ms + 1000);
    }
    for (uint32_t seq = 1; seq <= 300; seq++) {
        assert_true(daemon_.have[seq]);
    }
    assert_int_equal(node.backlog.dropped, 0);
}

static void labels_outlive_a_restart(void **state) {
    (void)state;
    connect_link();
    run_windows(30, 420, 640);
    fake_daemon_label(&daemon_, 1, 0, 1, 20);
    fake_daemon_label(&daemon_, 2, 1, 21, 30);
    assert_int_equal(daemon_.learned, 30);
    attune_head before = node.model.head;
    static attune_label_log log;
    log = node.log;
    start(2);
    assert_int_equal(node.log.count, 30);
    assert_memory_equal(node.log.entry, log.entry, 30 * sizeof log.entry[0]);
    assert_memory_equal(&node.model.head, &before, sizeof before);
    attune_tie tie;
    assert_int_equal(attune_store_read_tie(&store, &tie), ATTUNE_STORE_OK);
    assert_int_equal(tie.boot, 1);
}

static void what_cannot_be_kept_is_not_acknowledged(void **state) {
    (void)state;
    connect_link();
    run_windows(8, 420, 640);
    flash.dead = true;
    fake_daemon_label(&daemon_, 1, 0, 1, 8);
    assert_int_equal(daemon_.label_acks, 0);
    flash.dead = false;
    fake_daemon_label(&daemon_, 1, 0, 1, 8);
    assert_int_equal(daemon_.label_acks, 1);
    assert_int_equal(daemon_.learned, 8);
    start(2);
    assert_int_equal(node.log.count, 8);
}

static attune_slot_info release_of(attune_model model, uint32_t labels, uint8_t *image) {
    attune_slot_info info = {.sequence = 1, .labels = labels};
    model.through_label = labels;
    info.size = (uint16_t)attune_model_write(&model, node.schema.hash, image, ATTUNE_MAX_IMAGE);
    assert_true(info.size > 0);
    attune_model_digest(image, info.size, info.digest);
    return info;
}

/* A release that was built from label 1 and says so: the log teaches it label 2 alone. */
static void a_release_runs_from_its_slot(void **state) {
    (void)state;
    uint8_t image[ATTUNE_MAX_IMAGE];
    connect_link();
    run_windows(30, 420, 640);
    fake_daemon_label(&daemon_, 1, 0, 1, 20);
    attune_slot_info info = release_of(node.model, 1, image);
    fake_daemon_label(&daemon_, 2, 1, 21, 30);
    attune_head after = node.model.head;
    assert_int_equal(attune_slots_install(&store, &info, image, 3600), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_commit(&store, 1), ATTUNE_STORE_OK);
    start(2);
    assert_memory_equal(node.release_digest, info.digest, sizeof info.digest);
    assert_memory_equal(&node.model.head, &after, sizeof after);
    assert_int_equal(node.log.count, 30);
}

static void a_release_of_another_schema_does_not_run(void **state) {
    (void)state;
    uint8_t image[ATTUNE_MAX_IMAGE];
    uint8_t factory[16];
    memcpy(factory, node.release_digest, sizeof factory);
    node.schema.hash[0] ^= 1;
    attune_slot_info info = release_of(node.model, 0, image);
    assert_int_equal(attune_slots_install(&store, &info, image, 3600), ATTUNE_STORE_OK);
    assert_int_equal(attune_slots_commit(&store, 1), ATTUNE_STORE_OK);
    start(2);
    assert_memory_equal(node.release_digest, factory, sizeof factory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hours_without_a_link_arrive, fresh),
        cmocka_unit_test_setup(a_move_that_failed_waits, fresh),
        cmocka_unit_test_setup(a_link_that_breaks, fresh),
        cmocka_unit_test_setup(labels_outlive_a_restart, fresh),
        cmocka_unit_test_setup(what_cannot_be_kept_is_not_acknowledged, fresh),
        cmocka_unit_test_setup(a_release_runs_from_its_slot, fresh),
        cmocka_unit_test_setup(a_release_of_another_schema_does_not_run, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
