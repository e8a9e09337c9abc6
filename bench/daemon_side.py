"""The daemon's side of the sessions with one node, for tests without a daemon: `attuned.nodes.noise` and `sealed`."""

import hashlib
import os
from collections.abc import Callable

from attune_core import Node
from attune_proto.v1 import node_pb2
from attuned.nodes import noise
from attuned.nodes.codes import psk_of, read_code
from attuned.nodes.frames import EVERY_NODE, KK, SEALED, call
from attuned.nodes.sealed import HandshakeFrame, NodeSessions, prologue, read_handshake, write_handshake

SECRET = b"a daemon that stands in for one."
HELLO_REQUEST = node_pb2.DaemonMessage(hello_request=node_pb2.HelloRequest())


def seeded_psk(hint: bytes, seed: int = 1) -> bytes:
    """The secret of a node that was started with `--identity-seed`."""
    key = seed.to_bytes(8, "little")
    return psk_of(hint + hashlib.blake2b(b"\x01" + hint, key=key, digest_size=32).digest()[:16])


class DaemonSide:
    """Commissions a node, and knows it from then on. `psk` gives the secret of a node's code by its hint."""

    def __init__(self, psk: Callable[[bytes], bytes], *, secret: bytes = SECRET) -> None:
        self.secret = secret
        self.node_key = b""
        self.handshakes = 0
        self._psk = psk
        self._sessions: NodeSessions | None = None
        self._begun: noise.FirstHandshake | None = None
        self._last = b""
        self._hint = EVERY_NODE

    @property
    def live(self) -> bool:
        return self._sessions is not None and self._sessions.live

    def take(self, frame: bytes) -> tuple[list[bytes], node_pb2.NodeMessage | None]:
        """What to answer a frame of the node with, and its message if it was one."""
        if frame[0] == SEALED:
            assert self._sessions is not None, "The node seals before it has a session."
            return [], node_pb2.NodeMessage.FromString(self._sessions.open(frame))
        handshake = read_handshake(frame)
        self.handshakes += 1
        self._hint = handshake.hint
        if handshake.kind == KK:
            return [self._answer_kk(frame)], None
        return self._commission(handshake), None

    def seal(self, message: node_pb2.DaemonMessage) -> bytes:
        assert self._sessions is not None
        return self._sessions.seal(message.SerializeToString())

    def call(self, *, commission: bool = False) -> bytes:
        """Asks for a handshake."""
        return call(self._hint, commission=commission)

    def _answer_kk(self, frame: bytes) -> bytes:
        assert self._sessions is not None, "The node begins with KK and was never commissioned here."
        answer = self._sessions.answer(frame, own=[self.secret], node=self.node_key, ephemeral=os.urandom(32))
        return answer.frame

    def _commission(self, handshake: HandshakeFrame) -> list[bytes]:
        if handshake.number == 1 and (self._begun is None or self._begun.first != handshake.message):
            self._last = b""
            self._begun = noise.answer_xxpsk0(
                handshake.message,
                psks=[self._psk(self._hint)],
                own=self.secret,
                ephemeral=os.urandom(32),
                prologue=prologue(self._hint),
            )
        assert self._begun is not None
        if handshake.number == 1:
            return [write_handshake(HandshakeFrame(handshake.kind, self._hint, 2, self._begun.message))]
        if handshake.message == self._last:
            return [self.seal(HELLO_REQUEST)]
        self._last = handshake.message
        done = self._begun.finish(handshake.message)
        self.node_key = done.node
        self._sessions = NodeSessions(self._hint)
        self._sessions.adopt(done.keys, noise.public_key(self.secret))
        return [self.seal(HELLO_REQUEST)]


class Talk:
    """A conversation with a node of the binding, without a link between."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.side = DaemonSide(lambda _: read_code(node.code).psk)

    def heard(self) -> list[node_pb2.NodeMessage]:
        """Every message that the node has to send, handshakes answered."""
        messages = []
        while frames := self.node.frames():
            for frame in frames:
                replies, message = self.side.take(frame)
                messages += [message] if message else []
                for reply in replies:
                    self.node.receive(reply)
        return messages

    def tell(self, message: node_pb2.DaemonMessage) -> None:
        self.node.receive(self.side.seal(message))
