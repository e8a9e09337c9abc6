"""`attune demo` as a program: what it prints, how it ends, and that nothing stays behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from installation import program, wait_until

pytestmark = pytest.mark.slow

CHANGE_S = 400

KEYS = {
    "nodes_seen", "rooms", "rooms_with_state", "windows", "windows_lost", "accuracy", "accuracy_always_free",
    "mqtt_messages",
}  # fmt: skip


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demonstration, with a folder of its own for what is temporary."""
    environment = os.environ | {"TMPDIR": str(folder)}
    pipe = subprocess.PIPE
    command = [program("attune"), "demo", *options]
    process = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        for left in children(folder):
            left.kill()


def children(folder: Path) -> list[psutil.Process]:
    """Processes that work in the folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or ())
    ]


def test_an_unattended_demonstration(tmp_path: Path) -> None:
    with demo(tmp_path, "--for", "15", "--json") as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    summary = json.loads(output.splitlines()[-1])
    assert set(summary) >= KEYS
    assert (summary["nodes_seen"], summary["rooms"], summary["windows_lost"]) == (16, 12, 0)
    assert summary["rooms_with_state"] == 12
    assert summary["windows"] >= 16 * 10
    assert summary["mqtt_messages"] >= 12
    assert 0 <= summary["accuracy_always_free"] <= 1
    assert 0 <= summary["accuracy"] <= 1
    assert (list(tmp_path.iterdir()), children(tmp_path)) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demonstration_that_is_ended_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path, "--json") as process:
        wait_until(lambda: len(children(tmp_path)) >= 4, "The start of all processes", 20)
        time.sleep(2)
        began = time.monotonic()
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
        took_s = time.monotonic() - began
    assert (process.returncode, errors) == (0, "")
    assert set(json.loads(output.splitlines()[-1])) >= KEYS
    assert took_s < 5
    assert (list(tmp_path.iterdir()), children(tmp_path)) == ([], [])


def test_a_demonstration_that_is_ended_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        wait_until(lambda: len(children(tmp_path)) >= 2, "The start of the first processes", 20)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors
    assert (list(tmp_path.iterdir()), children(tmp_path)) == ([], [])


def test_a_second_demonstration_finds_ports_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Names of sockets must not be long.
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    with demo(folders[0], "--for", "12", "--json") as first, demo(folders[1], "--for", "12", "--json") as second:
        for process in (first, second):
            output, errors = process.communicate(timeout=60)
            assert (process.returncode, errors) == (0, "")
            assert json.loads(output.splitlines()[-1])["windows_lost"] == 0


STEPS = ["past", "live", "drift", "labels", "retrained", "approved", "rollout", "trial", "committed", "compared"]


def test_a_covered_sensor_and_the_room_that_comes_back(tmp_path: Path) -> None:
    with demo(tmp_path, "--change", "--json") as process:
        output, errors = process.communicate(timeout=CHANGE_S)
    assert (process.returncode, errors) == (0, "")
    told = json.loads(output.splitlines()[-1])
    assert told["event"]["sensors"] == ["light"]
    assert told["event"]["cause"] == "sensor stuck or covered"
    assert told["labels"] > 5
    assert 0 < told["update_bytes"] <= 244, "one write of Bluetooth"
    assert list(told["steps"]) == STEPS
    times = [(step["utc"], step["real_s"]) for step in told["steps"].values()]
    assert times == sorted(times)
    accuracy, recognised = told["accuracy"], told["recognised"]
    assert accuracy["before"] > 0.9
    assert accuracy["covered"] < 0.6
    assert accuracy["after"] > accuracy["covered"] + 0.15
    assert recognised["after"] > 0.5 > recognised["covered"]
    print(f"\nIt took {told['real_s']:.0f} s (budget 120 s on a quiet machine).")
    assert (list(tmp_path.iterdir()), children(tmp_path)) == ([], [])


def test_a_change_is_told_with_the_commands_of_people(tmp_path: Path) -> None:
    """Until the daemon has found the covered sensor; ended there, it leaves nothing behind."""
    with demo(tmp_path, "--change") as process:
        assert process.stdout is not None
        said: list[str] = []
        while not any("sensor stuck or covered" in line for line in said):
            said.append(process.stdout.readline())
            assert said[-1], process.communicate()[1]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    text = "".join(said)
    assert "simulated in advance" in text
    assert "From here on everything is live" in text
    assert "$ attune drift\n" in text
    assert (process.returncode, errors) == (1, "attune: Stopped before it was done; run it again when you like.\n")
    assert (list(tmp_path.iterdir()), children(tmp_path)) == ([], [])
