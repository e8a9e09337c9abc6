"""Labels that cannot be: refused, with a sentence that says why."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attuned.errors import NotFoundError, RequestError
from attuned.labels.names import no_room
from attuned.store.site import LONGEST_MS, LabelRow
from daemon_world import MINUTE, NOON
from label_world import LabelledRoom, label, labelled_room


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[LabelledRoom]:
    async with labelled_room(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (label(0, 1, "busy"), "A label says free or occupied, not 'busy'."),
        (label(5, 5), "The label has no length: give two different times."),
        (label(5, 4), "The label ends before it begins: give the earlier time first."),
        (label(119 - LONGEST_MS / MINUTE, 120), "longer than a week"),
        (
            label(120 - 25 * 60.1, 120),
            "longer than a day: see whether the days are right, and say it day by day; `attune label add --force`",
        ),
        (label(121, 130), "The label lies in the future: label what has happened."),
        (label(100, 122), "The label ends in the future: label what has happened."),
        (label(-NOON / MINUTE - 1, -NOON / MINUTE + 1), "of a time before 1970: see whether the year is right."),
        (label(0, 1, source="s" * 65), "at most 64 characters"),
        (label(0, 1, weight=0.0), "above 0 and at most 1"),
        (label(0, 1, weight=1.5), "above 0 and at most 1"),
        (label(0, 1, weight=float("nan")), "above 0 and at most 1"),
    ],
)
async def test_labels_that_cannot_be_are_refused(room: LabelledRoom, bad: LabelRow, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        await room.tell(bad)
    assert await room.site.site_store.labels() == []


async def test_a_label_of_an_unknown_room_is_refused(room: LabelledRoom) -> None:
    with pytest.raises(NotFoundError, match=r"There is no room 'x': `attune rooms` lists the rooms\."):
        await room.tell(LabelRow(0, "x", "free", NOON, NOON + 1, 1.0, "person", "", 0))


async def test_a_label_of_more_than_a_day_is_taken_if_it_is_meant(room: LabelledRoom) -> None:
    assert (await room.tell(label(120 - 25 * 60.1, 120), force=True)).number == 1


async def test_the_day_on_which_clocks_are_put_back_is_a_day(room: LabelledRoom) -> None:
    assert (await room.tell(label(120 - 25 * 60, 120))).number == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("2.31", "There is no room '2.31': did you mean 2.13 or 2.14? `attune rooms` lists them all."),
        ("meeting", "There is no room 'meeting': did you mean 2.13? `attune rooms` lists them all."),
        ("kitchen", "There is no room 'kitchen': did you mean K? `attune rooms` lists them all."),
        ("Kitchen Nroth", "There is no room 'Kitchen Nroth': did you mean K? `attune rooms` lists them all."),
        ("", "There is no room '': `attune rooms` lists the rooms."),
        ("x" * 10_000, f"There is no room '{'x' * 64}': `attune rooms` lists the rooms."),
    ],
)
def test_the_nearest_rooms_are_named(name: str, sentence: str) -> None:
    assert str(no_room(name, {"2.13": "Meeting", "2.14": "", "hall": "", "K": "Kitchen North"})) == sentence


async def test_contradictions_of_one_second_are_refused(room: LabelledRoom) -> None:
    await room.site.labels.add(label(0, 10))
    with pytest.raises(RequestError, match=r"Label 1, told in the same second, says otherwise of r in that time"):
        await room.site.labels.add(label(9, 20, "free"))
    await room.site.labels.add(label(10, 20, "free"))  # they only touch
    room.clock.now += 1000
    assert (await room.site.labels.add(label(9, 20, "free"))).number == 3
