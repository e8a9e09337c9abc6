"""What is acknowledged has been synced before, seen in the daemon's system calls."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dialled import dialled
from installation import Installation, program, wait_until
from system_calls import Call, calls, traced

NODE = "0a0b0c0d01020304"
NODE_ID = bytes.fromhex(NODE)
BOOT = 0x1CEDC0DE
WINDOWS = 12


@contextmanager
def followed(folder: Path, command: list[str]) -> Iterator[tuple[Installation, Path]]:
    """An installation whose daemon is traced, and the trace."""
    trace = folder / "trace"
    installation = Installation(folder, {"1.01": [NODE]}, rate=60, step_s=10, daemon=traced(trace, command))
    try:
        installation.start()
        yield installation, trace
    finally:
        installation.close()


def report(installation: Installation) -> dict[bytes, int]:
    """The node's windows arrive and are acknowledged one after the other; the frames that acknowledged how many."""
    with dialled(installation, NODE, ("co2", "pir"), boot=BOOT, window_s=10) as node:
        node.live_until(lambda: node.acknowledged >= WINDOWS, "The acknowledgement of all windows", 30)
        frames: dict[int, bytes] = {}
        for frame, through in node.heard:
            frames.setdefault(through, frame)
        return {frame: through for through, frame in frames.items() if through}


def written(call: Call, seq: int) -> bool:
    """Whether the call writes the window's record."""
    record = NODE_ID + BOOT.to_bytes(4, "little")
    at = call.data.find(record)
    while at >= 0:
        if int.from_bytes(call.data[at + 20 : at + 24], "little") == seq:
            return True
        at = call.data.find(record, at + 1)
    return False


def acknowledged(call: Call, frames: dict[bytes, int]) -> int:
    """The highest report that the call acknowledges; 0 if it sends something else. Frames are sealed: the node has told
    what was in them."""
    return max((through for frame, through in frames.items() if frame in call.data), default=0)


def check_windows(trace: Path, frames: dict[bytes, int]) -> None:
    """Each window's write to the log, then the end of a sync of the log, then its acknowledgement."""
    found = calls(trace)
    writes = [call for call in found if call.name == "pwrite64" and call.file.endswith("windows.db-wal")]
    syncs = [call for call in found if "sync" in call.name and call.file.endswith("windows.db-wal")]
    messages = [(call, acknowledged(call, frames)) for call in found if call.name.startswith("send")]
    for seq in range(1, WINDOWS + 1):
        write = next(call for call in writes if written(call, seq))
        sync = next(call for call in syncs if call.begun > write.ended)
        acknowledgement = next(call for call, through in messages if through >= seq)
        assert sync.ended < acknowledgement.begun, f"Report {seq} was acknowledged before it was synced."


def test_each_report_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    with followed(tmp_path, [program("attuned")]) as (installation, trace):
        frames = report(installation)
    check_windows(trace, frames)


@pytest.mark.slow
def test_a_daemon_that_acknowledges_first_is_found_out(tmp_path: Path) -> None:
    launcher = Path(__file__).with_name("launchers") / "hasty.py"
    with followed(tmp_path, [sys.executable, str(launcher)]) as (installation, trace):
        frames = report(installation)
        wait_until(lambda: installation.status().windows >= WINDOWS, "The commit of all windows")
    with pytest.raises(AssertionError, match="was acknowledged before it was synced"):
        check_windows(trace, frames)


def test_each_label_is_synced_before_it_is_answered(tmp_path: Path) -> None:
    authors = [f"somebody-{i:02}-of-the-house" for i in range(5)]
    with followed(tmp_path, [program("attuned")]) as (installation, trace):
        now = installation.now_utc_ms()
        for author in authors:
            installation.add_label("1.01", "free", now - 60_000, now, author=author, wait_ms=0)
    found = calls(trace)
    for author in authors:
        mentions = [call for call in found if author.encode() in call.data]
        write = next(call for call in mentions if call.file.endswith("attune.db-wal"))
        sync = next(
            call for call in found
            if "sync" in call.name and call.file.endswith("attune.db-wal") and call.begun > write.ended
        )  # fmt: skip
        answer = next(call for call in mentions if call.name.startswith("send"))
        assert sync.ended < answer.begun
