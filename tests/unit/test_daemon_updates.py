"""Updates through the whole daemon but its sockets: sealed frames, the store on a disk, and the signing process."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import update_world as world
from attune_proto.v1 import node_pb2
from attuned.bms.topics import room_payload
from attuned.site import Site
from attuned.store.releases import CANDIDATE, DEPLOYED, SUPERSEDED
from attuned.updates.deliveries import NO_SIGNER
from attuned.updates.delivery import Delivery, Stage
from daemon_world import (
    HOUR,
    MINUTE,
    NOON,
    A,
    FakeClock,
    FakeGateway,
    errands,
    hear,
    hello,
    report,
    site_settings,
    trust_all,
)
from delivery_world import NODE, FakeNode, release, row
from processes import SigningProcess

HEAD = release(1)


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningProcess]:
    process = SigningProcess(tmp_path_factory.mktemp("signing"))
    process.start()
    yield process
    process.stop()


class Place:
    """A site with node NODE, which takes updates, and node A, which knows nothing of them, in room r."""

    def __init__(self, folder: Path, signer: Path) -> None:
        settings = site_settings(folder, {"r": [NODE, A]}, updates={"signer": signer})
        self.clock = FakeClock()
        self.site = Site(settings, self.clock, None)
        self.gateway = FakeGateway()
        self.node = FakeNode()
        self.heard: list[Delivery] = []

    async def open(self) -> None:
        await self.site.open()
        trust_all(self.site)
        self.site.hub.link_up(self.gateway, 1)
        self.site.updating.deliveries.listen = self.heard.append
        self.site.updating.look()
        await errands(self.site)
        await self.say(self.node.hello())
        await self.say(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000))

    async def say(self, message: Any, node: str = NODE) -> None:
        """A node says something, and all follows from it."""
        hear(self.site.hub, self.gateway, message, node)
        await self.settle()

    async def settle(self) -> None:
        await errands(self.site)
        while messages := self.gateway.take():
            for _, hint, message in messages:
                for answer in self.node.receive(message) if hint == world.NODE_ID[:4] else []:
                    hear(self.site.hub, self.gateway, answer, NODE)
            await errands(self.site)

    async def live(self, seconds: int) -> None:
        for _ in range(0, seconds, 10):
            self.clock.now += 10_000
            self.site.updating.look()
            await self.settle()

    @property
    def delivery(self) -> Delivery:
        found = self.site.updating.deliveries.of(NODE)
        assert found is not None
        return found

    async def state(self) -> str:
        return (await self.site.site_store.releases.find(HEAD.id)).state


@pytest_asyncio.fixture
async def place(tmp_path: Path, signing: SigningProcess) -> AsyncIterator[Place]:
    found = Place(tmp_path, signing.socket)
    await found.open()
    await found.site.site_store.releases.add([row(HEAD)])
    yield found
    await found.site.close()


async def test_a_release_from_the_store_to_the_node(place: Place) -> None:
    deliveries, site = place.site.updating.deliveries, place.site
    before = world.base().digest.hex()
    # The key came with the hello.
    assert place.node.number == 1
    await deliveries.want(NODE, HEAD.id)
    await place.settle()
    assert (place.delivery.stage, await place.state()) == (Stage.TRIAL, CANDIDATE)
    assert site.roster.releases("r") == {NODE: before}
    place.clock.now += MINUTE
    await deliveries.decide(NODE, commit=True)
    await place.settle()
    assert (place.delivery.stage, await place.state()) == (Stage.COMMITTED, DEPLOYED)
    assert site.roster.releases("r") == {NODE: HEAD.running_digest}
    first = place.delivery.sequence
    assert HEAD.running_digest in (await site.site_store.facts())[NODE]
    assert [each.release for each in await site.site_store.accuracy.releases()] == [before, HEAD.running_digest]
    await deliveries.want(NODE, "factory")
    await place.settle()
    await deliveries.decide(NODE, commit=True)
    await place.settle()
    assert (place.delivery.stage, await place.state()) == (Stage.COMMITTED, SUPERSEDED)
    assert place.node.highest == first + 1


async def test_a_trial_outlives_the_daemon(place: Place, signing: SigningProcess) -> None:
    await place.site.updating.deliveries.want(NODE, HEAD.id)
    await place.settle()
    for number in range(1, 4):
        place.clock.now += MINUTE
        await place.say(report(number, 100 + 60 * number, features=bytes(2 * 24), trial=1 + 16 * (number == 2)))
    assert (place.delivery.windows, place.delivery.differing) == (3, 1)
    await place.live(70)
    node, folder = place.node, place.site.settings.store.path
    await place.site.close()
    again = Place(folder, signing.socket)
    again.node, again.clock.now = node, place.clock.now
    await again.open()
    place.site = again.site
    assert (again.delivery.stage, again.delivery.windows, again.delivery.differing) == (Stage.TRIAL, 3, 1)
    await again.site.updating.deliveries.decide(NODE, commit=True)
    await again.settle()
    assert again.delivery.stage is Stage.COMMITTED


async def test_a_new_key_reaches_nodes_once_the_signing_process_has_it(place: Place, signing: SigningProcess) -> None:
    before = place.node.number
    signing.rotate()
    signing.stop()
    await place.site.updating.deliveries.want(NODE, HEAD.id)
    place.clock.now += 301_000
    await place.live(30)
    assert (place.delivery.stage, "start it" in place.delivery.reason) == (Stage.SENDING, False) or (
        place.delivery.stage is Stage.WAITING and "start it" in place.delivery.reason
    )
    signing.start()
    await place.live(120)
    assert (place.node.number, place.delivery.stage) == (before + 1, Stage.TRIAL)


async def test_a_node_ahead_of_the_signing_process_is_named(place: Place) -> None:
    assert not place.site.updating.trouble
    place.node.number = 9
    await place.say(place.node.health())
    assert place.site.updating.trouble.startswith(f"Node {NODE} takes no updates. The node goes by signing key 9")
    conversation = place.site.hub.conversations[NODE]
    refused = conversation.refused
    assert "goes by signing key 9" in conversation.last_refusal
    await place.say(place.node.health())
    assert conversation.refused == refused


async def test_nodes_of_a_room_may_run_different_releases(place: Place) -> None:
    """Each says what its own release makes of its windows; the room adds that up as ever."""
    site = place.site
    await place.say(hello(A, kinds=world.SENSORS), A)
    await place.say(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), A)
    both = {NODE: world.base().digest.hex(), A: "00" * 16}
    assert site.roster.releases("r") == both
    said = []
    for number in range(1, 5):
        if number == 3:
            await site.updating.deliveries.want(NODE, HEAD.id)
            await place.settle()
            await site.updating.deliveries.decide(NODE, commit=True)
            await place.settle()
        place.clock.now += MINUTE
        end_s = (place.clock.now - NOON) // 1000 + 100
        # One nat of the one, half a nat of the other.
        for node, evidence in ((NODE, b"\x00\x01"), (A, b"\x80\x00")):
            await place.say(report(number, end_s, evidence, features=bytes(2 * 24)), node)
        belief = site.rooms.rooms["r"].current(place.clock.now)
        said.append({share.source: share.log_odds for share in belief.shares if share.source in both})
        assert sum(share.log_odds for share in belief.shares) == pytest.approx(belief.log_odds)
        told = json.loads(room_payload(belief, site.roster.releases("r"), taught=False))["release"]
        assert told == sorted(site.roster.releases("r").values())
    assert site.roster.releases("r") == both | {NODE: HEAD.running_digest}
    # What a node says is the same in every window, and so is what it adds, whatever it or its neighbour runs.
    assert all(each == said[0] for each in said)
    assert said[0][NODE] > said[0][A] > 0
    rows = await site.site_store.accuracy.releases()
    assert rows[-1].release == "+".join(sorted([HEAD.running_digest, "00" * 16]))


async def test_a_node_that_is_removed_takes_its_delivery_with_it(place: Place) -> None:
    await place.site.updating.deliveries.want(NODE, HEAD.id)
    await place.settle()
    await place.site.commissioning.remove(NODE)
    await place.settle()
    assert place.site.updating.deliveries.of(NODE) is None
    assert await place.site.site_store.deliveries.load() == []
    # It may come back, and has accepted that number.
    assert await place.site.site_store.deliveries.number(NODE, 0) == place.node.highest + 1


async def test_what_makes_no_sense_is_refused(place: Place) -> None:
    conversation = place.site.hub.conversations[NODE]
    await place.say(node_pb2.Health(running=node_pb2.Running(release=b"short")))
    assert "5 bytes of digest" in conversation.last_refusal
    await place.say(node_pb2.SigningKeyAck(number=1, result=node_pb2.SIGNING_KEY_RESULT_GAP))
    assert "did not take the key" in conversation.last_refusal
    await place.say(node_pb2.UpdateVerdict(sequence=7, result=node_pb2.UPDATE_RESULT_OK))
    await place.say(node_pb2.UpdateAck(id=bytes(16), offset=5))
    assert place.heard == []


async def test_without_a_signer_nodes_are_told_nothing(tmp_path: Path) -> None:
    site = Site(site_settings(tmp_path, {"r": [NODE]}), FakeClock(NOON + HOUR), None)
    await site.open()
    trust_all(site)
    gateway, node = FakeGateway(), FakeNode()
    site.hub.link_up(gateway, 1)
    hear(site.hub, gateway, node.hello(), NODE)
    site.updating.look()
    await errands(site)
    assert gateway.bodies() == ["time"]
    assert site.updating.trouble == NO_SIGNER
    await site.close()
