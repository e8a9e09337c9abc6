"""A rollout through the whole daemon but its sockets: signed by a process of its own, taken by a node, taken back."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import update_world as world
from attuned.store.site import LabelRow
from attuned.updates.delivery import Stage
from attuned.updates.rollout_state import State, Step, Word
from attuned.updates.stages import Choices
from daemon_world import MINUTE, NOON, report
from delivery_world import NODE, row
from processes import SigningProcess
from test_daemon_updates import HEAD, Place


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningProcess]:
    process = SigningProcess(tmp_path_factory.mktemp("signing"))
    process.start()
    yield process
    process.stop()


class Building(Place):
    """Its daemon goes by rollouts."""

    async def look(self) -> None:
        self.site.updating.deliveries.listen = self.site.updating.rollouts.heard
        await self.site.updating.rollouts.look()
        await self.settle()
        await self.site.updating.rollouts.look()
        await self.settle()

    async def measure(self, windows: int, trial: int) -> None:
        """Windows of people in the room, as the committed release sees it; `trial` as in a report."""
        for _ in range(windows):
            self.clock.now += MINUTE
            end_s = (self.clock.now - NOON) // 1000 + 100
            await self.say(report(end_s // 60, end_s, b"\x00\x01", features=bytes(2 * 24), trial=trial))
        await self.site.commits._commit()
        self.site.updating.look()
        await self.settle()
        await self.look()

    async def step(self) -> tuple[State, Step]:
        rollout = (await self.site.updating.rollouts.show(1)).rollout
        return rollout.state, rollout.pairs[NODE].step


@pytest_asyncio.fixture
async def building(tmp_path: Path, signer: SigningProcess) -> AsyncIterator[Building]:
    found = Building(tmp_path, signer.socket)
    await found.open()
    await found.site.site_store.releases.add([row(HEAD)])
    yield found
    await found.site.close()


async def test_there_and_back_again(building: Building) -> None:
    """The release is better, so it goes out by itself."""
    before = world.base().digest.hex()
    await building.look()
    assert await building.step() == (State.RUNNING, Step.UNDER_WAY)
    assert building.delivery.stage is Stage.TRIAL
    # Both say that somebody is there.
    await building.measure(59, 0x02)
    assert building.delivery.stage is Stage.TRIAL
    await building.measure(2, 0x02)
    assert await building.step() == (State.DONE, Step.COMMITTED)
    assert building.site.roster.releases("r") == {NODE: HEAD.running_digest}
    await building.site.updating.rollouts.tell(1, Word.ROLL_BACK, "ann")
    for _ in range(3):
        await building.look()
    assert await building.step() == (State.STOPPED, Step.RETURNED)
    assert building.site.roster.releases("r") == {NODE: before}
    acts = await building.site.updating.rollouts.acts(1)
    assert [(act.author, act.what) for act in acts] == [
        ("", "start"),
        ("", "done"),
        ("ann", "rollback"),
        ("", "stopped"),
    ]


async def test_people_who_say_otherwise_end_a_trial(building: Building) -> None:
    await building.site.updating.rollouts.start([HEAD.id[:8]], [], Choices(), "ann")
    await building.look()
    # The trial says free where the committed release and a person say that somebody is there.
    begun = building.clock.now
    await building.measure(10, 0x11)
    label = LabelRow(0, "r", "occupied", begun, begun + 10 * MINUTE, 1.0, "person", "ann", building.clock.now)
    await building.site.site_store.add_label(label)
    await building.site.labels.load()
    await building.measure(55, 0x02)
    assert (await building.step())[1] is Step.FAILED
    assert building.site.roster.releases("r") == {NODE: world.base().digest.hex()}
