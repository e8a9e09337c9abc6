/* Reports of earlier starts and summaries: what reached the flash reaches the daemon, once, whatever breaks in between. */
#include "emulated_flash.h"
#include "fake_daemon.h"
#include "node/parts.h"
#include "random.h"
#include "store/files.h"
#include "store/labels.h"

#include "check.h"

#include <string.h>

static emulated_flash flash;
static attune_store store;
static attune_node node;
static fake_daemon daemon_;

static const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2};

/* As many features as those, and other ones. */
static const uint8_t other_sensors[] = {ATTUNE_LIGHT, ATTUNE_HUMIDITY};

/* False if the power failed again. */
static bool begin_with(uint32_t boot, const uint8_t *kinds) {
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = boot};
    if (attune_store_open(&store, &flash.port) != ATTUNE_STORE_OK) {
        return false;
    }
    assert_int_equal(attune_node_init(&node, &identity, kinds, sizeof sensors, 60), ATTUNE_SCHEMA_OK);
    return attune_node_keep(&node, &store) == ATTUNE_STORE_OK;
}

static bool begin(uint32_t boot) { return begin_with(boot, sensors); }

static void begin_first(uint32_t blocks) {
    emulated_flash_init(&flash);
    flash.port.blocks = blocks;
    assert_true(begin(1));
    fake_daemon_init(&daemon_, &node);
}

static int fresh(void **state) {
    (void)state;
    begin_first(EMULATED_BLOCKS);
    return 0;
}

static void restart(uint32_t boot) {
    assert_true(begin(boot));
    fake_daemon_restarted(&daemon_);
}

static void run_windows(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = attune_window_end_ms(&node.window);
        assert_int_equal(attune_node_sample(&node, 1, end - 1000, 600), ATTUNE_SAMPLE_OK);
        attune_node_poll(&node, end);
        fake_daemon_exchange(&daemon_);
    }
}

static void run_seconds(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        attune_node_poll(&node, node.now_ms + 1000);
        fake_daemon_exchange(&daemon_);
    }
}

static void expect_boot(uint32_t boot, uint32_t first, uint32_t last) {
    const fake_boot *found = fake_daemon_earlier(&daemon_, boot);
    assert_non_null(found);
    for (uint32_t seq = first; seq <= last; seq++) {
        assert_true(found->have[seq]);
        assert_int_equal(found->end_s[seq], 60 * seq);
    }
    assert_true(found->through >= last);
}

/* 200 windows of the first boot: four batches of 48, and 8 in RAM that go with the power. 70 of the third: one batch, and 22 in RAM. */
static void every_boot_that_reached_the_flash_arrives(void **state) {
    (void)state;
    run_windows(200);
    restart(2);
    run_windows(5);
    restart(3);
    run_windows(70);
    assert_int_equal(store.batches, 5);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.hello.first_seq, 1);
    run_seconds(60);
    expect_boot(1, 1, 192);
    assert_null(fake_daemon_earlier(&daemon_, 2));
    assert_int_equal(daemon_.through, 71);
    assert_int_equal(store.batches, 0);
    const uint32_t arrivals = daemon_.arrivals;
    assert_int_equal(arrivals, 192 + 71);
    run_seconds(50);
    restart(4);
    attune_node_link(&node, true);
    run_seconds(50);
    assert_int_equal(daemon_.arrivals, arrivals);
}

/* The first of them were with the daemon before the node's power failed: they are not sent again once it has said so. */
static void what_the_daemon_had_is_not_sent_again(void **state) {
    (void)state;
    attune_node_link(&node, true);
    run_windows(10);
    attune_node_link(&node, false);
    run_windows(50);
    restart(2);
    daemon_.arrivals = 0;
    attune_node_link(&node, true);
    run_seconds(30);
    expect_boot(1, 1, 10 + 48);
    assert_int_equal(daemon_.arrivals, 48);
}

static void live_reports_do_not_wait_for_earlier_boots(void **state) {
    (void)state;
    run_windows(50);
    restart(2);
    daemon_.keeps_silent_on_earlier = true;
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    for (uint32_t seq = 1; seq <= 100; seq++) {
        run_windows(1);
        assert_int_equal(daemon_.through, seq);
    }
    /* Four at a time and ever more slowly, at least every five minutes. */
    assert_in_range(daemon_.arrivals, 100 + 4 * 20, 100 + 4 * 30);
    daemon_.keeps_silent_on_earlier = false;
    run_seconds(400);
    expect_boot(1, 1, 48);
    assert_int_equal(store.batches, 0);
}

/* A third of all frames is lost, the link breaks, and the power fails somewhere in an operation of the flash. */
static void nothing_that_reached_the_flash_is_lost(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint64_t random = seed;
        uint32_t kept[FAKE_BOOTS] = {0};
        begin_first(EMULATED_BLOCKS);
        daemon_.random = seed;
        daemon_.loss = 30;
        for (uint32_t boot = 1; boot < FAKE_BOOTS; boot++) {
            run_windows(60 + random_below(&random, 80));
            kept[boot] = node.backlog.next_seq - 1 - attune_backlog_waiting(&node.backlog);
            attune_node_link(&node, true);
            emulated_flash_cut(&flash, 1 + random_below(&random, 12), CUT_BETWEEN, seed);
            run_seconds(random_below(&random, 60));
            emulated_flash_power_on(&flash);
            restart(boot + 1);
        }
        for (int round = 0; round < 40; round++) {
            attune_node_link(&node, true);
            run_seconds(30);
            attune_node_link(&node, false);
        }
        for (uint32_t boot = 1; boot < FAKE_BOOTS; boot++) {
            expect_boot(boot, 1, kept[boot]);
        }
        assert_int_equal(store.batches, 0);
    }
}

/* The flash fails as a batch is let go of: the reports are not sent again, and it goes once the flash answers. */
static void what_cannot_be_removed_is_not_sent_again(void **state) {
    (void)state;
    run_windows(50);
    restart(2);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    emulated_flash_cut(&flash, 1, CUT_BETWEEN, 1);
    run_seconds(120);
    assert_true(flash.dead);
    expect_boot(1, 1, 48);
    const uint32_t arrivals = daemon_.arrivals;
    assert_int_equal(arrivals, 48 + 2);
    emulated_flash_power_on(&flash);
    run_seconds(700);
    assert_int_equal(store.batches, 0);
    assert_int_equal(daemon_.arrivals, arrivals + 11);
}

/* Cuts the power at one operation of a journey, in one way; false once the journey ends before it. */
static bool journey_is_cut(uint64_t at, cut_way way) {
    begin_first(32);
    emulated_flash_cut(&flash, at, way, at);
    run_windows(130);
    const uint32_t kept = store.batches * ATTUNE_BATCH;
    if (!flash.dead) {
        restart(2);
        run_windows(60);
        attune_node_link(&node, true);
        run_seconds(20);
    }
    const bool cut = flash.dead;
    emulated_flash_power_on(&flash);
    restart(3);
    attune_node_link(&node, true);
    run_seconds(100);
    if (kept > 0) {
        expect_boot(1, 1, kept);
    }
    assert_int_equal(store.batches, 0);
    return cut;
}

/* Reports move to flash, the node starts anew, moves more, and delivers: the power fails at every single operation of that. */
static void every_operation_may_be_the_last(void **state) {
    (void)state;
    for (int way = 0; way < CUT_WAYS; way++) {
        uint64_t at = 1;
        while (journey_is_cut(at, (cut_way)way)) {
            at++;
        }
        assert_true(at > 12);
    }
}

/* 32 blocks hold four batches. What made room is told as summaries, without a gap between them and the reports. */
static void summaries_go_until_they_are_acknowledged(void **state) {
    (void)state;
    begin_first(32);
    run_windows(400);
    const uint32_t batches = (400 - ATTUNE_BATCH_WAITING) / ATTUNE_BATCH + 1;
    const uint32_t gone = (batches - 4) * ATTUNE_BATCH;
    daemon_.keeps_silent_on_summaries = true;
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    assert_int_equal(daemon_.hello.first_seq, gone + 1);
    run_seconds(20);
    assert_int_equal(daemon_.through, 400);
    assert_int_equal(daemon_.health.summarised_reports, gone);
    assert_int_equal(daemon_.health.dropped_reports, 0);
    assert_in_range(daemon_.summaries, 1, 2);
    daemon_.keeps_silent_on_summaries = false;
    daemon_.summaries = 0;
    run_seconds(60);
    assert_int_equal(daemon_.summaries, batches - 4);
    for (uint32_t i = 0; i < daemon_.summaries; i++) {
        const attune_v1_Summary *summary = &daemon_.summary[i];
        assert_int_equal(summary->boot, 1);
        assert_int_equal(summary->first_seq, i * ATTUNE_BATCH + 1);
        assert_int_equal(summary->last_seq, (i + 1) * ATTUNE_BATCH);
        assert_int_equal(summary->end_s, 60 * summary->last_seq);
        assert_int_equal(summary->reports, ATTUNE_BATCH);
        assert_int_equal(summary->class_reports.bytes[0] + summary->class_reports.bytes[1], ATTUNE_BATCH);
        assert_int_equal(summary->features.size, 2 * node.schema.features);
    }
    attune_node_link(&node, false);
    attune_node_link(&node, true);
    run_seconds(60);
    assert_int_equal(daemon_.summaries, batches - 4);
}

/* The batch that is on its way makes room for newer ones: its delivery ends, and the daemon hears where reports begin again. */
static void a_batch_that_makes_room_while_it_is_delivered(void **state) {
    (void)state;
    begin_first(32);
    run_windows(260);
    restart(2);
    daemon_.keeps_silent_on_earlier = true;
    attune_node_link(&node, true);
    run_seconds(5);
    attune_node_link(&node, false);
    run_windows(300);
    daemon_.keeps_silent_on_earlier = false;
    attune_node_link(&node, true);
    run_seconds(200);
    assert_int_equal(store.batches, 0);
    assert_int_equal(daemon_.through, node.backlog.next_seq - 1);
    assert_true(daemon_.summaries > 0);
}

/* An acknowledgement of a boot that nobody knows, and of a summary that there is not. */
static void acknowledgements_of_nothing_do_no_harm(void **state) {
    (void)state;
    run_windows(50);
    restart(2);
    daemon_.keeps_silent_on_earlier = true;
    attune_node_link(&node, true);
    run_seconds(2);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_report_ack_tag};
    message.body.report_ack = (attune_v1_ReportAck){.through = UINT32_MAX, .more = UINT32_MAX, .boot = 99};
    fake_daemon_say(&daemon_, &message);
    message = (attune_v1_DaemonMessage){.which_body = attune_v1_DaemonMessage_summary_ack_tag};
    message.body.summary_ack.number = 12345;
    fake_daemon_say(&daemon_, &message);
    assert_int_equal(store.batches, 1);
    daemon_.keeps_silent_on_earlier = false;
    run_seconds(60);
    expect_boot(1, 1, 48);
}

/* 48 windows wait; all up to 2, and 4 and 5 are acknowledged, and then the daemon comes back from a backup that has none of the last two. The
 * numbers that an acknowledgement can name end at 35: it goes on only once it hears that 4 and 5 will not come. */
static void a_daemon_that_lost_what_it_had_acknowledged_goes_on(void **state) {
    (void)state;
    run_windows(48);
    daemon_.keeps_silent_on_reports = true;
    attune_node_link(&node, true);
    run_seconds(2);
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_report_ack_tag};
    message.body.report_ack = (attune_v1_ReportAck){.through = 2, .more = 3};
    fake_daemon_say(&daemon_, &message);
    daemon_.have[4] = false;
    daemon_.have[5] = false;
    daemon_.keeps_silent_on_reports = false;
    run_seconds(60);
    assert_int_equal(daemon_.through, node.backlog.next_seq - 1);
    assert_int_equal(attune_backlog_waiting(&node.backlog), 0);
    assert_true(daemon_.have[3] && !daemon_.have[4] && !daemon_.have[5] && daemon_.have[6]);
}

/* --- Flashed anew --- */

/* So many batches in 32 blocks that the oldest have become summaries, and a label. */
static void fill(void) {
    begin_first(32);
    run_windows(48 * 24);
    assert_true(store.summarised_reports > 0 && store.batches > 0);
    node.log.count = 1;
    node.log.entry[0] = (attune_label_entry){.number = 1, .boot = 1, .seq = 1, .weight = 1};
    assert_int_equal(attune_labels_rewrite(&store, node.schema.features, &node.log), ATTUNE_STORE_OK);
}

static void expect_nothing_kept(void) {
    attune_summary summary;
    assert_int_equal(store.batches, 0);
    assert_int_equal(attune_summaries_oldest(&store, node.schema.features, &summary), ATTUNE_STORE_NONE);
    assert_int_equal(node.log.count, 0);
}

static void what_other_sensors_measured_is_let_go_of(void **state) {
    (void)state;
    fill();
    const uint8_t features = node.schema.features;
    const uint32_t kept = (uint32_t)(48 * 24 - node.backlog.count);
    assert_true(begin_with(2, other_sensors));
    assert_int_equal(node.schema.features, features);
    expect_nothing_kept();
    assert_int_equal(store.lost_reports, kept);
    fake_daemon_init(&daemon_, &node);
    run_windows(5);
    attune_node_link(&node, true);
    run_seconds(30);
    assert_null(fake_daemon_earlier(&daemon_, 1));
    assert_int_equal(daemon_.through, 5);
    assert_int_equal(daemon_.arrivals, 5);
    /* The same once more: now it is its own. */
    attune_node_link(&node, false);
    run_windows(50);
    assert_int_equal(store.batches, 1);
    assert_true(begin_with(3, other_sensors));
    assert_int_equal(store.batches, 1);
}

/* False once the first start with other sensors ends before the power fails. */
static bool other_start_is_cut(const emulated_flash *filled, uint64_t at, cut_way way) {
    flash = *filled;
    emulated_flash_cut(&flash, at, way, at);
    const bool whole = begin_with(2, other_sensors);
    if (!whole) {
        emulated_flash_power_on(&flash);
        assert_true(begin_with(3, other_sensors));
    }
    expect_nothing_kept();
    assert_true(begin_with(4, other_sensors));
    return !whole;
}

static void letting_go_may_be_cut_short_at_any_operation(void **state) {
    (void)state;
    static emulated_flash filled;
    fill();
    filled = flash;
    for (int way = 0; way < CUT_WAYS; way++) {
        uint64_t at = 1;
        while (other_start_is_cut(&filled, at, (cut_way)way)) {
            at++;
        }
        assert_true(at > 20);
    }
}

/* Versions before this one wrote no schema. */
static void what_an_older_version_kept_arrives(void **state) {
    (void)state;
    run_windows(50);
    assert_int_equal(attune_file_remove(&store, "schema"), ATTUNE_STORE_OK);
    restart(2);
    attune_node_link(&node, true);
    run_seconds(30);
    expect_boot(1, 1, 48);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_boot_that_reached_the_flash_arrives, fresh),
        cmocka_unit_test_setup(what_the_daemon_had_is_not_sent_again, fresh),
        cmocka_unit_test_setup(live_reports_do_not_wait_for_earlier_boots, fresh),
        cmocka_unit_test(nothing_that_reached_the_flash_is_lost),
        cmocka_unit_test_setup(what_cannot_be_removed_is_not_sent_again, fresh),
        cmocka_unit_test(every_operation_may_be_the_last),
        cmocka_unit_test(summaries_go_until_they_are_acknowledged),
        cmocka_unit_test(a_batch_that_makes_room_while_it_is_delivered),
        cmocka_unit_test_setup(acknowledgements_of_nothing_do_no_harm, fresh),
        cmocka_unit_test_setup(a_daemon_that_lost_what_it_had_acknowledged_goes_on, fresh),
        cmocka_unit_test(what_other_sensors_measured_is_let_go_of),
        cmocka_unit_test(letting_go_may_be_cut_short_at_any_operation),
        cmocka_unit_test_setup(what_an_older_version_kept_arrives, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
