"""All nodes: frames of all gateways in, each to its conversation; messages back along the newest link."""

import logging
from collections.abc import Collection, Mapping

from attune_proto.v1 import link_pb2, node_pb2
from attune_service.journal import about

from attuned.clock import Clock
from attuned.nodes.air import Air
from attuned.nodes.boot import BootRecord
from attuned.nodes.conversation import EAGER_REPORTS, Conversation
from attuned.nodes.dispatch import HELLO_REQUEST, Dispatch
from attuned.nodes.facts import NodeFacts
from attuned.nodes.frames import EVERY_NODE, HEADER_SIZE, KK, SEALED, FrameError, call, check_frame, read_message
from attuned.nodes.link import BLUETOOTH, Gateway, Link
from attuned.nodes.sealed import read_handshake
from attuned.nodes.trust import Newcomer, Trust

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


class Hub:
    """`room_of` assigns nodes to rooms; `facts` and `boots` are what the store remembers; `quiet` nodes are told so.

    `trust` knows whose frames are whose, `air` which nodes are in reach of radios, `dispatch` whom messages concern.
    """

    def __init__(
        self,
        clock: Clock,
        room_of: Mapping[str, str],
        facts: Mapping[str, NodeFacts],
        boots: Mapping[tuple[str, int], BootRecord],
        *,
        trust: Trust,
        quiet: Collection[str] = (),
    ) -> None:
        self._clock = clock
        self._room_of = room_of
        self.trust = trust
        self.air = Air(trust)
        self.dispatch = Dispatch(self, trust)
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
        now = self._clock.utc_ms()
        for conversation in self.conversations.values():
            conversation.stay_in_the_past(now)
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
        self.send(conversation, HELLO_REQUEST)

    def call(self, hint: bytes, *, commission: bool) -> None:
        """Asks the node with this hint for a handshake, on every link that may be its."""
        self.look()
        for link in self._links.values():
            if not link.on_air or link.whose == hint:
                link.send(call(hint, commission=commission))

    def drop_boots(self, before_utc_ms: int) -> dict[str, list[int]]:
        """Earlier starts of each node of which nothing is remembered from now on."""
        old = {node: conversation.drop_boots(before_utc_ms) for node, conversation in self.conversations.items()}
        return {node: boots for node, boots in old.items() if boots}

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

    def is_eager(self, conversation: Conversation) -> bool:
        """Whether a node's reports should not wait for company: it has sent many, or waits for the acknowledgement on a
        connection that others wait for, and may have lost it by then."""
        link = self._link_of.get(conversation.node)
        crowded = link is not None and self.air.others_wait(link)
        return crowded or len(conversation.pending) >= EAGER_REPORTS

    def _new(self, node: str) -> Conversation:
        facts, boots = self._facts.get(node), self._boots.get(node, {})
        conversation = Conversation(node, self._room_of.get(node, ""), facts, boots, quiet=node in self._quiet)
        if node in self.trust.nodes:
            conversation.stands_for = tuple(self.trust.nodes[node].stands_for.split())
        return conversation

    def _handshake(self, link: Link, frame: bytes) -> None:
        try:
            step = self.trust.handshake(frame, self._clock.utc_ms())
        except FrameError:
            self._call_awaited(link, frame)
            raise
        if step.reply:
            link.send(step.reply)
        if step.newcomer is not None:
            self._move(self._provisional(step.newcomer.node.node), link)
            self.dispatch.listener.on_newcomer(step.newcomer)
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
        self.dispatch.listener.on_confirmed(node)
        self.dispatch.take(conversation, read_message(text), conversation.last_heard_utc_ms)

    def _call_awaited(self, link: Link, frame: bytes) -> None:
        """A node whose code was given before it came believes that it has an owner, and begins a session with that."""
        handshake = read_handshake(frame)
        if handshake.kind == KK and handshake.hint in self.trust.waiting and self._may_call(handshake.hint):
            link.send(call(handshake.hint, commission=True))

    def _call_again(self, link: Link, hint: bytes) -> None:
        """A node goes on with a session that this daemon does not know, as after its restart."""
        if self.trust.silent(hint) and self._may_call(hint):
            link.send(call(hint))

    def _may_call(self, hint: bytes) -> bool:
        """Whether it is long enough since a node was called by what it sent."""
        now = self._clock.utc_ms()
        # A clock that went back is no reason to wait until it is where it was.
        due = abs(now - self._called_utc_ms.get(hint, 0)) >= CALL_MS
        if due:
            self._called_utc_ms[hint] = now
        return due

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
