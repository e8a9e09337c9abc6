"""Labels on their way to the nodes: parts of a few windows, one at a time for each node, until it has answered.

A node learns a window of a label once, however often it is told, so anything may be sent again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from attune_proto.v1 import node_pb2

from attuned.clock import Clock
from attuned.nodes.conversation import Conversation
from attuned.nodes.window import Window
from attuned.store.site import LabelRow

# Class index on the nodes of what a label can say.
CLASSES = {"free": 0, "occupied": 1}

# One person's word on the wire.
PERSON_WEIGHT = 256
WEIGHT_LIMIT = 65_535

# What a label weighs at least, in windows: a moment that somebody was asked about stands for the minutes around it.
LEAST_WINDOWS = 5

# The last second that a node's boot can have.
LAST_S = (1 << 32) - 1

# Windows in one part: as many as a node takes in one frame.
PART_WINDOWS = 8

# One label may fill this part of a node's label log (one half); a longer one is thinned, each window weighing for more.
LOG_SHARE = 2

# Seconds of the daemon's clock after which an unanswered part is sent again.
AGAIN_S = 15.0

# An old node does not know how to unlearn and never answers: after so many times the labels that wait go on without it.
UNLEARN_TRIES = 4

Part = node_pb2.Label | node_pb2.Unlearn
Send = Callable[[Conversation, node_pb2.DaemonMessage], bool]


@dataclass
class Pupil:
    """One node's queue of label parts, and what it has learned of each label since it was last planned.

    `unlearned` are the labels that this boot is known to have forgotten, `held` those that it has answered that it
    knows; `tries` counts how often the first part was sent.
    """

    conversation: Conversation
    queue: deque[Part] = field(default_factory=deque)
    unlearned: set[int] = field(default_factory=set)
    held: set[int] = field(default_factory=set)
    tries: int = 0
    parts: dict[int, int] = field(default_factory=dict)
    learned: dict[int, int] = field(default_factory=dict)
    boot: int | None = None


class Teaching:
    """Queues of label parts by node. `send` gives a message to a node's link."""

    def __init__(self, clock: Clock, send: Send) -> None:
        self._clock = clock
        self._send = send
        self._pupils: dict[str, Pupil] = {}
        self._answered = asyncio.Event()

    def plan(
        self,
        conversation: Conversation,
        label: LabelRow,
        windows: Sequence[Window],
        *,
        held: bool = True,
        newer: Sequence[LabelRow] = (),
    ) -> None:
        """Queues a label with the windows of this node that the daemon holds; sends if nothing is under way.

        It is said to count for windows that the node still holds as well, unless the node has been told so before.
        What `newer` labels speak of is left to them.
        """
        facts = conversation.facts
        if facts is not None and CLASSES[label.class_name] >= facts.class_capacity:
            room = f"it has room for {facts.class_capacity} classes"
            conversation.refuse(f"label {label.number} says {label.class_name}, and {room}: flash a larger build")
            return
        pupil = self._pupil(conversation)
        idle = not pupil.queue
        interval = _ticks(conversation, label) if held else (0, 0)
        pupil.queue.extend(_parts(pupil, label, _choose(conversation, label, windows, newer), interval))
        if idle:
            self._send_first(pupil)

    def needs_all(self, conversation: Conversation) -> bool:
        """Whether the node has to be told every label: the first hello of a boot since this daemon started."""
        facts = conversation.facts
        return facts is not None and self._pupil(conversation).boot != facts.boot

    def begin(
        self, conversation: Conversation, withdrawn: Sequence[int] = (), again: Collection[int] = frozenset()
    ) -> None:
        """Forgets what was queued: everything is planned again.

        What was withdrawn is taken out of the node's log first, unless the log has held nothing since the boot; those
        of `again` also if the node had forgotten them before.
        """
        facts, before = conversation.facts, self._pupil(conversation)
        boot = facts.boot if facts else None
        fresh = before.boot != boot
        known = Pupil(conversation) if fresh else before
        pupil = Pupil(conversation, boot=boot, unlearned=known.unlearned - set(again), held=known.held)
        self._pupils[conversation.node] = pupil
        if fresh and not conversation.label_windows:
            pupil.unlearned.update(withdrawn)
        for number in withdrawn:
            if number not in pupil.unlearned:
                part = before.parts.get(number, 0)
                pupil.queue.append(node_pb2.Unlearn(number=number, part=part))
                # What is told of the label afterwards is answered under other numbers.
                pupil.parts[number] = part + 1
        self._send_first(pupil)

    def resume(self, conversation: Conversation) -> None:
        """The node has a link again."""
        self._send_first(self._pupil(conversation))

    def answer(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None:
        """The node has answered a part; the next one goes out."""
        pupil = self._pupil(conversation)
        if not pupil.queue or (pupil.queue[0].number, pupil.queue[0].part) != (ack.number, ack.part):
            return
        part = pupil.queue.popleft()
        pupil.tries = 0
        if isinstance(part, node_pb2.Unlearn):
            pupil.unlearned.add(part.number)
            pupil.held.discard(part.number)
        else:
            self._count(pupil, part, ack)
        self._answered.set()
        self._send_first(pupil)

    def _count(self, pupil: Pupil, part: node_pb2.Label, ack: node_pb2.LabelAck) -> None:
        if ack.learned:
            pupil.held.add(ack.number)
        # Windows that the node holds come to the daemon later, and count then.
        learned = min(ack.learned, len(part.windows))
        pupil.learned[ack.number] = pupil.learned.get(ack.number, 0) + learned
        pupil.conversation.label_windows = sum(pupil.learned.values())
        # Of the windows that the node holds, some may have a newer label.
        refused = min(ack.refused, len(part.windows))
        if refused:
            pupil.conversation.refuse(f"{refused} windows of label {ack.number} were refused by the node", refused)

    def learned(self, number: int) -> dict[str, int]:
        """Windows that each node has learned with a label."""
        return {node: pupil.learned[number] for node, pupil in self._pupils.items() if number in pupil.learned}

    def held(self, node: str) -> set[int]:
        """Labels that a node has answered that it knows, since it or this daemon started."""
        return set(self._pupils[node].held) if node in self._pupils else set()

    def forgotten(self, node: str) -> set[int]:
        """Labels that a node is known to have forgotten, or never to have held, since it or this daemon started."""
        return set(self._pupils[node].unlearned) if node in self._pupils else set()

    def unlearned(self, number: int) -> set[str]:
        """Nodes that are known to have forgotten a label."""
        return {node for node, pupil in self._pupils.items() if number in pupil.unlearned}

    def waiting(self, number: int) -> set[str]:
        """Nodes that have parts of a label still to come."""
        return {node for node, pupil in self._pupils.items() if any(part.number == number for part in pupil.queue)}

    def waits_for(self, node: str) -> bool:
        """Whether there is something to teach a node, or to take back."""
        return node in self._pupils and bool(self._pupils[node].queue)

    async def wait(self, number: int, seconds: float) -> None:
        """Waits until every node has answered all of a label, at most so many seconds of real time."""
        try:
            async with asyncio.timeout(seconds):
                while self.waiting(number):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            return

    async def run(self) -> None:
        """Sends unanswered parts again, for ever."""
        while True:
            await asyncio.sleep(AGAIN_S / self._clock.rate)
            for pupil in self._pupils.values():
                self._send_first(pupil)

    def _pupil(self, conversation: Conversation) -> Pupil:
        return self._pupils.setdefault(conversation.node, Pupil(conversation))

    def _send_first(self, pupil: Pupil) -> None:
        if pupil.queue and pupil.tries == UNLEARN_TRIES and isinstance(pupil.queue[0], node_pb2.Unlearn):
            number = pupil.queue.popleft().number
            pupil.conversation.refuse(f"label {number} was not forgotten: its firmware cannot yet; restart the node")
            pupil.tries = 0
        if not pupil.queue:
            return
        if self._send(pupil.conversation, _message(pupil.queue[0])):
            pupil.tries += 1


def _message(part: Part) -> node_pb2.DaemonMessage:
    if isinstance(part, node_pb2.Unlearn):
        return node_pb2.DaemonMessage(unlearn=part)
    return node_pb2.DaemonMessage(label=part)


@dataclass(frozen=True)
class Choice:
    """Windows of a label that a node is told, and what each of them weighs on the wire."""

    windows: Sequence[Window]
    weight: int


def _choose(
    conversation: Conversation, label: LabelRow, windows: Sequence[Window], newer: Sequence[LabelRow]
) -> Choice:
    """Thins the whole label first, so that the choice stays the same whatever is labelled later."""
    capacity = conversation.facts.label_capacity if conversation.facts else 0
    chosen = thin(windows, max(capacity // LOG_SHARE, PART_WINDOWS))
    each = label.weight * label_share(len(windows)) * PERSON_WEIGHT
    weight = each * (len(windows) / len(chosen) if chosen else 1)
    left = [window for window in chosen if not any(row.covers(window.end_utc_ms) for row in newer)]
    return Choice(left, max(1, min(round(weight), WEIGHT_LIMIT)))


def _parts(pupil: Pupil, label: LabelRow, choice: Choice, interval: tuple[int, int]) -> Iterator[node_pb2.Label]:
    """The messages of a label for one node. The first names the interval, for windows that the node still holds."""
    chosen = choice.windows
    for i in range(0, max(len(chosen), 1), PART_WINDOWS):
        part = pupil.parts.get(label.number, 0)
        pupil.parts[label.number] = part + 1
        yield node_pb2.Label(
            number=label.number,
            part=part,
            class_index=CLASSES[label.class_name],
            weight=choice.weight,
            from_s=0 if i else interval[0],
            to_s=0 if i else interval[1],
            windows=_wire(chosen[i : i + PART_WINDOWS]),
        )


def label_share(windows: int) -> float:
    """What each of a label's windows weighs, in windows of a long label; 1 where none is known yet."""
    return max(1.0, LEAST_WINDOWS / windows) if windows else 1.0


def thin(windows: Sequence[Window], limit: int) -> list[Window]:
    """At most `limit` of the windows in their order, evenly spread.

    Every second window goes first, then every fourth, and so on, counted by the nodes' own numbers: labels of almost
    the same stretch choose almost the same windows, so that a correction reaches what the first label taught.
    """
    chosen = sorted(windows, key=lambda window: (_reversed(window.seq), window.boot))[:limit]
    kept = {(window.boot, window.seq) for window in chosen}
    return [window for window in windows if (window.boot, window.seq) in kept]


def _reversed(number: int) -> int:
    """The 32 bits of a number from the other end."""
    return int(f"{number:032b}"[::-1], 2)


def _ticks(conversation: Conversation, label: LabelRow) -> tuple[int, int]:
    """The label's interval in seconds of the node's boot; (0, 0) if the boot has no tie or began later."""
    ties = conversation.boot.ties
    if not ties.ticks_ms:
        return 0, 0
    from_s, to_s = (ties.tick_ms(utc_ms) // 1000 for utc_ms in (label.from_utc_ms, label.to_utc_ms))
    return min(max(0, from_s), LAST_S), min(max(0, to_s), LAST_S)


def _wire(windows: Iterable[Window]) -> list[node_pb2.LabelWindow]:
    return [node_pb2.LabelWindow(boot=w.boot, seq=w.seq, features=w.features) for w in windows]
