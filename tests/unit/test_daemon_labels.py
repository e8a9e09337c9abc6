"""Labels on a site: kept, told to the nodes of their room, and told again where they have to be."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attuned.nodes.window import Window
from daemon_world import HOUR, MINUTE, NOON, A, B, errands, hello, opened_site, window
from label_world import LabelledRoom, label, labelled_room, minutes


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[LabelledRoom]:
    async with labelled_room(tmp_path) as found:
        yield found


async def test_a_label_reaches_the_windows_of_its_interval_once(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit([*minutes(0, 30), *minutes(0, 30, B)])
    room.arriving = [window(31, NOON + 20 * MINUTE)]  # on its way to the disk
    stored = await room.tell(label(10, 20))
    assert (stored.number, stored.told_utc_ms) == (1, NOON + 2 * HOUR)
    sent = [w.seq for part in room.learn() for w in part.windows]
    assert sent == [*range(11, 21), 31]
    assert room.site.teaching.learned(1)[A] == 11
    assert room.site.teaching.waiting(1) == {B}
    assert room.site.labels.taught("r")
    assert (await room.site.site_store.labels())[0].number == 1


async def test_windows_that_come_after_the_label_are_sent_too(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 5))
    await room.tell(label(0, 20))
    room.learn()
    await room.commit([window(6, NOON + 6 * MINUTE), window(7, NOON + 21 * MINUTE)])
    (part,) = room.learn()
    assert ([w.seq for w in part.windows], part.part, part.from_s, part.to_s) == ([6], 1, 0, 0)
    assert room.site.teaching.learned(1) == {A: 6}


async def test_a_new_boot_is_told_every_label_in_force_and_the_same_boot_only_what_waits(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 10))
    await room.tell(label(5, 12, "free"))
    room.learn()
    await room.greet()
    assert room.learn() == []
    await room.greet(boot=2)
    parts = room.learn()
    assert [(part.number, part.part, len(part.windows)) for part in parts] == [(1, 0, 5), (2, 0, 7)]
    assert {w.boot for part in parts for w in part.windows} == {1}
    # Minutes 6 to 10 are the second label's, which is newer.
    assert room.site.teaching.learned(1) == {A: 5}


async def test_what_a_newer_label_says_is_left_to_it(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 10))
    await room.tell(label(0, 20))
    await room.tell(label(5, 30, "free"))
    room.learn()
    await room.commit([window(16, NOON + 16 * MINUTE)])
    (part,) = room.learn()
    assert (part.number, [w.seq for w in part.windows]) == (2, [16])


async def test_a_daemon_that_starts_again_tells_a_node_every_label_once(room: LabelledRoom, tmp_path: Path) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 10))
    await room.site.close()
    again = LabelledRoom(await opened_site(tmp_path, room.clock), room.clock)
    assert again.site.labels.taught("r")
    assert again.site.labels.count == 1
    await again.greet()
    assert sum(len(part.windows) for part in again.learn()) == 10
    await again.greet()
    assert again.learn() == []
    await again.site.close()


async def test_what_is_told_while_a_node_is_greeted_is_neither_lost_nor_told_twice(
    room: LabelledRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the windows of the first label are read for the new boot, another label comes into force."""
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    room.learn()
    read = room.site.window_store.windows_in
    added: list[int] = []

    async def slow(*args: Any) -> list[Window]:
        found = await read(*args)
        if not added:
            added.append(1)
            await room.tell(label(10, 14))
        return found

    room.hear(hello(boot=2))
    monkeypatch.setattr(room.site.window_store, "windows_in", slow)
    await errands(room.site)
    parts = [part for part in room.learn() if part.windows]
    assert {part.number: len(part.windows) for part in parts} == {1: 4, 2: 4}
    assert room.site.teaching.learned(2) == {A: 4}


async def test_a_superseded_label_is_not_told_to_a_new_boot(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    await room.tell(label(0, 8, "free"))
    room.learn()
    await room.greet(boot=2)
    assert {(part.number, part.class_index) for part in room.learn()} == {(2, 0)}


async def test_two_labels_at_the_same_time_stand_in_the_order_of_their_numbers(room: LabelledRoom) -> None:
    rows = await asyncio.gather(
        room.site.labels.add(label(0, 4)),
        room.site.labels.add(label(2, 7)),
        room.site.labels.add(label(2, 8)),
    )
    assert sorted(row.number for row in rows) == [1, 2, 3]
    assert [row.number for row in room.site.labels._in_force["r"]] == [1, 3]


async def test_a_node_that_was_never_heard_is_told_when_it_comes(room: LabelledRoom) -> None:
    await room.commit(minutes(0, 12))
    await room.tell(label(0, 12))
    assert room.learn() == []
    await room.greet()
    assert sum(len(part.windows) for part in room.learn()) == 12


async def test_weak_labels_replace_nothing_and_teach_nobody(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 10))
    room.learn()
    await room.tell(label(0, 20, "free", weight=0.25, source="booking"))
    assert room.learn() == []
    rows = await room.site.site_store.labels()
    assert [(row.number, row.superseded_by, row.weight) for row in rows] == [(2, 0, 0.25), (1, 0, 1.0)]
    assert [row.number for row in room.site.labels.in_force("r")] == [1]
    await room.greet(boot=2)
    assert {part.number for part in room.learn()} == {1}


async def test_a_room_keeps_the_newest_labels_alone(room: LabelledRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.labels.labels.KEPT_LABELS", 3)
    for i in range(5):
        await room.tell(label(i * 2, i * 2 + 1))
    assert [row.number for row in room.site.labels.in_force("r")] == [3, 4, 5]
    await room.site.labels.load()
    assert [row.number for row in room.site.labels.in_force("r")] == [3, 4, 5]
