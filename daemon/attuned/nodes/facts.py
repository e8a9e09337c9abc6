"""What a node says of itself in a hello, as the daemon keeps it."""

import json
from dataclasses import asdict, dataclass

from attune_core import Schema
from attune_proto.v1 import node_pb2

# Longest firmware version and name of a board: what the node's message has room for.
FIRMWARE_LIMIT = 24
HARDWARE_LIMIT = 16

# Classes of a head, at most: four bits on the wire, eight in memory. What a node can hold that does not say.
CLASS_LIMIT = 8


@dataclass(frozen=True)
class NodeFacts:
    """The last hello of a node. `sensors` are the sensor bytes in hex digits, `release` a digest in hex digits.

    `class_capacity` and `hardware` are of nodes that say so.
    """

    node: str
    boot: int
    window_s: int
    sensors: str
    schema: str
    release: str
    classes: int
    label_capacity: int
    firmware: str
    class_capacity: int = CLASS_LIMIT
    hardware: str = ""

    @classmethod
    def from_hello(cls, hello: node_pb2.Hello) -> "NodeFacts":
        return cls(
            hello.node_id.hex(),
            hello.boot,
            hello.window_s,
            hello.sensors.hex(),
            hello.schema.hex(),
            hello.release.hex(),
            hello.classes,
            hello.label_capacity,
            "".join(filter(str.isprintable, hello.firmware))[:FIRMWARE_LIMIT],
            hello.class_capacity or CLASS_LIMIT,
            "".join(filter(str.isprintable, hello.hardware))[:HARDWARE_LIMIT],
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "NodeFacts":
        return cls(**json.loads(text))

    def make_schema(self) -> Schema:
        """The feature schema that follows from the sensors. Raises ValueError if there is none."""
        return Schema.of_sensors(bytes.fromhex(self.sensors), self.window_s)
