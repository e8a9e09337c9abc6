"""Labels from a file: each row is stored or refused, and nodes are taught once, at the end."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from attuned.errors import RequestError
from attuned.labels.labels import _last_taught
from daemon_world import HOUR, MINUTE, NOON, FakeClock, opened_site
from hypothesis import given, settings
from hypothesis import strategies as st
from label_world import LabelledRoom, label, labelled_room, minutes


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[LabelledRoom]:
    async with labelled_room(tmp_path) as found:
        yield found


@dataclass(frozen=True)
class Line:
    """A row as a file has it, minutes after noon."""

    line: int
    first: int
    last: int
    class_name: str = "free"
    weight: float = 1.0
    room: str = "r"

    @property
    def from_utc_ms(self) -> int:
        return NOON + self.first * MINUTE

    @property
    def to_utc_ms(self) -> int:
        return NOON + self.last * MINUTE


async def test_an_import_keeps_the_good_rows_and_teaches_once_at_its_end(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 60))
    async with room.site.labels.importing() as importing:
        first = [Line(2, 0, 10), Line(3, 5, 8, "occupied"), Line(4, 10, 10), Line(5, 20, 30, "occupied", room="R")]
        refused = await importing.add(first, "import", "ann")
        assert [line for line, _ in refused] == [3, 4, 5]
        assert "says otherwise of r than label 1 of the same file" in refused[0][1]
        assert await importing.add([Line(6, 40, 50, "occupied"), Line(7, 0, 60, weight=0.3)], "import", "ann") == []
        assert room.learn() == []
    parts = [part for part in room.learn() if part.windows]
    assert [(part.number, len(part.windows)) for part in parts] == [(1, 8), (1, 2), (2, 8), (2, 2)]
    assert room.site.labels.count == 3
    assert {row.source for row in await room.site.site_store.labels()} == {"import"}


async def test_an_import_that_is_broken_off_keeps_what_it_brought(room: LabelledRoom) -> None:
    await room.greet()
    await room.commit(minutes(0, 10))

    async def broken_off() -> None:
        async with room.site.labels.importing() as importing:
            await importing.add([Line(2, 0, 10)], "import", "ann")
            raise KeyError

    with pytest.raises(KeyError):
        await broken_off()
    assert sum(len(part.windows) for part in room.learn()) == 10


async def test_a_part_of_too_many_rows_is_refused(room: LabelledRoom) -> None:
    async with room.site.labels.importing() as importing:
        with pytest.raises(RequestError, match="at most 1000 labels"):
            await importing.add([Line(i, 0, 1) for i in range(1001)], "import", "ann")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9), st.sampled_from(["free", "occupied"])), max_size=25))
async def test_no_two_rows_of_an_import_contradict_each_other(lines: list[tuple[int, int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = LabelledRoom(await opened_site(Path(folder), FakeClock(NOON + 2 * HOUR)), FakeClock())
        rows = [Line(i, first, first + length, said) for i, (first, length, said) in enumerate(lines)]
        async with room.site.labels.importing() as importing:
            refused = {line for part in (rows[:10], rows[10:]) for line, _ in await importing.add(part, "import", "")}
        kept: list[Line] = []
        for row in rows:
            against = [k for k in kept if k.class_name != row.class_name and k.first < row.last and row.first < k.last]
            assert (row.line in refused) == bool(against)
            kept += [] if against else [row]
        assert len(await room.site.site_store.labels()) == len(kept)
        await room.site.close()


async def test_after_an_import_a_node_is_told_what_its_log_can_hold(room: LabelledRoom) -> None:
    """Its log has room for 64 windows, and a full one lets go of the lowest number: older labels would come and go."""
    await room.greet()
    await room.commit(minutes(0, 115))
    async with room.site.labels.importing() as importing:
        for first in range(0, 900, 300):
            lines = [Line(i, i - 800, i - 799) for i in range(first, first + 300)]
            assert await importing.add(lines, "import", "ann") == []
    parts = [part for part in room.learn() if part.windows]
    # Labels 801 to 900 have windows: minutes 1 to 100. All of them are fewer than twice 64.
    assert [part.number for part in parts] == list(range(801, 901))
    assert [part.windows[0].seq for part in parts] == list(range(1, 101))


def test_only_the_last_labels_that_fill_a_log_are_told() -> None:
    rows = [label(i, i + 1, number=i + 1) for i in range(100)]
    chosen = _last_taught(rows, minutes(0, 100), 8, NOON)
    assert [row.number for row in chosen] == list(range(85, 101))
    # Without windows at the daemon, those count that the node may still hold.
    assert [row.number for row in _last_taught(rows, [], 8, NOON + 98 * MINUTE)] == [99, 100]
