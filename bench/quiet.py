"""What quiet nodes cost and save: rooms of the recordings, their nodes once reporting every window and once quiet.

Nodes are the core's own, in one process, taught 64 windows of the train split in label messages. Rooms are judged by
the daemon's timeline, with what it has before it has learned how to judge a room.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import Node
from attune_proto.v1 import node_pb2
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.observed import observe
from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.spec import TRAIN, load_spec
from attuned.learning.replay.streams import NodeStream, RoomStream, load_splits
from attuned.nodes.window import EVIDENCE_STEPS
from attuned.presence.belief import RoomState
from attuned.presence.costs import DEFAULT_COST_RATIO
from attuned.presence.holding import held_nats
from attuned.presence.model import RoomModel, threshold
from attuned.presence.timeline import RoomTimeline
from rich.console import Console
from rich.table import Table

from bench.daemon_side import Talk
from bench.output import results

SPECS = ("candanedo", "robod", "singh")
TAUGHT, PART, SEED = 64, 8, 5
NODE = bytes.fromhex("a1b2c3d4e5f60718")
DAY_S = 86_400


@dataclass(frozen=True)
class Row:
    """A room of a split: messages a node and day, balanced accuracy, and the share of time in which both differ."""

    room: str
    reports: float
    quiet_reports: float
    balanced_accuracy: float
    quiet_balanced_accuracy: float
    differing: float


@dataclass(frozen=True)
class Reported:
    """One report of a node, dated in UTC."""

    node: str
    seq: int
    end_utc_ms: int
    nats: float | None
    state: int


class Board:
    """A node of the core that is spoken to and acknowledged at once."""

    def __init__(self, stream: NodeStream, window_s: int, first_end_s: int, *, quiet: bool) -> None:
        self.stream, self.window_s = stream, window_s
        self.booted_ms = (first_end_s - window_s) * 1000
        self.core = Node(NODE, 1, stream.kinds, window_s)
        self._talk = Talk(self.core)
        self.core.link(True)
        self.reports: list[Reported] = []
        self._hear()
        self._tell(node_pb2.DaemonMessage(time=node_pb2.Time(utc_ms=self.booted_ms, quiet=quiet)))

    def learn(self, features: npt.NDArray[np.int16], classes: npt.NDArray[np.int8]) -> None:
        for k in (0, 1):
            rows = features[classes == k]
            for first in range(0, len(rows), PART):
                part = rows[first : first + PART]
                windows = [
                    node_pb2.LabelWindow(boot=2 + k, seq=first + i + 1, features=x.astype("<i2").tobytes())
                    for i, x in enumerate(part)
                ]
                label = node_pb2.Label(number=k + 1, part=first, class_index=k, weight=256, windows=windows)
                self._tell(node_pb2.DaemonMessage(label=label))

    def live(self) -> list[Reported]:
        """Takes all that was recorded; its reports in order."""
        offset = self.booted_ms + self.window_s * 500 - 1
        for time_ms, values in zip(self.stream.times_ms.tolist(), self.stream.values, strict=True):
            for sensor in np.flatnonzero(~np.isnan(values)).tolist():
                self.core.sample(sensor, time_ms - offset, float(values[sensor]))
            self._hear()
        self.core.poll(int(self.stream.times_ms[-1]) - offset + self.window_s * 1000)
        self._hear()
        return self.reports

    def _tell(self, message: node_pb2.DaemonMessage) -> None:
        self._send(message)
        self._hear()

    def _send(self, message: node_pb2.DaemonMessage) -> None:
        self._talk.tell(message)

    def _hear(self) -> None:
        while messages := self._talk.heard():
            for message in messages:
                if message.HasField("report"):
                    self._keep(message.report)
                elif message.HasField("drift_sketch"):
                    ack = node_pb2.SketchAck(boot=1, number=message.drift_sketch.number)
                    self._send(node_pb2.DaemonMessage(sketch_ack=ack))
            self._send(node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=len(self.reports))))

    def _keep(self, report: node_pb2.Report) -> None:
        said = int.from_bytes(report.evidence[:2], "little", signed=True) / EVIDENCE_STEPS
        nats = said if report.evidence else None
        utc_ms = self.booted_ms + report.end_s * 1000
        self.reports.append(Reported(self.stream.node, report.seq, utc_ms, nats, report.state))


def reports(room: RoomStream, train: RoomStream, window_s: int, *, quiet: bool) -> list[Reported]:
    """What all nodes of a room report, by time."""
    found: list[Reported] = []
    for stream in room.nodes:
        teacher = next(each for each in train.nodes if each.node == stream.node)
        seen = observe(CoreCode(), teacher, window_s)
        labels = train.labels[np.searchsorted(train.ends_s, seen.ends_s)]
        chosen = np.concatenate([_drawn(np.flatnonzero(labels == k)) for k in (0, 1)])
        first_end_s = int(observe(CoreCode(), stream, window_s).ends_s[0])
        board = Board(stream, window_s, first_end_s, quiet=quiet)
        board.learn(seen.features[chosen], labels[chosen])
        found += board.live()
    return sorted(found, key=lambda report: (report.end_utc_ms, report.node))


def _drawn(places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.sort(np.random.default_rng(SEED).permutation(places)[: TAUGHT // 2])


def states(room: RoomStream, heard: Sequence[Reported], window_s: int, *, quiet: bool) -> dict[int, RoomState]:
    """The room's state by the end of each step in UTC seconds."""
    kinds = {stream.node: stream.kinds for stream in room.nodes}
    timeline = RoomTimeline(
        window_s * 1000, kinds.__getitem__, model=RoomModel(), threshold=threshold(DEFAULT_COST_RATIO)
    )
    for one in heard:
        held = held_nats(one.nats, one.state) if quiet else None
        timeline.add(one.node, (1, one.seq), one.end_utc_ms, one.nats, held)
    timeline.finish(-(-timeline.newest_utc_ms // (window_s * 1000)) * window_s * 1000)
    return {step.index * window_s: step.settled_as().state for step in timeline.settled}


def balanced_accuracy(room: RoomStream, said: dict[int, RoomState]) -> float:
    """Windows of which nothing was said count as wrong."""
    right = {0: RoomState.FREE, 1: RoomState.OCCUPIED}
    shares = []
    for k, state in right.items():
        ends = room.ends_s[room.labels == k].tolist()
        if ends:
            shares.append(np.mean([said.get(end) is state for end in ends]))
    return float(np.mean(shares))


def rows() -> Iterator[Row]:
    for name in SPECS:
        path = Path(__file__).parent / "specs" / f"{name}.toml"
        spec = load_spec(path)
        splits = load_splits(spec, path)
        trains = {room.room: room for split in splits if split.name == TRAIN for room in split.rooms}
        for split in splits:
            for room in split.rooms if split.name != TRAIN else ():
                yield _row(f"{name} {split.name} {room.room}", room, trains[room.room], spec.window_s)


def _row(name: str, room: RoomStream, train: RoomStream, window_s: int) -> Row:
    chatty, quiet = (reports(room, train, window_s, quiet=quiet) for quiet in (False, True))
    days = len(room.nodes) * len(room.ends_s) * window_s / DAY_S
    often, seldom = states(room, chatty, window_s, quiet=False), states(room, quiet, window_s, quiet=True)
    known = room.ends_s[room.labels != UNLABELLED].tolist()
    return Row(
        room=name,
        reports=len(chatty) / days,
        quiet_reports=len(quiet) / days,
        balanced_accuracy=balanced_accuracy(room, often),
        quiet_balanced_accuracy=balanced_accuracy(room, seldom),
        differing=float(np.mean([often.get(end) is not seldom.get(end) for end in known])),
    )


def main() -> int:
    """Prints the table and writes `results/quiet.csv`."""
    found = list(rows())
    table = Table("room", "reports a day", "quiet", "balanced accuracy", "quiet", "states that differ")
    for row in found:
        table.add_row(
            row.room,
            f"{row.reports:,.0f}",
            f"{row.quiet_reports:,.0f}",
            f"{row.balanced_accuracy:.3f}",
            f"{row.quiet_balanced_accuracy:.3f}",
            f"{row.differing:.1%}",
        )
    Console(width=120).print(table)
    results.write("quiet", [asdict(row) for row in found], results.surroundings("numpy"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
