"""A node whose daemon is away for longer than its RAM lasts, and whose power fails meanwhile."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import stored
from installation import Installation, installed, program
from qemu_board import wait_until

NODE = "e5a1b2c3d4000001"
WINDOW_S = 10
RATE = 120.0

# Half of a round trip of a few hundredths of a second, 120 times as fast, and the beat of the feed.
TIE_ERROR_MS = 12_000

BEAT_S = 0.05


class Process:
    """attune-node with its flash in a file, fed in step with the installation's clock."""

    def __init__(self, installation: Installation, flash: Path) -> None:
        command = [program("attune-node"), "--gateway", f"127.0.0.1:{installation.node_port}", "--id", NODE]
        command += ["--sensors", "co2,pir", "--window", str(WINDOW_S), "--samples", "-", "--flash", str(flash)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.code = self._process.stdout.readline().decode().removeprefix("Code: ").strip()
        self.began_utc_ms = installation.now_utc_ms()
        self._installation = installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def _feed(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            while not self._stop.wait(BEAT_S):
                tick_ms = self._installation.now_utc_ms() - self.began_utc_ms
                stdin.write(f"0 {tick_ms} 0 600\n@{tick_ms}\n".encode())
                stdin.flush()
        except BrokenPipeError:
            return

    def windows(self) -> int:
        """How many windows have closed, as far as its clock goes."""
        return (self._installation.now_utc_ms() - self.began_utc_ms) // (WINDOW_S * 1000)

    def kill(self) -> None:
        """As a power cut would."""
        self._stop.set()
        self._process.kill()
        self._thread.join()
        self._process.communicate()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path, {"r": [NODE]}, rate=RATE) as found:
        yield found


def boots(installation: Installation) -> dict[int, Counter[int]]:
    return {boot: numbers for (node, boot), numbers in stored.sequences(installation.store).items() if node == NODE}


@pytest.mark.slow
def test_reports_of_a_start_that_ended_arrive_once_and_at_their_time(
    installation: Installation, tmp_path: Path
) -> None:
    flash = tmp_path / "node.flash"
    first = Process(installation, flash)
    installation.add_node(first.code)
    wait_until(lambda: installation.status().windows >= 10, "The first windows", 30)
    installation.kill("gateway")
    installation.kill("daemon")
    (boot,) = boots(installation)
    before = max(boots(installation)[boot])
    wait_until(lambda: first.windows() >= before + 200, "Two hundred windows that nobody takes", 60)
    first.kill()

    second = Process(installation, flash)
    assert second.code == first.code
    installation.start("daemon", "gateway")
    # At most 50 reports wait in RAM.
    wait_until(
        lambda: max(boots(installation).get(boot, [0])) >= before + 200 - 50 - 5, "Reports of the first start", 60
    )
    caught_up = second.windows()
    wait_until(
        lambda: any(max(numbers) >= caught_up for start, numbers in boots(installation).items() if start != boot),
        "Those of the second",
        60,
    )
    second.kill()

    found = boots(installation)
    for numbers in found.values():
        assert set(numbers.values()) == {1}
        assert sorted(numbers) == list(range(1, max(numbers) + 1))
    assert installation.status().windows_lost == 0
    starts = {boot: first.began_utc_ms} | {other: second.began_utc_ms for other in found if other != boot}
    for window in stored.windows(installation.store):
        assert not window.refused
        assert abs(window.end_utc_ms - (starts[window.boot] + window.end_s * 1000)) < TIE_ERROR_MS
