"""All rooms of the site: windows in; what to say, and what is settled, out."""

import json
import math
import struct
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from attuned.nodes.window import EVIDENCE_STEPS, Window
from attuned.presence.belief import NOTHING, Belief, RoomState, Share, occupied_evidence
from attuned.presence.holding import HOLD_MS, held_nats
from attuned.presence.model import RoomModel
from attuned.presence.timeline import HORIZON_MS, Arrival, Checkpoint, RoomTimeline, Step
from attuned.store.beliefs import HOUR_MS, BeliefHour

# A change of probability that is worth a message although the state stays.
NOTABLE_CHANGE = 0.2

# Steps before valid_until at which a room is said again, and grace after it before the room is called unknown.
REFRESH_STEPS = 3
GRACE_STEPS = 1

# Steps without a window after which a node counts as silent: two may be late by the way they take.
SILENT_STEPS = 3

# Steps of known log-odds in the store: 1/256 nat; the lowest value means unknown.
KNOWN_UNKNOWN = -32768


def checkpoint_to_json(checkpoint: Checkpoint) -> str:
    return json.dumps(asdict(checkpoint))


def checkpoint_from_json(text: str) -> Checkpoint:
    """The other way round; floats come back to the last bit."""
    values = json.loads(text)
    values["filter_state"] = tuple(values["filter_state"])
    values["state"] = RoomState(values["state"])
    values["held"] = tuple(tuple(one) for one in values.get("held", ()))  # older files have none
    return Checkpoint(**values)


@dataclass(frozen=True)
class Late:
    """Windows that came too late for a room's live state: from the end of the first to the newest step by then."""

    from_utc_ms: int
    until_utc_ms: int


@dataclass
class Room:
    """One room: its timeline, what was said last, settled steps on their way to the store, and when each of its nodes
    was last heard (end of its newest window, UTC in ms; 0: never). `quiet` nodes are heard hourly."""

    room: str
    timeline: RoomTimeline
    said: Belief = NOTHING
    settling: list[Step] = field(default_factory=list)
    heard_utc_ms: dict[str, int] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()

    def current(self, now_utc_ms: int) -> Belief:
        """The belief now: unknown once nothing has been heard for too long. Nodes that are silent say so."""
        belief = self._now(self.timeline.belief(), now_utc_ms)
        silent = self._silent_nodes(now_utc_ms)
        return replace(belief, shares=belief.shares + silent) if silent else belief

    def outline(self, now_utc_ms: int) -> Belief:
        """The belief now, without its shares."""
        return self._now(self.timeline.outline(), now_utc_ms)

    def silent(self, now_utc_ms: int) -> bool:
        """Whether the newest step is too old to say anything about now."""
        return self._expired(self.timeline.outline(), now_utc_ms)

    def _silent_nodes(self, now_utc_ms: int) -> tuple[Share, ...]:
        patience_ms = SILENT_STEPS * self.timeline.step_ms
        silent = sorted(
            node
            for node, utc_ms in self.heard_utc_ms.items()
            if now_utc_ms - utc_ms > (HOLD_MS if node in self.quiet else patience_ms)
        )
        return tuple(Share(node, 0.0, "is silent") for node in silent)

    def _expired(self, belief: Belief, now_utc_ms: int) -> bool:
        return now_utc_ms > belief.valid_until_utc_ms + GRACE_STEPS * self.timeline.step_ms

    def _now(self, belief: Belief, now_utc_ms: int) -> Belief:
        if belief.state is RoomState.UNKNOWN or not self._expired(belief, now_utc_ms):
            return belief
        return Belief(RoomState.UNKNOWN, 0.0, belief.valid_until_utc_ms, belief.as_of_utc_ms, 0, ())

    def worth_saying(self, now_utc_ms: int) -> bool:
        """Whether the belief differs enough from what was said last, or what was said is about to expire."""
        belief = self.outline(now_utc_ms)
        if belief.state is not self.said.state:
            return True
        if belief.state is RoomState.UNKNOWN:
            return False
        left_ms = self.said.valid_until_utc_ms - belief.as_of_utc_ms
        moved = abs(belief.probability - self.said.probability) >= NOTABLE_CHANGE
        # What quiet nodes report hourly has to reach until their next report.
        longer = belief.valid_until_utc_ms - self.said.valid_until_utc_ms > HOLD_MS // 2
        return moved or longer or left_ms <= REFRESH_STEPS * self.timeline.step_ms


class Rooms:
    """The rooms by name. `room_of` gives a node's room, `sensors_of` its sensor kinds; `threshold` is the log-odds
    above which a room is occupied, `models` holds what rooms have learned from labels; `quiet` nodes are not heard
    between their reports."""

    def __init__(
        self,
        rooms: Iterable[str],
        step_ms: int,
        room_of: Mapping[str, str],
        sensors_of: Callable[[str], Sequence[str]],
        *,
        threshold: float,
        models: Mapping[str, RoomModel] | None = None,
        quiet: Collection[str] = (),
    ) -> None:
        self.step_ms = step_ms
        self._room_of = room_of
        self._sensors_of = sensors_of
        self._threshold = threshold
        self._models = dict(models or {})
        self.rooms = {room: Room(room, self.new_timeline(room, None)) for room in rooms}
        self._quiet = frozenset(quiet)
        for node, assigned in room_of.items():
            self.rooms[assigned].heard_utc_ms[node] = 0
            self.rooms[assigned].quiet |= self._quiet & {node}
        self.touched: set[str] = set()
        self.late: dict[str, Late] = {}

    def place(self, node: str, room: str) -> None:
        """The node stands in that room from now on; in none if it is empty."""
        for each in self.rooms.values():
            if each.room != room:
                each.heard_utc_ms.pop(node, None)
                each.quiet -= {node}
        if room:
            self.rooms[room].heard_utc_ms.setdefault(node, 0)
            self.rooms[room].quiet |= self._quiet & {node}

    def model(self, room: str) -> RoomModel:
        """What the room has learned from labels."""
        return self._models.get(room, RoomModel())

    def adopt(self, room: str, model: RoomModel) -> None:
        """Judges a room by a new model from now on, the steps that are still open included."""
        self._models[room] = model
        self.rooms[room].timeline.adopt(model)
        self.touched.add(room)

    def forget_model(self, room: str) -> None:
        """Judges a room as one that nobody has taught."""
        self._models.pop(room, None)

    def new_timeline(self, room: str, checkpoint: Checkpoint | None) -> RoomTimeline:
        return RoomTimeline(
            self.step_ms, self._sensors_of, checkpoint, model=self.model(room), threshold=self._threshold
        )

    def restore(self, room: str, checkpoint: Checkpoint | None, said: Belief | None) -> None:
        """Sets a room back to what the store holds of it; its windows since then follow through `take`."""
        found = self.rooms[room]
        found.timeline = self.new_timeline(room, checkpoint)
        found.heard_utc_ms.update(dict.fromkeys(found.heard_utc_ms, 0))
        for node, _, until in checkpoint.held if checkpoint else ():
            found.heard_utc_ms[node] = until * self.step_ms - HOLD_MS
        found.said = said or NOTHING
        found.settling.clear()

    def ahead(self, now_utc_ms: int) -> list[str]:
        """Rooms whose newest step lies in the future: the clock went back, and what comes now would be late to them."""
        return [room.room for room in self.rooms.values() if room.timeline.newest_utc_ms > now_utc_ms + HORIZON_MS]

    def take(self, window: Window) -> bool:
        """Takes a window of an assigned node; True if the state of its room differs from what was said."""
        assigned = self._room_of.get(window.node)
        if assigned is None:  # it was taken away while its window was on the way
            return False
        room = self.rooms[assigned]
        timeline = room.timeline
        room.heard_utc_ms[window.node] = max(room.heard_utc_ms[window.node], window.end_utc_ms)
        arrival = add_window(timeline, window, quiet=window.node in self._quiet)
        if arrival is Arrival.LATE:
            self.note_late(room.room, Late(window.end_utc_ms, timeline.newest_utc_ms))
            return False
        if timeline.settled:
            room.settling += timeline.settled
            timeline.settled.clear()
        self.touched.add(room.room)
        return timeline.state is not room.said.state

    def note_late(self, room: str, late: Late) -> None:
        """The room's history has to be corrected."""
        known = self.late.get(room, late)
        until = max(known.until_utc_ms, late.until_utc_ms)
        self.late[room] = Late(min(known.from_utc_ms, late.from_utc_ms), until)

    def to_say(self, now_utc_ms: int) -> list[tuple[str, Belief]]:
        """Beliefs of touched rooms that are worth saying now."""
        found = []
        for name in sorted(self.touched):
            room = self.rooms[name]
            if room.worth_saying(now_utc_ms):
                found.append((name, room.current(now_utc_ms)))
        self.touched.clear()
        return found

    def touch_silent(self, now_utc_ms: int) -> bool:
        """Marks rooms that have fallen silent since they were last said; True if there are any."""
        silent = [
            room.room
            for room in self.rooms.values()
            if room.said.state is not RoomState.UNKNOWN and room.silent(now_utc_ms)
        ]
        self.touched.update(silent)
        return bool(silent)

    def settled_hours(self) -> list[BeliefHour]:
        """Hours of which every step is settled, for the store; each is handed out once."""
        return [hour for room in self.rooms.values() for hour in take_hours(room.room, room.settling, self.step_ms)]


def add_window(timeline: RoomTimeline, window: Window, *, quiet: bool) -> Arrival:
    """Puts a stored window into a timeline; what a `quiet` node reports holds until its next report."""
    evidence = occupied_nats(window.evidence)
    held = held_nats(evidence, window.state) if quiet else None
    return timeline.add(window.node, (window.boot, window.seq), window.end_utc_ms, evidence, held)


def occupied_nats(evidence: bytes) -> float | None:
    """A window's log-likelihood ratio of occupied against free in nats; None if its head knew nothing."""
    if not evidence:
        return None
    values = struct.unpack(f"<{len(evidence) // 2}h", evidence)
    return occupied_evidence([value / EVIDENCE_STEPS for value in values])


def take_hours(room: str, settling: list[Step], step_ms: int) -> list[BeliefHour]:
    """Takes the steps of whole hours from the front of `settling` (steps in order; the last hour stays)."""
    if not settling:
        return []
    last = _hour(settling[-1], step_ms)
    whole = [step for step in settling if _hour(step, step_ms) != last]
    del settling[: len(whole)]
    return pack_hours(room, whole, step_ms)


def pack_hours(room: str, steps: Iterable[Step], step_ms: int) -> list[BeliefHour]:
    """The store's rows for settled steps, in order."""
    by_hour: dict[int, list[Step]] = {}
    for step in steps:
        by_hour.setdefault(_hour(step, step_ms), []).append(step)
    return [_pack_hour(room, hour, found, step_ms) for hour, found in by_hour.items()]


def _pack_hour(room: str, hour: int, steps: Sequence[Step], step_ms: int) -> BeliefHour:
    """The store's row for the settled steps of one hour; steps that are not there are unknown."""
    per_hour = HOUR_MS // step_ms
    known = [KNOWN_UNKNOWN] * per_hour
    for step in steps:
        if step.settled_as().state is not RoomState.UNKNOWN:
            known[(step.index - 1) % per_hour] = _quantised(step)
    return BeliefHour(room, hour, struct.pack(f"<{per_hour}h", *known), checkpoint_to_json(steps[-1].settled_as()))


def _quantised(step: Step) -> int:
    """Log-odds in steps of 1/256 nat, rounded away from the threshold: whoever reads them finds the same state."""
    log_odds = EVIDENCE_STEPS * min(max(step.log_odds, -127.0), 127.0)
    return math.ceil(log_odds) if step.settled_as().state is RoomState.OCCUPIED else math.floor(log_odds)


def unpack_hour(hour: int, known: bytes) -> list[tuple[int, float]]:
    """(UTC of the step's end in ms, log-odds; NaN where unknown) of a stored hour."""
    values = struct.unpack(f"<{len(known) // 2}h", known)
    step_ms = HOUR_MS // len(values)
    return [
        (hour * HOUR_MS + (i + 1) * step_ms, math.nan if value == KNOWN_UNKNOWN else value / EVIDENCE_STEPS)
        for i, value in enumerate(values)
    ]


def _hour(step: Step, step_ms: int) -> int:
    """The hour in which a step ends; the step that ends on the hour belongs to the hour before."""
    return (step.index * step_ms - 1) // HOUR_MS
