"""The label service: stores labels, and sees that the nodes of the room learn them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from attuned.clock import Clock
from attuned.errors import NotFoundError, RequestError
from attuned.labels.teaching import CLASSES, Teaching
from attuned.nodes.conversation import Conversation
from attuned.nodes.window import Window
from attuned.store.site import LabelRow, SiteStore
from attuned.store.windows import WindowStore

# Longest interval of one label: nobody saw a room for longer than a week at a time.
LONGEST_MS = 7 * 24 * 3_600_000

PERSON = "person"


class Labels:
    """Labels in force by room, kept in memory beside the store.

    `flush` commits the windows that have arrived; `changed` hears of each room whose labels have changed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        site: SiteStore,
        windows: WindowStore,
        teaching: Teaching,
        nodes_of: Mapping[str, Mapping[str, Conversation]],
        flush: Callable[[], Awaitable[None]],
        changed: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._site = site
        self._windows = windows
        self._teaching = teaching
        self._nodes_of = nodes_of
        self._flush = flush
        self._changed = changed
        self._in_force: dict[str, list[LabelRow]] = {room: [] for room in nodes_of}
        self.count = 0

    async def load(self) -> None:
        """Reads the labels that are in force."""
        rows = await self._site.labels()
        self.count = len(rows)
        for row in reversed(rows):
            if row.room in self._in_force and not row.superseded_by:
                self._in_force[row.room].append(row)

    def taught(self, room: str) -> bool:
        """Whether people have labelled the room."""
        return bool(self._in_force.get(room))

    async def add(self, label: LabelRow) -> LabelRow:
        """Stores a label (its number and time of telling are set here) and sends it to the room's nodes.

        Raises NotFoundError for an unknown room, RequestError for an interval or class that cannot be.
        """
        self._check(label)
        stored = await self._site.add_label(replace(label, told_utc_ms=self._clock.utc_ms()))
        self.count += 1
        await self._flush()
        windows = await self._windows.windows_between(self._nodes_of[stored.room], stored.from_utc_ms, stored.to_utc_ms)
        # From here on windows that are committed find the label in force: no pause may come before the last plan.
        self._in_force[stored.room] = _standing([*self._in_force[stored.room], stored])
        for conversation in self._nodes_of[stored.room].values():
            self._plan(conversation, stored, windows)
        self._changed(stored.room)
        return stored

    def in_force(self, room: str) -> Sequence[LabelRow]:
        """A room's labels in order of their numbers: where they overlap, the last one counts."""
        return tuple(self._in_force[room])

    async def greet(self, conversation: Conversation) -> None:
        """A node is back: what it cannot know any more is told again."""
        if not self._teaching.needs_all(conversation):
            self._teaching.resume(conversation)
            return
        windows: list[Window] = []
        labels: list[LabelRow] = []
        # Another label may come into force while the windows are read.
        while labels != self._in_force[conversation.room]:
            labels = self._in_force[conversation.room]
            first, last = min(row.from_utc_ms for row in labels), max(row.to_utc_ms for row in labels)
            windows = await self._windows.windows_between([conversation.node], first, last)
        self._teaching.begin(conversation)
        for label in labels:
            self._plan(conversation, label, windows)

    def on_committed(self, conversation: Conversation, window: Window) -> None:
        """A window came after the label that covers it."""
        labels = [label for label in self._in_force.get(conversation.room, ()) if label.covers(window.end_utc_ms)]
        if labels and not window.refused:
            # They stand in order of their numbers, and the newest one counts.
            self._teaching.plan(conversation, labels[-1], [window], held=False)

    def _plan(self, conversation: Conversation, label: LabelRow, windows: Iterable[Window]) -> None:
        own = (window for window in windows if window.node == conversation.node)
        inside = [window for window in own if label.covers(window.end_utc_ms)]
        newer = [row for row in self._in_force[conversation.room] if row.number > label.number]
        self._teaching.plan(conversation, label, inside, newer=newer)

    def _check(self, label: LabelRow) -> None:
        if label.room not in self._in_force:
            raise NotFoundError(f"There is no room {label.room!r}: `attune rooms` lists the rooms.")
        if label.class_name not in CLASSES:
            raise RequestError(f"A label says {' or '.join(CLASSES)}, not {label.class_name!r}.")
        if label.from_utc_ms >= label.to_utc_ms:
            raise RequestError("The label ends before it begins: give the earlier time first.")
        if label.to_utc_ms - label.from_utc_ms > LONGEST_MS:
            raise RequestError("The label is longer than a week: label shorter stretches that somebody has seen.")
        if label.from_utc_ms > self._clock.utc_ms():
            raise RequestError("The label lies in the future: label what has happened.")
        if not 0 < label.weight <= 1:
            raise RequestError("The label's weight must be above 0 and at most 1.")


def _standing(labels: Iterable[LabelRow]) -> list[LabelRow]:
    """The labels that no newer one covers, in order of their numbers."""
    rows = sorted(labels, key=lambda row: row.number)
    return [row for i, row in enumerate(rows) if not any(_covers(newer, row) for newer in rows[i + 1 :])]


def _covers(newer: LabelRow, older: LabelRow) -> bool:
    return newer.from_utc_ms <= older.from_utc_ms and older.to_utc_ms <= newer.to_utc_ms
