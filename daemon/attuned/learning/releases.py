"""Releases: what a room's node is to run, as the sum of named blocks; the same blocks give the same bytes."""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attune_core import Schema
from pydantic import BaseModel, ConfigDict

from attuned.learning.blocks import (
    DIGEST_SIZE,
    HEAD,
    Block,
    Labelled,
    block_head,
    factory_block,
    released,
    summed,
)
from attuned.learning.crossing import Crossing, RoomEvidence
from attuned.learning.folds import folds_of
from attuned.learning.record import RoomRecord
from attuned.learning.rooms import learn_room
from attuned.presence.model import RoomModel
from attuned.version import VERSION

# Of the canonical bytes. 1 did not round the state as it travels.
FORMAT = 2

# What says in an image (update/model.h) that the last label follows.
LABEL_SECTION = b"\x01"

Summand = tuple[Block, Labelled]


class NodeType(BaseModel):
    """A node's sensor bytes, in hex digits, and the length of its windows in seconds."""

    model_config = ConfigDict(frozen=True)

    sensors: str
    window_s: int

    @property
    def features(self) -> Schema:
        """The feature schema that follows from them."""
        return Schema.of_sensors(bytes.fromhex(self.sensors), self.window_s)


class Release(BaseModel):
    """An immutable version of what a node of a room runs, and of how its room is judged.

    `types` are those of the room's nodes; `schema_hash` is that of the node's features; `state` the head's export in
    float32, hex digits, rounded as it travels. `blocks` are those of all nodes of the room, in the order in which they
    were summed: the head is the sum of the factory's and of the node's own, the room's model comes from all.
    `through_label` is the highest number of the room's labels that it was built from. `code` is the version of Attune
    that built it.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    room: str
    node: str
    types: dict[str, NodeType]
    step_s: int
    schema_hash: str
    head: str = HEAD
    state: str
    model: RoomModel
    through_label: int
    blocks: tuple[Block, ...]
    code: str = VERSION

    def canonical(self) -> bytes:
        """The bytes that its id is the digest of: JSON with sorted keys and nothing that could be left out."""
        values: dict[str, Any] = self.model_dump(mode="json")
        return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @property
    def id(self) -> str:
        """BLAKE2b-16 of the canonical bytes, hex digits."""
        return hashlib.blake2b(self.canonical(), digest_size=DIGEST_SIZE).hexdigest()

    @property
    def running_digest(self) -> str:
        """What a node that runs it says in its hello (update/model.h), hex digits."""
        label = LABEL_SECTION + struct.pack("<I", self.through_label) if self.through_label else b""
        image = bytes.fromhex(self.state) + label + bytes.fromhex(self.schema_hash)
        return hashlib.blake2b(image).hexdigest()[: 2 * DIGEST_SIZE]


@dataclass(frozen=True)
class NodePart:
    """What one node of a room brings: its schema, and the blocks that its head is to be the sum of, in their order."""

    schema: Schema
    summands: tuple[Summand, ...]


@dataclass(frozen=True)
class RoomInputs:
    """All that the releases of a room are built from. `step_s` is the step of the room's filter in seconds."""

    room: str
    step_s: int
    nodes: Mapping[str, NodePart]

    @property
    def own(self) -> dict[str, list[Summand]]:
        """The blocks of the room's own labels that people gave, by node: what it is judged by."""
        return {node: [each for each in part.summands if is_own(each[0])] for node, part in self.nodes.items()}

    @property
    def sensors(self) -> dict[str, tuple[str, ...]]:
        """Each node's sensor kinds."""
        return {node: part.schema.kinds for node, part in self.nodes.items()}


def is_own(block: Block) -> bool:
    """Whether a block comes from what people said of the room itself, as its nodes measure it now."""
    return block.name.startswith("label ")


def is_of_room(block: Block) -> bool:
    """Whether a block comes from what people said of the room itself, now or before its nodes measured otherwise."""
    return block.name.startswith(("label ", "before "))


def build(inputs: RoomInputs) -> list[Release]:
    """A release for each node of a room."""
    model = room_model(inputs)
    blocks = tuple(block for node, part in sorted(inputs.nodes.items()) for block in _named(node, part))
    types = {
        node: NodeType(sensors=part.schema.sensor_bytes.hex(), window_s=part.schema.window_s)
        for node, part in sorted(inputs.nodes.items())
    }
    through = max((number for block in blocks if is_of_room(block) for number in block.labels), default=0)
    return [
        Release(
            room=inputs.room,
            node=node,
            types=types,
            step_s=inputs.step_s,
            schema_hash=part.schema.hash.hex(),
            state=state_of(part).hex(),
            model=model,
            through_label=through,
            blocks=blocks,
        )
        for node, part in sorted(inputs.nodes.items())
    ]


def state_of(part: NodePart) -> bytes:
    """The head that is the sum of a node's blocks, rounded as it travels, exported in float32."""
    heads = (block_head(part.schema, windows, block.weight) for block, windows in part.summands)
    return released(part.schema, summed(part.schema, heads)).export()


def room_model(inputs: RoomInputs) -> RoomModel:
    """How the room is to be judged, from what heads say of its labelled windows that had not learned their days."""
    record = held_back_record(inputs)
    return RoomModel() if record is None else learn_room(record, inputs.sensors, inputs.step_s)


def held_back_record(inputs: RoomInputs) -> RoomRecord | None:
    """What heads say of the room's labelled windows that had not learned their days; None without a window."""
    said = RoomEvidence.of(inputs.own, inputs.step_s)
    return None if said is None else Crossing.of(inputs.nodes, folds_of(said.ends_s)).record(said)


def _named(node: str, part: NodePart) -> Sequence[Block]:
    return [factory_block(node, part.schema), *(block for block, _ in part.summands)]


def rebuilt(inputs: RoomInputs, release: Release) -> Release:
    """The same release built anew from its blocks, by this code and under the name of the code that built it."""
    found = next(each for each in build(inputs) if each.node == release.node)
    return found.model_copy(update={"code": release.code})
