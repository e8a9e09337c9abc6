"""Comparison by hand and with simulated days, likely causes, and the life of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from attuned.drift.cause import Cause, likely_cause
from attuned.drift.compare import FLOOR, MOST, Comparison, compare, day_values, statistics
from attuned.drift.judge import ALARM, FEWEST_DAYS, GUARD_DAYS, SITE, Finding, Span, judge
from attuned.drift.life import DriftEvent, State, acknowledged, next_events, spans
from attuned.drift.rows import event_of, event_row
from attuned.drift.words import alert, explain, headline
from drift_days import KINDS, MONDAY, SCHEMA, a_day, a_history
from hypothesis import given
from hypothesis import strategies as st

ONE = np.zeros(1, np.int64)


def test_a_comparison_by_hand() -> None:
    """Reference 0, 1, 2: mean and deviation 1. 0 lies 1.5 from the mean of 1 and 2, whose deviation is .7071."""
    found = compare(np.array([[0.0], [1.0], [2.0]]), np.array([5.0]), ONE)
    strangest = 1.5 / (np.sqrt(0.5) + FLOOR)
    assert found.apart[0] == pytest.approx(4 / (1 + FLOOR))
    assert found.sensors[0] == pytest.approx(4 / (1 + FLOOR) / strangest)
    assert found.score == pytest.approx(found.sensors[0])


def test_one_wild_number_does_not_speak_for_its_sensor() -> None:
    reference = np.random.default_rng(1).normal(0, 1, (20, 4))
    wild = compare(reference, np.array([1e9, 0, 0, 0]), np.zeros(4, np.int64))
    bounded = compare(reference, np.array([2 * MOST * (3 + FLOOR), 0, 0, 0]), np.zeros(4, np.int64))
    assert wild.score == pytest.approx(bounded.score, rel=0.05)


def test_what_a_day_lacks_counts_as_nothing() -> None:
    reference = np.random.default_rng(1).normal(0, 1, (20, 2))
    reference[:, 1] = np.nan
    found = compare(reference, np.array([0.1, np.nan]), np.zeros(2, np.int64))
    assert found.score < 1
    assert np.isnan(found.apart[1])


@given(st.integers(0, 10_000))
def test_a_day_of_the_reference_is_never_an_alarm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.normal(0, rng.uniform(0.01, 5), (15, 6))
    sensors = np.array([0, 0, 0, 1, 1, 1])
    assert compare(reference, reference[seed % 15], sensors).score <= 1


def test_a_raised_sensor_is_found_and_others_are_not() -> None:
    findings = judge(a_history(8, raised=3.0), MONDAY + timedelta(days=20))
    found = {finding.node: finding for finding in findings}
    assert found[f"{0:016x}"].score > ALARM
    assert all(finding.score < ALARM for node, finding in found.items() if node != f"{0:016x}")
    assert found[SITE].score < ALARM


def test_what_all_nodes_do_is_the_sites() -> None:
    history = a_history(8)
    last = MONDAY + timedelta(days=20)
    for node in list(history.days):
        history.add(a_day(node, 20, co2=3.0))
    found = {finding.node: finding for finding in judge(history, last)}
    assert found[SITE].score > ALARM
    assert likely_cause(found[SITE]) == Cause.SEASON
    assert all(finding.score < ALARM for node, finding in found.items() if node != SITE)


def test_too_few_days_are_no_reference() -> None:
    history = a_history(days=FEWEST_DAYS + GUARD_DAYS + 1, raised=9.0)
    last = MONDAY + timedelta(days=FEWEST_DAYS + GUARD_DAYS)
    node = f"{0:016x}"
    assert judge(history, last)
    assert not judge(history, last, {node: Span(since=MONDAY + timedelta(days=1))})
    assert not judge(history, last, {node: Span(until=MONDAY + timedelta(days=9))})


def test_a_change_at_noon_is_no_reference_for_the_day_after() -> None:
    history, node, noon = a_history(), f"{0:016x}", 20
    # The day of the change is half of it, and the one after it whole.
    history.add(a_day(node, noon, co2=1.2))
    before = judge(history, MONDAY + timedelta(days=noon + 1))
    history.add(a_day(node, noon, co2=9.0))
    after = judge(history, MONDAY + timedelta(days=noon + 1))
    assert [f.score for f in before] == [f.score for f in after]


def test_days_of_another_schema_are_left_out() -> None:
    history = a_history()
    node = f"{0:016x}"
    history.add(replace(a_day(node, 30), schema="00" * 8))
    assert MONDAY + timedelta(days=30) not in history.days[node]


def a_finding(apart: dict[tuple[str, str], float], kinds: tuple[str, ...] = ("light", "co2")) -> Finding:
    """Spreads by (feature, name); a sensor's score is its mean spread."""
    keys = statistics(kinds, 60)
    values = np.array([apart.get((key.feature, key.name), 0.0) for key in keys])
    numbers = np.array([key.sensor for key in keys])
    sensors = np.array([np.abs(values[numbers == s]).mean() for s in range(len(kinds))])
    return Finding("n", MONDAY, Comparison(float(sensors.max()), sensors, values), keys, kinds, 0.0)


MEANS = ("night", "day", "low")


@pytest.mark.parametrize(
    ("apart", "cause"),
    [
        ({("light.mean", "day"): -6, ("light.mean", "high"): -6}, Cause.STUCK),
        ({("co2", "stuck"): 6, ("co2.variation", "middle"): -6}, Cause.STUCK),
        ({("co2.mean", name): 6 for name in MEANS}, Cause.REPLACED),
        ({("co2.mean", n): 6 for n in MEANS} | {("light.mean", n): 6 for n in ("night", "day", "high")}, Cause.MOVED),
        ({("co2.mean", "day"): 6, ("co2.variation", "middle"): 6}, Cause.USE),
    ],
)
def test_likely_causes(apart: dict[tuple[str, str], float], cause: Cause) -> None:
    assert likely_cause(a_finding(apart)) == cause


def an_alarm(day: int = 0, score: float = 3.0) -> Finding:
    finding = a_finding({("co2.mean", name): 6 for name in MEANS})
    return replace(finding, day=MONDAY + timedelta(days=day), comparison=replace(finding.comparison, score=score))


def test_an_event_is_raised_once_and_resolved_after_two_normal_days() -> None:
    (event,) = next_events((), [an_alarm()], ())
    event = replace(event, number=7)
    assert next_events([event], [an_alarm(1)], ()) == []
    (event,) = next_events([event], [an_alarm(2, score=0.5)], ())
    assert event.state is State.OPEN
    (event,) = next_events([event], [an_alarm(3, score=2.0)], ())  # a weekend was over
    (event,) = next_events([event], [an_alarm(4, score=0.5)], ())
    (event,) = next_events([event], [an_alarm(5, score=0.5)], ())
    assert (event.number, event.state, event.done) == (7, State.RESOLVED, "measures as before again")
    assert len(next_events([event], [an_alarm(6)], ())) == 1


def test_a_muted_node_raises_nothing() -> None:
    assert next_events((), [an_alarm()], {"n"}) == []


def test_what_is_acknowledged_becomes_the_reference() -> None:
    event = replace(next_events((), [an_alarm(3)], ())[0], number=1)
    assert spans([event]) == {"n": Span(until=MONDAY + timedelta(days=3))}
    event = acknowledged(event, "ann", "new sensor")
    assert spans([event]) == {"n": Span(since=MONDAY + timedelta(days=3))}
    (event,) = next_events([event], [an_alarm(20, score=0.9)], ())
    assert (event.state, event.done) == (State.RESOLVED, "acknowledged by ann: new sensor; this is normal now")
    assert spans([event]) == {"n": Span(since=MONDAY + timedelta(days=3))}


def test_an_event_survives_the_store_and_is_told_in_words() -> None:
    event = replace(next_events((), [an_alarm()], ())[0], number=4, raised_utc_ms=5, changed_utc_ms=6)
    assert event_of(event_row(event)) == event
    assert headline(event, "2.13") == "Room 2.13: co2 changed; probably: sensor replaced or offset"
    told = explain(event, "2.13")
    assert told[0] == "Node n in 2.13 measured differently on 7 September than on any of the days before."
    assert told[1] == "Co2 is higher at night, by 6 times what days usually differ by."
    assert told[-1].startswith("This looks like: sensor replaced or offset. If the sensor was replaced")
    assert alert(event, "2.13")["id"] == 4
    site = DriftEvent(1, SITE, date(2026, 1, 2), Cause.SEASON, ("light",), (), 2.0)
    assert explain(site, "")[0].startswith("Most nodes of this site together")


def test_light_counts_by_its_logarithm() -> None:
    kinds = ("light", "pir")
    place = [(s.feature, s.name) for s in statistics(kinds, 60)].index(("light.mean", "high"))
    day = replace(a_day("n", 0), levels=np.full((6, 5), 1.0))  # 1 unit: 400 lux
    from attune_core import Schema

    assert day_values(day, Schema(kinds, 60))[place] == pytest.approx(np.log1p(400 / 10))
    assert SCHEMA.kinds == KINDS
