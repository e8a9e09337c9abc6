"""A node's side of its sessions with the daemon, for tests that say what they want, by the core's sessions."""

import hashlib
import os

from attune_core import NodeHandshake, Pattern, SealedPair, code_psk, write_code
from attune_proto.v1 import node_pb2
from attuned.nodes import noise

HINT_SIZE = 4
TEST_NODE = b"\x02"


def secret_of(node_id: bytes) -> bytes:
    """A secret key that a test's node has."""
    return hashlib.blake2b(node_id, key=b"secret", digest_size=32).digest()


def public_key_of(node_id: bytes) -> bytes:
    return noise.public_key(secret_of(node_id))


class NodeSide:
    """Owned by the daemon with that public key, which knows `public_key_of(node_id)`; or by nobody yet."""

    def __init__(self, node_id: bytes, daemon: bytes = b"") -> None:
        self.node_id = node_id
        self.hint = node_id[:HINT_SIZE]
        self.live = False
        self._daemon = daemon
        self._bits = hashlib.blake2b(node_id, key=b"code", digest_size=16).digest()
        self._sealed = SealedPair(self.hint)
        self._handshake: NodeHandshake | None = None

    @property
    def code(self) -> str:
        return write_code(self.hint, self._bits)

    def begin(self, payload: bytes = TEST_NODE) -> bytes:
        """The first frame of a KK handshake; of a commissioning, where nobody owns the node."""
        pattern = Pattern.KK if self._daemon else Pattern.XXPSK0
        other = self._daemon or code_psk(self.hint, self._bits)
        secret = secret_of(self.node_id)
        self._handshake = NodeHandshake(pattern, self.hint, secret=secret, ephemeral=os.urandom(32), other=other)
        return self._handshake.write(b"" if self._daemon else payload)

    def finish(self, reply: bytes, payload: bytes = TEST_NODE) -> bytes:
        """Takes the daemon's answer; the last frame of a commissioning, or nothing."""
        assert self._handshake is not None
        self._handshake.read(reply)
        last = b"" if self._daemon else self._handshake.write(payload + self.node_id)
        keys = self._handshake.finish()
        self._daemon = keys.remote
        self._sealed.adopt(keys)
        self.live = True
        return last

    def seal(self, message: node_pb2.NodeMessage | bytes) -> bytes:
        """The frame of a message, or of bytes that are none."""
        return self._sealed.seal(message if isinstance(message, bytes) else message.SerializeToString())

    def open(self, frame: bytes) -> node_pb2.DaemonMessage:
        return node_pb2.DaemonMessage.FromString(self._sealed.open(frame))
