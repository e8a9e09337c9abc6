"""The runs of the ingest benchmark, each on a stage of its own."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from attune_core import Schema
from attune_proto.v1 import admin_pb2
from attuned.cli.client import Daemon, connect
from attuned.demo.stage import Stage
from attuned.nodes.window import unpack_all
from attuned.presence.keeping import PACK_AFTER_MS
from attuned.store.dropping import HOUR_BITS

from bench.load.counters import Counters, counters
from bench.load.drive import Drive, Ear, listening
from bench.load.fleet import SENSORS, Fleet, Traffic, draw
from bench.load.past import DAY_MS, DAYS, Past

NODES = 1000
WINDOW_S = 10

# A full hour of the daemon's clock, at which it packs what it has.
HOUR_MS = 1_710_241_200_000

# Windows after which a room switches, so that at least one report in 50 changes its room.
DWELL = 25

WARM_S = 5

# With labelled weeks behind them, the daemon first learns how to judge its rooms, one after the other.
SETTLE_S = 30

# The first windows may be dated before the start: a tie is as good as its way there and back.
SPARE_MS = 3_600_000

# Longest time for all nodes to be commissioned, in seconds.
COMMISSION_S = 120


@dataclass(frozen=True)
class Spent:
    """What the processes of a stage used between two moments, and the reports that were committed in between."""

    seconds: float
    reports: int
    daemon: Counters
    gateway: Counters

    @property
    def written(self) -> float:
        """Bytes written to disk for each report."""
        return self.daemon.written / self.reports


@dataclass(frozen=True)
class Delays:
    """As the daemon tells them, in milliseconds: 99 % of the last 2,048, and the slowest of them."""

    commit_ms: float
    commit_worst_ms: float
    publish_ms: float
    publish_worst_ms: float


@dataclass(frozen=True)
class Steady:
    spent: Spent
    delays: tuple[Delays, ...]  # second by second
    changes: int
    published: int
    ends_s: list[float]  # from the end of a window that changed a room to a subscriber
    sent: int
    stored: int
    late_s: float
    retrained: int  # rooms, one after the other


@dataclass(frozen=True)
class Quiet:
    written_a_day: float
    reports_a_day: float
    labels_s: list[float]


def steady(seconds: int = 60, retrained: int = 0) -> Steady:
    """1,000 nodes, a report a second each; shortly before the end the daemon packs what it has so far.

    With `retrained`, that many rooms have four labelled weeks behind them, and are retrained all the while.
    """
    rate, warm_s = 10.0, SETTLE_S if retrained else WARM_S
    start_utc_ms = HOUR_MS + PACK_AFTER_MS - int((warm_s + seconds - 3) * 1000 * rate)
    fleet = Fleet(NODES, start_utc_ms, WINDOW_S)
    traffic = draw(fleet, rate, warm_s + seconds + 1, DWELL)
    past = _past(fleet, retrained)
    with (
        _running(fleet, traffic, ("--drain", "10", "--stats"), past) as (stage, daemon, drive),
        listening(stage) as ear,
        _retraining(stage, list(past.node_of)) as retrainings,
    ):
        time.sleep(warm_s)
        heard, before = len(ear.heard), _snapshot(stage, daemon)
        delays = tuple(_watched(daemon, seconds))
        spent, done = _snapshot(stage, daemon).since(before), len(retrainings)
        published, changes = len(ear.heard) - heard, _changes_since(ear, heard)
        drive.finish(seconds)
        sent = int(json.loads(stage.end_feed(15))["reports"])
        time.sleep(1)
        ends_s, arrived = ear.delays_s(fleet, traffic, drive), stored(stage, start_utc_ms - SPARE_MS)
        return Steady(spent, delays, changes, published, ends_s, sent, arrived, drive.late_s, done)


@dataclass(frozen=True)
class Stopped:
    stop_s: float
    missing: int
    stored: int


def stopped(seconds: int = 15) -> Stopped:
    """1,000 nodes, a report a second each; then the daemon is asked to end, in the middle of it.

    What nodes have had acknowledged they never send again, so a daemon that is started on the same store has every one
    of their reports in the end, or it was missing.
    """
    rate = 10.0
    fleet = Fleet(NODES, HOUR_MS, WINDOW_S)
    traffic = draw(fleet, rate, 2 * seconds, DWELL)
    with _running(fleet, traffic, ("--drain", "20", "--stats")) as (stage, _, drive):
        time.sleep(seconds)
        stop_s = _end(stage.pid("attuned"))
        again = subprocess.Popen(
            [str(Path(sys.executable).with_name("attuned")), "--config", str(stage.folder / "attuned.toml")],
            stderr=subprocess.DEVNULL,
        )
        try:
            drive.finish(2 * seconds)
            sent = int(json.loads(stage.end_feed(40))["reports"])
        finally:
            again.terminate()
            again.wait()
        arrived = stored(stage, HOUR_MS - SPARE_MS)
        return Stopped(stop_s, sent - arrived, arrived)


def _end(pid: int) -> float:
    """Asks a process of this one to end; the seconds that it took. It is left for its parent to wait for."""
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return time.monotonic() - began


def saturated(rate: float, seconds: int) -> tuple[Spent, float]:
    """The feed asks for `rate` * 100 reports a second, more than can be had, and waits for acknowledgements.

    The second figure is the share of reports that made their room say something.
    """
    fleet = Fleet(NODES, HOUR_MS, WINDOW_S)
    traffic = draw(fleet, rate, 2 + seconds, DWELL)
    with _running(fleet, traffic, ("--hold", "2", "--drain", "0")) as (stage, daemon, _):
        time.sleep(2)
        before = _snapshot(stage, daemon)
        said = _said(stage)
        time.sleep(seconds)
        spent = _snapshot(stage, daemon).since(before)
        return spent, (_said(stage) - said) / spent.reports


def quiet() -> Quiet:
    """16 nodes at a report a minute for an hour of the daemon's clock, which takes a minute; then five labels.

    The daemon packs in the middle.
    """
    rate, seconds = 60.0, 60
    fleet = Fleet(16, HOUR_MS - int((WARM_S + 30) * 1000 * rate), window_s=60)
    traffic = draw(fleet, rate, WARM_S + seconds + 10, 2 * DWELL)
    with _running(fleet, traffic, ("--drain", "1")) as (stage, daemon, _):
        time.sleep(WARM_S)
        _checkpoint(stage)
        before = _snapshot(stage, daemon)
        time.sleep(seconds)
        spent = _snapshot(stage, daemon).since(before)
        # What still waits in the log belongs to the hour; it is written in the daemon's place.
        written = spent.daemon.written + _checkpoint(stage)
        days = spent.seconds * rate / 86400
        return Quiet(written / days, spent.reports / days, [_label(daemon, fleet, i) for i in range(5)])


def stored(stage: Stage, since_utc_ms: int) -> int:
    """Windows in the store of a stage that end after a moment, counted from its file."""
    with _store(stage) as connection:
        rows = [
            *connection.execute("SELECT record FROM inbox"),
            *connection.execute("SELECT records FROM packed WHERE id >= ?", (since_utc_ms // 3_600_000 << HOUR_BITS,)),
        ]
    windows = [w for (records,) in rows for w in unpack_all(records) if not w.refused]
    identities = {(w.node, w.boot, w.seq) for w in windows if w.end_utc_ms > since_utc_ms}
    return len(identities)


@contextmanager
def _running(
    fleet: Fleet, traffic: Traffic, node_options: tuple[str, ...], past: Past | None = None
) -> Iterator[tuple[Stage, Daemon, Drive]]:
    stage = Stage(fleet, traffic.rate, fleet.window_s, node_options)
    try:
        if past is not None and past.node_of:
            past.write(stage.folder / "store")
        stage.start()
        with connect(str(stage.api_socket)) as daemon:
            _commissioned(daemon, fleet)
            drive = Drive(stage, traffic)
            drive.start()
            yield stage, daemon, drive
    finally:
        stage.stop()


def _commissioned(daemon: Daemon, fleet: Fleet) -> None:
    """Returns once every node has said hello: handshakes are no part of what is measured."""
    deadline = time.monotonic() + COMMISSION_S
    while sum(bool(node.firmware) for node in daemon.nodes([]).nodes) < fleet.count:
        if time.monotonic() > deadline:
            raise RuntimeError("The nodes were not commissioned in time: read the daemon's log.")
        time.sleep(0.2)


def _past(fleet: Fleet, rooms: int) -> Past:
    """The weeks before a run, of so many rooms with one node."""
    alone = dict(islice(fleet.alone().items(), rooms))
    schema = Schema(SENSORS, fleet.window_s)
    start_utc_ms = (fleet.start_utc_ms // DAY_MS - DAYS) * DAY_MS
    return Past({room: fleet.nodes[index].node_id for room, index in alone.items()}, schema, start_utc_ms)


@contextmanager
def _retraining(stage: Stage, rooms: Sequence[str]) -> Iterator[list[str]]:
    """Has rooms retrained from beginning to end, again and again; the list grows with each that is done."""
    done: list[str] = []
    over = threading.Event()

    def work() -> None:
        with connect(str(stage.api_socket)) as daemon:
            while rooms and not over.is_set():
                for reply in daemon.retrain(rooms, dry_run=True):
                    done.append(reply.room)
                    if over.is_set():
                        break

    worker = threading.Thread(target=work, name="retraining")
    worker.start()
    try:
        yield done
    finally:
        over.set()
        worker.join()


@dataclass(frozen=True)
class Snapshot:
    """The counters of a stage at one moment."""

    now_s: float
    windows: int
    daemon: Counters
    gateway: Counters

    def since(self, before: "Snapshot") -> Spent:
        return Spent(
            self.now_s - before.now_s,
            self.windows - before.windows,
            self.daemon - before.daemon,
            self.gateway - before.gateway,
        )


def _snapshot(stage: Stage, daemon: Daemon) -> Snapshot:
    windows = daemon.status().windows
    return Snapshot(time.monotonic(), windows, counters(stage.pid("attuned")), counters(stage.pid("attune-gateway")))


def _watched(daemon: Daemon, seconds: int) -> Iterator[Delays]:
    """Looks at the daemon's delays each second."""
    began = time.monotonic()
    for i in range(seconds):
        time.sleep(max(0.0, began + i + 1 - time.monotonic()))
        status = daemon.status()
        yield Delays(
            status.commit_delay_ms,
            status.commit_delay_worst_ms,
            status.publish_delay_ms,
            status.publish_delay_worst_ms,
        )


def _store(stage: Stage) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{stage.folder}/store/windows.db?mode=ro", uri=True))


def _said(stage: Stage) -> int:
    """How often rooms have said something."""
    with _store(stage) as connection:
        return int(connection.execute("SELECT count(*) FROM said").fetchone()[0])


def _changes_since(ear: Ear, first: int) -> int:
    since_s = ear.heard[first].when_s if first < len(ear.heard) else 0.0
    return sum(one.when_s >= since_s for one in ear.changes())


def _checkpoint(stage: Stage) -> int:
    """Moves the log of the store into its file from here; returns the bytes that it took."""
    before = counters(os.getpid()).written
    with closing(sqlite3.connect(stage.folder / "store" / "windows.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return counters(os.getpid()).written - before


def _label(daemon: Daemon, fleet: Fleet, index: int) -> float:
    """Seconds until all nodes of a room have learned a label for its last 20 minutes."""
    room = daemon.rooms([fleet.rooms[index].id]).rooms[0]
    now = room.as_of_utc_ms
    request = admin_pb2.AddLabelRequest(
        room=room.room, class_name="occupied", from_utc_ms=now - 1_200_000, to_utc_ms=now, source="person"
    )
    began = time.monotonic()
    reply = daemon.add_label(request)
    took = time.monotonic() - began
    if reply.nodes_waiting or not reply.windows_learned:
        raise RuntimeError(f"The label of room {room.room} was not learned: read the daemon's log.")
    return took
