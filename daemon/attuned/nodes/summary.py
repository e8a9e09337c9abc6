"""What is left of an hour of a node's reports, as the daemon keeps it."""

from dataclasses import dataclass

from attune_proto.v1 import node_pb2


@dataclass(frozen=True)
class NodeSummary:
    """Reports of a stretch (from, to] of UTC in ms that made room on the node for newer ones: so many, how many by the
    class of the node's own filter (a byte each), and the means of their features as in a report. `(node, boot, number)`
    is its identity; `schema` is the hash of the node's features."""

    node: str
    boot: int
    number: int
    from_utc_ms: int
    to_utc_ms: int
    schema: str
    reports: int
    class_reports: bytes
    features: bytes

    def acknowledgement(self) -> node_pb2.DaemonMessage:
        """What lets the node forget it."""
        return node_pb2.DaemonMessage(summary_ack=node_pb2.SummaryAck(number=self.number))
