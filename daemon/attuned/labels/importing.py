"""Labels from files: told in parts, the good ones kept, and a sentence for each of the others."""

from collections.abc import Callable, Sequence
from typing import Protocol

from attuned.errors import RequestError
from attuned.store.site import LabelRow, SiteStore

IMPORT = "import"

# Labels in one part of an import: a transaction of so many holds up another label for some hundredths of a second.
PART_LABELS = 1_000


class Row(Protocol):
    """A label as an import brings it."""

    @property
    def line(self) -> int: ...
    @property
    def room(self) -> str: ...
    @property
    def class_name(self) -> str: ...
    @property
    def from_utc_ms(self) -> int: ...
    @property
    def to_utc_ms(self) -> int: ...
    @property
    def weight(self) -> float: ...


class Import:
    """Labels that are told together: all of them at the same moment, so none is newer than another.

    `check` raises an AttuneError for a label that cannot be.
    """

    def __init__(self, check: Callable[[LabelRow], None], site: SiteStore, told_utc_ms: int) -> None:
        self._check = check
        self._site = site
        self._told_utc_ms = told_utc_ms
        self._longest_ms = 0
        self.stored = 0
        self.rooms: set[str] = set()

    async def add(self, rows: Sequence[Row], source: str, author: str) -> list[tuple[int, str]]:
        """Stores what can be; the lines of the others, with a sentence each. Raises RequestError for too many rows."""
        if len(rows) > PART_LABELS:
            raise RequestError(f"A part of an import has at most {PART_LABELS} labels: send it in smaller parts.")
        good: list[tuple[int, LabelRow]] = []
        refused: list[tuple[int, str]] = []
        for row in rows:
            interval = (row.from_utc_ms, row.to_utc_ms)
            label = LabelRow(0, row.room, row.class_name, *interval, row.weight, source, author, self._told_utc_ms)
            try:
                self._check(label)
            except RequestError as error:
                refused.append((row.line, str(error)))
            else:
                good.append((row.line, label))
        return sorted(refused + await self._store(good))

    async def _store(self, rows: Sequence[tuple[int, LabelRow]]) -> list[tuple[int, str]]:
        lengths = (label.to_utc_ms - label.from_utc_ms for _, label in rows)
        self._longest_ms = max(self._longest_ms, *lengths, 0)
        against = await self._site.add_labels([label for _, label in rows], self._longest_ms)
        refused = []
        for (line, label), number in zip(rows, against, strict=True):
            if number:
                refused.append((line, f"It says otherwise of {label.room} than label {number} of the same file."))
            else:
                self.stored += 1
                self.rooms |= set() if label.weak else {label.room}
        return refused
