"""The node core as a Python module: the same C that runs on nodes, on numpy arrays without copies.

`Schema`, `Windower`, `Head`, `Filter` and `Sketch` are the parts; `Node` is a whole node as a value; `frame_encode` and
`FrameDecoder` are the framing of streams, `part_encode` and `PartDecoder` that of Bluetooth; `NodeHandshake` and
`SealedPair` are a node's sealed sessions. Every error is a `ValueError` whose message is a sentence.
"""

from attune_core.filter import DWELL_BOUNDS_S, DWELL_S, Filter
from attune_core.framing import FrameDecoder, PartDecoder, frame_encode, part_encode
from attune_core.head import Head
from attune_core.node import Node, NodeFacts, WaitingReport
from attune_core.schema import KINDS, MISSING, UNIT, Schema, plain_kind, sensor_byte
from attune_core.session import (
    Keeper,
    NodeHandshake,
    NoiseHandshake,
    Pattern,
    SealedPair,
    SessionError,
    SessionKeys,
    advertised_hint,
    advertising_key,
    code_psk,
    write_code,
)
from attune_core.sketch import FAR, SKETCH_BINS, Sketch
from attune_core.window import Windower

__all__ = [
    "DWELL_BOUNDS_S",
    "DWELL_S",
    "FAR",
    "KINDS",
    "MISSING",
    "SKETCH_BINS",
    "UNIT",
    "Filter",
    "FrameDecoder",
    "Head",
    "Keeper",
    "Node",
    "NodeFacts",
    "NodeHandshake",
    "NoiseHandshake",
    "PartDecoder",
    "Pattern",
    "Schema",
    "SealedPair",
    "SessionError",
    "SessionKeys",
    "Sketch",
    "WaitingReport",
    "Windower",
    "advertised_hint",
    "advertising_key",
    "code_psk",
    "frame_encode",
    "part_encode",
    "plain_kind",
    "sensor_byte",
    "write_code",
]
