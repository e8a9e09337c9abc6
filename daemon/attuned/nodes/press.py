"""A press of a node's button as the daemon takes it."""

from dataclasses import dataclass

from attune_proto.v1 import node_pb2


@dataclass(frozen=True)
class Press:
    """A press at a time in UTC. `(node, boot, number)` is its identity."""

    node: str
    boot: int
    number: int
    class_index: int
    utc_ms: int

    def acknowledgement(self) -> node_pb2.DaemonMessage:
        """What lets the node forget it."""
        return node_pb2.DaemonMessage(button_ack=node_pb2.ButtonAck(boot=self.boot, press=self.number))
