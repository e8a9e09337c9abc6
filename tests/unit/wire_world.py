"""Nodes of the core and a hub, with a gateway between that may do as it likes. No sockets, no store."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from attune_core import Keeper, Node
from attune_proto.v1 import node_pb2
from attuned.nodes.codes import read_code
from attuned.nodes.conversation import Conversation, Tie
from attuned.nodes.hub import Hub
from attuned.nodes.own_keys import OwnKeys
from attuned.nodes.press import Press
from attuned.nodes.radio import Need
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.trust import Newcomer, Trust
from attuned.nodes.trusted import CodeRow, TrustedNode
from attuned.nodes.window import Window
from daemon_world import A, FakeClock

SENSORS = ("co2", "pir")
MINUTE = 60_000

Meddling = Callable[[list[bytes], random.Random], list[bytes]]


class Daemon:
    """A hub that commits at once and forgets nothing but with `restart`."""

    def __init__(self, clock: FakeClock, secret: bytes = b"d" * 32) -> None:
        self.clock = clock
        self.own = OwnKeys(Path("nowhere"))
        self.own.secrets = [secret]
        self.nodes: dict[str, TrustedNode] = {}
        self.codes: dict[str, CodeRow] = {}
        self.windows: list[Window] = []
        self.room_of: dict[str, str] = {}
        self.restart()

    def restart(self) -> None:
        """What is on its disk stays: keys of nodes, codes, and what was committed."""
        boots = {(c.node, boot): record for c in self._conversations() for boot, record in c.boots.items()}
        self.trust = Trust(self.own, self.nodes.values(), self.codes.values())
        self.hub = Hub(self.clock, self.room_of, {}, boots, trust=self.trust)
        self.hub.dispatch.listener = self

    def _conversations(self) -> list[Conversation]:
        return list(self.hub.conversations.values()) if hasattr(self, "hub") else []

    def expect(self, code: str, *, take_over: bool = False) -> None:
        """What `attune node add` does."""
        read = read_code(code)
        row = self.codes[read.hint.hex()] = CodeRow(read.hint.hex(), read.psk, "r", "", take_over, self.clock.utc_ms())
        self.trust.expect(row)
        self.hub.call(read.hint, commission=True)

    def on_newcomer(self, newcomer: Newcomer) -> None:
        self.nodes[newcomer.node.node] = newcomer.node
        self.room_of[newcomer.node.node] = "r"
        self.hub.adopt(newcomer)

    def on_confirmed(self, node: str) -> None:
        waiting = self.trust.fulfilled(node)
        if waiting is not None:
            del self.trust.waiting[waiting.hint], self.codes[waiting.row.hint]

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None:
        self.windows.append(window)
        conversation.committed(window)
        self.on_repeat(conversation, window.boot)

    def on_repeat(self, conversation: Conversation, boot: int) -> None:
        self.hub.send(conversation, conversation.acknowledgement(boot))

    def on_hello(self, conversation: Conversation) -> None: ...
    def on_tie(self, conversation: Conversation, tie: Tie) -> None: ...
    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None: ...
    def on_press(self, conversation: Conversation, press: Press) -> None: ...
    def on_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None: ...

    def on_summary(self, conversation: Conversation, summary: NodeSummary) -> None: ...
    def on_health(self, conversation: Conversation) -> None: ...
    def on_running(self, conversation: Conversation, *, fresh: bool) -> None: ...


@dataclass(eq=False)
class Wire:
    """A gateway with one link and one node behind it. `seen` is every frame that it could read."""

    daemon: Daemon
    node: Node
    name: str = "gw"
    down: list[bytes] = field(default_factory=list)
    seen: list[bytes] = field(default_factory=list)
    meddling: Meddling = lambda frames, _: frames
    draw: random.Random = field(default_factory=lambda: random.Random(1))

    def send(self, link: int, frame: bytes) -> None:
        self.down.append(frame)

    def wish(self, hint: bytes, need: Need) -> None:
        raise AssertionError("no node here has a radio")

    def connect(self) -> None:
        self.node.link(True)
        self.daemon.hub.link_up(self, 1)

    def turn(self) -> bool:
        """Carries what both have to say, once; False if that was nothing."""
        up, (down, self.down) = self.node.frames(), (self.down, [])
        self.seen += up + down
        for frame in self.meddling(up, self.draw):
            self.daemon.hub.frame(self, 1, frame)
        for frame in self.meddling(down, self.draw):
            self.node.receive(frame)
        return bool(up or down)

    def settle(self) -> None:
        while self.turn():
            pass

    def live(self, seconds: int, step_s: int = 5) -> None:
        """Time passes for both; the node measures once a minute."""
        for _ in range(0, seconds, step_s):
            tick_ms = self.node_ms + step_s * 1000
            self.daemon.clock.now += step_s * 1000
            if tick_ms % MINUTE == 0:
                self.node.sample(0, tick_ms, 400.0 + tick_ms / MINUTE)
            self.node.poll(tick_ms)
            self.node_ms = tick_ms
            self.settle()

    node_ms: int = 0


def new_node(node: str = A, seed: int = 1, *, record: bytes = b"") -> Node:
    return Node(bytes.fromhex(node), 7, SENSORS, 60, keeper=Keeper(bytes([seed]) * 32, record))


def owned(clock: FakeClock | None = None) -> Wire:
    """A daemon, and a node that it has commissioned over a good wire."""
    wire = Wire(Daemon(clock or FakeClock()), new_node())
    wire.daemon.expect(wire.node.code)
    wire.connect()
    wire.settle()
    assert wire.node.facts.timed
    return wire
