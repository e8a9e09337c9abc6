#include "node/backlog.h"

#include "check.h"

static void fill(attune_backlog *backlog, uint32_t count) {
    attune_backlog_init(backlog);
    for (uint32_t i = 1; i <= count; i++) {
        attune_report report = {.end_s = 60 * i};
        attune_backlog_push(backlog, &report);
    }
}

/* The numbers that wait, in order, ended by 0. */
static void expect_waiting(const attune_backlog *backlog, const uint32_t *expected) {
    uint32_t after = 0;
    uint16_t count = 0;
    for (; expected[count] != 0; count++) {
        const attune_report *report = attune_backlog_next(backlog, after);
        assert_non_null(report);
        assert_int_equal(report->seq, expected[count]);
        assert_int_equal(report->end_s, 60 * report->seq);
        after = report->seq;
    }
    assert_null(attune_backlog_next(backlog, after));
    assert_int_equal(attune_backlog_waiting(backlog), count);
    assert_int_equal(attune_backlog_first_seq(backlog), count > 0 ? expected[0] : backlog->next_seq);
}

static void numbers_start_at_one(void **state) {
    (void)state;
    static attune_backlog backlog;
    fill(&backlog, 0);
    expect_waiting(&backlog, (uint32_t[]){0});
    assert_int_equal(attune_backlog_first_seq(&backlog), 1);
    fill(&backlog, 3);
    expect_waiting(&backlog, (uint32_t[]){1, 2, 3, 0});
}

/* through 2, more 0b101: 2 + 2 + 0 = 4 and 2 + 2 + 2 = 6 as well. */
static void acknowledged_out_of_order(void **state) {
    (void)state;
    static attune_backlog backlog;
    fill(&backlog, 7);
    attune_backlog_acknowledge(&backlog, 2, 5);
    expect_waiting(&backlog, (uint32_t[]){3, 5, 7, 0});
    assert_int_equal(attune_backlog_waiting_through(&backlog, 5), 2);
    attune_backlog_acknowledge(&backlog, 1, 0); /* an old one changes nothing */
    expect_waiting(&backlog, (uint32_t[]){3, 5, 7, 0});
    attune_backlog_acknowledge(&backlog, 4, 0);
    expect_waiting(&backlog, (uint32_t[]){5, 7, 0});
    assert_int_equal(backlog.count, 3); /* 6 is a hole, 3 and 4 are gone */
    attune_backlog_acknowledge(&backlog, 7, 0);
    expect_waiting(&backlog, (uint32_t[]){0});
    assert_int_equal(backlog.count, 0);
    assert_int_equal(attune_backlog_first_seq(&backlog), 8);
}

/* Bit 31 is through + 33. */
static void the_bitmap_reaches_33_beyond(void **state) {
    (void)state;
    static attune_backlog backlog;
    fill(&backlog, 36);
    attune_backlog_acknowledge(&backlog, 1, 0xFFFFFFFF);
    expect_waiting(&backlog, (uint32_t[]){2, 35, 36, 0});
}

static void the_oldest_makes_room_and_is_counted(void **state) {
    (void)state;
    static attune_backlog backlog;
    fill(&backlog, ATTUNE_BACKLOG);
    assert_int_equal(backlog.dropped, 0);
    attune_report report = {.end_s = 60 * (ATTUNE_BACKLOG + 1)};
    attune_backlog_push(&backlog, &report);
    assert_int_equal(backlog.dropped, 1);
    assert_int_equal(attune_backlog_first_seq(&backlog), 2);
    /* Acknowledging 3 leaves a hole; dropping 2 frees both. */
    attune_backlog_acknowledge(&backlog, 1, 1);
    report.end_s += 60;
    attune_backlog_push(&backlog, &report);
    assert_int_equal(backlog.dropped, 2);
    assert_int_equal(attune_backlog_first_seq(&backlog), 4);
    assert_int_equal(backlog.count, ATTUNE_BACKLOG - 1);
    assert_int_equal(attune_backlog_waiting(&backlog), ATTUNE_BACKLOG - 1);
}

/* Against a plain set of numbers. */
static void random_pushes_and_acknowledgements(void **state) {
    (void)state;
    enum { LIMIT = 2000 };
    static attune_backlog backlog;
    static bool waits[LIMIT + 1];
    uint64_t seed = 12;
    uint32_t dropped = 0;
    uint32_t gone = 0; /* all up to this one */
    attune_backlog_init(&backlog);
    while (backlog.next_seq <= LIMIT) {
        attune_report report = {.end_s = 60 * backlog.next_seq};
        waits[backlog.next_seq] = true;
        attune_backlog_push(&backlog, &report);
        for (; dropped < backlog.dropped; dropped++) {
            do {
                gone++;
            } while (!waits[gone]);
            waits[gone] = false;
        }
        if (random_below(&seed, 40) == 0) {
            uint32_t behind = random_below(&seed, 250);
            uint32_t through = backlog.next_seq > behind ? backlog.next_seq - behind - 1 : 0;
            uint32_t more = (uint32_t)next_random(&seed);
            attune_backlog_acknowledge(&backlog, through, more);
            for (uint32_t seq = 1; seq < backlog.next_seq; seq++) {
                bool bit = seq >= through + 2 && seq < through + 34 && (more & 1u << (seq - through - 2)) != 0;
                waits[seq] = waits[seq] && seq > through && !bit;
            }
        }
        uint16_t count = 0;
        uint32_t oldest = backlog.next_seq > ATTUNE_BACKLOG + 2 ? backlog.next_seq - ATTUNE_BACKLOG - 2 : 1;
        for (uint32_t seq = oldest; seq < backlog.next_seq; seq++) {
            count = (uint16_t)(count + waits[seq]);
            const attune_report *next = attune_backlog_next(&backlog, seq - 1);
            assert_int_equal(next != NULL && next->seq == seq, waits[seq]);
        }
        assert_int_equal(attune_backlog_waiting(&backlog), count);
        assert_true(backlog.next_seq <= ATTUNE_BACKLOG || backlog.count <= ATTUNE_BACKLOG);
    }
    assert_true(backlog.dropped > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_start_at_one),
        cmocka_unit_test(acknowledged_out_of_order),
        cmocka_unit_test(the_bitmap_reaches_33_beyond),
        cmocka_unit_test(the_oldest_makes_room_and_is_counted),
        cmocka_unit_test(random_pushes_and_acknowledgements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
