"""The label service: stores labels, and sees that the nodes of the room learn them."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from attune_core import Schema

from attuned.clock import Clock
from attuned.errors import RequestError
from attuned.labels.checking import CHECKED_LABELS, Doubt, check
from attuned.labels.importing import Import
from attuned.labels.names import no_room
from attuned.labels.teaching import CLASSES, Teaching
from attuned.nodes.conversation import Conversation
from attuned.nodes.press import Press
from attuned.nodes.window import Window
from attuned.store.site import LONGEST_MS, LabelRow, SiteStore, Withdrawn
from attuned.store.spans import merged
from attuned.store.windows import WindowStore

DAY_MS = 24 * 3_600_000

# The longest label that needs no second thought, the day on which clocks are put back: who says more of one room
# usually mistook a date.
LONGEST_DAY_MS = 25 * 3_600_000

# The newest labels of a room that count for its nodes and its model: a node's log holds a few dozen windows, and an
# import may have a million rows.
KEPT_LABELS = 1000

# Characters of a source or an author: they are names.
NAME_LIMIT = 64

# As long as windows are kept, nodes may have learned from them.
MEMORY_MS = 28 * DAY_MS

# Clocks of those who tell labels may be ahead of the daemon's by so much.
CLOCKS_MS = 60_000

PERSON = "person"


class Labels:
    """Labels in force by room, kept in memory beside the store; weak ones are kept on disk alone.

    `names` are the rooms' names by id. `flush` commits the windows that have arrived; `changed` hears of each room
    whose labels have changed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        site: SiteStore,
        windows: WindowStore,
        teaching: Teaching,
        names: Mapping[str, str],
        nodes_of: Mapping[str, Mapping[str, Conversation]],
        flush: Callable[[], Awaitable[None]],
        changed: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._site = site
        self._windows = windows
        self._teaching = teaching
        self._names = names
        self._nodes_of = dict(nodes_of)
        self._flush = flush
        self._changed = changed
        self._in_force: dict[str, list[LabelRow]] = {room: [] for room in nodes_of}
        self._withdrawn: dict[str, list[int]] = {room: [] for room in nodes_of}
        self._unlearning: dict[str, set[int]] = {}
        self.count = 0

    def place(self, room: str, nodes: Mapping[str, Conversation]) -> None:
        """These nodes stand in the room from now on."""
        self._nodes_of[room] = nodes

    async def load(self) -> None:
        """Reads the labels that are in force."""
        self.count = await self._site.count_labels()
        self._unlearning = await self._site.unlearning()
        for room in self._in_force:
            await self._load(room)

    async def _load(self, room: str) -> None:
        self._withdrawn[room] = await self._site.withdrawn_labels(room, self._clock.utc_ms() - MEMORY_MS)
        self._in_force[room] = await self._site.teaching_labels(room, KEPT_LABELS)

    def taught(self, room: str) -> bool:
        """Whether people have labelled the room."""
        return bool(self._in_force.get(room))

    async def add(self, label: LabelRow, *, force: bool = False) -> LabelRow:
        """Stores a label (its number and time of telling are set here) and sends it to the room's nodes.

        `force` says that a label of more than a day is meant. Raises NotFoundError for an unknown room, RequestError
        for what cannot be.
        """
        self.check(label, force=force)
        stored = await self._site.add_label(replace(label, told_utc_ms=self._clock.utc_ms()))
        self.count += 1
        if not stored.weak:
            await self._teach(stored)
        return stored

    async def pressed(self, label: LabelRow, press: Press) -> None:
        """Stores the label of a press and sends it to the room's nodes, unless the press has been stored before.

        Told it was when the button was pressed. Raises as `add` does.
        """
        self.check(label)
        stored = await self._site.add_press(label, press.boot, press.number)
        if stored is not None:
            self.count += 1
            await self._teach(stored)

    @asynccontextmanager
    async def importing(self) -> AsyncIterator[Import]:
        """An import, in whose end the rooms learn what it has brought, also where it is broken off."""
        running = Import(self.check, self._site, self._clock.utc_ms())
        try:
            yield running
        finally:
            self.count += running.stored
            for room in sorted(running.rooms):
                await self._told_anew(room)

    async def withdraw(self, number: int, author: str) -> Withdrawn:
        """Takes a label back; its nodes forget it, and learn again what it had replaced. Number 0: the author's newest.

        Raises NotFoundError and RequestError, as the store does.
        """
        withdrawn = await self._site.withdraw_label(number, author, self._clock.utc_ms())
        room = withdrawn.label.room
        if room in self._in_force and not withdrawn.label.weak:
            await self._told_anew(room)
        return withdrawn

    async def _told_anew(self, room: str) -> None:
        """A room's labels have changed in more than one place."""
        await self._flush()
        await self._load(room)
        await self._tell_room(room)
        self._changed(room)

    async def _tell_room(self, room: str) -> None:
        for conversation in self._nodes_of[room].values():
            # A node that has not said hello is told everything when it does.
            if not self._teaching.needs_all(conversation):
                await self._tell_all(conversation)

    async def forget(self, rooms: Iterable[str]) -> None:
        """Labels of these rooms went, or windows of theirs: nodes unlearn them, and are told what is left."""
        self.count = await self._site.count_labels()
        self._unlearning = await self._site.unlearning()
        for room in rooms:
            if room in self._in_force:
                await self._load(room)
                await self._tell_room(room)

    async def wait_unlearned(self, seconds: float) -> None:
        """Waits until every node that can has unlearned what it has to, at most so many seconds of real time."""
        for number in {number for numbers in self.to_unlearn.values() for number in numbers}:
            began = asyncio.get_running_loop().time()
            await self._teaching.wait(number, max(seconds, 0.0))
            seconds -= asyncio.get_running_loop().time() - began

    def held(self, node: str) -> set[int]:
        """The labels that a node has said that it knows, by number."""
        return self._teaching.held(node)

    def has_unlearned(self, node: str) -> bool:
        """Whether a node has unlearned something since that was last written down."""
        return bool(self._unlearning.get(node, set()) & self._teaching.forgotten(node))

    async def note_unlearned(self, node: str) -> None:
        """Writes down what a node has unlearned by now."""
        gone = self._unlearning.get(node, set()) & self._teaching.forgotten(node)
        if gone:
            self._unlearning[node] -= gone
            await self._site.note_unlearned(node, gone)

    @property
    def to_unlearn(self) -> dict[str, set[int]]:
        """The labels that each node has yet to say that it has unlearned."""
        known = {node: numbers - self._teaching.forgotten(node) for node, numbers in self._unlearning.items()}
        return {node: numbers for node, numbers in known.items() if numbers}

    async def _teach(self, stored: LabelRow) -> None:
        await self._flush()
        windows = await self._windows.windows_between(self._nodes_of[stored.room], stored.from_utc_ms, stored.to_utc_ms)
        if not await self._site.has_label(stored.number):  # it was forgotten while the windows were read
            return
        # From here on windows that are committed find the label in force: no pause may come before the last plan.
        self._in_force[stored.room] = _standing(self._in_force[stored.room], stored)
        for conversation in self._nodes_of[stored.room].values():
            self._plan(conversation, stored, windows)
        self._changed(stored.room)

    def in_force(self, room: str) -> Sequence[LabelRow]:
        """A room's labels that are not weak, in order of their numbers: where they overlap, the last one counts."""
        return tuple(self._in_force[room])

    async def doubted(self, room: str) -> tuple[int, list[Doubt]]:
        """How many labels of the last weeks a room has, and which of them are likely mistakes, the likeliest first."""
        rows = await self._site.checked_labels(room, CHECKED_LABELS, self._clock.utc_ms() - MEMORY_MS)
        nodes = self.schemas(room)
        spans = merged((row.from_utc_ms, row.to_utc_ms) for row in rows)
        windows = await self._windows.windows_in(nodes, spans)
        return len(rows), await asyncio.to_thread(check, rows, windows, nodes)

    def schemas(self, room: str) -> dict[str, Schema]:
        """The feature schemas of a room's nodes that are known."""
        return {node: c.facts.make_schema() for node, c in self._nodes_of[room].items() if c.kinds and c.facts}

    async def greet(self, conversation: Conversation) -> None:
        """A node is back: what it cannot know any more is told again."""
        if self._teaching.needs_all(conversation):
            await self._tell_all(conversation)
        else:
            self._teaching.resume(conversation)

    async def moved(self, conversation: Conversation, before: str) -> None:
        """The node stands in another room than before: it forgets that one's labels and is taught its own room's."""
        left = [row.number for row in self._in_force.get(before, ())] if before != conversation.room else []
        if conversation.facts is not None and conversation.room:
            await self._tell_all(conversation, left)

    async def _tell_all(self, conversation: Conversation, left: Sequence[int] = ()) -> None:
        """What was taken back, then every label in force; the node skips what it knows."""
        windows: list[Window] = []
        labels: list[LabelRow] = []
        # Another label may come into force while the windows are read.
        while labels != self._in_force[conversation.room]:
            labels = self._in_force[conversation.room]
            spans = merged((row.from_utc_ms, row.to_utc_ms) for row in labels)
            windows = await self._windows.windows_in([conversation.node, *conversation.stands_for], spans)
        windows = [window for window in windows if len(window.features) == conversation.features_size]
        forgotten = {*self._unlearning.get(conversation.node, ()), *left}
        withdrawn = sorted({*self._withdrawn[conversation.room], *forgotten})
        self._teaching.begin(conversation, withdrawn=withdrawn, again=forgotten)
        for label in _last_taught(labels, windows, _capacity(conversation), self._clock.utc_ms() - MEMORY_MS):
            self._plan(conversation, label, windows)

    def on_committed(self, conversation: Conversation, window: Window) -> None:
        """A window came after the label that covers it."""
        labels = [label for label in self._in_force.get(conversation.room, ()) if label.covers(window.end_utc_ms)]
        if labels and not window.refused:
            # They stand in order of their numbers, and the newest one counts.
            self._teaching.plan(conversation, labels[-1], [window], held=False)

    def _plan(self, conversation: Conversation, label: LabelRow, windows: Sequence[Window]) -> None:
        own = {conversation.node, *conversation.stands_for}
        inside = [window for window in _inside(label, windows) if window.node in own]
        newer = [row for row in self._in_force[conversation.room] if row.number > label.number and _overlap(row, label)]
        # Windows that the node has not yet reported may be of a time that was forgotten: those that are not come, and
        # are taught then.
        held = not conversation.has_forgotten(label.from_utc_ms, label.to_utc_ms)
        self._teaching.plan(conversation, label, inside, held=held, newer=newer)

    def check(self, label: LabelRow, *, force: bool = False) -> None:
        """Raises NotFoundError for an unknown room, RequestError for an interval, class or weight that cannot be."""
        if label.room not in self._in_force:
            raise no_room(label.room, self._names)
        if label.class_name not in CLASSES:
            raise RequestError(f"A label says {' or '.join(CLASSES)}, not {label.class_name[:NAME_LIMIT]!r}.")
        if max(len(label.source), len(label.author)) > NAME_LIMIT:
            raise RequestError(f"A source and an author have at most {NAME_LIMIT} characters: write a shorter name.")
        if not 0 < label.weight <= 1:
            raise RequestError("The label's weight must be above 0 and at most 1.")
        self._check_time(label, force=force)

    def _check_time(self, label: LabelRow, *, force: bool) -> None:
        length_ms, now = label.to_utc_ms - label.from_utc_ms, self._clock.utc_ms()
        if length_ms == 0:
            raise RequestError("The label has no length: give two different times.")
        if length_ms < 0:
            raise RequestError("The label ends before it begins: give the earlier time first.")
        if label.from_utc_ms < 0:
            raise RequestError("The label is of a time before 1970: see whether the year is right.")
        if label.from_utc_ms > now:
            raise RequestError("The label lies in the future: label what has happened.")
        if label.to_utc_ms > now + CLOCKS_MS:
            raise RequestError("The label ends in the future: label what has happened.")
        if length_ms > LONGEST_MS:
            raise RequestError("The label is longer than a week: label shorter stretches that somebody has seen.")
        if length_ms > LONGEST_DAY_MS and not force:
            raise RequestError(
                "The label is longer than a day: see whether the days are right, and say it day by day; "
                "`attune label add --force` takes it whole."
            )


def _capacity(conversation: Conversation) -> int:
    return conversation.facts.label_capacity if conversation.facts else 0


def _inside(label: LabelRow, windows: Sequence[Window]) -> Sequence[Window]:
    """The windows of a label, of windows in order of their ends."""
    first = bisect_right(windows, label.from_utc_ms, key=lambda window: window.end_utc_ms)
    last = bisect_right(windows, label.to_utc_ms, key=lambda window: window.end_utc_ms)
    return windows[first:last]


def _last_taught(
    labels: Sequence[LabelRow], windows: Sequence[Window], capacity: int, since_utc_ms: int
) -> list[LabelRow]:
    """The labels that a node's log of that capacity may end up with, told all of them in order of their numbers.

    A full log lets go of the lowest number, so only the newest labels with windows of one node stay in it. Counted is
    twice what it holds, since a long label is thinned before windows that newer ones speak of are left out. Of labels
    from before `since` the node holds no window that the daemon has not.
    """
    chosen: list[LabelRow] = []
    taken: set[tuple[int, int]] = set()
    filled = 0
    for label in reversed(labels):
        if filled >= 2 * max(capacity, 1):
            break
        inside = _inside(label, windows)
        fresh = {(window.boot, window.seq) for window in inside} - taken
        taken |= fresh
        filled += min(len(fresh), max(capacity // 2, 1))
        if inside or label.to_utc_ms > since_utc_ms:
            chosen.append(label)
    return chosen[::-1]


def _standing(rows: Sequence[LabelRow], label: LabelRow) -> list[LabelRow]:
    """The newest labels that no newer one covers, in order of their numbers: `rows`, which are such, and one more."""
    if any(row.number > label.number and _covers(row, label) for row in rows):
        return list(rows)
    kept = [row for row in rows if row.number > label.number or not _covers(label, row)]
    return sorted([*kept, label], key=lambda row: row.number)[-KEPT_LABELS:]


def _overlap(one: LabelRow, other: LabelRow) -> bool:
    return one.from_utc_ms < other.to_utc_ms and other.from_utc_ms < one.to_utc_ms


def _covers(newer: LabelRow, older: LabelRow) -> bool:
    return newer.from_utc_ms <= older.from_utc_ms and older.to_utc_ms <= newer.to_utc_ms
