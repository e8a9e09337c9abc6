"""A quiet node's drift sketch as the daemon keeps it."""

from dataclasses import dataclass

from attune_proto.v1 import node_pb2


@dataclass(frozen=True)
class NodeSketch:
    """What a quiet node counted in a stretch (from, to] of UTC in ms: so many windows, `counts` as the core exports
    them. `(node, boot, number)` is its identity; `schema` is the hash of the node's features."""

    node: str
    boot: int
    number: int
    from_utc_ms: int
    to_utc_ms: int
    schema: str
    windows: int
    counts: bytes

    def acknowledgement(self) -> node_pb2.DaemonMessage:
        """What lets the node forget it."""
        return node_pb2.DaemonMessage(sketch_ack=node_pb2.SketchAck(boot=self.boot, number=self.number))
