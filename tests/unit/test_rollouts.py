"""Rollouts over deliveries: what they begin by themselves, and that no moment to be killed at loses anything."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from attuned.errors import NotFoundError, RequestError
from attuned.nodes.window import Window
from attuned.store.releases import ReleaseRow
from attuned.store.rollouts import Act
from attuned.store.site import SiteStore
from attuned.updates.delivery import Stage
from attuned.updates.rollout_state import HOUR_MS, Rollout, State, Step, Word
from attuned.updates.rollouts import AT_ONCE_LEAST, Rollouts, Stores
from attuned.updates.stages import Choices
from attuned.updates.trial_evidence import TrialEvidence
from attuned.updates.wishes import Nodes, Place
from daemon_world import NOON, FakeClock
from rollout_world import FINAL, REPORT, Cut, FakeDeliveries

OLD = "factory"


def node_id(number: int) -> str:
    return f"{number:016x}"


def release(node: int, serial: int = 1, verdict: str = "better", **more: str) -> ReleaseRow:
    """The serial-th release of a node; two nodes a room. What a node that runs it says is its id."""
    number = f"{serial:02x}{node:030x}"
    room = f"r{node // 2}"
    row = ReleaseRow(number, room, node_id(node), serial, "candidate", verdict, number, 1, "ann", REPORT, b"{}")
    return replace(row, **more)  # type: ignore[arg-type]


class Windows:
    """In every one of the windows that the store has somebody was there."""

    async def windows_between(self, nodes: object, from_utc_ms: int, to_utc_ms: int) -> list[Window]:
        return [Window("00" * 8, 1, i, 0, to_utc_ms, 0, b"\x00\x01", b"\x00\x00") for i in range(60)]


@dataclass
class Daemon:
    """A daemon whose nodes are fakes; it can be killed, and started anew over the same store and nodes."""

    folder: Path
    world: FakeDeliveries
    automatic: bool = False
    clock: FakeClock = field(default_factory=FakeClock)
    cut_store: int = -1

    async def start(self) -> Rollouts:
        self.world.listen = lambda _: None
        self.site = SiteStore(self.folder)
        await self.site.open()
        # What is killed here is a program and not the power: the file is what was written.
        await self.site.database.read(lambda connection: connection.execute("PRAGMA synchronous=OFF"))
        store, save = self.site.rollouts, self.site.rollouts.save

        async def cut_save(rollout: Rollout, changed: Collection[str], act: Act | None = None) -> None:
            await save(rollout, changed, act)
            if self.cut_store >= 0:
                self.cut_store -= 1
                if self.cut_store < 0:
                    raise Cut

        store.save = cut_save  # type: ignore[method-assign]
        evidence = TrialEvidence(self.clock, Windows(), lambda _: ())
        nodes = Nodes(self.place, lambda node: node in self.world.online, lambda: len(self.world.running))
        self.rollouts = Rollouts(
            self.clock,
            self.world,
            stores=Stores(store, self.site.releases),
            nodes=nodes,
            evidence=evidence,
            automatic=self.automatic,
        )
        await self.rollouts.open()
        return self.rollouts

    def place(self, node: str) -> Place | None:
        number = int(node, 16)
        return Place(f"r{number // 2}", str(number // 6)) if node in self.world.running else None

    async def pass_time(self, ms: int) -> None:
        self.clock.now += ms
        self.world.now_utc_ms = self.clock.now
        await self.rollouts.look()

    async def nodes_go_on(self) -> None:
        """Each node takes a step; a trial sees an hour in which little differs."""
        for node, delivery in list(self.world.newest.items()):
            if delivery.stage is Stage.TRIAL and not delivery.windows:
                self.world.weigh(node, 60, 3)
            self.world.go_on(node)
        await self.pass_time(60_000)

    async def finish(self, rounds: int = 60) -> None:
        for _ in range(rounds):
            await self.nodes_go_on()


async def daemon(
    folder: Path, nodes: int, releases: Sequence[ReleaseRow] | None = None, *, automatic: bool = False
) -> Daemon:
    """With nodes that are all there, and a ready release for each."""
    world = FakeDeliveries({node_id(i): OLD for i in range(nodes)}, now_utc_ms=NOON)
    world.online = set(world.running)
    found = Daemon(folder, world, automatic)
    await found.start()
    await found.site.releases.add([release(i) for i in range(nodes)] if releases is None else releases)
    return found


def new(count: int) -> dict[str, str]:
    return {node_id(i): release(i).id for i in range(count)}


async def test_a_rollout_goes_its_way(tmp_path: Path) -> None:
    found = await daemon(tmp_path, 8)
    row = await found.rollouts.start([], [], Choices(), "ann")
    assert (row.rollout.number, row.rollout.plan.stages) == (1, ("canary", "room r0", "floor 0", "everywhere else"))
    await found.finish()
    assert (await found.rollouts.show(1)).rollout.state is State.DONE
    assert found.world.running == new(8)
    acts = await found.rollouts.acts(1)
    assert [(act.author, act.what) for act in acts] == [("ann", "start"), ("", "done")]
    await found.site.close()


async def test_rolled_back_to_what_each_ran(tmp_path: Path) -> None:
    found = await daemon(tmp_path, 2)
    await found.rollouts.start([], [], Choices(), "ann")
    await found.finish(20)
    await found.site.releases.add([release(i, 2) for i in range(2)])
    await found.rollouts.start([], ["r0"], Choices(), "ann")
    await found.finish(20)
    assert found.world.running == {node_id(i): release(i, 2).id for i in range(2)}
    # What the first one brought does not run any more: there is nothing to take back.
    await found.rollouts.tell(1, Word.ROLL_BACK, "ben")
    assert (await found.rollouts.show(1)).rollout.state is State.STOPPED
    await found.rollouts.tell(2, Word.ROLL_BACK, "ben", "too warm")
    await found.finish(5)
    row = await found.rollouts.show(2)
    assert (row.rollout.state, row.rollout.reason) == (State.STOPPED, "too warm")
    assert found.world.running == new(2)
    assert [(act.author, act.what) for act in await found.rollouts.acts(2)][2:] == [
        ("ben", "rollback"),
        ("", "stopped"),
    ]
    await found.site.close()


async def test_what_was_forgotten_is_no_way_back(tmp_path: Path) -> None:
    found = await daemon(tmp_path, 1, [release(0), release(0, 2)])
    found.world.running[node_id(0)] = release(0).id
    await found.rollouts.start([release(0, 2).id[:8]], [], Choices(), "ann")
    await found.nodes_go_on()
    await found.site.database.run(
        lambda connection: connection.execute("UPDATE releases SET state = 'forgotten' WHERE id = ?", (release(0).id,))
    )
    await found.finish(10)
    # It was found when the delivery was first heard of; where it cannot be sent any more, it is tried again.
    assert found.world.running[node_id(0)] == release(0, 2).id
    await found.site.close()


class TestAutomatic:
    async def test_ready_releases_go_out_a_room_at_a_time(self, tmp_path: Path) -> None:
        found = await daemon(
            tmp_path, 5, [release(0), release(1), release(2, verdict="too little evidence")], automatic=True
        )
        await found.finish()
        assert [row.author for row in await found.rollouts.newest(10)] == [""]
        assert found.world.running == {**{node_id(i): OLD for i in range(5)}, **new(2)}
        await found.site.releases.approve(release(2).id, "ann", NOON)
        await found.finish()
        assert found.world.running[node_id(2)] == release(2).id
        await found.site.close()

    async def test_a_site_retrained_at_once_is_no_flood(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 60, automatic=True)
        most = 0
        for _ in range(120):
            await found.nodes_go_on()
            stages = [d.stage for d in found.world.newest.values()]
            most = max(most, sum(stage in {Stage.WAITING, Stage.SENDING, Stage.TRIAL} for stage in stages))
        assert found.world.running == new(60)
        assert most == AT_ONCE_LEAST
        await found.site.close()

    async def test_a_newer_one_takes_the_place_of_one_that_waits(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 2, automatic=True)
        await found.pass_time(0)
        await found.site.releases.add([release(1, 2)])
        await found.finish()
        assert found.world.running == {node_id(0): release(0).id, node_id(1): release(1, 2).id}
        assert [target for node, target in found.world.calls if node == node_id(1)] == [release(1, 2).id]
        assert [row.rollout.state for row in await found.rollouts.newest(10)] == [State.DONE] * 2
        await found.site.close()

    async def test_one_on_its_way_back_holds_up_nobody_else(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 2, automatic=True)
        await found.finish(20)
        found.world.online.discard(node_id(0))
        await found.rollouts.tell(1, Word.ROLL_BACK, "ann")
        await found.finish(5)
        await found.site.releases.add([release(i, 2) for i in range(2)])
        await found.finish(20)
        assert found.world.running == {node_id(0): release(0).id, node_id(1): release(1, 2).id}
        found.world.online.add(node_id(0))
        await found.finish(20)
        assert found.world.running == {node_id(i): release(i, 2).id for i in range(2)}
        assert (await found.rollouts.show(1)).rollout.state is State.STOPPED
        await found.site.close()

    async def test_what_failed_is_not_tried_again(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 1, automatic=True)
        await found.pass_time(0)
        found.world.go_on(node_id(0))
        found.world.go_on(node_id(0), fails=True)
        await found.finish(10)
        assert len(found.world.calls) == 1
        assert (await found.rollouts.show(1)).rollout.state is State.STOPPED
        await found.site.close()


class TestRefusals:
    async def test_nothing_is_ready(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 2, [release(0, verdict="too little evidence")])
        with pytest.raises(RequestError, match="attune release approve"):
            await found.rollouts.start([release(0).id[:8]], [], Choices(), "ann")
        with pytest.raises(RequestError, match="No release is ready for room r0"):
            await found.rollouts.start([], ["r0"], Choices(), "ann")
        with pytest.raises(NotFoundError, match="attune rollout status"):
            await found.rollouts.tell(7, Word.PAUSE, "ann")
        await found.site.close()

    async def test_a_node_is_in_one_at_a_time(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 2)
        await found.rollouts.start([], [], Choices(), "ann")
        await found.pass_time(0)
        with pytest.raises(RequestError, match="attune rollout abort 1"):
            await found.rollouts.start([release(0).id], [], Choices(), "ann")
        # The other one only waits: it goes along with the newer one.
        await found.rollouts.start([release(1).id], [], Choices(), "ann")
        assert (await found.rollouts.show(1)).rollout.pairs[node_id(1)].step is Step.LEFT
        with pytest.raises(RequestError, match="Rollout 1 is running: it cannot be resumed"):
            await found.rollouts.tell(1, Word.RESUME, "ann")
        await found.site.close()

    async def test_what_cannot_be_delivered_is_no_error_of_the_release(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 2)
        found.world.refused[node_id(0)] = NotFoundError("There is no node.")
        await found.rollouts.start([], [], Choices(), "ann")
        await found.finish()
        row = await found.rollouts.show(1)
        assert [pair.step for pair in row.rollout.pairs.values()] == [Step.LEFT, Step.COMMITTED]
        assert row.rollout.state is State.DONE
        await found.site.close()

    async def test_a_node_that_was_removed_is_left(self, tmp_path: Path) -> None:
        found = await daemon(tmp_path, 1)
        await found.rollouts.start([], [], Choices(), "ann")
        await found.pass_time(0)
        del found.world.newest[node_id(0)]
        await found.pass_time(60_000)
        assert (await found.rollouts.show(1)).rollout.state is State.DONE
        await found.site.close()


async def killed_at(folder: Path, cut: int, *, store: bool, back: bool) -> bool:
    """A rollout that is killed after the cut-th durable change, of its own or of a delivery; whether it came so far."""
    found = await daemon(folder, 3)
    rollouts = found.rollouts
    await rollouts.start([], [], Choices(), "ann")
    if store:
        found.cut_store = cut
    else:
        found.world.cut_after = cut
    killed = False
    for look in range(36):
        try:
            if back and look == 10:
                await found.rollouts.tell(1, Word.ROLL_BACK, "ann")
            await found.nodes_go_on()
        except Cut:
            killed = True
            await found.site.close()
            found.cut_store = found.world.cut_after = -1
            rollouts = await found.start()
    row = await rollouts.show(1)
    assert all(delivery.stage in FINAL for delivery in found.world.newest.values())
    asked = any(act.what == "rollback" for act in await rollouts.acts(1))
    assert row.rollout.state is (State.STOPPED if asked else State.DONE)
    assert found.world.running == ({node_id(i): OLD for i in range(3)} if asked else new(3))
    wished = [(node, target) for node, target in found.world.calls if target != OLD]
    assert len(wished) == len(set(wished)), "nothing is wished for twice"
    await found.site.close()
    return killed


@pytest.mark.parametrize("store", [True, False], ids=["own step", "delivery's step"])
@pytest.mark.parametrize("back", [True, False], ids=["rolled back", "to the end"])
async def test_killed_at_every_durable_step(tmp_path: Path, store: bool, back: bool) -> None:
    cut = 0
    while await killed_at(tmp_path / str(cut), cut, store=store, back=back):
        cut += 1
    assert cut > 15


async def test_a_rollout_that_nobody_could_write_down_goes_on(tmp_path: Path) -> None:
    found = await daemon(tmp_path, 1)
    await found.rollouts.start([], [], Choices(), "ann")
    await found.site.close()
    await found.start()
    assert [row.rollout.number for row in await found.rollouts.newest(5)] == [1]
    await found.pass_time(HOUR_MS)
    await found.finish(10)
    assert found.world.running == new(1)
    await found.site.close()
