"""Quiet nodes: what holds between their reports, how long, and what a node is told."""

from pathlib import Path
from typing import Any

import pytest
from attune_core import Sketch
from attune_proto.v1 import node_pb2
from attuned.config import Settings
from attuned.nodes.dating import PAST_MS
from attuned.presence.belief import RoomState
from attuned.presence.holding import LEAST_NATS, held_nats
from attuned.presence.model import Calibration, RoomModel
from attuned.presence.rooms import Rooms, checkpoint_from_json, checkpoint_to_json
from attuned.site import Site
from daemon_world import (
    HOUR,
    MINUTE,
    NOON,
    SENSORS,
    A,
    B,
    FakeClock,
    FakeGateway,
    errands,
    hear,
    hello,
    site_settings,
    trust_all,
    window,
)

FREE, OCCUPIED = 0xF0, 0xF1
AS_FILTERED = RoomModel(calibration=Calibration(slope=1, offset=0))


def rooms(quiet: tuple[str, ...] = (A,)) -> Rooms:
    models = {"r": AS_FILTERED}
    return Rooms(["r"], MINUTE, {A: "r", B: "r"}, lambda node: ["co2"], threshold=0.0, models=models, quiet=quiet)


def take(site: Rooms, seq: int, minute: float, nats: float | None, state: int, *, node: str = A) -> bool:
    return site.take(window(seq, NOON + round(minute * MINUTE), nats, node)._replace(state=state))


@pytest.mark.parametrize(
    ("evidence", "state", "held"),
    [
        (3.0, OCCUPIED, 3.0),
        (-3.0, FREE, -3.0),
        (0.2, OCCUPIED, LEAST_NATS),
        (0.2, FREE, -LEAST_NATS),  # it fell free although its last window spoke against it
        (-4.0, OCCUPIED, LEAST_NATS),
        (2.0, 0x72, 2.0),  # class 2 is a way of being occupied
        (None, FREE, None),
    ],
)
def test_a_report_holds_as_far_as_it_speaks_for_the_nodes_state(
    evidence: float | None, state: int, held: float | None
) -> None:
    assert held_nats(evidence, state) == held


def test_a_quiet_room_stays_as_it_was_reported_and_no_longer() -> None:
    site = rooms()
    take(site, 1, 0, 4.0, OCCUPIED)
    room = site.rooms["r"]
    # An hour, five minutes for the way, and the quarter of an hour after which any room is unknown.
    assert room.current(NOON + MINUTE).valid_until_utc_ms == NOON + 80 * MINUTE
    assert room.current(NOON + 64 * MINUTE).state is RoomState.OCCUPIED
    assert room.current(NOON + 80 * MINUTE).state is RoomState.OCCUPIED
    assert room.current(NOON + 82 * MINUTE).state is RoomState.UNKNOWN


def test_history_between_reports_is_what_was_held() -> None:
    site = rooms()
    take(site, 1, 0, 4.0, OCCUPIED)
    take(site, 2, 60, -3.0, FREE)
    states = [state for _, state, _ in site.rooms["r"].timeline.history()]
    assert states[:-1] == [RoomState.OCCUPIED] * 60
    # A node that reports every window would have said the same: no step is left without evidence.
    chatty = rooms(())
    for minute in range(60):
        take(chatty, minute + 1, minute, 4.0, OCCUPIED)
    take(chatty, 61, 60, -3.0, FREE)
    assert site.rooms["r"].timeline.history() == chatty.rooms["r"].timeline.history()


def test_the_same_silence_of_another_node_makes_the_room_unknown() -> None:
    site = rooms(())
    take(site, 1, 0, 4.0, OCCUPIED)
    assert site.rooms["r"].current(NOON + 20 * MINUTE).state is RoomState.UNKNOWN


def test_what_a_quiet_node_holds_counts_beside_a_node_that_speaks() -> None:
    site = rooms()
    take(site, 1, 0, 4.0, OCCUPIED)
    take(site, 1, 10, 0.5, OCCUPIED, node=B)
    shares = {share.source: share.log_odds for share in site.rooms["r"].current(NOON + 10 * MINUTE).shares}
    # Both measure CO2, so each counts half.
    assert shares[A] == pytest.approx(2.0)
    assert shares[B] == pytest.approx(0.25)


def test_a_quiet_node_is_silent_after_its_report_is_due() -> None:
    site = rooms((A, B))
    take(site, 1, 0, 4.0, OCCUPIED)
    take(site, 1, 40, 4.0, OCCUPIED, node=B)

    def notes(minute: int) -> dict[str, str]:
        shares = site.rooms["r"].current(NOON + minute * MINUTE).shares
        return {share.source: share.note for share in shares if share.note}

    assert notes(64) == {}
    assert notes(66) == {A: "is silent"}


def test_each_hourly_report_is_said_so_that_it_reaches_to_the_next() -> None:
    site = rooms()
    valid = []
    for hour in range(4):
        take(site, hour + 1, 60 * hour, -4.0, FREE)
        for name, belief in site.to_say(NOON + hour * HOUR):
            site.rooms[name].said = belief
            valid.append((belief.valid_until_utc_ms - NOON) // MINUTE)
    assert valid == [80, 140, 200, 260]


def test_what_is_held_outlives_a_restart() -> None:
    site = rooms()
    take(site, 1, 0, 4.0, OCCUPIED)
    checkpoint = site.rooms["r"].timeline._steps[-1].settled_as()
    assert checkpoint.held == ((A, 4.0, NOON // MINUTE + 65),)
    again = rooms()
    again.restore("r", checkpoint_from_json(checkpoint_to_json(checkpoint)), None)
    belief = again.rooms["r"].current(NOON + 30 * MINUTE)
    assert (belief.state, belief.valid_until_utc_ms) == (RoomState.OCCUPIED, NOON + 80 * MINUTE)
    assert [share.note for share in belief.shares if share.source == A] == []


def test_checkpoints_of_older_versions_hold_nothing() -> None:
    text = '{"index": 5, "filter_state": [0.5, 0.5], "state": 1, "since_utc_ms": 3, "quiet_steps": 0}'
    assert checkpoint_from_json(text).held == ()


# What a node is told, and what it tells.


class World:
    """A site whose node A is quiet, with a link."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        self.site, self.clock, self.gateway = site, clock, FakeGateway()
        site.hub.link_up(self.gateway, 1)
        self.gateway.take()

    def say(self, message: Any, node: str = A) -> list[node_pb2.DaemonMessage]:
        hear(self.site.hub, self.gateway, message, node)
        return [answer for _, _, answer in self.gateway.take()]

    async def sketch(self, number: int = 1, end_s: int = 3600, windows: int = 60, counts: bytes = b"") -> list[int]:
        """Numbers of the sketches that were acknowledged."""
        message = node_pb2.DriftSketch(number=number, end_s=end_s, windows=windows, counts=counts or COUNTS)
        answers = self.say(message)
        await errands(self.site)
        answers += [answer for _, _, answer in self.gateway.take()]
        assert {answer.sketch_ack.boot for answer in answers} <= {1}
        return [answer.sketch_ack.number for answer in answers if answer.HasField("sketch_ack")]


COUNTS = Sketch(6, [0, 0, 0, 1, 1, 1]).export()


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    clock = FakeClock()
    site = Site(site_settings(tmp_path, nodes=[{"id": A, "quiet": True}]), clock, None)
    await site.open()
    trust_all(site)
    yield World(site, clock)
    await site.close()


async def greet(world: World, node: str = A) -> None:
    world.say(hello(node), node)
    world.say(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), node)
    await errands(world.site)
    world.gateway.take()


async def test_a_quiet_node_is_told_so_with_the_time(world: World) -> None:
    (answer,) = world.say(hello(A))
    assert answer.time.quiet
    (answer,) = world.say(hello(B), B)
    assert not answer.time.quiet


async def test_a_quiet_node_is_online_until_its_report_is_due(world: World) -> None:
    await greet(world)
    await greet(world, B)
    world.clock.now += 70 * MINUTE
    assert world.site.hub.online(world.site.hub.conversations[A])
    assert not world.site.hub.online(world.site.hub.conversations[B])


async def test_a_sketch_is_stored_once_and_then_acknowledged(world: World) -> None:
    await greet(world)
    world.clock.now = NOON + 2 * HOUR
    assert await world.sketch() == [1]
    assert await world.sketch() == [1]
    (row,) = await world.site.window_store.days.sketches(A, NOON - HOUR, NOON + 3 * HOUR)
    # Tick 100 s was at noon.
    assert (row.from_utc_ms, row.to_utc_ms) == (NOON - 100_000, NOON + HOUR - 100_000)
    assert (row.boot, row.number, row.windows, row.counts) == (1, 1, 60, COUNTS)
    assert len(SENSORS) == 2


@pytest.mark.parametrize(
    ("sketch", "reason"),
    [
        ({"counts": COUNTS[:-1]}, "bytes that do not fit its features"),
        ({"counts": bytes(len(COUNTS))}, "bytes that do not fit its features"),
        ({"windows": 0}, "without windows"),
        ({"end_s": 3600 * 24}, "in the future"),
        ({"windows": PAST_MS // MINUTE}, "long ago"),
        ({"end_s": (1 << 32) - 1, "windows": (1 << 32) - 1}, "long ago"),
    ],
)
async def test_a_sketch_that_cannot_be_is_refused_for_good(world: World, sketch: dict[str, Any], reason: str) -> None:
    await greet(world)
    world.clock.now = NOON + 2 * HOUR
    assert await world.sketch(**sketch) == [1]
    assert reason in world.site.hub.conversations[A].last_refusal
    assert await world.site.window_store.days.sketches(A, 0, 1 << 62) == []


async def test_a_sketch_that_cannot_be_dated_yet_has_no_answer(world: World) -> None:
    world.say(hello(A))
    assert await world.sketch() == []
    await greet(world)
    world.clock.now = NOON + 2 * HOUR
    assert await world.sketch() == [1]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([{"id": A}, {"id": A, "quiet": True}], "stands in [[nodes]] twice"),
    ],
)
def test_a_node_that_is_told_something_has_one_table(tmp_path: Path, nodes: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("[", r"\[")):
        site_settings(tmp_path, nodes=nodes)
    assert Settings.model_validate({"site": {"name": "s"}}).quiet_nodes == frozenset()


async def test_sketches_are_kept_as_long_as_windows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.retention.AWAKE_HOURS", 1)
    await greet(world)
    world.clock.now = NOON + 2 * HOUR
    for number in (1, 2):
        await world.sketch(number=number, end_s=3600 * number)
    # 28 days unless configured; then the first of them has ended before that.
    world.clock.now = NOON - 100_000 + HOUR + 28 * 24 * HOUR + 1
    await world.site.retention.sweep()
    assert [row.number for row in await world.site.window_store.days.sketches(A, 0, 1 << 62)] == [2]
