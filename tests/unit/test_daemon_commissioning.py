"""What the site does when nodes come, move, are replaced and go: rooms, labels and what is kept."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from attune_core import Keeper, Node, write_code
from attune_proto.v1 import node_pb2
from attuned.config import Settings
from attuned.errors import NotFoundError, RequestError, StoreError
from attuned.nodes.assignments import Assignments
from attuned.nodes.radio import Need
from attuned.site import Site
from attuned.store.site import LabelRow
from daemon_world import HOUR, MINUTE, NOON, A, B, FakeClock, commit, errands, site_settings, window

SENSORS = ("co2", "pir")

# By a clock that runs years ahead.
AHEAD = NOON + 35_000 * HOUR


class Place:
    """A site with rooms r and s and no nodes in the configuration, and nodes of the core on one link each."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = "gw"
        self.nodes: dict[int, Node] = {}
        self._down: list[tuple[int, bytes]] = []

    def send(self, link: int, frame: bytes) -> None:
        self._down.append((link, frame))

    def wish(self, hint: bytes, need: Need) -> None:
        raise AssertionError("no node here has a radio")

    def bring(self, node: str) -> Node:
        link = len(self.nodes) + 1
        found = Node(bytes.fromhex(node), 7, SENSORS, 60, keeper=Keeper(bytes([link]) * 32))
        self.nodes[link] = found
        self.site.hub.link_up(self, link)
        found.link(True)
        return found

    async def settle(self) -> None:
        busy = True
        while busy:
            busy = False
            for link, node in self.nodes.items():
                for frame in node.frames():
                    busy = True
                    self.site.hub.frame(self, link, frame)
            await errands(self.site)
            down, self._down = self._down, []
            for link, frame in down:
                busy = True
                self.nodes[link].receive(frame)

    async def add(self, node: str, room: str, name: str = "") -> Node:
        found = self.bring(node)
        await self.site.commissioning.add(found.code, room, name, take_over=False)
        await self.settle()
        assert found.facts.timed
        return found


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    site = Site(site_settings(tmp_path, {"r": [], "s": []}), FakeClock(NOON + 2 * HOUR), None)
    await site.open()

    async def flush() -> None:
        """Nothing is on its way to the disk."""

    site.commits.flush = flush  # type: ignore[method-assign]
    site.labels._flush = flush
    found = Place(site)
    yield found
    await found.site.close()


async def label(place: Place, room: str) -> None:
    now = place.site.clock.utc_ms()
    await place.site.labels.add(
        LabelRow(0, room, "occupied", NOON, NOON + 5 * MINUTE, 1.0, "person", "ann", now), force=False
    )
    await place.settle()


async def test_a_node_that_is_added_stands_in_its_room_at_once_and_after_a_restart(place: Place) -> None:
    node = await place.add(A, "r", "door")
    site = place.site
    assert (site.room_settings["r"].nodes, site.hub.conversations[A].room) == ([A], "r")
    assert list(await site.site_store.keys.codes()) == []
    await site.close()
    place.site = Site(site_settings(site.settings.store.path, {"r": [], "s": []}), FakeClock(), None)
    await place.site.open()
    place.nodes = {1: node}
    place.site.hub.link_up(place, 1)
    node.link(True)
    await place.settle()
    assert node.facts.timed
    assert (place.site.room_settings["r"].nodes, place.site.trust.nodes[A].name) == ([A], "door")


async def test_a_code_waits_through_a_restart(place: Place) -> None:
    node = place.bring(A)
    site = place.site
    place.nodes = {}
    await site.commissioning.add(node.code, "r", "", take_over=False)
    await site.close()
    place.site = Site(site_settings(site.settings.store.path, {"r": [], "s": []}), FakeClock(NOON + 3 * HOUR), None)
    await place.site.open()
    place.nodes = {1: node}
    place.site.hub.link_up(place, 1)
    node.link(True)
    await place.settle()
    assert node.facts.timed


async def test_a_node_that_moves_forgets_one_room_and_learns_the_other(place: Place) -> None:
    node = await place.add(A, "r")
    await commit(place.site, *(window(seq, NOON + seq * MINUTE) for seq in range(1, 6)))
    await label(place, "r")
    assert node.facts.label_windows == 5
    await place.site.commissioning.move(A, "s")
    await place.settle()
    assert (place.site.room_settings["r"].nodes, place.site.room_settings["s"].nodes) == ([], [A])
    assert node.facts.label_windows == 0
    await label(place, "s")
    assert node.facts.label_windows == 5


async def test_a_node_that_replaces_another_learns_what_that_was_taught(place: Place) -> None:
    old = await place.add(A, "r", "door")
    new = await place.add(B, "s")
    await commit(place.site, *(window(seq, NOON + seq * MINUTE) for seq in range(1, 6)))
    await label(place, "r")
    assert (old.facts.label_windows, new.facts.label_windows) == (5, 0)
    await place.site.commissioning.replace(A, B)
    await place.settle()
    assert new.facts.label_windows == 5
    assert (place.site.room_settings["r"].nodes, place.site.trust.nodes[B].name) == ([B], "door")
    assert A not in place.site.hub.conversations
    assert not old.keeper.owned


async def test_a_node_that_is_removed_is_gone_with_its_key(place: Place) -> None:
    node = await place.add(A, "r")
    assert await place.site.commissioning.remove(A)
    await place.settle()
    assert not node.keeper.owned
    assert (await place.site.site_store.keys.nodes(), place.site.room_settings["r"].nodes) == ([], [])
    assert place.site.roster.releases("r") == {}
    # A window of it that was on its way to the disk harms nobody.
    await commit(place.site, window(9, NOON + HOUR))
    place.site.acknowledge([], [window(9, NOON + HOUR)])


async def restart(place: Place, now_utc_ms: int, *nodes: Node, copy: str = "", to: str = "") -> None:
    """The daemon starts again at that time, and these nodes have links; meanwhile a file of its store is copied."""
    folder = place.site.settings.store.path
    await place.site.close()
    if copy:
        shutil.copy(folder / copy, folder / to)
    place.site = Site(site_settings(folder, {"r": [], "s": []}), FakeClock(now_utc_ms), None)
    await place.site.open()
    place.nodes, place._down = dict(enumerate(nodes, 1)), []
    for link, node in place.nodes.items():
        place.site.hub.link_up(place, link)
        node.link(True)
    await place.settle()


async def test_a_node_that_a_clock_ahead_removed_can_be_added_again(place: Place) -> None:
    node = await place.add(A, "r")
    await restart(place, AHEAD, node)
    await place.site.commissioning.remove(A)
    await place.settle()
    await restart(place, NOON + 3 * HOUR)
    # A code and the node that it brings are there after every start.
    await place.site.commissioning.add(node.code, "r", "", take_over=False)
    await restart(place, NOON + 4 * HOUR, node)
    assert (list(place.site.trust.nodes), place.site.trust.waiting) == ([A], {})
    for hour in (5, 6):
        await restart(place, NOON + hour * HOUR, node)
        assert list(place.site.trust.nodes) == [A]
    await place.site.commissioning.remove(A)
    await restart(place, NOON + 7 * HOUR)
    assert place.site.trust.nodes == {}


@pytest.mark.parametrize("copied", ["code", "node"])
async def test_a_node_that_a_clock_ahead_added_stays_removed(place: Place, copied: str) -> None:
    node = place.bring(A)
    await restart(place, AHEAD)
    await place.site.commissioning.add(node.code, "r", "", take_over=False)
    await restart(place, AHEAD + HOUR, node, copy="attune.db", to="code")
    await restart(place, NOON + 4 * HOUR, copy="attune.db", to="node")
    assert list(place.site.trust.nodes) == [A]
    await place.site.commissioning.remove(A)
    await restart(place, NOON + 5 * HOUR, copy=copied, to="attune.db")
    assert (place.site.trust.nodes, place.site.trust.waiting) == ({}, {})


async def test_a_code_of_a_clock_ahead_is_used_up_by_its_node(place: Place) -> None:
    node = place.bring(A)
    await restart(place, AHEAD)
    await place.site.commissioning.add(node.code, "r", "", take_over=False)
    await restart(place, NOON + 3 * HOUR, node)
    (row,) = await place.site.site_store.keys.nodes()
    assert row.since_utc_ms >= AHEAD
    assert await place.site.site_store.keys.codes() == []


@pytest.mark.parametrize(("first", "second"), [("remove", "remove"), ("replace", "remove"), ("remove", "replace")])
async def test_a_node_that_two_take_away_at_once_goes_once(place: Place, first: str, second: str) -> None:
    await place.add(A, "r")
    await place.add(B, "s")
    calls = [getattr(place.site.commissioning, name)(*[A, B][: 1 + (name == "replace")]) for name in (first, second)]
    done, refused = await asyncio.gather(*calls, return_exceptions=True)
    assert not isinstance(done, BaseException)
    assert isinstance(refused, NotFoundError)
    assert str(refused) == f"There is no node {A!r}: `attune nodes` lists the nodes."
    assert [node.node for node in await place.site.site_store.keys.nodes()] == [B]


async def refuse(*_: object) -> None:
    raise StoreError("The disk is full.")


@pytest.mark.parametrize(("command", "step"), [("remove", "forget"), ("replace", "replace")])
async def test_a_node_disowns_nobody_before_the_disk_has_it(
    place: Place, command: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await place.add(A, "r")
    await place.add(B, "s")
    with monkeypatch.context() as patched:
        patched.setattr(place.site.site_store.keys, step, refuse)
        with pytest.raises(StoreError):
            await getattr(place.site.commissioning, command)(*[A, B][: 1 + (command == "replace")])
    await place.settle()
    assert node.keeper.owned
    assert place.site.trust.live(A)


async def test_a_code_that_the_disk_still_has_waits_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would wait again after a restart, though nobody is shown it."""
    commissioning, keys = place.site.commissioning, place.site.site_store.keys
    waiting = await commissioning.add(write_code(bytes.fromhex(A)[:4], bytes(16)), "r", "", take_over=False)
    with monkeypatch.context() as patched:
        patched.setattr(keys, "drop_code", refuse)
        with pytest.raises(StoreError):
            await commissioning.remove(waiting.row.hint)
    assert commissioning.waiting(waiting.row.hint) is waiting
    await commissioning.remove(waiting.row.hint)
    assert (commissioning.waiting(waiting.row.hint), await keys.codes()) == (None, [])


async def test_a_code_that_is_used_up_goes_when_the_disk_takes_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = place.bring(A)
    keys, drop = place.site.site_store.keys, place.site.site_store.keys.drop_code
    refused: list[str] = []

    async def once(hint: str) -> None:
        if not refused:
            refused.append(hint)
            await refuse()
        await drop(hint)

    monkeypatch.setattr("attuned.errands.TROUBLE_S", 0.0)
    monkeypatch.setattr(keys, "drop_code", once)
    await place.site.commissioning.add(node.code, "r", "", take_over=False)
    await place.settle()
    assert (refused, await keys.codes()) == ([A[:8]], [])


def test_of_many_rooms_the_likest_are_named() -> None:
    rooms = [{"id": f"{floor}.{room:02}"} for floor in range(20) for room in range(25)]
    assignments = Assignments(Settings.model_validate({"site": {"name": "hall"}, "rooms": rooms}))
    with pytest.raises(RequestError) as refused:
        assignments.check_room("7.9", "")
    assert "no room '7.9'; rooms are 7.19, 7.09, " in str(refused.value)
    assert str(refused.value).endswith(" and others.")
    assert len(str(refused.value)) < 120


async def test_what_cannot_be_is_refused_with_a_sentence(place: Place) -> None:
    commissioning = place.site.commissioning
    code = write_code(bytes.fromhex(A)[:4], bytes(16))
    with pytest.raises(RequestError, match="no room 'x'; rooms are r, s"):
        await commissioning.add(code, "x", "", take_over=False)
    with pytest.raises(RequestError, match="at most 64 printable"):
        await commissioning.add(code, "r", "\x1b[31m", take_over=False)
    with pytest.raises(NotFoundError, match="There is no node"):
        await commissioning.move(A, "r")
    await place.add(A, "r")
    with pytest.raises(RequestError, match="cannot replace itself"):
        await commissioning.replace(A, A)
    with pytest.raises(RequestError, match="1 to 600 seconds"):
        commissioning.identify(A, 601)
    place.site.hub.link_down(place, 1)
    with pytest.raises(RequestError, match="out of reach"):
        commissioning.identify(A, 5)


async def test_the_configurations_word_counts_first(tmp_path: Path) -> None:
    site = Site(site_settings(tmp_path, {"r": [A], "s": []}), FakeClock(), None)
    await site.open()
    place = Place(site)
    node = place.bring(A)
    with pytest.raises(RequestError, match="has the node in room r"):
        await site.commissioning.add(node.code, "s", "", take_over=False)
    await site.commissioning.add(node.code, "", "", take_over=False)
    await place.settle()
    assert (node.facts.timed, site.hub.conversations[A].room) == (True, "r")
    await site.commissioning.remove(A)
    assert site.room_settings["r"].nodes == [A]
    assert site.hub.conversations[A].room == "r"
    await site.close()


def test_commands_leave_out_what_they_do_not_mean() -> None:
    assert node_pb2.Command(identify_s=1).SerializeToString() == b"\x08\x01"
