"""A disk without room: the daemon says so, acknowledges nothing, and goes on when there is room. Nothing is lost."""

import contextlib
import json
import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import stored
from dialled import DialledNode, dialled
from installation import Installation, installed, program, wait_until

NODE = "0a0b0c0d01020304"
BOOT = 77
FULL_S = 2.5

# In a name space of its own anybody may mount a small file system where the store will be.
MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
SMALL = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'


class Disk(Protocol):
    """Where the store of a daemon lies."""

    def command(self, store: Path) -> list[str]:
        """The daemon's command."""

    def fill(self, daemon: int, store: Path) -> None: ...
    def make_room(self, daemon: int, store: Path) -> None: ...
    def seen_from_here(self, daemon: int, store: Path) -> Path: ...


class SmallFileSystem:
    """A file system of 3 MB, filled up to the last byte by somebody else's file."""

    def command(self, store: Path) -> list[str]:
        trial = subprocess.run([*MOUNT, SMALL, "/mnt", "true"], capture_output=True, text=True, check=False)
        if trial.returncode != 0:
            pytest.skip(f"This machine lets nobody mount a file system of his own: {trial.stderr.strip()}")
        return [*MOUNT, SMALL, str(store), program("attuned")]

    def fill(self, daemon: int, store: Path) -> None:
        with (self.seen_from_here(daemon, store) / "ballast").open("wb", buffering=0) as ballast:
            for size in (65536, 512, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)):
                        pass

    def make_room(self, daemon: int, store: Path) -> None:
        (self.seen_from_here(daemon, store) / "ballast").unlink()

    def seen_from_here(self, daemon: int, store: Path) -> Path:
        return Path(f"/proc/{daemon}/root{store}")


class SmallFiles:
    """Files that may not grow, as under a quota: works for anybody everywhere."""

    LIMIT = 16_384

    def command(self, store: Path) -> list[str]:
        return [program("attuned")]

    def fill(self, daemon: int, store: Path) -> None:
        assert (store / "windows.db-wal").stat().st_size > self.LIMIT
        self._limit(daemon, self.LIMIT)

    def make_room(self, daemon: int, store: Path) -> None:
        self._limit(daemon, resource.RLIM_INFINITY)

    def seen_from_here(self, daemon: int, store: Path) -> Path:
        return store

    def _limit(self, daemon: int, size: int) -> None:
        resource.prlimit(daemon, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture(params=[SmallFileSystem, SmallFiles])
def disk(request: pytest.FixtureRequest) -> Disk:
    found: Disk = request.param()
    return found


@pytest.fixture
def installation(tmp_path: Path, disk: Disk) -> Iterator[Installation]:
    (tmp_path / "store").mkdir()
    with installed(tmp_path, {"1.01": [NODE]}, rate=60, step_s=10, daemon=disk.command(tmp_path / "store")) as found:
        yield found


def on_disk(installation: Installation, disk: Disk) -> dict[stored.BootKey, Counter[int]]:
    """How often each report is in the store, read from a copy: SQLite does not look into another's name space."""
    copy = installation.folder / "copy"
    here = disk.seen_from_here(installation.processes["daemon"].pid, installation.store)
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns("*-shm"), dirs_exist_ok=True)
    return stored.sequences(copy)


def attune(installation: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    command = [program("attune"), "--socket", str(installation.api_socket), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def status(installation: Installation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(attune(installation, "status", "--json").stdout)
    return found


def wait_for_reports(node: DialledNode, count: int) -> None:
    before = node.acknowledged
    node.live_until(lambda: node.acknowledged >= before + count, f"The acknowledgement of {count} more reports")


def live_on(node: DialledNode, reports: int) -> None:
    """The node makes so many more reports, whether they are acknowledged or not."""
    before = node.core.facts.next_seq
    node.live_until(lambda: node.core.facts.next_seq >= before + reports, "Time", FULL_S * 10)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_and_is_told(installation: Installation, disk: Disk) -> None:
    daemon = installation.processes["daemon"].pid
    with dialled(installation, NODE, ("co2", "pir"), boot=BOOT, window_s=10) as node:
        wait_for_reports(node, 8)
        disk.fill(daemon, installation.store)
        node.live_until(lambda: installation.status().store != "", "The daemon's complaint")
        at_full = node.acknowledged
        live_on(node, 15)

        assert node.acknowledged == at_full
        sentence = "cannot be written"
        assert sentence in status(installation)["store"]
        screen = attune(installation, "status")
        assert (screen.returncode, sentence in " ".join(screen.stdout.split())) == (0, True)
        refused = attune(installation, "label", "add", "1.01", "free", "-2m", "now")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "make room" in " ".join(refused.stderr.split())
        assert "Nothing is acknowledged" in installation.log("daemon")

        disk.make_room(daemon, installation.store)
        node.live_until(lambda: node.core.facts.waiting == 0, "The acknowledgement of all reports")
        wait_for_reports(node, 3)
        assert installation.status().store == ""
        assert attune(installation, "label", "add", "1.01", "free", "-2m", "now").returncode == 0
        reports = node.core.facts.next_seq - 1

        found = on_disk(installation, disk)[NODE, BOOT]
        assert (sorted(found), set(found.values())) == (list(range(1, max(found) + 1)), {1})
        assert max(found) >= node.acknowledged >= reports - 1
        assert installation.status().windows_lost == 0
    log = installation.log("daemon")
    # Told when it began and when it was over, not each second in between.
    assert (log.count("Nothing is acknowledged"), log.count("takes commits again")) == (1, 1)
    assert len([line for line in log.splitlines() if line.startswith("ERROR")]) <= 3


@pytest.mark.slow
def test_a_node_that_comes_while_the_disk_is_full_is_served_later(installation: Installation, disk: Disk) -> None:
    daemon = installation.processes["daemon"].pid
    with dialled(installation, NODE, ("co2", "pir"), boot=BOOT, window_s=10) as node:
        wait_for_reports(node, 8)
    disk.fill(daemon, installation.store)
    with dialled(installation, NODE, ("co2", "pir"), boot=BOOT + 1, window_s=10) as node:
        live_on(node, 5)
        assert node.acknowledged == 0
        wait_until(lambda: installation.status().store != "", "The daemon's complaint")
        disk.make_room(daemon, installation.store)
        wait_for_reports(node, 6)
    assert set(on_disk(installation, disk)[NODE, BOOT + 1].values()) == {1}
