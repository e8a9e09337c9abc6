"""Labels out of which a stretch is cut: what is left says of every other moment what was said before."""

import sqlite3
from collections.abc import Sequence

import numpy as np
import sqlite_utils
from attuned.learning.from_labels import label_classes
from attuned.store import migrations
from attuned.store.audit import AuditEntry, Selection
from attuned.store.forgetting_labels import forget_labels, keep_numbers
from attuned.store.site import LabelRow, insert_label
from hypothesis import given
from hypothesis import strategies as st

MINUTE = 60_000
NOW = 100 * MINUTE
HORIZON = np.arange(1, 61) * MINUTE

Said = tuple[int, int, bool, bool]  # minutes from and to, occupied, by a button
stretches = st.tuples(st.integers(0, 58), st.integers(1, 30)).map(lambda pair: (pair[0], min(sum(pair), 60)))
said = st.lists(st.tuples(stretches, st.booleans(), st.booleans()), min_size=1, max_size=6)


def row(number: int, stretch: tuple[int, int], *, occupied: bool, button: bool) -> LabelRow:
    """A label that was told in a second of its own, long after."""
    name, source = "occupied" if occupied else "free", "button" if button else "person"
    a, b = (minute * MINUTE for minute in stretch)
    return LabelRow(0, "r", name, a, b, 1.0, source, "ann", 70 * MINUTE + 1000 * number)


def cut(rows: Sequence[LabelRow], selection: Selection) -> tuple[list[LabelRow], list[LabelRow], set[int]]:
    """The labels in force before and after forgetting, and the numbers that lost something."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrations.attune.apply(sqlite_utils.Database(connection))
    for each in rows:
        insert_label(connection, each)
    before = in_force(connection)
    entry = AuditEntry("x", NOW, "ann", selection, through_label=len(rows))
    keep_numbers(connection, entry)
    gone = forget_labels(connection, entry)
    after = in_force(connection)
    newest = insert_label(connection, row(50, (59, 60), occupied=True, button=False))
    assert newest.number > max([each.number for each in [*before, *after]], default=0)
    return before, after, {each.number for each in gone.labels}


def in_force(connection: sqlite3.Connection) -> list[LabelRow]:
    rows = [LabelRow(*values) for values in connection.execute("SELECT * FROM labels ORDER BY number")]
    return [each for each in rows if each.in_force]


@given(said=said, span=stretches)
def test_what_is_left_says_the_same_of_all_other_time(
    said: list[tuple[tuple[int, int], bool, bool]], span: tuple[int, int]
) -> None:
    rows = [row(i, stretch, occupied=kind, button=button) for i, (stretch, kind, button) in enumerate(said)]
    selection = Selection(span[0] * MINUTE, span[1] * MINUTE, rooms=("r",))
    before, after, _ = cut(rows, selection)
    inside = (span[0] * MINUTE < HORIZON) & (span[1] * MINUTE >= HORIZON)
    expected = np.where(inside, -1, label_classes(before, HORIZON))
    assert label_classes(after, HORIZON).tolist() == expected.tolist()


@given(said=said)
def test_without_a_source_the_others_say_what_they_said(said: list[tuple[tuple[int, int], bool, bool]]) -> None:
    rows = [row(i, stretch, occupied=kind, button=button) for i, (stretch, kind, button) in enumerate(said)]
    selection = Selection(0, NOW, source="button", rooms=("r",))
    _, after, gone = cut(rows, selection)
    people, _, _ = cut([each for each in rows if each.source == "person"], Selection(0, 1))
    assert label_classes(after, HORIZON).tolist() == label_classes(people, HORIZON).tolist()
    assert gone == {number + 1 for number, each in enumerate(rows) if each.source == "button"}


def test_a_label_across_the_stretch_keeps_its_number_before_it() -> None:
    rows = [row(1, (0, 30), occupied=True, button=False), row(2, (25, 40), occupied=False, button=False)]
    _, after, gone = cut(rows, Selection(10 * MINUTE, 20 * MINUTE, rooms=("r",)))
    found = [(each.number, each.from_utc_ms // MINUTE, each.to_utc_ms // MINUTE) for each in after]
    # Of the last ten minutes of the first label the newer one speaks from the 25th on.
    assert found == [(1, 0, 10), (2, 25, 40), (3, 20, 25)]
    assert gone == {1}
