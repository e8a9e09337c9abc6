"""Nodes of the core on the air, in rooms where people come and go, in step with an installation's clock."""

import asyncio

from air import Air
from air_node import AirNode
from attune_core import Node
from attune_core.node import NodeFacts
from installation import Installation
from kept_nodes import READINGS, SAMPLE_MS, WINDOW_S, readings

BEAT_S = 0.1

# A whole one at the ATT MTU that nodes agree to, 247.
PART = 244

# Seldom: BlueZ tells of each advertisement, which is a lot of work for an emulated machine.
ADVERTISING_MS = 500.0


class NodeOnAir:
    """One node. Everything of it happens in the loop of the air."""

    def __init__(self, installation: Installation, air: Air, node: str, room: int) -> None:
        self.node, self.room = node, room
        self._air = air
        self._installation = installation
        self._began_utc_ms = installation.now_utc_ms()
        self._told_ms = 0
        keeper = installation.keeper(node)
        self.core = Node(bytes.fromhex(node), 1, list(READINGS), WINDOW_S, keeper=keeper, test=True, hardware="air")
        self.carrier = air.call(
            lambda: AirNode(air.ether, self.core, lambda: self._told_ms, interval_ms=ADVERTISING_MS)
        )
        air.run(self._begin())

    async def _begin(self) -> None:
        await self.carrier.start()
        self._feeding = asyncio.create_task(self._feed())

    async def _feed(self) -> None:
        while True:
            now_ms = self._installation.now_utc_ms() - self._began_utc_ms
            while self._told_ms + SAMPLE_MS <= now_ms:
                self._told_ms += SAMPLE_MS
                values = readings(self.room, self._began_utc_ms + self._told_ms)
                for sensor, value in enumerate(values):
                    self.core.sample(sensor, self._told_ms, value)
                self.core.poll(self._told_ms)
            await asyncio.sleep(BEAT_S)

    def cut_in_a_transfer(self) -> list[int]:
        """The link is lost once four whole parts have come in a row, as only an update has them; sizes of all parts."""
        sizes: list[int] = []
        take, whole = self.carrier.peripheral.written, [PART] * 4

        def taken(part: bytes) -> None:
            sizes.append(len(part))
            take(part)
            if sizes[-4:] == whole:
                self.carrier.peripheral.written = take
                self._air.ether.cut()

        self._air.call(lambda: setattr(self.carrier.peripheral, "written", taken))
        return sizes

    @property
    def facts(self) -> NodeFacts:
        return self._air.call(lambda: self.core.facts)

    def stop_measuring(self) -> None:
        self._air.call(self._feeding.cancel)
