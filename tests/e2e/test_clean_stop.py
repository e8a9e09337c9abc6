"""A daemon that is asked to end does so in five seconds, whatever goes on: all that it acknowledged is on the disk."""

import contextlib
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import stored
from attune_proto.v1 import admin_pb2, upkeep_pb2, upkeep_pb2_grpc
from dialled import DialledNode, dialled
from google.protobuf.message import Message
from installation import Installation, installed, program, wait_until
from simulated import SimulatedNodes

NODE, BOOT = "0a0b0c0d01020304", 77
CROWD = [f"{i:08x}0000cafe" for i in range(1, 25)]
LAUNCHERS = Path(__file__).with_name("launchers")

# The longest that a stop may take, in seconds.
STOP_S = 5.0


@contextlib.contextmanager
def reporting(folder: Path, launcher: str = "") -> Iterator[tuple[Installation, DialledNode]]:
    """A site whose rooms are watched while its nodes report some hundred times a second."""
    command = [sys.executable, str(LAUNCHERS / launcher)] if launcher else [program("attuned")]
    with installed(folder, {"1.01": [NODE], "1.02": CROWD}, rate=60, step_s=10, daemon=command) as installation:
        crowd = SimulatedNodes(installation, CROWD)
        try:
            crowd.start()
            with watched(installation), dialled(installation, NODE, ("co2", "pir"), boot=BOOT, window_s=10) as node:
                node.live_until(lambda: node.acknowledged >= 12, "The acknowledgement of a dozen reports")
                yield installation, node
        finally:
            crowd.kill()


@contextlib.contextmanager
def watched(installation: Installation) -> Iterator[None]:
    """Somebody has `attune watch` open."""
    with installation.admin() as admin:
        stream = admin.WatchRooms(admin_pb2.ListRoomsRequest())
        next(stream)
        reader = threading.Thread(target=read_on, args=(stream,), daemon=True)
        reader.start()
        yield
        reader.join(10)


def read_on(stream: Iterator[Message]) -> None:
    with contextlib.suppress(grpc.RpcError):
        for _ in stream:
            pass


def stop(installation: Installation, node: DialledNode) -> float:
    """Asks the daemon to end while the node goes on reporting; how long that took."""
    daemon = installation.processes["daemon"]
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    node.live_until(lambda: daemon.poll() is not None, "The end of the daemon", 30)
    took = time.monotonic() - began
    assert daemon.returncode == 0, installation.log("daemon")[-2000:]
    return took


def check(installation: Installation, node: DialledNode, *, read: bool = False) -> None:
    """`read`: somebody else has the store open, so that SQLite's log stays."""
    took = stop(installation, node)
    print(f"\nThe daemon ended {took:.2f} s after it was asked to (at most {STOP_S:g} s).")
    assert took <= STOP_S
    # Nothing is left of the log: the next start has nothing to take up.
    assert read or not (installation.store / "windows.db-wal").exists()
    found = stored.sequences(installation.store)[NODE, BOOT]
    assert set(range(1, node.acknowledged + 1)) <= set(found)
    assert set(found.values()) == {1}
    assert "Traceback" not in installation.log("daemon")


def test_under_load(tmp_path: Path) -> None:
    with reporting(tmp_path) as (installation, node):
        check(installation, node)


@pytest.mark.slow
def test_on_a_slow_disk(tmp_path: Path) -> None:
    with reporting(tmp_path, "slow_disk.py") as (installation, node):
        check(installation, node)


@pytest.mark.slow
def test_while_the_broker_hangs(tmp_path: Path) -> None:
    with reporting(tmp_path) as (installation, node):
        installation.broker.freeze()
        try:
            node.live_until(lambda: True, "A moment")
            check(installation, node)
        finally:
            installation.broker.thaw()


@pytest.mark.slow
def test_while_a_room_is_retrained(tmp_path: Path) -> None:
    with reporting(tmp_path, "endless_retraining.py") as (installation, node):
        with installation.admin() as admin:
            retraining = admin.Retrain(admin_pb2.RetrainRequest(rooms=["1.01"]))
            threading.Thread(target=read_on, args=(retraining,), daemon=True).start()
            wait_until((tmp_path / "retraining").exists, "The start of the retraining")
            worker = int((tmp_path / "retraining").read_text())
            check(installation, node)
        wait_until(lambda: not alive(worker), "The end of the retraining")


@pytest.mark.slow
def test_while_a_backup_is_made(tmp_path: Path) -> None:
    """It holds a transaction in both files for as long as they are copied."""
    with reporting(tmp_path) as (installation, node), contextlib.ExitStack() as copying:
        for name in ("attune.db", "windows.db"):
            address = f"file:{installation.store / name}?mode=ro"
            reader = copying.enter_context(contextlib.closing(sqlite3.connect(address, uri=True)))
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        check(installation, node, read=True)


@pytest.mark.slow
def test_while_what_is_old_is_dropped(tmp_path: Path) -> None:
    with reporting(tmp_path, "endless_upkeep.py") as (installation, node), retaining(installation):
        node.live_until(lambda: True, "A moment")
        check(installation, node)


@contextlib.contextmanager
def retaining(installation: Installation) -> Iterator[None]:
    """Somebody has `attune retention` under way, as the timer has each night."""
    with grpc.insecure_channel(f"unix:{installation.api_socket}") as channel:
        sweeping = upkeep_pb2_grpc.UpkeepStub(channel).RunRetention.future(upkeep_pb2.RunRetentionRequest())
        yield
        assert sweeping.code() is not grpc.StatusCode.OK


@pytest.mark.slow
def test_while_a_file_is_written_anew(tmp_path: Path) -> None:
    """After `attune forget`, for minutes where the file is large: it is broken off, and done after the next start."""
    with reporting(tmp_path, "endless_upkeep.py") as (installation, node), installation.admin() as admin:
        forgetting = admin.Forget.future(admin_pb2.ForgetRequest(room="1.02", author="test"))
        node.live_until((tmp_path / "scrubbing").exists, "The writing anew", 30)
        check(installation, node)
        assert forgetting.code() is not grpc.StatusCode.OK


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists()
