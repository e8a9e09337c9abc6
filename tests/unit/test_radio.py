"""Which gateway serves which node over Bluetooth, whatever happens around it."""

from typing import Any

import pytest
from attuned.nodes import ears, radio
from attuned.nodes.advertising import advertised
from attuned.nodes.radio import Need, Radio, Wish
from hypothesis import given, settings
from hypothesis import strategies as st
from radio_world import KEYS, FakeStation, World

KEY = KEYS[0]
NAMES = ("north", "south", "east")
HINT, NEWER = advertised(KEY, b"aaa"), advertised(KEY, b"bbb")
STRANGE = bytes(8)

names = st.sampled_from(NAMES)
signals = st.none() | st.integers(-95, -30)
actions = st.one_of(
    st.tuples(st.just("attach"), names),
    st.tuples(st.just("detach"), names, st.booleans()),
    st.tuples(st.just("lose"), names),
    st.tuples(st.just("drop"), names),
    st.tuples(st.just("signal"), names, st.integers(0, 1), signals),
    st.tuples(st.just("need"), st.integers(0, 1), st.sampled_from([Need.AGE, Need.BACKLOG, Need.URGENT])),
    st.tuples(st.just("busy"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("live"), st.sampled_from([0.5, 1, 2.5, 10, 35, 70, 1000])),
)


def do(world: World, what: str, *how: Any) -> None:
    match what:
        case "attach":
            world.attach(how[0])
        case "detach":
            world.detach(how[0], keeps=how[1])
        case "lose":
            world.lose_kept(how[0])
        case "drop":
            world.drop(how[0])
        case "signal" if how[2] is None:
            world.nodes[how[1]].signals.pop(how[0], None)
        case "signal":
            world.nodes[how[1]].signals[how[0]] = how[2]
        case "need":
            world.needs[KEYS[how[0]]] = how[1]
        case "busy":
            (world.busy.add if how[1] else world.busy.discard)(KEYS[how[0]])
        case "live":
            world.live(how[0])


@settings(max_examples=150, deadline=None)
@given(st.lists(actions, max_size=25))
def test_never_two_gateways_at_once_and_somebody_in_the_end(steps: list[tuple[Any, ...]]) -> None:
    """`World.follow` looks after each event that no second gateway has a wish or a link."""
    world = World()
    for name in NAMES[:2]:
        world.attach(name)
    for step in steps:
        do(world, *step)
    for name in list(world.kept):
        world.lose_kept(name)
    world.live(2 * ears.FRESH_MS / 1000 + radio.LET_GO_MS / 1000)
    for node in world.nodes:
        if set(node.signals) & set(world.stations):
            assert node.connected in world.stations


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=10, max_size=60))
def test_signals_that_waver_change_nothing(noise: list[tuple[int, int]]) -> None:
    world = World()
    world.attach("north")
    world.attach("south")
    for north, south in noise:
        world.nodes[0].signals = {"north": -60 + north, "south": -61 + south}
        world.drop("north")
        world.drop("south")
        world.live(10)
    assert len({name for _, key, name in world.moves if key == KEY}) == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("sighted"),
                names,
                st.sampled_from([HINT, NEWER, STRANGE]),
                st.integers(-99, 0),
                st.integers(0, 5),
            ),
            st.tuples(st.just("up"), names, st.integers(1, 3), st.sampled_from([HINT, NEWER, STRANGE])),
            st.tuples(st.just("down"), names, st.integers(1, 3)),
            st.tuples(st.just("gone"), names),
            st.tuples(st.just("know"), st.booleans()),
            st.tuples(st.just("look"), st.sampled_from([100, 1_000, 31_000, 400_000])),
        ),
        max_size=60,
    )
)
def test_gateways_that_say_anything_get_one_wish_a_node_at_most(events: list[tuple[Any, ...]]) -> None:
    chosen, now = Radio(lambda _: Need.AGE), 0
    chosen.know([KEY], now)
    stations = {name: FakeStation(name) for name in NAMES}
    told: dict[tuple[str, bytes], Need] = {}
    for what, *how in events:
        now += 10
        match what:
            case "sighted":
                chosen.sighted(stations[how[0]], how[1], how[2], how[3], now)
            case "up":
                chosen.link_up(stations[how[0]], how[1], how[2], now)
            case "down":
                chosen.link_down(stations[how[0]], how[1], now)
            case "gone":
                chosen.gone(stations[how[0]], now)
                told = {place: need for place, need in told.items() if place[0] != how[0]}
                stations[how[0]] = FakeStation(how[0])
            case "know":
                chosen.know([KEY] if how[0] else [], now)
            case "look":
                now += how[0]
                chosen.look(now)
        for wish in chosen.take_wishes():
            assert wish.station is stations[wish.station.name]
            assert wish.hint != STRANGE or wish.need is Need.NONE
            told[wish.station.name, wish.hint] = wish.need
        assert len({name for (name, _), need in told.items() if need}) <= 1


class Two:
    """Two gateways that hear the same node, and what they were told since the last look."""

    def __init__(self) -> None:
        self.now = 0
        self.need = Need.AGE
        self.busy = False
        self.radio = Radio(lambda _: self.need, lambda _: self.busy)
        self.radio.know([KEY], 0)
        self.north, self.south = FakeStation("north"), FakeStation("south")

    def hear(self, north: int | None, south: int | None, seconds: int = 1, failures: int = 0) -> list[tuple[str, Need]]:
        """Each second both say what they hear; wishes that came of it."""
        said = []
        for _ in range(seconds):
            self.now += 1000
            for station, rssi in ((self.north, north), (self.south, south)):
                if rssi is not None:
                    failed = failures if station is self.north else 0
                    self.radio.sighted(station, HINT, rssi, failed, self.now)
            self.radio.look(self.now)
            said += self.told()
        return said

    def told(self) -> list[tuple[str, Need]]:
        return [(wish.station.name, wish.need) for wish in self.radio.take_wishes()]


def test_the_gateway_that_hears_a_node_best_gets_a_wish_once() -> None:
    two = Two()
    assert two.hear(None, -70, 1) == [("south", Need.AGE)]
    assert two.hear(-64, -70, 60) == []
    two.need = Need.URGENT
    assert two.hear(-64, -70, 2) == [("south", Need.URGENT)]


def test_a_link_that_gets_worse_ends_before_another_gateway_is_told() -> None:
    """In a world whose gateways take their time; `World.follow` looks after each event."""
    world = World()
    for name in NAMES[:2]:
        world.attach(name)
    world.nodes[0].signals = {"north": -60, "south": -62}
    world.live(5)
    world.nodes[0].signals = {"north": -85, "south": -62}
    world.live(60)
    assert [name for _, _, name in world.moves] == ["north", "south"]
    assert world.nodes[0].connected == "south"


def test_one_that_is_better_by_8_db_for_30_s_takes_over_after_the_link_is_down() -> None:
    two = Two()
    two.hear(-60, -70)
    two.radio.link_up(two.north, 1, HINT, two.now)
    assert two.hear(-78, -71, 60) == []  # 7 dB
    assert two.hear(-79, -71, 20) == []
    assert two.hear(-78, -71, 1) == []
    assert two.hear(-79, -71, 31) == [("north", Need.NONE)]
    assert two.hear(-79, -71, 20) == []
    two.radio.link_down(two.north, 1, two.now)
    assert two.hear(-79, -71, 1) == [("south", Need.AGE)]


def test_a_node_in_the_middle_of_an_update_stays_unless_it_is_lost() -> None:
    two = Two()
    two.hear(-60, None)
    two.radio.link_up(two.north, 1, HINT, two.now)
    two.busy = True
    assert two.hear(-90, -50, 120) == []
    two.radio.link_down(two.north, 1, two.now)
    assert two.hear(None, -50, 70) == [("north", Need.NONE), ("south", Need.AGE)]


def test_a_gateway_that_keeps_failing_gives_a_node_up() -> None:
    two = Two()
    two.hear(-60, -70)
    assert two.hear(-60, -70, 10, failures=2) == []
    assert two.hear(-60, -70, 10, failures=3) == [("north", Need.NONE)]
    assert two.hear(-60, -70, 10, failures=3) == [("south", Need.AGE)]
    assert two.hear(-60, -70, 100, failures=3) == []


def test_a_gateway_that_is_gone_is_followed_at_once() -> None:
    two = Two()
    two.hear(-60, -70)
    two.radio.link_up(two.north, 1, HINT, two.now)
    two.radio.gone(two.north, two.now)
    assert two.told() == [("south", Need.AGE)]


def test_a_gateway_whose_stream_came_again_keeps_the_node_that_it_has() -> None:
    two = Two()
    two.hear(-60, -70)
    two.radio.gone(two.north, two.now)
    assert two.told() == [("south", Need.AGE)]
    two.north = FakeStation("north")
    two.radio.link_up(two.north, 1, HINT, two.now)
    assert two.told() == [("south", Need.NONE), ("north", Need.AGE)]


def test_a_link_that_comes_of_an_attempt_before_none_is_ended() -> None:
    two = Two()
    two.hear(-60, -70)
    assert two.hear(-79, -60, 31) == [("north", Need.NONE)]
    two.radio.link_up(two.north, 1, HINT, two.now)
    assert two.told() == []
    assert two.hear(-79, -60, 13) == []
    two.radio.link_down(two.north, 1, two.now)
    assert two.told() == [("south", Need.AGE)]
    # One that took longer still.
    two.radio.link_up(two.north, 2, HINT, two.now)
    assert two.told() == [("north", Need.NONE)]


def test_a_link_that_does_not_end_counts_no_more() -> None:
    two = Two()
    two.hear(-60, -70)
    two.radio.link_up(two.north, 1, HINT, two.now)
    two.hear(-80, -60, 32)
    assert two.radio.key_of(two.north, 1) == KEY
    assert two.hear(-80, -60, radio.LET_GO_MS // 1000) == [("south", Need.AGE)]
    assert two.radio.key_of(two.north, 1) == b""


def test_a_gateway_that_wants_a_node_and_serves_it_not_loses_it() -> None:
    """Whatever it says of signals and links: another hears the node advertise, so it is connected to nobody."""
    two = Two()
    two.hear(0, -90)
    minutes = radio.PATIENCE_MS // 60_000
    assert two.hear(0, -90, 60 * (minutes - 1)) == []
    assert two.hear(0, -90, 120) == [("north", Need.NONE), ("south", Need.AGE)]
    two.radio.spoke(KEY, two.now)
    assert two.hear(0, -90, 600) == []


def test_a_node_that_speaks_stays() -> None:
    two = Two()
    two.hear(-60, -65)
    for _ in range(2 * radio.PATIENCE_MS // 60_000):
        assert two.hear(-60, -65, 60) == []
        two.radio.spoke(KEY, two.now)


def test_a_new_hint_of_a_node_takes_the_old_ones_place() -> None:
    two = Two()
    two.hear(-60, None)
    two.radio.sighted(two.north, NEWER, -60, 0, two.now + ears.SAME_HINT_MS)
    assert two.radio.take_wishes() == [Wish(two.north, HINT, Need.NONE), Wish(two.north, NEWER, Need.AGE)]


def test_an_old_hint_that_somebody_says_again_changes_nothing_while_the_node_is_heard() -> None:
    two = Two()
    two.hear(-60, None)
    for _ in range(20):
        two.radio.sighted(two.north, NEWER, -30, 0, two.now)
        assert two.hear(-60, None) == []


def test_links_of_strangers_are_ended_and_a_node_that_was_removed_hears_its_last_word() -> None:
    two = Two()
    assert two.radio.link_up(two.north, 1, STRANGE, 0) == b""
    assert two.radio.take_wishes() == [Wish(two.north, STRANGE, Need.NONE)]
    two.radio.link_up(two.north, 2, HINT, 0)
    assert two.radio.take_wishes() == [Wish(two.north, HINT, Need.AGE)]
    two.radio.know([], 0)
    two.radio.look(radio.LAST_WORD_MS - 1)
    assert two.radio.key_of(two.north, 2) == b""
    assert two.radio.take_wishes() == []
    two.radio.look(radio.LAST_WORD_MS)
    assert two.radio.take_wishes() == [Wish(two.north, HINT, Need.NONE)]


def test_a_stranger_that_turns_out_to_be_ours_is_served() -> None:
    two = Two()
    two.radio.know([], 0)
    assert two.hear(-60, None) == []
    assert two.radio.strangers(two.now) == 1
    two.radio.know([KEY], two.now)
    assert two.told() == [("north", Need.AGE)]
    assert two.radio.strangers(two.now) == 0


def test_what_is_not_heard_for_long_is_forgotten() -> None:
    two = Two()
    two.hear(-60, None)
    two.radio.sighted(two.north, STRANGE, -50, 0, two.now)
    assert len(list(two.radio.hears(two.north))) == 2
    assert two.hear(None, None, ears.FORGET_MS // 1000) == [("north", Need.NONE)]
    assert list(two.radio.hears(two.north)) == []
    assert two.radio.best(KEY) is None


def test_strangers_fill_no_memory() -> None:
    two = Two()
    for number in range(4 * ears.STRANGERS):
        two.radio.sighted(two.north, number.to_bytes(8, "little"), -50, 0, number * 100)
    assert len(list(two.radio.hears(two.north))) == ears.STRANGERS


@pytest.mark.parametrize(("north", "south", "best"), [(-60, -50, -60), (None, -50, -50), (None, None, None)])
def test_the_signal_of_a_node_is_that_at_its_gateway(north: int | None, south: int | None, best: int | None) -> None:
    two = Two()
    two.hear(north, None)
    two.hear(north, south)
    found = two.radio.best(KEY)
    assert (found.rssi_dbm if found else None) == best
