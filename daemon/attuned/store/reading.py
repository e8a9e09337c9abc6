"""Both files for a process of its own that only reads, beside the daemon that writes.

Each call is a transaction of its own, so that the daemon's log never has to wait for a reader for long.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attuned.errors import StoreError
from attuned.nodes.window import Window
from attuned.store.releases import DEPLOYED
from attuned.store.site import LabelRow
from attuned.store.windows import read_inbox, read_packed

Span = tuple[int, int]  # (from, to] of UTC in ms


class Reader:
    """What a retraining reads of the store in a folder. Raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self._attune = folder / "attune.db"
        self._windows = folder / "windows.db"

    def facts(self) -> dict[str, str]:
        """What nodes last said of themselves, as JSON by node."""
        with _reading(self._attune) as connection:
            return dict(connection.execute("SELECT node, facts FROM nodes"))

    def labels_in_force(self) -> dict[str, list[LabelRow]]:
        """The labels of each room that count, by number."""
        found: dict[str, list[LabelRow]] = {}
        with _reading(self._attune) as connection:
            for values in connection.execute("SELECT * FROM labels WHERE superseded_by = 0 ORDER BY number"):
                row = LabelRow(*values)
                found.setdefault(row.room, []).append(row)
        return found

    def labels(self, numbers: Iterable[int]) -> dict[int, LabelRow]:
        """Labels by number, in force or not; those that were forgotten are not there."""
        wanted = frozenset(numbers)
        with _reading(self._attune) as connection:
            rows = (LabelRow(*values) for values in connection.execute("SELECT * FROM labels"))
            return {row.number: row for row in rows if row.number in wanted}

    def deployed(self) -> dict[str, bytes]:
        """The canonical bytes of the release that each node runs; nodes on the factory release are not there."""
        with _reading(self._attune) as connection:
            return dict(connection.execute("SELECT node, body FROM releases WHERE state = ?", (DEPLOYED,)))

    def windows(self, nodes: Iterable[str], spans: Sequence[Span]) -> dict[str, list[Window]]:
        """Each node's windows that end in one of the spans, which do not overlap, by (end, boot, seq)."""
        wanted = frozenset(nodes)
        found: dict[str, dict[tuple[int, int], Window]] = {node: {} for node in wanted}
        if not spans or not wanted:
            return {node: [] for node in wanted}
        # Windows only ever move from the inbox to what is packed: read in this order none is missed, and one that
        # moved meanwhile is found twice.
        with _reading(self._windows) as connection:
            _add(found, (w for w in read_inbox(connection) if w.node in wanted), spans)
        with _reading(self._windows) as connection:
            for first, last in spans:
                _add(found, read_packed(connection, wanted, first, last), [(first, last)])
        return {node: sorted(each.values(), key=_by_time) for node, each in found.items()}


def _by_time(window: Window) -> tuple[int, int, int]:
    return window.end_utc_ms, window.boot, window.seq


def _add(found: Mapping[str, dict[tuple[int, int], Window]], windows: Iterable[Window], spans: Sequence[Span]) -> None:
    for window in windows:
        if not window.refused and any(first < window.end_utc_ms <= last for first, last in spans):
            found[window.node].setdefault((window.boot, window.seq), window)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"The store {path} cannot be read ({error}): see that the daemon has started once.") from error
