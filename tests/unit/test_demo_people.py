"""People of the simulated building: in one place at a time, at work by day, nowhere by night."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from attuned.demo.layout import DemoError, Kind, Room, place_nodes, plan_rooms
from attuned.demo.people import DAY_S, Crowd, walk, weekday_of
from attuned.demo.schedule import ELSEWHERE, OUTSIDE
from hypothesis import given
from hypothesis import strategies as st

MONDAY = 19_793  # 2024-03-11 in days since 1970-01-01


def crowd_of(seed: int, rooms: int = 12) -> tuple[tuple[Room, ...], Crowd]:
    rng = np.random.default_rng(seed)
    plan = plan_rooms(rooms, rng)
    return plan, Crowd(plan, MONDAY, rng)


def test_weekdays_count_from_monday() -> None:
    # 1970-01-01 was a Thursday, 2024-03-11 a Monday.
    assert weekday_of(0) == 3
    assert [weekday_of(MONDAY + d) for d in range(7)] == list(range(7))


def test_everybody_goes_on_from_where_they_are() -> None:
    _, crowd = crowd_of(1)
    where = [OUTSIDE] * len(crowd.people)
    when = [-1.0] * len(crowd.people)
    moves = crowd.advance(14 * DAY_S)
    assert len(moves) > 2000
    for move in moves:
        assert move.origin == where[move.person] != move.place
        assert move.time_s > when[move.person]
        where[move.person], when[move.person] = move.place, move.time_s
    assert crowd.location.tolist() == where


def test_rooms_are_entered_from_their_passage() -> None:
    rooms, crowd = crowd_of(2)
    for move in crowd.advance(5 * DAY_S):
        for room, other in ((move.origin, move.place), (move.place, move.origin)):
            if room >= 0 and rooms[room].kind in (Kind.OFFICE, Kind.MEETING, Kind.KITCHEN):
                assert other == rooms[room].towards


def test_time_away_ends_when_the_person_is_back() -> None:
    _, crowd = crowd_of(3)
    moves = crowd.advance(DAY_S - 1)
    for number, move in enumerate(moves):
        returns = [m.time_s for m in moves[number + 1 :] if m.person == move.person and m.place == move.origin]
        assert move.away_s == pytest.approx(returns[0] - move.time_s if returns else DAY_S)


def share_occupied(seed: int, kind: Kind, hours: range) -> float:
    """Share of time in which rooms of a kind are in use, from Monday to Friday of two weeks, by the quarter-hour."""
    rooms, crowd = crowd_of(seed)
    indices = [room.index for room in rooms if room.kind is kind]
    seen = []
    for day in (d for d in range(12) if weekday_of(d + MONDAY) < 5):
        for quarter in range(4 * hours.start, 4 * hours.stop):
            crowd.advance(day * DAY_S + quarter * 900)
            seen += [bool((crowd.location == index).any()) for index in indices]
    return float(np.mean(seen))


def test_offices_are_in_use_for_a_third_of_the_day_and_half_of_working_hours() -> None:
    whole = [share_occupied(seed, Kind.OFFICE, range(24)) for seed in range(4)]
    working = [share_occupied(seed, Kind.OFFICE, range(7, 20)) for seed in range(4)]
    assert 0.2 < np.mean(whole) < 0.4
    assert 0.3 < np.mean(working) < 0.6


def test_meeting_rooms_are_in_use_less_than_offices() -> None:
    assert 0.1 < share_occupied(0, Kind.MEETING, range(7, 20)) < 0.5


def test_nobody_is_in_at_night() -> None:
    _, crowd = crowd_of(4)
    for day in range(14):
        for hour in (22, 23, 24, 27, 29):
            crowd.advance(day * DAY_S + hour * 3600)
            assert (crowd.location == OUTSIDE).all()


def test_weekends_are_almost_empty() -> None:
    _, crowd = crowd_of(5)
    present = {d: {m.person for m in crowd.advance((d + 1) * DAY_S - 1)} for d in range(28)}
    weekend = np.mean([len(present[d]) for d in present if weekday_of(MONDAY + d) >= 5])
    weekday = np.mean([len(present[d]) for d in present if weekday_of(MONDAY + d) < 5])
    assert weekend < 0.15 * weekday


def test_absences_and_home_days_keep_some_away_and_not_others() -> None:
    _, crowd = crowd_of(6)
    workers = [p.index for p in crowd.people if p.role == "worker"]
    days = [{m.person for m in crowd.advance((d + 1) * DAY_S - 1)} for d in range(28)]
    came = np.array([[p in day for p in workers] for d, day in enumerate(days) if weekday_of(MONDAY + d) < 5])
    # Seven eighths of the days that are not spent at home, of which there are 0.85 in five on average: 0.73.
    assert 0.6 < came.mean() < 0.85
    assert 0 < came.mean(axis=1).min() < came.mean(axis=1).max()


def test_same_seed_same_people_other_seed_others() -> None:
    first, again, other = (crowd_of(seed)[1].advance(3 * DAY_S) for seed in (7, 7, 8))
    assert first == again != other


places = st.integers(ELSEWHERE, 11)
stays = st.lists(st.tuples(st.floats(0, 80_000), places), min_size=1, max_size=20)


@given(stays)
def test_walks_are_in_order_whatever_the_plan(plan: list[tuple[float, int]]) -> None:
    rooms, _ = crowd_of(9)
    moves = walk(0, sorted(plan), rooms, 0.0, np.random.default_rng(0))
    assert all(a.time_s < b.time_s and a.place == b.origin for a, b in pairwise(moves))
    if moves:
        assert moves[0].origin == OUTSIDE
        assert moves[-1].place == sorted(plan)[-1][1]


@pytest.mark.parametrize(("count", "floors"), [(4, 1), (8, 2), (12, 3), (31, 3), (750, 25)])
def test_plans_of_any_size_hold_all_that_a_day_needs(count: int, floors: int) -> None:
    rooms = plan_rooms(count, np.random.default_rng(0))
    assert [room.index for room in rooms] == list(range(count))
    assert {room.floor for room in rooms} == set(range(1, floors + 1))
    assert len({room.id for room in rooms}) == count
    assert {Kind.OFFICE, Kind.MEETING, Kind.KITCHEN, Kind.LOBBY} <= {room.kind for room in rooms}
    assert sum(room.kind in (Kind.LOBBY, Kind.CORRIDOR) for room in rooms) == floors


def test_default_building_has_a_room_2_13() -> None:
    rooms = plan_rooms(12, np.random.default_rng(0))
    assert next(room for room in rooms if room.id == "2.13").floor == 2


def test_nodes_can_be_told_apart_by_the_first_half_of_their_id() -> None:
    rng = np.random.default_rng(0)
    rooms = plan_rooms(750, rng)
    nodes = place_nodes(rooms, 1000, rng)
    assert len({node.node_id[:8] for node in nodes}) == 1000
    assert all(len(bytes.fromhex(node.node_id)) == 8 for node in nodes)
    assert {node.room for node in nodes} == {room.id for room in rooms}


def test_sixteen_nodes_give_four_rooms_a_second_one_of_another_type() -> None:
    rng = np.random.default_rng(0)
    nodes = place_nodes(plan_rooms(12, rng), 16, rng)
    main = {node.room: node.type for node in nodes[:12]}
    assert len(main) == 12
    assert len({node.room for node in nodes[12:]}) == 4
    assert all(node.type != main[node.room] for node in nodes[12:])
    assert {"pir", "door", "co2", "sound"} <= {kind for node in nodes for kind in node.sensors}


def test_too_small_a_building_is_refused_with_a_way_out() -> None:
    with pytest.raises(DemoError, match="at least 4 rooms, not 3: ask for more"):
        plan_rooms(3, np.random.default_rng(0))
    with pytest.raises(DemoError, match="at least one node"):
        place_nodes(plan_rooms(4, np.random.default_rng(0)), 0, np.random.default_rng(0))
