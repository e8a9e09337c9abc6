"""Where a boot's ticks meet UTC."""

from attuned.nodes.ties import ANSWER_MS, ATTEMPTS, GOOD_ROUND_TRIP_MS, RETIE_AGE_MS, TieAttempt, Ties
from hypothesis import given
from hypothesis import strategies as st

DAY = 24 * 3_600_000


def test_ticks_before_the_first_tie_are_dated_by_it() -> None:
    ties = Ties()
    assert ties.add(10_000, 1_000_000)
    assert [ties.utc_ms(tick) for tick in (0, 10_000, 25_000)] == [990_000, 1_000_000, 1_015_000]


def test_a_later_tie_dates_later_ticks_only() -> None:
    ties = Ties()
    ties.add(0, 1_000_000)
    # The node's crystal has lost 3 s in half an hour.
    assert ties.add(1_800_000, 2_803_000)
    assert ties.utc_ms(1_799_999) == 2_799_999
    assert ties.utc_ms(1_800_000) == 2_803_000
    assert ties.tick_ms(2_799_999) == 1_799_999
    assert ties.tick_ms(2_803_001) == 1_800_001


@given(st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(0, 3 * DAY)), max_size=20))
def test_a_tie_never_changes_how_earlier_ticks_are_dated(offers: list[tuple[int, int]]) -> None:
    ties = Ties()
    ties.add(1000, DAY)
    for tick_ms, utc_ms in offers:
        before = {tick: ties.utc_ms(tick) for tick in range(0, tick_ms, 7_000_001)}
        before[max(tick_ms - 1, 0)] = ties.utc_ms(max(tick_ms - 1, 0))
        kept = ties.add(tick_ms, utc_ms)
        assert all(ties.utc_ms(tick) == utc for tick, utc in before.items() if tick < tick_ms)
        if kept:
            assert ties.utc_ms(tick_ms) == utc_ms
    assert list(ties.ticks_ms) == sorted(set(ties.ticks_ms))


def test_a_tie_is_kept_when_the_last_is_an_hour_old_or_two_seconds_off() -> None:
    ties = Ties()
    ties.add(0, DAY)
    assert not ties.add(60_000, DAY + 62_000)
    assert not ties.add(RETIE_AGE_MS - 1, DAY + RETIE_AGE_MS - 1)
    assert ties.add(RETIE_AGE_MS, DAY + RETIE_AGE_MS)
    assert ties.add(RETIE_AGE_MS + 1, DAY + RETIE_AGE_MS + 2_002)
    # A tick that came before the last tie says nothing new about what follows.
    assert not ties.add(5, 2 * DAY)


def test_the_tick_is_read_half_way_there_and_back() -> None:
    attempt = TieAttempt()
    attempt.ask(500, 10_000)
    assert attempt.answer(500, 700, 10_400) == (700, 10_200)


def test_after_bad_round_trips_the_best_is_taken() -> None:
    attempt = TieAttempt()
    found = None
    for i, slow in enumerate([9_000, 6_000, 7_000]):
        assert found is None
        attempt.ask(i, i * 100_000)
        found = attempt.answer(i, 50_000 + i, i * 100_000 + slow)
    assert ATTEMPTS == 3
    assert found == (50_001, 103_000)


def test_a_good_round_trip_settles_it_at_once() -> None:
    attempt = TieAttempt()
    attempt.ask(0, 0)
    assert attempt.answer(0, 9, GOOD_ROUND_TRIP_MS + 1) is None
    attempt.ask(9, 20_000)
    assert attempt.answer(9, 20_009, 20_100) == (20_009, 20_050)


def test_answers_to_nothing_settle_nothing_and_take_no_memory() -> None:
    attempt = TieAttempt()
    for i in range(1000):
        assert attempt.answer(10**6 + i, 5, 100) is None
        attempt.ask(i, 100)
    assert len(attempt.sent_utc_ms) <= ATTEMPTS


def test_a_clock_set_back_between_question_and_answer_settles_nothing() -> None:
    attempt = TieAttempt()
    attempt.ask(0, 10_000)
    assert attempt.answer(0, 100, 9_000) is None


def test_a_lost_answer_is_not_waited_for_for_ever() -> None:
    attempt = TieAttempt()
    assert not attempt.waiting(0)
    attempt.ask(0, 1000)
    assert attempt.waiting(1000 + ANSWER_MS - 1)
    assert not attempt.waiting(1000 + ANSWER_MS)
