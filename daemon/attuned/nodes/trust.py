"""Which nodes the daemon trusts: their keys and sessions, and the codes of those that are still to come. No I/O."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from attuned.nodes import noise
from attuned.nodes.frames import KK, FrameError
from attuned.nodes.own_keys import OwnKeys
from attuned.nodes.sealed import HandshakeFrame, NodeSessions, prologue, read_handshake, write_handshake
from attuned.nodes.trusted import CodeRow, TrustedNode

# Nodes heard of that nobody has added: enough to commission a floor, too few to fill a memory.
STRANGER_LIMIT = 256

# Handshakes of one node that are looked at in a stretch of the daemon's clock: each costs most of a millisecond, a node
# has a few, and whoever sends more in its name only delays it.
TRIES = 20
TRIES_MS = 10_000

# What commissioning says beside keys (core/session/session.h).
OWNED, TEST = 1, 2
OWNER_SIZE = 8


@dataclass
class Waiting:
    """A code whose node is still to come. `trouble`: why the node cannot be added as things stand, for people."""

    row: CodeRow
    trouble: str = ""
    node: str = ""
    """The node, once its key is on the disk."""
    begun: noise.FirstHandshake | None = field(default=None, repr=False)
    taken: bool = False
    """The node has proved to know the code, and its key is on its way to the disk: its keys serve one session."""

    @property
    def hint(self) -> bytes:
        return bytes.fromhex(self.row.hint)


@dataclass(frozen=True)
class Newcomer:
    """A node that has proved to know its code; its key has to reach the disk before it is told."""

    waiting: Waiting
    node: TrustedNode
    keys: noise.SessionKeys = field(repr=False)
    begun: noise.FirstHandshake = field(repr=False)

    @property
    def given_up(self) -> bool:
        """Whether the node has begun anew meanwhile: it waits for other keys now."""
        return self.waiting.begun is not self.begun


@dataclass(frozen=True)
class Step:
    """What follows from a handshake frame: a frame to answer with, a newcomer, or a node that comes again (its id)."""

    reply: bytes = b""
    newcomer: Newcomer | None = None
    again: str = ""


class Trust:
    """`test_nodes`: nodes whose keys others may know are taken, too."""

    def __init__(
        self,
        own: OwnKeys,
        nodes: Iterable[TrustedNode] = (),
        codes: Iterable[CodeRow] = (),
        *,
        test_nodes: bool = False,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.own = own
        self.test_nodes = test_nodes
        self.nodes: dict[str, TrustedNode] = {}
        self.waiting: dict[bytes, Waiting] = {}
        self.strangers: dict[bytes, str] = {}
        self._sessions: dict[str, NodeSessions] = {}
        self._by_hint: dict[bytes, list[str]] = {}
        self._entropy = entropy
        self._tries: dict[bytes, tuple[int, int]] = {}
        for node in nodes:
            self.add(node)
        for row in codes:
            self.expect(row)

    def add(self, node: TrustedNode) -> None:
        """Trusts a node from now on, or changes what is known of it."""
        hint = bytes.fromhex(node.node)[:4]
        known = self.nodes.get(node.node)
        self.nodes[node.node] = node
        self.strangers.pop(hint, None)
        if known is None:
            self._by_hint.setdefault(hint, []).append(node.node)
        if known is None or known.public_key != node.public_key:
            self._sessions[node.node] = NodeSessions(hint)

    def remove(self, node: str) -> None:
        del self.nodes[node], self._sessions[node]
        self._by_hint[bytes.fromhex(node)[:4]].remove(node)

    def expect(self, row: CodeRow) -> Waiting:
        """Waits for the node of a code."""
        waiting = Waiting(row)
        self.waiting[waiting.hint] = waiting
        return waiting

    def live(self, node: str) -> bool:
        """Whether there is a session with the node."""
        return node in self._sessions and self._sessions[node].live

    def seal(self, node: str, text: bytes) -> bytes:
        """The frame of a text for a node. FrameError without a session."""
        if node not in self._sessions:
            raise FrameError("a node that nobody has added")
        return self._sessions[node].seal(text)

    def open(self, hint: bytes, frame: bytes) -> tuple[str, bytes]:
        """The node that has sealed a frame, and its text. FrameError for what is from none of ours."""
        for node in self._by_hint.get(hint, ()):
            try:
                return node, self._sessions[node].open(frame)
            except FrameError:
                continue
        raise FrameError("a sealed frame that is late, repeated, changed or under other keys")

    def silent(self, hint: bytes) -> bool:
        """Whether a node with this hint is ours and there is no session with it."""
        return any(not self._sessions[node].live for node in self._by_hint.get(hint, ()))

    def daemon_key(self, node: str) -> bytes:
        """The public key of ours that the node has used for the session."""
        return self._sessions[node].own

    def adopt(self, newcomer: Newcomer) -> None:
        """The newcomer's key is on the disk."""
        self.add(newcomer.node)
        self._sessions[newcomer.node.node].adopt(newcomer.keys, newcomer.node.daemon_key)
        newcomer.waiting.node = newcomer.node.node

    def fulfilled(self, node: str) -> Waiting | None:
        """The code that has brought a node of ours which has just spoken in its session, if it still waits."""
        waiting = self.waiting.get(bytes.fromhex(node)[:4]) if self.waiting else None
        if waiting is None:
            return None
        since_told = self.nodes[node].since_utc_ms >= waiting.row.told_utc_ms
        return waiting if waiting.node == node or (not waiting.taken and since_told) else None

    def handshake(self, frame: bytes, now_utc_ms: int) -> Step:
        """Takes a handshake frame of a node. FrameError for what leads nowhere."""
        handshake = read_handshake(frame)
        if not self._may_try(handshake.hint, now_utc_ms):
            raise FrameError("more handshakes than a node has")
        if handshake.kind == KK:
            return self._answer_kk(frame, handshake)
        waiting = self.waiting.get(handshake.hint)
        if waiting is None:
            self._note_stranger(handshake.hint, "waits for `attune node add` with its code")
            raise FrameError("a node that waits to be commissioned")
        if handshake.number == 1:
            return self._begin(waiting, handshake)
        return self._finish(waiting, handshake, now_utc_ms)

    def _may_try(self, hint: bytes, now_utc_ms: int) -> bool:
        if hint not in self._by_hint and hint not in self.waiting:
            return True  # answered without any work
        begun, count = self._tries.get(hint, (now_utc_ms, 0))
        if abs(now_utc_ms - begun) >= TRIES_MS:
            begun, count = now_utc_ms, 0
        self._tries[hint] = begun, count + 1
        return count < TRIES

    def _answer_kk(self, frame: bytes, handshake: HandshakeFrame) -> Step:
        for node in self._by_hint.get(handshake.hint, ()):
            try:
                reply = self._sessions[node].answer(
                    frame,
                    own=self.own.secrets,
                    node=self.nodes[node].public_key,
                    ephemeral=self._entropy(noise.KEY_SIZE),
                )
            except FrameError:
                continue
            return Step(reply.frame)
        if handshake.hint not in self._by_hint:
            self._note_stranger(handshake.hint, "is owned by another daemon")
        raise FrameError("a handshake with another daemon")

    def _note_stranger(self, hint: bytes, what: str) -> None:
        if hint in self.strangers or len(self.strangers) < STRANGER_LIMIT:
            self.strangers[hint] = what

    def _begin(self, waiting: Waiting, handshake: HandshakeFrame) -> Step:
        begun = waiting.begun
        if begun is None or begun.first != handshake.message:
            begun = self._begin_anew(waiting, handshake.message)
        return Step(write_handshake(HandshakeFrame(handshake.kind, handshake.hint, 2, begun.message)))

    def _begin_anew(self, waiting: Waiting, message: bytes) -> noise.FirstHandshake:
        try:
            begun = noise.answer_xxpsk0(
                message,
                psks=[waiting.row.psk],
                own=self.own.secrets[-1],
                ephemeral=self._entropy(noise.KEY_SIZE),
                prologue=prologue(waiting.hint),
            )
        except noise.HandshakeError as error:
            waiting.trouble = "It has another code than the one that was given: give the code that it shows."
            raise FrameError(str(error)) from error
        waiting.trouble = self._objection(waiting, begun.payload)
        if waiting.trouble:
            raise FrameError("a node that cannot be commissioned")
        waiting.begun, waiting.node, waiting.taken = begun, "", False
        return begun

    def _objection(self, waiting: Waiting, payload: bytes) -> str:
        flags = payload[0] if payload else 0
        ours = {key[:OWNER_SIZE] for key in self.own.public}
        if flags & OWNED and payload[1 : 1 + OWNER_SIZE] not in ours and not waiting.row.take_over:
            return "It is owned by another daemon: remove it there, or add it with --take-over."
        if flags & TEST and not self.test_nodes:
            return "It is a test image, whose keys others may know: flash the firmware for use."
        return ""

    def _finish(self, waiting: Waiting, handshake: HandshakeFrame, now_utc_ms: int) -> Step:
        if waiting.begun is None:
            raise FrameError("an end of a handshake without its beginning")
        try:
            done = waiting.begun.finish(handshake.message)
        except noise.HandshakeError as error:
            raise FrameError(str(error)) from error
        node = done.payload[1:9].hex()
        if len(done.payload) != 1 + OWNER_SIZE or bytes.fromhex(node)[:4] != waiting.hint:
            raise FrameError("a node whose id does not fit its code")
        if waiting.taken:
            return Step(again=waiting.node)
        waiting.taken = True
        own = noise.public_key(waiting.begun.own)
        row = waiting.row
        trusted = TrustedNode(node, done.node, own, row.room, row.name, now_utc_ms, advertising=row.advertising)
        return Step(newcomer=Newcomer(waiting, trusted, done.keys, waiting.begun))
