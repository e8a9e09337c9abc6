"""What each packet between a node and a gateway is there for, from the connection to the daemon's messages."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from attune_gateway.ble.parts import PartJoiner
from attune_proto.v1 import node_pb2
from attuned.nodes.frames import CALL, KK, SEALED
from attuned.nodes.trust import Trust

from bench.over_air.recorder import Sent

# Op codes of ATT by what they are for; an error belongs to the request before it.
_ERROR, _WRITE, _NOTIFY = 0x01, 0x52, 0x1B
_PURPOSES = {
    0x02: "MTU",
    0x03: "MTU",
    0x06: "find the service",
    0x07: "find the service",
    0x08: "find its characteristics",
    0x09: "find its characteristics",
    0x04: "find the descriptor",
    0x05: "find the descriptor",
    0x12: "subscribe",
    0x13: "subscribe",
}
REQUESTS = tuple(dict.fromkeys(_PURPOSES.values()))
CONNECT = "connect"
HANDSHAKE = "KK handshake"

_L2CAP = 4
_SEALED_AT = 5


@dataclass(frozen=True)
class Packet:
    """step: what it is there for; size: bytes of L2CAP, which is what the link layer carries; a part of a frame has
    the step of its frame."""

    step: str
    up: bool
    size: int
    at_s: float


class Listener:
    """Learns from the daemon what its sealed frames hold. Stands between hub and trust from its making on."""

    def __init__(self, trust: Trust) -> None:
        self._bodies: dict[bytes, str] = {}
        open_frame, seal_frame = trust.open, trust.seal

        def opened(hint: bytes, frame: bytes) -> tuple[str, bytes]:
            node, text = open_frame(hint, frame)
            self._note(frame, node_pb2.NodeMessage.FromString(text))
            return node, text

        def sealed(node: str, text: bytes) -> bytes:
            frame = seal_frame(node, text)
            self._note(frame, node_pb2.DaemonMessage.FromString(text))
            return frame

        trust.open, trust.seal = opened, sealed  # type: ignore[method-assign]

    def _note(self, frame: bytes, message: node_pb2.NodeMessage | node_pb2.DaemonMessage) -> None:
        body: str = message.WhichOneof("body") or "nothing"
        if body == "update_chunk" and not message.update_chunk.data:  # type: ignore[union-attr]
            body = "update_question"
        self._bodies[frame[_SEALED_AT:]] = body.replace("_", " ")

    def name(self, frame: bytes) -> str:
        """What a frame on the air is there for."""
        match frame[0]:
            case _ if frame[0] == KK:
                return HANDSHAKE
            case _ if frame[0] == CALL:
                return "call"
            case _ if frame[0] == SEALED:
                return self._bodies.get(frame[_SEALED_AT:], "unknown")
        return "commissioning"


def packets(sent: Sequence[Sent], name: Callable[[bytes], str]) -> list[Packet]:
    """What was recorded of one connection, with a step each."""
    steps = list(_steps(sent, name))
    return [Packet(step, one.up, len(one.data), one.at_s) for step, one in zip(steps, sent, strict=True)]


def _steps(sent: Sequence[Sent], name: Callable[[bytes], str]) -> Iterator[str]:
    """Parts wait for the end of their frame, which says what they are."""
    joiners = {up: PartJoiner() for up in (False, True)}
    found: list[str] = []
    open_parts: dict[bool, list[int]] = {False: [], True: []}
    request = ""
    for index, one in enumerate(sent):
        op_code = one.data[_L2CAP]
        if one.connects:
            found.append(CONNECT)
        elif op_code in (_WRITE, _NOTIFY):
            found.append("")
            open_parts[one.up].append(index)
            frame = joiners[one.up].feed(one.data[_L2CAP + 3 :])
            if frame is not None:
                for part in open_parts[one.up]:
                    found[part] = name(frame)
                open_parts[one.up].clear()
        else:
            request = _PURPOSES.get(op_code, request if op_code == _ERROR else "other")
            found.append(request)
    yield from found
