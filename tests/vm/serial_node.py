"""Nodes outside of a virtual machine, each at the other end of one of its serial lines: they outlive its power.

A node lets go of what was acknowledged, and so its count of acknowledgements is the record that a store is held to.
"""

import binascii
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence

from attune_core import Keeper, Node
from cobs import cobs
from dialled import Line
from guest_machine import Machine

SENSORS = ("temperature", "co2", "pir")
WINDOW_S = 10

# Ticks after which a node's room fills or empties, and between two readings.
SPELL_MS = 120_000
SAMPLE_MS = 2_000

BEAT_S = 0.02


class Wire(Line):
    """The outer end of a serial line: what is damaged is dropped, and so is what nobody takes at the other end."""

    def __init__(self, machine: Machine, number: int) -> None:
        self._socket = machine.line(number)
        self._socket.setblocking(False)
        self._rest = b""

    def send_raw(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            self._socket.sendall(data)

    def frames(self) -> list[bytes]:
        with contextlib.suppress(BlockingIOError):
            while data := self._socket.recv(65536):
                self._rest += data
            raise ConnectionError("The machine is off.")
        *pieces, self._rest = self._rest.split(b"\0")
        return [frame for piece in pieces if (frame := whole(piece))]


def whole(piece: bytes) -> bytes:
    """The frame of a piece between two zeros; nothing if it is damaged. A terminal echoes until somebody opens it."""
    try:
        found = bytes(cobs.decode(piece))
    except cobs.DecodeError:
        return b""
    frame, crc = found[:-2], found[-2:]
    return frame if crc == binascii.crc_hqx(frame, 0xFFFF).to_bytes(2, "little") else b""


class SerialNode:
    """One node. Its ticks follow `tick_ms` whenever it gets a turn, whether the machine lives or not."""

    def __init__(self, machine: Machine, number: int, tick_ms: Callable[[], int]) -> None:
        self.node = f"{number + 1:08x}5e41a100"
        self.boot = number + 1
        self.core = Node(bytes.fromhex(self.node), self.boot, SENSORS, WINDOW_S, keeper=Keeper(os.urandom(32)))
        self._machine, self._number, self._tick_ms = machine, number, tick_ms
        self._wire: Wire | None = None
        self._lived_ms = 0

    @property
    def acknowledged(self) -> int:
        """Reports that the daemon has acknowledged; those that only moved to the node's flash do not count."""
        return self.core.facts.through

    def turn(self, *, measures: bool) -> None:
        """Takes what has come and sends what is due; time stands still for one that does not measure."""
        if measures:
            self._live()
        try:
            if self._wire is None:
                self._wire = Wire(self._machine, self._number)
                self.core.link(True)
            for frame in self._wire.frames():
                self.core.receive(frame)
            if frames := self.core.frames():
                self._wire.send(*frames)
        except OSError:
            self.hang_up()

    def hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
            self.core.link(False)

    def _live(self) -> None:
        now_ms = self._tick_ms()
        while self._lived_ms < now_ms:
            self._lived_ms = min(self._lived_ms + SAMPLE_MS, now_ms)
            full = (self._lived_ms // SPELL_MS + self._number) % 2
            for sensor, value in enumerate((20 + 2 * full, 450 + 500 * full, full)):
                self.core.sample(sensor, self._lived_ms, value)
            self.core.poll(self._lived_ms)


class SerialNodes:
    """Several, on a thread of their own from `__enter__` on. `rate` is how much faster than real time they live."""

    def __init__(self, machine: Machine, count: int, rate: float) -> None:
        self._begun_s, self._rate = time.monotonic(), rate
        self.nodes = [SerialNode(machine, number, self._tick_ms) for number in range(count)]
        self._measures = True
        self._stop = threading.Event()
        # One who asks while a node has its turn would see half of it.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nodes", daemon=True)

    def __enter__(self) -> "SerialNodes":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for node in self.nodes:
            node.hang_up()

    def acknowledged(self) -> list[int]:
        assert self._thread.is_alive()
        with self._lock:
            return [node.acknowledged for node in self.nodes]

    def reports(self) -> list[int]:
        """Reports that were ever made."""
        with self._lock:
            return [node.core.facts.next_seq - 1 for node in self.nodes]

    def dropped(self) -> int:
        with self._lock:
            return sum(node.core.facts.dropped for node in self.nodes)

    def finish(self) -> None:
        """No more samples; what waits goes on being sent."""
        self._measures = False

    def resume(self) -> None:
        """They measure again, also what has passed meanwhile."""
        self._measures = True

    def _tick_ms(self) -> int:
        return int(1000 * self._rate * (time.monotonic() - self._begun_s))

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            for node in self.nodes:
                with self._lock, contextlib.suppress(OSError):
                    node.turn(measures=self._measures)


def all_more(now: Sequence[int], then: Sequence[int], by: int = 1) -> bool:
    return all(late >= early + by for late, early in zip(now, then, strict=True))
