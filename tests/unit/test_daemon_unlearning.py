"""Labels that are taken back: nodes forget them, and what they replaced is told again."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from attuned.errors import NotFoundError, RequestError
from attuned.labels.teaching import CLASSES, UNLEARN_TRIES
from daemon_world import HOUR, MINUTE, NOON, A, FakeClock, opened_site, window
from hypothesis import given, settings
from hypothesis import strategies as st
from label_world import LabelledRoom, label, labelled_room, minutes


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[LabelledRoom]:
    async with labelled_room(tmp_path) as found:
        yield found


async def test_a_label_that_is_taken_back_is_forgotten_and_what_it_replaced_is_told_again(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(2, 6))
    await room.tell(label(0, 10, "free", author="bob"))
    room.learn()
    withdrawn = await room.site.labels.withdraw(2, "ann")
    assert withdrawn.label.withdrawn_by == "ann"
    assert [row.number for row in withdrawn.in_force_again] == [1]
    unlearn, parts = room.forget()
    assert [one.number for one in unlearn] == [2]
    assert [(part.number, [w.seq for w in part.windows]) for part in parts] == [(1, [3, 4, 5, 6])]
    assert room.site.teaching.unlearned(2) == {A}
    assert [row.number for row in room.site.labels.in_force("r")] == [1]
    await room.commit([window(31, NOON + 9 * MINUTE)])
    assert room.learn() == []
    with pytest.raises(RequestError, match="was taken back before"):
        await room.site.labels.withdraw(2, "ann")
    assert [(row.number, row.superseded_by) for row in await room.site.site_store.labels()] == [(2, 0), (1, 0)]


async def test_without_a_number_the_authors_newest_goes(room: LabelledRoom) -> None:
    for author in ("ann", "bob", "ann"):
        await room.tell(label(0, 5, author=author))
    numbers = [(await room.site.labels.withdraw(0, "ann")).label.number for _ in range(2)]
    assert numbers == [3, 1]
    with pytest.raises(NotFoundError, match=r"ann gave no label that could be taken back: name one by its number"):
        await room.site.labels.withdraw(0, "ann")
    with pytest.raises(NotFoundError, match=r"There is no label 99: `attune label list` shows their numbers\."):
        await room.site.labels.withdraw(99, "ann")


async def test_what_two_labels_cover_goes_to_the_other_one(room: LabelledRoom) -> None:
    for i in range(3):
        await room.tell(label(0, 5 + i))
    withdrawn = await room.site.labels.withdraw(2, "ann")
    assert withdrawn.in_force_again == []
    rows = {row.number: row.superseded_by for row in await room.site.site_store.labels()}
    assert rows == {1: 3, 2: 3, 3: 0}
    await room.site.labels.withdraw(3, "ann")
    assert [row.number for row in room.site.labels.in_force("r")] == [1]


async def test_a_node_that_is_away_forgets_when_it_is_back(room: LabelledRoom, tmp_path: Path) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    room.learn()
    room.site.hub.link_down(room.gateway, 1)
    await room.site.labels.withdraw(1, "ann")
    assert room.gateway.take() == []
    await room.site.close()
    again = LabelledRoom(await opened_site(tmp_path, room.clock), room.clock)
    await again.greet(label_windows=4)
    assert [one.number for one in again.forget()[0]] == [1]
    await again.greet(label_windows=0)
    assert again.forget() == ([], [])
    await again.greet(boot=2, label_windows=0)  # it has nothing to forget
    assert again.forget() == ([], [])
    assert again.site.teaching.unlearned(1) == {A}
    await again.site.close()


async def test_a_node_that_cannot_forget_does_not_hold_up_the_next_label(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 30))
    await room.tell(label(0, 4))
    room.learn()
    await room.site.labels.withdraw(1, "ann")
    await room.tell(label(10, 14))
    for _ in range(UNLEARN_TRIES):
        assert [m.WhichOneof("body") for _, _, m in room.gateway.take()] == ["unlearn"]
        room.site.teaching.resume(room.site.hub.conversations[A])
    (part,) = room.learn()
    assert part.number == 2
    assert "label 1 was not forgotten" in room.site.hub.conversations[A].last_refusal


deeds = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 30), st.integers(1, 30), st.sampled_from(["free", "occupied"])),
        st.integers(1, 8),
    ),
    max_size=10,
)


@settings(max_examples=25, deadline=None)
@given(deeds)
async def test_after_any_labels_and_undoing_the_node_is_as_if_the_rest_alone_had_been_told(deeds: list[Any]) -> None:
    """The node's log has room for all of it; which label holds a window is worked out from the list in force."""
    with tempfile.TemporaryDirectory() as folder:
        room = LabelledRoom(await opened_site(Path(folder), FakeClock(NOON + 2 * HOUR)), FakeClock(NOON + 2 * HOUR))
        log: dict[tuple[int, int], tuple[int, int]] = {}
        await room.greet()
        await room.commit(minutes(0, 60))
        for deed in deeds:
            room.site.labels._clock.now += 1000  # type: ignore[attr-defined]
            if isinstance(deed, int):
                with contextlib.suppress(RequestError):
                    await room.site.labels.withdraw(deed, "ann")
            else:
                await room.site.labels.add(label(deed[0], deed[0] + deed[1], deed[2]))
            room.play(log)
        told = {
            (1, seq): (row.number, CLASSES[row.class_name])
            for row in room.site.labels.in_force("r")
            for seq in range(1, 61)
            if row.covers(NOON + seq * MINUTE)
        }
        assert log == told
        await room.site.close()
