"""A room of a running loop: what its nodes say, what is made of it, and the labels that have been told so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from attune_core import Schema

from attuned.labels.questions import COMPARED, RoomNow
from attuned.labels.teaching import CLASSES, label_share
from attuned.learning.from_labels import label_classes
from attuned.learning.record import UNLABELLED, RoomRecord, joined
from attuned.learning.replay.core import CoreHead
from attuned.learning.replay.judging import RoomJudge
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.streams import RoomStream
from attuned.learning.rooms import learn_room
from attuned.nodes.window import Window
from attuned.presence.belief import RoomState
from attuned.presence.costs import DEFAULT_COST_RATIO
from attuned.presence.history import HistoryPoint
from attuned.presence.model import RoomModel, threshold
from attuned.store.site import LabelRow

# What a filter still knows of what was longer ago is next to nothing.
SETTLE_S = 6 * 3600

Reals = npt.NDArray[np.float64]


@dataclass
class Known:
    """What a room keeps from one split to the next: its heads, how it is judged, and what that was learned from."""

    judge: RoomJudge
    heads: dict[str, CoreHead] = field(default_factory=dict)
    past: list[RoomRecord] = field(default_factory=list)
    labelled: list[Window] = field(default_factory=list)


class LoopRoom:
    """One room in one split. `windows` are those of its nodes, every one of which is one of the room's."""

    def __init__(
        self, stream: RoomStream, windows: dict[str, NodeWindows], schemas: dict[str, Schema], known: Known
    ) -> None:
        self.stream = stream
        self.windows = windows
        self.schemas = schemas
        self.known = known
        self.nodes = tuple(sorted(windows))
        shape = len(stream.ends_s), len(self.nodes)
        self.nats, self.heard = np.zeros(shape), np.zeros(shape, dtype=bool)
        self.log_odds: Reals = np.zeros(len(stream.ends_s))
        self.rows: list[LabelRow] = []
        self.served = 0
        self.begun = 0  # the window from which on the nodes run what they run now

    def serve(self, until_s: int) -> None:
        """Says how the room is in each window up to then, from what has been learned by now."""
        first, last = self.served, int(np.searchsorted(self.stream.ends_s, until_s, side="right"))
        if last == first:
            return
        for column, node in enumerate(self.nodes):
            seen = self.windows[node]
            here = slice(*np.searchsorted(seen.ends_s, self.stream.ends_s[[first, last - 1]] + [0, 1]).tolist())
            if here.start < here.stop:
                evidence = self.known.heads[node].predict(seen.features[here])
                at = np.searchsorted(self.stream.ends_s, seen.ends_s[here])
                self.nats[at, column], self.heard[at, column] = evidence.nats, evidence.told
        settled = self.stream.ends_s[first] - SETTLE_S
        start = int(np.searchsorted(self.stream.ends_s, settled))
        self.log_odds[first:last] = self.known.judge.judge(self.record(start, last))[first - start :]
        self.served = last

    def record(self, first: int, last: int) -> RoomRecord:
        """What was said in windows [first, last), with the labels that have been told."""
        ends_s = self.stream.ends_s[first:last]
        told = label_classes(self.rows, ends_s * 1000)
        return RoomRecord(
            self.nodes, ends_s, self.stream.stretch[first:last], told, self.nats[first:last], self.heard[first:last]
        )

    def now(self, from_utc_ms: int, to_utc_ms: int) -> RoomNow:
        """What questions about a stretch of the served time are chosen from."""
        inside = self._between(from_utc_ms, to_utc_ms)
        return RoomNow(
            self.stream.room,
            windows=[one for node in self.nodes for one in self._as_windows(node, from_utc_ms, to_utc_ms)],
            history=[self._point(row) for row in range(inside.start, inside.stop)],
            labels=[row for row in self.rows if row.to_utc_ms > from_utc_ms],
            labelled=self.known.labelled,
            schemas=self.schemas,
        )

    def learn(self, row: LabelRow) -> None:
        """A person has said something of served windows: the nodes learn it, and how the room is judged."""
        self.rows.append(row)
        for node in self.nodes:
            self.teach(node, [row])
            self.note(node, row)
        self.study()

    def teach(self, node: str, rows: Sequence[LabelRow]) -> None:
        """Has a node learn the windows of this split that labels speak of."""
        seen = self.windows[node]
        for row in rows:
            first, last = np.searchsorted(seen.ends_s * 1000, [row.from_utc_ms, row.to_utc_ms], side="right").tolist()
            classes = np.full(last - first, CLASSES[row.class_name], np.uint8)
            self.known.heads[node].learn(seen.features[first:last], classes, label_share(last - first))

    def note(self, node: str, row: LabelRow) -> None:
        """Remembers a label's windows: questions are to be unlike them."""
        kept = [one for one in self.known.labelled if one.node == node] + self._as_windows(
            node, row.from_utc_ms, row.to_utc_ms
        )
        others = [one for one in self.known.labelled if one.node != node]
        self.known.labelled = others + kept[-COMPARED:]

    def study(self) -> None:
        """Learns how the room is judged from what was said of labelled windows before anybody had told them."""
        live = self.record(self.begun, self.served)
        records = [*self.known.past, *([live] if len(live.ends_s) else [])]
        self.known.judge.model = learn_room(joined(records), self.known.judge.sensors, self.known.judge.window_s)

    def take_up(self, heads: dict[str, CoreHead], model: RoomModel, record: RoomRecord | None) -> None:
        """The nodes run a release; `record` is what its heads, held back, say of what it was built from."""
        self.known.heads.update(heads)
        self.known.judge.model = model
        self.known.past = [] if record is None else [record]
        self.begun = self.served

    def end(self) -> None:
        """Keeps what the next split has to know."""
        live = self.record(self.begun, self.served)
        if (live.labels != UNLABELLED).any():
            self.known.past.append(live)

    def truth(self, from_utc_ms: int, to_utc_ms: int) -> list[tuple[int, int]]:
        """(end of the window in UTC ms, class) of each window of an interval whose truth was recorded."""
        inside = self._between(from_utc_ms, to_utc_ms)
        ends, said = self.stream.ends_s[inside] * 1000, self.stream.labels[inside]
        return [(end, label) for end, label in zip(ends.tolist(), said.tolist(), strict=True) if label != UNLABELLED]

    def _between(self, from_utc_ms: int, to_utc_ms: int) -> slice:
        first, last = np.searchsorted(self.stream.ends_s * 1000, [from_utc_ms, to_utc_ms], side="right").tolist()
        return slice(first, min(last, self.served))

    def _point(self, row: int) -> HistoryPoint:
        probability = 1 / (1 + float(np.exp(-np.clip(self.log_odds[row], -700, 700))))
        occupied = self.log_odds[row] > threshold(DEFAULT_COST_RATIO)
        state = RoomState.OCCUPIED if occupied else RoomState.FREE
        state = state if self.heard[row].any() else RoomState.UNKNOWN
        return HistoryPoint(int(self.stream.ends_s[row]) * 1000, state, probability, state, probability)

    def _as_windows(self, node: str, from_utc_ms: int, to_utc_ms: int) -> list[Window]:
        seen = self.windows[node]
        first, last = np.searchsorted(seen.ends_s * 1000, [from_utc_ms, to_utc_ms], side="right").tolist()
        return [
            Window(node, 1, 0, 0, int(end) * 1000, 0, b"", features.astype("<i2").tobytes())
            for end, features in zip(seen.ends_s[first:last], seen.features[first:last], strict=True)
        ]
