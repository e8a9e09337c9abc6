"""The units of systemd: what they forbid, and that the programs can do their work under it."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stored
from attune_proto.v1 import admin_pb2
from attuned.backup import intent
from attuned.backup.swapping import Slot
from attuned.half_restored import path_of
from dialled import DialledNode, dialled
from installation import Installation, program, wait_until
from notices import Notices

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
FILTERED = [sys.executable, str(Path(__file__).with_name("launchers") / "under_filter.py")]

# Exposure as `systemd-analyze security` counts it, in tenths.
EXPOSURE = 20

NODE, ROOM = "0a0b0c0d01020304", "1.01"
SENSORS = ("temperature", "co2", "pir")

# What the units allow from SIGTERM on, before SIGKILL comes.
STOP_S = 5.0

needs_analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")


@needs_analyze
@pytest.mark.parametrize("name", SERVICES)
def test_exposure(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", str(UNITS / name)]
    judged = subprocess.run(command, capture_output=True, text=True, check=False)
    print(judged.stdout.splitlines()[-1])
    assert judged.returncode == 0, judged.stdout


@needs_analyze
@pytest.mark.parametrize("name", sorted(path.name for path in UNITS.glob("*.[st][ei][rm]*")))
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    """With a program that there is, and without the pages, which may not be installed here."""
    for unit in UNITS.glob("*.[st][ei][rm]*"):
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    # Nothing of units that are this machine's own.
    assert [line for line in said.stderr.splitlines() if "attune" in line] == []


@pytest.mark.parametrize("name", SERVICES)
def test_what_no_service_goes_without(name: str) -> None:
    lines = (UNITS / name).read_text().splitlines()
    for line in (
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "MemoryDenyWriteExecute=yes",
        "SystemCallFilter=@system-service",
        "SystemCallArchitectures=native",
    ):
        assert line in lines
    kept = {"attune-backup.service": "CAP_DAC_READ_SEARCH", "attune-restore.service": "CAP_DAC_OVERRIDE"}.get(name, "")
    assert f"CapabilityBoundingSet={kept}" in lines
    assert any(line.startswith("MemoryMax=") for line in lines)


@pytest.mark.parametrize(("name", "final"), [("attuned.service", "2 3"), ("attune-gateway.service", "2")])
def test_daemons_are_watched_and_come_back(name: str, final: str) -> None:
    lines = (UNITS / name).read_text().splitlines()
    for line in ("Type=notify", "Restart=on-failure", f"RestartPreventExitStatus={final}", "StartLimitIntervalSec=0"):
        assert line in lines
    assert any(line.startswith("WatchdogSec=") for line in lines)


class Boxed(Installation):
    """Daemon and gateway under the filters of their units, with systemd's end of the notify socket."""

    def _command(self, name: str) -> list[str]:
        unit = {"daemon": "attuned.service", "gateway": "attune-gateway.service"}[name]
        return [*FILTERED, str(UNITS / unit), *super()._command(name)]


@contextmanager
def boxed(folder: Path) -> Iterator[Boxed]:
    found = Boxed(folder, {ROOM: [NODE]}, rate=600)
    try:
        found.start()
        yield found
    finally:
        found.close()


def filters_can_be_loaded() -> bool:
    if not shutil.which("systemd-analyze"):
        return False
    command = [*FILTERED, str(UNITS / "attuned.service"), sys.executable, "-c", ""]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


needs_filters = pytest.mark.skipif(not filters_can_be_loaded(), reason="no seccomp, libseccomp or systemd-analyze")

FORBIDDEN = """
import mmap, os, socket, sys
tried = {
    "memory that may be written and run": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC),
    "a Bluetooth socket": lambda: socket.socket(31, socket.SOCK_RAW, 1),
    "a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "another root": lambda: os.chroot("/"),
    "another user": lambda: os.setuid(0),
}
for name, what in tried.items():
    try:
        what()
    except OSError:
        continue
    print(name)
"""


@needs_filters
@pytest.mark.parametrize("name", SERVICES)
def test_the_filters_forbid(name: str) -> None:
    """As root, who may do all of this elsewhere."""
    command = [*FILTERED, str(UNITS / name), sys.executable, "-c", FORBIDDEN]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


@needs_filters
def test_libraries_that_call_back_need_no_memory_that_is_written_and_run() -> None:
    """libffi makes closures for ctypes, through which libusb hands packets of a controller to the gateway."""
    script = (
        "import ctypes; print(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(41)); import bumble.device"
    )
    script += "; import bleak, usb1; usb1.USBContext().open().close()"
    command = [*FILTERED, str(UNITS / "attune-gateway.service"), sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "42\n"


@needs_filters
def test_a_restore_is_ended_under_the_filters(tmp_path: Path) -> None:
    """Folders take each other's places, and what was there is set aside."""
    etc, state = Slot(tmp_path / "etc"), Slot(tmp_path / "state")
    for slot in (etc, state):
        for folder, word in ((slot.live, "old"), (slot.beside, "new")):
            folder.mkdir()
            (folder / "attuned.toml").write_text(f'[site]\nname = "{word}"\n[store]\npath = "{state.live}"\n')
    intent.write(etc.live, intent.Intent.of("20261122T024500Z", [etc, state]))
    finish = [program("attune"), "restore", "--finish", "--config", str(etc.live / "attuned.toml"), "--json"]
    command = [*FILTERED, str(UNITS / "attune-restore.service"), *finish]
    done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert done["set_aside"] == [f"{slot.live}.before-20261122T024500Z" for slot in (etc, state)]
    for slot in (etc, state):
        assert "new" in (slot.live / "attuned.toml").read_text()
    assert not path_of(etc.live).exists()


@pytest.mark.parametrize("name", ["attuned.service", "attune-signer.service"])
def test_nothing_starts_on_half_a_restore(name: str) -> None:
    lines = (UNITS / name).read_text().splitlines()
    assert "Requires=attune-restore.service" in lines
    assert any(line.startswith("After=") and "attune-restore.service" in line.split("=")[1] for line in lines)
    conditions = (UNITS / "attune-restore.service").read_text()
    etc = Slot(Path("/etc/attune"))
    for path in (path_of(etc.live), etc.beside, Slot(Path("/var/lib/attune")).beside):
        assert f"ConditionPathExists=|{path}\n" in conditions


@needs_filters
@pytest.mark.slow
def test_a_site_works_under_the_filters(tmp_path: Path) -> None:
    """Windows come in and are acknowledged, a label is learned, and a room is retrained by a process of its own, which
    ends with the daemon."""
    with boxed(tmp_path) as site:
        with dialled(site, NODE, SENSORS, readings=lambda tick_ms: (21.0, 500.0 + tick_ms % 7, 0.0)) as node:
            node.live_for(75 * 60)
            assert node.core.facts.waiting == 0
        site.add_label(ROOM, "free", node.begun_utc_ms, node.begun_utc_ms + 3_600_000)
        with site.admin() as admin:
            replies = list(admin.Retrain(admin_pb2.RetrainRequest(rooms=[ROOM], dry_run=True), timeout=120))
            assert [page.release.verdict for page in replies[-1].pages]
            again = admin.Retrain(admin_pb2.RetrainRequest(rooms=[ROOM], dry_run=True), timeout=60)
            children = wait_for_children(site.processes["daemon"].pid)
            # Where memory runs out, it goes before the daemon.
            score = Path(f"/proc/{children[0]}/oom_score_adj")
            wait_until(lambda: score.read_text() == "1000\n", "The retraining process's readiness to go first")
            began = time.monotonic()
            assert site.terminate("daemon") == 0
            assert time.monotonic() - began < STOP_S
            again.cancel()
        assert not any(Path(f"/proc/{child}").exists() for child in children)
        assert "Operation not permitted" not in site.log("daemon") + site.log("gateway")


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.mark.slow
def test_a_life_under_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY=1 once both sockets take calls, then food with a line for people; at the end everything acknowledged is on
    the disk within the time that the unit allows."""
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    found = Installation(tmp_path, {ROOM: [NODE]}, rate=60, step_s=10)
    try:
        found.start("broker")
        with Notices() as systemd:
            found.launch("daemon")
            assert systemd.next(30) == ["READY=1"]
            assert connects(found.api_socket)
            assert connects(found.gateway_socket)
            assert systemd.next(5) == ["WATCHDOG=1", "STATUS=Site site: rooms 1, nodes 0 of 1 online, gateways 0."]
            found.start("gateway")
            with dialled(found, NODE, ("co2", "pir"), window_s=10) as node:
                heard: list[str] = []

                def thirty(node: DialledNode = node, heard: list[str] = heard, systemd: Notices = systemd) -> bool:
                    heard += systemd.heard()
                    return node.acknowledged >= 30

                node.live_until(thirty, "The acknowledgement of thirty windows", 60)
                began = time.monotonic()
                assert found.terminate("daemon") == 0
                took_s = time.monotonic() - began
                acknowledged = node.acknowledged
            assert "STATUS=Site site: rooms 1, nodes 1 of 1 online, gateways 1." in heard
            assert "STOPPING=1" in systemd.heard()
        print(f"\nThe daemon ended {took_s:.2f} s after it was asked to (at most {STOP_S:g} s).")
        assert took_s < STOP_S
        (sequences,) = stored.sequences(found.store).values()
        assert set(range(1, acknowledged + 1)) <= set(sequences)
    finally:
        found.close()


@pytest.mark.slow
def test_a_task_that_hangs_costs_nothing_but_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal names it and where it was, systemd is asked to act, and what was not acknowledged comes again."""
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    command = [sys.executable, str(Path(__file__).with_name("launchers") / "hung_commits.py")]
    found = Installation(tmp_path, {ROOM: [NODE]}, rate=60, step_s=10, daemon=command)
    try:
        with Notices() as systemd:
            found.start()
            with dialled(found, NODE, ("co2", "pir"), window_s=10) as node:
                node.live_until(lambda: node.acknowledged >= 6, "The acknowledgement of six windows", 60)
                (tmp_path / "hang").touch()
                node.live_until(lambda: "WATCHDOG=trigger" in systemd.heard(), "The cry for help", 30)
                acknowledged = node.acknowledged
                # As systemd does then.
                assert found._end("daemon", signal.SIGABRT) == -signal.SIGABRT
                (tmp_path / "hang").unlink()
                found.start("daemon")
                node.live_until(lambda: node.acknowledged > acknowledged + 3, "The acknowledgement of what waited", 60)
                node.live_until(lambda: node.core.facts.waiting == 0, "The acknowledgement of all windows", 60)
                assert found.terminate("daemon") == 0
                acknowledged = node.acknowledged
        log = found.log("daemon")
        assert log.count("has made no step for 1 s. The watchdog is not fed until that is over.") == 1
        assert "The task commit has made" in log
        assert "Fatal Python error: Aborted" in log
        (sequences,) = stored.sequences(found.store).values()
        assert set(range(1, acknowledged + 1)) <= set(sequences)
        assert set(sequences.values()) == {1}
    finally:
        found.close()


def wait_for_children(process: int) -> list[str]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if found := Path(f"/proc/{process}/task/{process}/children").read_text().split():
            return found
        time.sleep(0.01)
    raise AssertionError("No process came that retrains.")


def test_the_programs_of_the_units_are_there() -> None:
    """Each unit starts a program of this project, with words that it takes."""
    started = {}
    for name in SERVICES:
        lines = (UNITS / name).read_text().replace("\\\n", " ").splitlines()
        (command,) = [line.partition("=")[2].split() for line in lines if line.startswith("ExecStart=")]
        assert command[0].startswith("/usr/bin/")
        started[name] = Path(command[0]).name
        assert Path(program(started[name])).exists()
    assert started["attuned.service"] == "attuned"
    assert started["attune-gateway.service"] == "attune-gateway"
