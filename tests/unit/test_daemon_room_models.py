"""Rooms of the daemon learn from their labels: what is learned from, when, and that it lasts."""

from pathlib import Path

import pytest
from attuned.learning.from_labels import MEMORY_MS, room_record, spans
from attuned.learning.record import UNLABELLED
from attuned.nodes.window import Window
from attuned.presence.model import RoomModel
from attuned.site import Site
from attuned.store.releases import ReleaseRow
from attuned.store.site import LabelRow
from daemon_world import NOON, A, B, FakeClock, FakeGateway, commit, errands, hear, hello, opened_site, window

MINUTE, HOUR = 60_000, 3_600_000


def label(first: float, last: float, class_name: str, number: int = 1, told: float = 1e6) -> LabelRow:
    """From so many minutes after noon to so many, told so many after noon."""
    start, end, told_ms = (NOON + round(minutes * MINUTE) for minutes in (first, last, told))
    return LabelRow(number, "r", class_name, start, end, 1.0, "person", "ann", told_ms)


def minutes(first: int, last: int, nats: float | None, node: str = A) -> list[Window]:
    return [window(i, NOON + i * MINUTE, nats, node=node) for i in range(first + 1, last + 1)]


# What is learned from.


def test_the_last_label_counts_for_windows_from_before_it_was_told() -> None:
    labels = [label(0, 6, "free"), label(2, 9, "occupied", 2, told=7.5), label(5, 6, "free", 3, told=4)]
    record = room_record(labels, minutes(-1, 10, 2.0), [A], MINUTE)
    # Minutes 0 and 10 have no label; 6 has one that was told before it, and 8 and 9 are from after theirs.
    expected = [UNLABELLED, 0, 0, 1, 1, 1, UNLABELLED, 1, UNLABELLED, UNLABELLED, UNLABELLED]
    assert record.labels.tolist() == expected


def test_steps_hold_what_each_node_said() -> None:
    windows = [
        window(1, NOON + 20_000, 1.0),
        window(2, NOON + MINUTE, 3.0),
        window(3, NOON + MINUTE, None, node=B),
        window(4, NOON + 62 * MINUTE, -1.5, node=B),
    ]
    record = room_record([], windows, [A, B], MINUTE)
    assert record.ends_s.tolist() == [NOON // 1000 + 60, NOON // 1000 + 62 * 60]
    assert record.nats.tolist() == [[2.0, 0.0], [0.0, -1.5]]
    assert record.told.tolist() == [[True, False], [False, True]]
    assert record.stretch.tolist() == [0, 1]  # more than an hour between them
    assert record.labels.tolist() == [UNLABELLED] * 2


def test_without_windows_there_is_nothing_to_learn() -> None:
    record = room_record([label(0, 5, "free")], [], [A, B], MINUTE)
    assert (record.nats.shape, record.told.shape, len(record.stretch)) == ((0, 2), (0, 2), 0)


def test_windows_of_labels_and_of_the_hour_before_are_read_once() -> None:
    now = NOON + 1000 * MINUTE
    labels = [label(0, 10, "free"), label(30, 50, "occupied", 2), label(500, 600, "free", 3, told=550)]
    told_before = label(700, 710, "free", 4, told=600)
    found = spans([*labels, told_before], now)
    assert found == [(NOON - HOUR, NOON + 50 * MINUTE), (NOON + 440 * MINUTE, NOON + 550 * MINUTE)]
    assert spans(labels, now + MEMORY_MS) == []


# When, on a site with a store.


async def flush() -> None:
    """Nothing is on its way to the disk."""


async def taught_site(folder: Path) -> Site:
    """A room with a node that is sure, one that is wrong half of the time, and a free and an occupied hour."""
    site = await opened_site(folder, FakeClock(NOON + 3 * HOUR))
    site.commits.flush = flush  # type: ignore[method-assign]
    site.labels._flush = flush
    gateway = FakeGateway()
    site.hub.link_up(gateway, 1)
    for node in (A, B):
        hear(site.hub, gateway, hello(node=node), node=node)
    await commit(site, *minutes(0, 60, -3.0), *minutes(60, 120, 3.0))
    await commit(
        site, *(w for i in range(0, 120, 2) for w in (*minutes(i, i + 1, -4, B), *minutes(i + 1, i + 2, 4, B)))
    )
    return site


async def teach(site: Site) -> None:
    await site.labels.add(label(0, 60, "free"))
    await site.labels.add(label(60, 120, "occupied"))


async def test_a_label_teaches_its_room_for_good(tmp_path: Path) -> None:
    site = await taught_site(tmp_path)
    before = site.rooms.rooms["r"].timeline.belief().probability
    await teach(site)
    assert len(site.lessons.errands) == 1, "labels that follow each other are learned at once"
    await errands(site)
    model = site.rooms.model("r")
    assert model.trust[A] > 1 > model.trust[B]
    assert model.calibration != RoomModel().calibration
    assert site.rooms.rooms["r"].timeline.belief().probability != before
    await site.close()
    again = await opened_site(tmp_path, FakeClock(NOON + 3 * HOUR))
    assert again.rooms.model("r") == model
    assert not again.lessons.errands
    await again.close()


async def test_labels_from_before_rooms_learned_are_learned_at_the_start(tmp_path: Path) -> None:
    site = await taught_site(tmp_path)
    await teach(site)
    await site.close()  # before the errand
    again = await opened_site(tmp_path, FakeClock(NOON + 3 * HOUR))
    await errands(again)
    # The nodes' sensor kinds are not known again before their hello, or as they were stored.
    assert again.rooms.model("r").trust[A] > 1
    await again.close()


@pytest.mark.parametrize("count", [0, 1])
async def test_labels_without_windows_leave_the_default(tmp_path: Path, count: int) -> None:
    site = await opened_site(tmp_path, FakeClock(NOON + 3 * HOUR))
    site.commits.flush = flush  # type: ignore[method-assign]
    site.labels._flush = flush
    if count:
        await site.labels.add(label(0, 60, "free"))
    await errands(site)
    assert site.rooms.model("r") == RoomModel()
    assert await site.site_store.models() == {}
    await site.close()


async def test_a_room_is_judged_as_the_release_says_that_its_node_runs(tmp_path: Path) -> None:
    site = await taught_site(tmp_path)
    await teach(site)
    await errands(site)
    learned, digest = site.rooms.model("r"), bytes(range(16))
    said = RoomModel(dwell_s=(1800, 900.5), trust={A: 0.5})
    body = f'{{"model": {said.model_dump_json()}}}'.encode()
    await site.site_store.releases.add(
        [ReleaseRow("abcd", "r", A, NOON, "candidate", "better", digest.hex(), 2, "a person", "{}", body)]
    )
    gateway = FakeGateway()
    site.hub.link_up(gateway, 2)
    hear(site.hub, gateway, hello(release=digest, boot=2), link=2)
    await errands(site)
    assert site.rooms.model("r") == said
    # What labels teach the daemon is learned as before, for when the release is gone.
    assert await site.site_store.models() == {"r": learned.model_dump_json()}
    await site.close()
    again = await opened_site(tmp_path, FakeClock(NOON + 3 * HOUR))
    assert again.rooms.model("r") == said
    gateway = FakeGateway()
    again.hub.link_up(gateway, 1)
    hear(again.hub, gateway, hello(boot=3))  # on the factory release again
    await errands(again)
    assert again.rooms.model("r").calibration == learned.calibration
    await again.close()


def test_a_saved_model_reads_back_as_the_same() -> None:
    model = RoomModel(dwell_s=(1800, 900.5), trust={A: 0.1, B: 2.5}, copies=((A, B),))
    assert RoomModel.model_validate_json(model.model_dump_json()) == model
