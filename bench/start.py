"""Starting, resting and stopping: what an operator waits for, and what the two services need while nothing happens.

The daemon on an empty store and on ten million windows of 250 nodes (28 days, the last hour not packed yet), each a
process of its own: until it says that it is ready, and until it answers with what it believes of every room. Memory at
rest is that of both, proportional (PSS, pages that several processes share counted in parts) and resident. The stop is
one under load: 1,000 reports a second, watched, over the gateway. The store takes a gigabyte of the temporary folder.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from attune_proto.v1 import admin_pb2
from attuned.cli.client import connect
from attuned.demo.ports import free_port
from rich.console import Console
from rich.table import Table

from bench.load import parts
from bench.load.counters import counters, load, machine
from bench.load.stored_site import StoredSite
from bench.output import results

NODES, WINDOWS = 250, 10_000_000

# A full hour, at which the last windows end and the daemon's clock starts.
END_UTC_MS = 1_772_434_800_000  # 2026-03-02T07:00:00Z

# Starts of each kind; the fastest one counts: where other work shares the machine, the others tell of that work. The
# seconds of a core that a start takes hold anywhere.
STARTS = 3

# Rest before memory is read: the check of windows.db, which begins after a quarter of a minute, is over by then.
REST_S = 30.0

PATIENCE_S = 60.0
MIB = 1024


@dataclass(frozen=True)
class Row:
    """One line of the table; `most` is the budget, None where the figure is for information."""

    what: str
    measured: float
    unit: str
    most: float | None = None

    @property
    def met(self) -> bool | None:
        return None if self.most is None else self.measured <= self.most


@dataclass(frozen=True)
class Start:
    """Seconds from the start of a process until it is ready, and until it answers with every room's belief; its CPU
    seconds by then."""

    ready_s: float
    belief_s: float
    cpu_s: float
    rooms: int


@dataclass(frozen=True)
class Memory:
    """In MiB."""

    resident: float
    proportional: float


def memory(pid: int) -> Memory:
    """What a process takes, as the kernel counts."""
    lines = (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
    found = {line.split()[0]: int(line.split()[1]) / MIB for line in lines[1:]}
    return Memory(found["Rss:"], found["Pss:"])


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def running(command: Sequence[str], notify: Path) -> Iterator[tuple[subprocess.Popen[bytes], float, float]]:
    """A service, when it began and when it was ready, by the monotonic clock; it is told of systemd's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        notify.unlink(missing_ok=True)
        ear.bind(str(notify))
        ear.settimeout(PATIENCE_S)
        began = time.monotonic()
        told = {**os.environ, "NOTIFY_SOCKET": str(notify)}
        process = subprocess.Popen(command, env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in ear.recv(4096):
                pass
            yield process, began, time.monotonic()
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def configure(folder: Path, site: StoredSite | None) -> list[str]:
    """The daemon's command, with a store of its own in the folder."""
    rooms = site.rooms if site else {}
    tables = "".join(
        f'[[rooms]]\nid = "{room}"\nnodes = [{", ".join(f"{chr(34)}{n}{chr(34)}" for n in nodes)}]\n'
        for room, nodes in rooms.items()
    )
    (folder / "attuned.toml").write_text(
        f'site = {{ name = "bench" }}\nstore = {{ path = "{folder}/store" }}\n'
        f'gateways = {{ listen = ["unix:{folder}/gateway.sock"] }}\napi = {{ socket = "{folder}/api.sock" }}\n'
        f"clock = {{ start = {datetime.fromtimestamp(END_UTC_MS / 1000, UTC).isoformat()} }}\n{tables}"
    )
    return [program("attuned"), "--config", str(folder / "attuned.toml")]


def forget_cached(folder: Path) -> None:
    """Has the kernel let go of the files' pages, as after the machine's own start."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def start(folder: Path, site: StoredSite | None, rest_s: float = 0.0) -> tuple[Start, Memory]:
    """Starts the daemon from a cold disk and stops it; its memory after so long a rest."""
    command = configure(folder, site)
    if (folder / "store").exists():
        forget_cached(folder / "store")
    with running(command, folder / "notify") as (process, began, ready):
        with connect(str(folder / "api.sock")) as daemon:
            rooms = daemon.rooms([]).rooms
            belief, cpu_s = time.monotonic(), counters(process.pid).cpu_s
        time.sleep(rest_s)
        known = sum(room.state != admin_pb2.ROOM_STATE_UNKNOWN for room in rooms)
        return Start(ready - began, belief - began, cpu_s, known), memory(process.pid)


def start_rows(folder: Path) -> Iterator[Row]:
    starts = [start(folder, None, REST_S if number == 0 else 0.0) for number in range(STARTS)]
    yield Row("empty store: process to ready", min(found.ready_s for found, _ in starts), "s")
    yield Row("empty store: process to first answer", min(found.belief_s for found, _ in starts), "s")
    yield Row("empty store: CPU until then", min(found.cpu_s for found, _ in starts), "s")
    yield Row("daemon at rest on it, PSS", starts[0][1].proportional, "MiB", 120)
    yield Row("daemon at rest on it, RSS", starts[0][1].resident, "MiB")


def stored_rows(folder: Path) -> Iterator[Row]:
    site = StoredSite(NODES, WINDOWS, END_UTC_MS)
    (folder / "store").mkdir()
    written, kept = site.write(folder / "store"), folder / "kept"
    shutil.copytree(folder / "store", kept)
    starts = []
    for number in range(STARTS):
        # The same each time: a start packs what waits in the inbox.
        shutil.rmtree(folder / "store")
        shutil.copytree(kept, folder / "store")
        starts.append(start(folder, site, REST_S if number == 0 else 0.0))
    size = (folder / "store" / "windows.db").stat().st_size
    yield Row("windows in the store", written, "")
    yield Row("windows.db", size / 1e6, "MB")
    yield Row("rooms with a belief, of 200", min(found.rooms for found, _ in starts), "")
    yield Row("ten million windows: process to ready", min(found.ready_s for found, _ in starts), "s")
    yield Row("ten million windows: process to first belief", min(found.belief_s for found, _ in starts), "s", 3)
    yield Row("ten million windows: slowest of three", max(found.belief_s for found, _ in starts), "s")
    yield Row("ten million windows: CPU until then", min(found.cpu_s for found, _ in starts), "s")
    yield Row("daemon at rest on them, PSS", starts[0][1].proportional, "MiB", 120)
    yield Row("daemon at rest on them, RSS", starts[0][1].resident, "MiB")


def gateway_rows(folder: Path) -> Iterator[Row]:
    for what, more in (("gateway at rest", []), ("gateway with --ble at rest", ["--ble", "hci0"])):
        listen = ["--listen", f"127.0.0.1:{free_port()}", "--name", "bench"]
        command = [program("attune-gateway"), "--daemon", f"unix:{folder}/gateway.sock", *listen, *more]
        with running(command, folder / "notify") as (process, began, ready):
            time.sleep(5)
            found = memory(process.pid)
        yield Row(f"{what}: process to ready", ready - began, "s")
        yield Row(f"{what}, PSS", found.proportional, "MiB", 80)
        yield Row(f"{what}, RSS", found.resident, "MiB")


def stop_rows() -> Iterator[Row]:
    run = parts.stopped()
    yield Row("stop at 1,000 reports/s", run.stop_s, "s", 5)
    yield Row("reports acknowledged by then and not in the store", run.missing, "", 0)
    yield Row("reports in the store", run.stored, "")


def show(rows: Sequence[Row], facts: dict[str, str]) -> None:
    table = Table(title="Starting, resting and stopping")
    for heading in ("what", "measured", "unit", "budget", "met"):
        table.add_column(heading, justify="right" if heading in {"measured", "budget"} else "left", no_wrap=True)
    for row in rows:
        met = {None: "", True: "yes", False: "NO"}[row.met]
        measured = f"{row.measured:,.0f}" if row.measured == int(row.measured) else f"{row.measured:,.2f}"
        table.add_row(row.what, measured, row.unit, "" if row.most is None else f"{row.most:,.0f}", met)
    Console(width=110).print(table)
    print(", ".join(f"{name} {value}" for name, value in facts.items()))


def main() -> int:
    """Measures, prints a table and writes it to `results/start.csv`."""
    before = load()
    with tempfile.TemporaryDirectory(prefix="attune-start-") as name:
        folder = Path(name)
        rows = [*start_rows(folder), *gateway_rows(folder)]
        shutil.rmtree(folder / "store")
        rows += stored_rows(folder)
    rows += stop_rows()
    facts = {**machine(), "load before": f"{before:.1f}", "load after": f"{load():.1f}"}
    show(rows, facts)
    results.write("start", (asdict(row) | {"met": row.met} for row in rows), facts)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
