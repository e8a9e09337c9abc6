"""All nodes: frames of all gateways in, each to its conversation; answers back along the way they came."""

import logging
from collections.abc import Collection, Mapping
from typing import Protocol

from attune_proto.v1 import link_pb2, node_pb2
from attune_service.journal import about

from attuned.clock import Clock
from attuned.nodes.air import Air
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import EAGER_REPORTS, Conversation, Tie
from attuned.nodes.facts import NodeFacts
from attuned.nodes.frames import EVERY_NODE, HEADER_SIZE, SEALED, FrameError, call, check_frame, read_message
from attuned.nodes.link import BLUETOOTH, Gateway, Link
from attuned.nodes.press import Press
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.trust import Newcomer, Trust
from attuned.nodes.window import Window

log = logging.getLogger(__name__)

# A node that has not been heard for this many of its windows is offline.
OFFLINE_WINDOWS = 5

# A quiet node reports once an hour, and a quarter of an hour is for the way.
QUIET_MS = 75 * 60_000

# How often a complaint about one sender is written to the log, milliseconds of the daemon's clock.
COMPLAINT_MS = 60_000

# How often a node that seals for a session that is gone is asked for a new one, milliseconds of the daemon's clock.
CALL_MS = 5_000

# The largest count that is told; senders may claim anything.
COUNT_LIMIT = (1 << 32) - 1

# What a node says besides its hello.
HEARD = frozenset({"report", "time_ack", "label_ack", "button", "drift_sketch", "health", "summary"})

# What it says of updates.
OF_UPDATES = frozenset({"update_ack", "update_verdict", "signing_key_ack"})

_HELLO_REQUEST = node_pb2.DaemonMessage(hello_request=node_pb2.HelloRequest())


class Listener(Protocol):
    """Who wants to know what nodes say. Called from within the event loop; must not wait."""

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None: ...
    def on_repeat(self, conversation: Conversation, boot: int) -> None: ...
    def on_hello(self, conversation: Conversation) -> None: ...
    def on_tie(self, conversation: Conversation, tie: Tie) -> None: ...
    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None: ...
    def on_press(self, conversation: Conversation, press: Press) -> None: ...
    def on_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None: ...
    def on_summary(self, conversation: Conversation, summary: NodeSummary) -> None: ...
    def on_health(self, conversation: Conversation) -> None: ...
    def on_running(self, conversation: Conversation, *, fresh: bool) -> None: ...
    def on_newcomer(self, newcomer: Newcomer) -> None: ...
    def on_confirmed(self, node: str) -> None: ...


class UpdateListener(Protocol):
    """Who wants to know what nodes say of updates; likewise."""

    def on_trial_window(self, window: Window, trial: int) -> None: ...
    def on_update_ack(self, conversation: Conversation, ack: node_pb2.UpdateAck) -> None: ...
    def on_verdict(self, conversation: Conversation, verdict: node_pb2.UpdateVerdict) -> None: ...
    def on_signing_key_ack(self, conversation: Conversation, ack: node_pb2.SigningKeyAck) -> None: ...


class Hub:
    """`room_of` assigns nodes to rooms; `facts` and `boots` are what the store remembers; `quiet` nodes are told so.

    `trust` knows whose frames are whose, `air` which nodes are in reach of radios.
    """

    def __init__(
        self,
        clock: Clock,
        room_of: Mapping[str, str],
        facts: Mapping[str, NodeFacts],
        boots: Mapping[tuple[str, int], BootRecord],
        listener: Listener,
        *,
        trust: Trust,
        quiet: Collection[str] = (),
        air: Air | None = None,
    ) -> None:
        self._clock = clock
        self._room_of = room_of
        self._listener = listener
        self.trust = trust
        self.air = air or Air(trust)
        self.updates: UpdateListener | None = None
        self._called_utc_ms: dict[bytes, int] = {}
        self._links: dict[tuple[Gateway, int], Link] = {}
        self._link_of: dict[str, Link] = {}
        self._complained_utc_ms: dict[str, int] = {}
        self._facts = facts
        self._quiet = quiet
        self._boots: dict[str, dict[int, BootRecord]] = {}
        for (node, boot), record in boots.items():
            self._boots.setdefault(node, {})[boot] = record
        self.conversations = {node: self._new(node) for node in [*room_of, *trust.nodes]}

    def link_up(self, gateway: Gateway, number: int, said: link_pb2.LinkUp | None = None) -> None:
        """A link came up: every node on it is asked for a handshake; over Bluetooth the one that it is of."""
        self.link_down(gateway, number)  # A number that is said again is of another link.
        said = said or link_pb2.LinkUp()
        transport = BLUETOOTH if said.hint else said.transport
        link = Link(gateway, number, transport, part=said.mtu)
        if link.on_air and not self.air.link_up(link, said.hint):
            return
        self._links[gateway, number] = link
        self._call_all(link)

    def link_down(self, gateway: Gateway, number: int) -> None:
        link = self._links.pop((gateway, number), None)
        if link is not None:
            self._part(link)
            self.air.link_down(link)

    def look(self) -> None:
        """Time has passed, or nodes and codes have come and gone: links over Bluetooth may be somebody else's now."""
        for link in self.air.look():
            self._part(link)
            self._call_all(link)

    def gateway_gone(self, gateway: Gateway) -> None:
        self.air.gone(gateway)
        for owner, number in list(self._links):
            if owner is gateway:
                self.link_down(gateway, number)

    def link_stats(self, gateway: Gateway, stats: link_pb2.LinkStats) -> None:
        link = self._links.get((gateway, stats.link))
        if link is not None:
            link.damaged = stats.damaged + stats.oversized
            self.air.signal(link, stats.rssi_dbm)

    def frame(self, gateway: Gateway, number: int, frame: bytes) -> None:
        """One frame of a link; anything that makes no sense is counted, logged now and then, and dropped."""
        link = self._links.get((gateway, number))
        if link is None:
            return
        try:
            frame = link.named(frame)
            kind, hint = check_frame(frame)
            if kind == SEALED:
                self._sealed(link, hint, frame)
            else:
                self._handshake(link, frame)
        except FrameError as error:
            self._complain(link, link.whose or frame[1:HEADER_SIZE], str(error))

    def send(self, conversation: Conversation, message: node_pb2.DaemonMessage) -> bool:
        """Sends to a node along its newest link; False if it has none, or no session."""
        link = self._link_of.get(conversation.node)
        if link is None:
            return False
        try:
            sealed = self.trust.seal(conversation.node, message.SerializeToString())
        except FrameError:
            return False
        link.send(sealed)
        return True

    def adopt(self, newcomer: Newcomer) -> None:
        """The key of a newcomer is on the disk: it hears so in its session, wherever it is by now."""
        self.trust.adopt(newcomer)
        node = newcomer.node.node
        conversation = self.conversations.setdefault(node, self._new(node))
        conversation.room = self._room_of.get(node, "")
        self.greet_again(conversation)

    def remove(self, node: str) -> None:
        """The node is trusted no more; it stays where the configuration names it."""
        conversation = self.conversations.pop(node)
        link = self._link_of.pop(node, None)
        if link is not None:
            link.conversations.pop(conversation.hint, None)
        if node in self._room_of:
            self.conversations[node] = self._new(node)

    def greet_again(self, conversation: Conversation) -> None:
        """The node says hello once more, so that it hears what has changed for it."""
        self.send(conversation, _HELLO_REQUEST)

    def call(self, hint: bytes, *, commission: bool) -> None:
        """Asks the node with this hint for a handshake, on every link that may be its."""
        self.look()
        for link in self._links.values():
            if not link.on_air or link.whose == hint:
                link.send(call(hint, commission=commission))

    def online(self, conversation: Conversation) -> bool:
        """Whether the node has a link, or over Bluetooth takes turns with others, and has been heard lately."""
        takes_turns = conversation.transport == BLUETOOTH
        if conversation.facts is None or (conversation.node not in self._link_of and not takes_turns):
            return False
        silence_ms = self._clock.utc_ms() - conversation.last_heard_utc_ms
        patience_ms = QUIET_MS if conversation.quiet else OFFLINE_WINDOWS * conversation.facts.window_s * 1000
        return silence_ms <= max(patience_ms, COMPLAINT_MS)

    def gateway_of(self, conversation: Conversation) -> str:
        """The gateway that has the node's link, or over Bluetooth is to have it; empty if none."""
        link, hearing = self._link_of.get(conversation.node), self.air.of(conversation.node)
        return link.gateway.name if link else hearing.server if hearing else ""

    def bad_frames(self, conversation: Conversation) -> int:
        """Frames of the node's links that arrived damaged or made no sense, at either end."""
        link = self._link_of.get(conversation.node)
        here = conversation.bad_frames + (link.bad_frames if link else 0)
        return min(here + conversation.health.bad_frames, COUNT_LIMIT)

    def _new(self, node: str) -> Conversation:
        facts, boots = self._facts.get(node), self._boots.get(node, {})
        conversation = Conversation(node, self._room_of.get(node, ""), facts, boots, quiet=node in self._quiet)
        if node in self.trust.nodes:
            conversation.stands_for = tuple(self.trust.nodes[node].stands_for.split())
        return conversation

    def _handshake(self, link: Link, frame: bytes) -> None:
        step = self.trust.handshake(frame, self._clock.utc_ms())
        if step.reply:
            link.send(step.reply)
        if step.newcomer is not None:
            self._move(self._provisional(step.newcomer.node.node), link)
            self._listener.on_newcomer(step.newcomer)
        again = self.conversations.get(step.again)
        if again is not None:
            self.greet_again(again)

    def _provisional(self, node: str) -> Conversation:
        return self.conversations.setdefault(node, self._new(node))

    def _sealed(self, link: Link, hint: bytes, frame: bytes) -> None:
        try:
            node, text = self.trust.open(hint, frame)
        except FrameError:
            self._call_again(link, hint)
            raise
        conversation = self.conversations[node]
        self._move(conversation, link)
        conversation.last_heard_utc_ms = self._clock.utc_ms()
        self.air.spoke(link, node)
        self._listener.on_confirmed(node)
        message = read_message(text)
        if message.HasField("hello"):
            self._hello(link, conversation, message.hello)
        elif not self._hear(conversation, message) and not self._hear_of_updates(conversation, message):
            self._complain(link, hint, "a message of a kind that this version does not know")

    def _call_again(self, link: Link, hint: bytes) -> None:
        """A node goes on with a session that this daemon does not know, as after its restart."""
        now = self._clock.utc_ms()
        # A clock that went back is no reason to wait until it is where it was.
        if self.trust.silent(hint) and abs(now - self._called_utc_ms.get(hint, 0)) >= CALL_MS:
            self._called_utc_ms[hint] = now
            link.send(call(hint))

    def _hear(self, conversation: Conversation, message: node_pb2.NodeMessage) -> bool:
        """Whether it is a message of a kind that this version knows."""
        body, now = message.WhichOneof("body"), conversation.last_heard_utc_ms
        if body == "report":
            self._report(conversation, message.report, now)
        elif body == "time_ack":
            replies, tie = conversation.time_ack(message.time_ack, now)
            self._answer(conversation, replies)
            if tie is not None:
                self._listener.on_tie(conversation, tie)
        elif body == "label_ack":
            self._listener.on_label_ack(conversation, message.label_ack)
        elif body == "button":
            replies, press = conversation.press(message.button, now)
            self._answer(conversation, replies)
            if press is not None:
                self._listener.on_press(conversation, press)
        elif body == "drift_sketch":
            self._sketch(conversation, message.drift_sketch, now)
        elif body == "summary":
            self._summary(conversation, message.summary, now)
        elif body == "health":
            self._health(conversation, message.health)
        return body in HEARD

    def _sketch(self, conversation: Conversation, sketch: node_pb2.DriftSketch, now: int) -> None:
        replies, found = conversation.sketch(sketch, now)
        self._answer(conversation, replies)
        if found is not None:
            self._listener.on_sketch(conversation, found)

    def _summary(self, conversation: Conversation, summary: node_pb2.Summary, now: int) -> None:
        replies, found = conversation.summary(summary, now)
        self._answer(conversation, replies)
        if found is not None:
            self._listener.on_summary(conversation, found)

    def _hear_of_updates(self, conversation: Conversation, message: node_pb2.NodeMessage) -> bool:
        """Whether it is a message about updates that somebody listens to."""
        body, updates = message.WhichOneof("body"), self.updates
        if updates is None:
            return False
        if body == "update_ack":
            updates.on_update_ack(conversation, message.update_ack)
        elif body == "update_verdict":
            updates.on_verdict(conversation, message.update_verdict)
        elif body == "signing_key_ack":
            updates.on_signing_key_ack(conversation, message.signing_key_ack)
        return body in OF_UPDATES

    def _health(self, conversation: Conversation, health: node_pb2.Health) -> None:
        conversation.take_health(health)
        self._listener.on_health(conversation)
        if health.HasField("running") and conversation.run(health.running):
            self._listener.on_running(conversation, fresh=False)

    def _hello(self, link: Link, conversation: Conversation, hello: node_pb2.Hello) -> None:
        if hello.node_id.hex() != conversation.node:
            self._complain(link, conversation.hint, "a hello whose node id is not its own")
            return
        if hello.test and not self.trust.test_nodes:
            conversation.refuse("a test image, whose keys others may know: flash the firmware for use")
            return
        self._answer(conversation, conversation.hello(hello, conversation.last_heard_utc_ms))
        self._listener.on_hello(conversation)
        if conversation.facts is not None and conversation.running is not None:
            self._listener.on_running(conversation, fresh=True)

    def _call_all(self, link: Link) -> None:
        if link.on_air:
            link.send(call(link.whose, commission=link.whose in self.trust.waiting))
        else:
            link.send(call(EVERY_NODE))

    def _part(self, link: Link) -> None:
        """The conversations on a link are on it no more."""
        for conversation in link.conversations.values():
            conversation.bad_frames += link.bad_frames
            if self._link_of.get(conversation.node) is link:
                del self._link_of[conversation.node]
        link.conversations.clear()

    def _move(self, conversation: Conversation, link: Link) -> None:
        conversation.transport, conversation.part = link.transport, link.part
        previous = self._link_of.get(conversation.node)
        if previous is link:
            return
        if previous is not None:
            previous.conversations.pop(conversation.hint, None)
            conversation.bad_frames += previous.bad_frames
        link.conversations[conversation.hint] = conversation
        self._link_of[conversation.node] = link

    def _report(self, conversation: Conversation, report: node_pb2.Report, now: int) -> None:
        if not conversation.room:
            return
        if not conversation.is_earlier(report.boot):
            if not conversation.boot.ties.ticks_ms:
                self.send(conversation, _HELLO_REQUEST)
                return
            self._answer(conversation, conversation.retie(report.end_s, now))
        window = conversation.report(report, now)
        if window is not None:
            self._listener.on_window(conversation, window, eager=self._is_eager(conversation))
            if report.trial and not window.refused and self.updates is not None:
                self.updates.on_trial_window(window, report.trial)
        elif conversation.has(report):
            self._listener.on_repeat(conversation, report.boot)

    def _is_eager(self, conversation: Conversation) -> bool:
        """Whether a node's reports should not wait for company: it has sent many, or waits for the acknowledgement on a
        connection that others wait for, and may have lost it by then."""
        link = self._link_of.get(conversation.node)
        crowded = link is not None and self.air.others_wait(link)
        return crowded or len(conversation.pending) >= EAGER_REPORTS

    def _answer(self, conversation: Conversation, replies: list[node_pb2.DaemonMessage]) -> None:
        for reply in replies:
            self.send(conversation, reply)

    def _complain(self, link: Link, hint: bytes, reason: str) -> None:
        """Counts what makes no sense; the log hears of each node now and then, and of all unknown ones together."""
        link.senseless += 1
        conversation = link.conversations.get(hint)
        sender = f"Node {conversation.node}" if conversation else "Somebody"
        now = self._clock.utc_ms()
        if abs(now - self._complained_utc_ms.get(sender, 0)) >= COMPLAINT_MS:
            self._complained_utc_ms[sender] = now
            place = f"link {link.number} of gateway {link.gateway.name}"
            what = about(node=conversation.node if conversation else "", gateway=link.gateway.name)
            log.warning("%s on %s sent %s; it was dropped.", sender, place, reason, extra=what)
