"""A board in QEMU on the air: its image with Bluetooth, the controller on its UART, a central, and a daemon's side."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from air import Air
from air_central import AirLine, Central
from attune_core import advertising_key
from attuned.nodes.codes import Code, read_code
from daemon_double import DaemonDouble
from firmware_build import firmware
from qemu_board import Board, shows_code, wait_until

from bench.daemon_side import DaemonSide

SEED = bytes(range(32))


class AirBoard:
    """`changes` are attributes of the board's controller, `late` a seed by which its packets come late."""

    def __init__(self, folder: Path, seed: bytes = SEED, late: int | None = None, **changes: Any) -> None:
        self.air = Air()
        self.board = Board(folder, firmware() / "attune-node-ble.elf", seed)
        self._late = late
        self._changes = changes
        self.attach()
        self.central = Central(self.air)
        self.side = DaemonSide(lambda _: self.code.psk)
        self.lines: list[AirLine] = []

    def attach(self) -> None:
        """Puts a controller on the board's UART."""
        self.controller = self.air.controller_of(self.board.link_path, late=self._late, **self._changes)

    def run(self) -> None:
        self.board.run()
        wait_until(lambda: shows_code(self.board.console()), "The board's code")

    @property
    def code(self) -> Code:
        return read_code(self.board.code())

    @property
    def advertising_key(self) -> bytes:
        """By which the board's advertised hints are made out."""
        data = base64.b32decode(self.board.code().replace("-", "")[:32])
        return advertising_key(data[:4], data[4:])

    def line(self, mtu: int = 247) -> AirLine:
        """Connects to the node as soon as it advertises."""
        self.lines.append(AirLine(self.central, self.code.hint, mtu))
        return self.lines[-1]

    def daemon(self, mtu: int = 247) -> DaemonDouble:
        """The daemon that the node belongs to, or will, at the end of a new connection."""
        return DaemonDouble(self.line(mtu).socket, self.side)

    def cut(self) -> None:
        """The connection ends as if the node had gone out of reach, and it advertises again."""
        self.air.call(self.air.ether.cut)
        self.lines[-1].close()

    def out_of_reach(self, *, gone: bool) -> None:
        self.air.ether.in_reach = not gone
        if gone:
            self.cut()

    def expect_alive(self) -> None:
        """The node advertises and serves a daemon, from a handshake to its health."""
        self.daemon().greet()
        self.lines[-1].close()

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self.air.close()
        self.board.close()


@contextmanager
def on_the_air(folder: Path, **more: Any) -> Iterator[AirBoard]:
    """A board that runs; ended with the block."""
    found = AirBoard(folder, **more)
    try:
        found.run()
        yield found
    finally:
        found.close()
