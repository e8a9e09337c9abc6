"""Reports of earlier starts of a node, and summaries of those that it could not keep."""

from pathlib import Path
from typing import Any

import pytest
from attune_proto.v1 import node_pb2
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import STRANGE_BOOTS, Conversation
from attuned.nodes.dating import PAST_MS
from attuned.nodes.sequence import SeqTracker
from attuned.nodes.summary import NodeSummary
from attuned.nodes.ties import Ties
from attuned.site import Site
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

EARLIER = 5
BEGAN = NOON - 10 * HOUR  # of the earlier start
D = 2 * 6  # bytes of features


def known(through: int = 0) -> BootRecord:
    return BootRecord(SeqTracker(through), Ties([0], [BEGAN]))


def greeted(boots: dict[int, BootRecord] | None = None) -> Conversation:
    """A node whose second start said hello at noon and was tied at once."""
    conversation = Conversation(A, "r", None, {} if boots is None else boots)
    conversation.hello(hello(), NOON)
    conversation.time_ack(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000), NOON)
    return conversation


def test_a_report_of_an_earlier_start_is_dated_by_its_ties() -> None:
    conversation = greeted({EARLIER: known()})
    window = conversation.report(report(1, 60, boot=EARLIER), NOON)
    assert window is not None
    assert (window.boot, window.seq, window.end_utc_ms, window.refused) == (EARLIER, 1, BEGAN + MINUTE, False)
    # The same number of this start is another window.
    own = conversation.report(report(1, 60), NOON)
    assert own is not None
    assert (own.boot, own.end_utc_ms) == (1, NOON - 100_000 + MINUTE)
    assert conversation.report(report(1, 60, boot=EARLIER), NOON) is None


def test_each_start_is_acknowledged_by_itself() -> None:
    conversation = greeted({EARLIER: known(through=10)})
    for message in (report(11, 660, boot=EARLIER), report(13, 780, boot=EARLIER), report(1, 60)):
        window = conversation.report(message, NOON)
        assert window is not None
        conversation.committed(window)
    earlier, own = conversation.acknowledgement(EARLIER).report_ack, conversation.acknowledgement().report_ack
    assert (earlier.boot, earlier.through, earlier.more) == (EARLIER, 11, 1)
    assert (own.boot, own.through, own.more) == (0, 1, 0)
    assert conversation.has(report(13, 780, boot=EARLIER))
    assert not conversation.has(report(13, 780))
    assert conversation.has(report(1, 60, boot=1))


def test_what_an_earlier_start_has_dropped_is_not_waited_for() -> None:
    conversation = greeted({EARLIER: known(through=10)})
    window = conversation.report(report(59, 3540, boot=EARLIER, first_seq=59), NOON)
    assert window is not None
    conversation.committed(window)
    assert conversation.acknowledgement(EARLIER).report_ack.through == 59
    assert (conversation.boots[EARLIER].sequence.lost, conversation.boot.sequence.lost) == (48, 0)


def test_a_start_without_a_clock_is_acknowledged_and_counts_for_nothing() -> None:
    conversation = greeted()
    window = conversation.report(report(1, 60, boot=EARLIER), NOON)
    assert window is not None
    assert window.refused
    assert "a start without a clock" in conversation.last_refusal
    conversation.committed(window)
    assert conversation.acknowledgement(EARLIER).report_ack.through == 1
    assert conversation.windows == 0


def test_starts_that_nobody_knows_are_limited() -> None:
    conversation = greeted()
    for boot in range(2, 2 + STRANGE_BOOTS):
        assert conversation.report(report(1, 60, boot=boot), NOON) is not None
    assert conversation.report(report(1, 60, boot=1000), NOON) is None
    assert "one more start" in conversation.last_refusal
    assert len(conversation.boots) == STRANGE_BOOTS + 1
    assert conversation.report(report(2, 120, boot=2), NOON) is not None


def test_the_start_that_speaks_now_may_name_itself() -> None:
    conversation = greeted()
    window = conversation.report(report(1, 60, boot=1), NOON)
    assert window is not None
    assert not conversation.is_earlier(1)
    assert conversation.acknowledgement(1).report_ack.boot == 0


# Summaries.


def summary(**more: Any) -> node_pb2.Summary:
    values: dict[str, Any] = {
        "number": 3,
        "boot": EARLIER,
        "first_seq": 1,
        "last_seq": 48,
        "end_s": 2880,
        "reports": 48,
    }
    values |= {"class_reports": bytes([40, 8]), "features": bytes(D)}
    return node_pb2.Summary(**(values | more))


def test_a_summary_is_dated_by_the_ties_of_its_start() -> None:
    replies, found = greeted({EARLIER: known()}).summary(summary(), NOON)
    assert replies == []
    assert found is not None
    assert (found.from_utc_ms, found.to_utc_ms) == (BEGAN, BEGAN + 48 * MINUTE)
    assert (found.boot, found.number, found.reports, found.class_reports) == (EARLIER, 3, 48, bytes([40, 8]))


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"boot": 77}, "a start without a clock"),
        ({"features": bytes(D - 2)}, "bytes of features"),
        ({"class_reports": bytes(9)}, "bytes of features"),
        ({"reports": 0}, "without reports"),
        ({"end_s": 3600 * 24}, "in the future"),
        ({"end_s": (1 << 32) - 1}, "in the future"),
        ({"reports": PAST_MS // MINUTE}, "long ago"),
        ({"reports": (1 << 32) - 1}, "long ago"),
    ],
)
def test_a_summary_that_cannot_be_is_refused_for_good(more: dict[str, Any], reason: str) -> None:
    conversation = greeted({EARLIER: known()})
    (reply,), found = conversation.summary(summary(**more), NOON)
    assert (reply.summary_ack.number, found) == (3, None)
    assert reason in conversation.last_refusal


def test_a_summary_of_this_start_waits_for_its_clock() -> None:
    conversation = Conversation(A, "r", None, {})
    conversation.hello(hello(), NOON)
    assert conversation.summary(summary(boot=1), NOON) == ([], None)
    assert conversation.refused == 0


class World:
    """A site with a link, whose node A has told the site's store of an earlier start."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        self.site, self.clock, self.gateway = site, clock, FakeGateway()
        site.hub.link_up(self.gateway, 1)
        self.gateway.take()

    async def say(self, message: Any) -> list[node_pb2.DaemonMessage]:
        hear(self.site.hub, self.gateway, message, A)
        await errands(self.site)
        return [answer for _, _, answer in self.gateway.take()]

    async def kept(self) -> list[NodeSummary]:
        return await self.site.window_store.summaries.between(A, 0, 1 << 62)


async def opened(path: Path, clock: FakeClock) -> World:
    site = Site(site_settings(path), clock, None)
    await site.open()
    trust_all(site)
    world = World(site, clock)
    await world.say(hello(A))
    await world.say(node_pb2.TimeAck(echo_tick_ms=100_000, tick_ms=100_000))
    return world


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    found = await opened(tmp_path, FakeClock())
    await found.site.window_store.add_tie(A, EARLIER, 0, BEGAN)
    await found.site.close()
    found = await opened(tmp_path, found.clock)
    yield found
    await found.site.close()


async def test_a_summary_is_stored_once_and_then_acknowledged(world: World) -> None:
    for _ in range(2):
        (answer,) = await world.say(summary())
        assert answer.summary_ack.number == 3
    (row,) = await world.kept()
    assert (row.from_utc_ms, row.to_utc_ms) == (BEGAN, BEGAN + 48 * MINUTE)
    assert world.site.hub.conversations[A].summarised == 48


async def test_summaries_are_counted_after_a_restart(world: World, tmp_path: Path) -> None:
    await world.say(summary())
    await world.say(summary(number=4, first_seq=49, last_seq=96, end_s=5760))
    await world.site.close()
    world.site = (await opened(tmp_path, world.clock)).site
    assert world.site.hub.conversations[A].summarised == 96


async def test_a_report_of_an_earlier_start_is_acknowledged_for_that_start(world: World) -> None:
    await world.say(report(1, 60, boot=EARLIER))
    await world.site.commits._commit()
    acks = [answer.report_ack for _, _, answer in world.gateway.take()]
    assert [(ack.boot, ack.through) for ack in acks] == [(EARLIER, 1)]
    (answer,) = await world.say(report(1, 60, boot=EARLIER))
    assert (answer.report_ack.boot, answer.report_ack.through) == (EARLIER, 1)
    (window,) = await world.site.window_store.windows_between([A], 0, NOON)
    assert (window.boot, window.end_utc_ms) == (EARLIER, BEGAN + MINUTE)


async def test_summaries_are_kept_as_long_as_hours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.retention.AWAKE_HOURS", 1)
    await world.say(summary())
    await world.site.retention.sweep()
    assert await world.kept()
    world.clock.now = NOON + 6 * 366 * 24 * HOUR
    await world.site.retention.sweep()
    assert not await world.kept()


async def test_a_summary_of_a_time_that_was_forgotten_is_not_kept(world: World) -> None:
    world.site.hub.conversations[A].forgotten.append((BEGAN, BEGAN + MINUTE))
    (answer,) = await world.say(summary())
    assert answer.summary_ack.number == 3
    assert not await world.kept()
