"""Nodes over Bluetooth at the daemon: whose links are whose, hints off the air, what nodes are wanted for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from air_world import AirGateway, AirNode, AirSite, air_site
from attune_proto.v1 import link_pb2, node_pb2
from attuned.errors import RequestError
from attuned.nodes.air import SLOTS_LIMIT
from attuned.nodes.conversation import Conversation
from attuned.nodes.ears import FRESH_MS, SAME_HINT_MS
from attuned.nodes.frames import SEALED
from attuned.nodes.radio import LAST_WORD_MS, Need
from attuned.site import Site
from attuned.store.site import LabelRow
from daemon_world import MINUTE, NOON, A, B


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[AirSite]:
    async with air_site(tmp_path) as found:
        yield found


@pytest.fixture
def north() -> AirGateway:
    return AirGateway("north")


@pytest.fixture
def node() -> AirNode:
    return AirNode(A, 1)


def commands(site: Site) -> list[node_pb2.Command]:
    """The commands that nodes get from now on."""
    sent: list[node_pb2.Command] = []
    send = site.hub.send

    def noting(conversation: Conversation, message: node_pb2.DaemonMessage) -> bool:
        told = send(conversation, message)
        if told and message.HasField("command"):
            sent.append(message.command)
        return told

    site.hub.send = noting  # type: ignore[method-assign]
    return sent


async def test_a_node_is_commissioned_over_the_air_and_found_again_after_a_restart(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    """`AirNode` looks that no frame on the air names its node."""
    await world.add(north, node)
    assert world.site.trust.nodes[A].advertising == node.key
    assert list(await world.site.site_store.keys.codes()) == []
    await world.site.close()
    await world.open()
    node.restarts += 1
    world.links.clear()
    world.sighted(north, node)
    assert north.told()[-1] == (node.hint, Need.BACKLOG)
    world.connect(north, node)
    node.core.link(True)
    await world.settle()
    conversation = world.site.hub.conversations[A]
    assert world.site.hub.online(conversation)
    assert (conversation.transport, world.site.hub.gateway_of(conversation)) == ("ble", "north")


async def test_a_node_that_was_commissioned_before_keys_were_kept_is_a_stranger_until_it_is_added_again(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    number = await world.add(north, node)
    await world.site.site_store.keys.forget(A)
    world.disconnect(north, number)
    old = world.site.trust.nodes[A]
    world.site.trust.add(type(old)(**{**old.__dict__, "advertising": b""}))
    world.live(FRESH_MS // 1000 + 1)
    north.told()
    node.restarts += 1
    world.sighted(north, node)
    assert north.told() == []
    assert world.site.hub.air.strangers() == 1
    number = await world.add(north, node)
    assert world.site.trust.nodes[A].advertising == node.key
    assert world.site.hub.air.strangers() == 0


async def test_a_link_of_a_stranger_has_no_conversation_and_is_ended(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    number = world.connect(north, node)
    assert north.told() == [(node.hint, Need.NONE)]
    await world.settle()
    assert (north.frames, world.site.trust.strangers) == ([], {})
    assert not node.core.facts.timed
    assert world.site.hub._links[north, number].senseless > 0


async def test_a_code_that_comes_while_its_node_is_connected_takes_it_up(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    world.connect(north, node)
    north.told()
    await world.site.commissioning.add(node.core.code, "r", "", take_over=False)
    assert north.told() == [(node.hint, Need.URGENT)]
    await world.settle()
    assert node.core.facts.timed


async def test_a_frame_over_the_air_that_names_its_node_is_dropped_and_counted(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    number = await world.add(north, node)
    node.core.sample(0, node.core.facts.next_seq * 60_000 + 1, 400.0)
    before = world.site.hub.bad_frames(world.site.hub.conversations[A])
    for hint in (bytes.fromhex(A)[:4], bytes.fromhex(B)[:4], b"\0\0\0\1"):
        world.site.hub.frame(north, number, bytes([SEALED]) + hint + bytes(30))
    assert world.site.hub.bad_frames(world.site.hub.conversations[A]) == before + 3
    # A sound frame counts only without its hint.
    node.core.poll(100_000_000)
    named = node.core.frames()
    assert named
    for frame in named:
        world.site.hub.frame(north, number, frame)
    assert world.site.hub.bad_frames(world.site.hub.conversations[A]) == before + 3 + len(named)


async def test_calls_go_to_the_one_node_of_a_link(world: AirSite, north: AirGateway, node: AirNode) -> None:
    other = AirNode(B, 2)
    first, second = await world.add(north, node), await world.add(north, other)
    world.site.hub.call(bytes.fromhex(B)[:4], commission=False)
    assert north.frames == [(second, b"\x05\0\0\0\0\0")]
    assert first != second


async def test_a_removed_node_hears_so_before_its_link_is_ended(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    await world.add(north, node)
    north.told()
    assert await world.site.commissioning.remove(A)
    world.live(1)
    assert north.told() == []
    await world.settle()
    assert not node.core.keeper.owned
    world.live(LAST_WORD_MS // 1000)
    assert north.told() == [(node.hint, Need.NONE)]
    assert await world.site.site_store.keys.nodes() == []


async def test_each_node_keeps_the_key_of_its_own_code_when_one_replaces_another(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    other = AirNode(B, 2)
    await world.add(north, node)
    await world.add(north, other, "s")
    await world.site.commissioning.replace(A, B)
    (kept,) = await world.site.site_store.keys.nodes()
    assert (kept.node, kept.room, kept.advertising) == (B, "r", other.key)


async def test_what_a_node_is_wanted_for(world: AirSite, north: AirGateway, node: AirNode) -> None:
    number = await world.add(north, node)
    world.live(1)
    assert north.told()[-1] == (node.hint, Need.AGE)
    # Three windows without a word: it has reports by now.
    world.live(3 * 60)
    world.sighted(north, node)
    assert north.told() == [(node.hint, Need.BACKLOG)]
    world.disconnect(north, number)
    now = world.clock.now
    row = LabelRow(0, "r", "occupied", NOON, NOON + 5 * MINUTE, 1.0, "person", "ann", now)
    await world.site.labels.add(row, force=False)
    world.live(1)
    assert north.told() == [(node.hint, Need.URGENT)]
    world.connect(north, node)
    await world.settle()
    world.live(1)
    assert north.told()[-1] == (node.hint, Need.AGE)


async def test_a_command_waits_for_a_node_that_is_heard_and_not_connected(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    number = await world.add(north, node)
    sent = commands(world.site)
    assert world.site.commissioning.identify(A, 20)
    assert sent.pop() == node_pb2.Command(identify_s=20)
    world.disconnect(north, number)
    world.live(SAME_HINT_MS // 1000)
    north.told()
    node.restarts += 1
    world.sighted(north, node)
    assert not world.site.commissioning.identify(A, 30)
    assert sent == []
    assert not world.site.commissioning.rekey(A)
    world.live(1)
    assert (node.hint, Need.URGENT) in north.told()
    world.connect(north, node)
    await world.settle()
    assert sent == [node_pb2.Command(identify_s=30, rekey=True)]
    world.live(1)
    assert north.told()[-1] == (node.hint, Need.AGE)


async def test_a_command_for_a_node_that_nobody_hears_is_refused(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    world.disconnect(north, await world.add(north, node))
    world.live(10 * FRESH_MS // 1000)
    with pytest.raises(RequestError, match="out of reach"):
        world.site.commissioning.identify(A, 20)


async def test_a_node_between_two_turns_is_online_while_it_is_heard_of(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    number = await world.add(north, node)
    world.disconnect(north, number)
    conversation = world.site.hub.conversations[A]
    world.live(60)
    assert world.site.hub.online(conversation)
    assert world.site.hub.gateway_of(conversation) == "north"
    world.live(5 * 60)
    assert not world.site.hub.online(conversation)


async def test_hints_and_signals_that_cannot_be_harm_nobody(world: AirSite, north: AirGateway, node: AirNode) -> None:
    air = world.site.hub.air
    for hint in (b"", bytes(7), bytes(9), bytes(1000)):
        air.sighted(north, link_pb2.Sighting(hint=hint))
        world.site.hub.link_up(north, 100 + len(hint), link_pb2.LinkUp(hint=hint, transport="ble", mtu=2**32 - 1))
    air.sighted(north, link_pb2.Sighting(hint=bytes(8), rssi_dbm=2**31 - 1, failures=2**32 - 1))
    (hearing,) = air.hearings(north)
    assert hearing.heard.rssi_dbm == 20
    assert await world.add(north, node)


async def test_a_gateway_has_no_more_links_than_a_radio_can_have(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    number = await world.add(north, node)
    world.disconnect(north, number)
    for other in range(1000, 1000 + 2 * SLOTS_LIMIT):
        world.site.hub.link_up(north, other, link_pb2.LinkUp(hint=node.hint, transport="ble"))
    assert world.site.hub.air.slots_used(north) == SLOTS_LIMIT == len(world.site.hub._links)
    for other in range(1000, 1000 + 2 * SLOTS_LIMIT):
        world.site.hub.link_down(north, other)
    assert world.site.hub.air.slots_used(north) == 0
    world.connect(north, node)
    north.frames.clear()
    await world.settle()
    assert world.site.hub.online(world.site.hub.conversations[A])


async def test_links_of_other_transports_stay_as_they_are(world: AirSite, node: AirNode) -> None:
    wire = AirGateway("wire")
    world.site.hub.link_up(wire, 1, link_pb2.LinkUp(link=1, transport="tcp"))
    assert wire.frames == [(1, b"\x05\0\0\0\0\0")]
    await world.site.commissioning.add(node.core.code, "r", "", take_over=False)
    assert wire.frames[1:] == [(1, b"\x05" + bytes.fromhex(A)[:4] + b"\x01")]
    assert wire.wishes == []


async def test_a_node_of_another_daemon_is_taken_over_on_a_persons_word(
    world: AirSite, north: AirGateway, node: AirNode, tmp_path: Path
) -> None:
    """It is called with its code as soon as its link is up: by itself it would look for its owner."""
    world.disconnect(north, await world.add(north, node))
    async with air_site(tmp_path / "other") as other:
        south = AirGateway("south")
        for take_over in (False, True):
            await other.site.commissioning.add(node.core.code, "s", "", take_over=take_over)
            other.sighted(south, node)
            number = other.connect(south, node)
            await other.settle()
            assert (A in other.site.trust.nodes) == take_over
            trouble = [waiting.trouble for waiting in other.site.trust.waiting.values()]
            assert take_over or "owned by another daemon" in trouble[0]
            other.disconnect(south, number)
        assert other.site.trust.nodes[A].advertising == node.key


async def test_reports_do_not_wait_for_company_while_others_wait_for_the_connection(
    world: AirSite, north: AirGateway, node: AirNode
) -> None:
    await world.add(north, node)
    added: list[bool] = []
    world.site.commits.add = lambda *_, urgent: added.append(urgent)  # type: ignore[method-assign]
    world.site.rooms.take = lambda window: False  # type: ignore[method-assign]

    async def report() -> None:
        world.clock.now += 60_000
        node.core.sample(0, node.core.facts.next_seq * 60_000 - 1, 400.0)
        node.core.poll(node.core.facts.next_seq * 60_000)
        await world.settle()

    await report()
    other = AirNode(B, 2)
    number = await world.add(north, other)
    await report()
    world.disconnect(north, number)
    await report()
    assert added == [False, False, True]
