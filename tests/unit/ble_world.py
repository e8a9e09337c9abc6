"""Gateways with radios, nodes on the air and a daemon between, all in one process; nodes' time is the test's."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from air_daemon import AirDaemon
from air_node import AirNode
from air_peripheral import AirPort, ManyEars
from attune_core import Node
from attune_gateway.ble.radio import Radio
from attune_gateway.config import BleSettings
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff

WINDOW_S = 60
_ids = itertools.count(1)


@dataclass
class Ticks:
    """Of all nodes of a world."""

    now_ms: int = 1000

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Site:
    """ticks: what nodes take for the time since their start."""

    ether: ManyEars
    port: AirPort
    ticks: Ticks = field(default_factory=Ticks)
    nodes: list[AirNode] = field(default_factory=list)

    async def add(self, interval_ms: float = 50.0) -> AirNode:
        """A new node, on the air."""
        inside = Node(next(_ids).to_bytes(4, "big") + os.urandom(4), 1, ["temperature"], WINDOW_S)
        node = AirNode(self.ether, inside, self.ticks, interval_ms=interval_ms)
        self.nodes.append(node)
        await node.start()
        return node

    def let_pass(self, windows: int) -> None:
        """Every node measures for so many windows."""
        for _ in range(windows):
            for node in self.nodes:
                node.node.sample(0, self.ticks.now_ms + 1000, 20.0)
            self.ticks.now_ms += WINDOW_S * 1000
            for node in self.nodes:
                node.node.poll(self.ticks.now_ms)


@dataclass
class Gateway:
    links: Links
    radio: Radio
    daemon: AirDaemon
    tasks: list[asyncio.Task[None]]

    def stop_daemon(self) -> None:
        self.tasks[0].cancel()

    def start_daemon(self) -> None:
        self.tasks[0] = asyncio.create_task(self.daemon.run())


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """An ether with a port for radios."""
    ether = ManyEars()
    made = Site(ether, AirPort(ether))
    await made.port.open()
    try:
        yield made
    finally:
        for node in made.nodes:
            node.stop()
        made.port.unplug()


@contextlib.asynccontextmanager
async def gateway(of: Site, connections: int = 8) -> AsyncIterator[Gateway]:
    """A gateway with a radio, and a daemon of its own that knows the nodes that are there."""
    links = Links(600, time.monotonic)
    settings = BleSettings(radio=of.port.name, connections=connections)
    radio = Radio(links, settings, Backoff(0.05, 0.2))
    daemon = AirDaemon(links, of.nodes)
    made = Gateway(links, radio, daemon, [asyncio.create_task(daemon.run()), asyncio.create_task(radio.run())])
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        async with asyncio.timeout(30):
            done = await asyncio.gather(*made.tasks, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in done), done
