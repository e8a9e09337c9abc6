"""A node's window as the daemon keeps it, and its bytes in the store."""

import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

# Evidence on the wire: steps of 1/256 nat.
EVIDENCE_STEPS = 256.0

_HEADER = struct.Struct("<8sIqIIBBB")


class Window(NamedTuple):
    """One reported window. `(node, boot, seq)` is its identity.

    `features` and `evidence` are little-endian int16 as on the wire (features in schema coordinates; evidence in
    1/256 nat, one value for each class from 1 up, empty if the head knew nothing). `refused` windows carry neither:
    they only keep the identity, so that the node is not asked for them again.
    """

    node: str
    boot: int
    seq: int
    end_s: int
    end_utc_ms: int
    state: int
    evidence: bytes
    features: bytes

    @property
    def refused(self) -> bool:
        return not self.features


def pack(window: Window) -> bytes:
    """The window's record in the store."""
    header = _HEADER.pack(
        bytes.fromhex(window.node),
        window.boot,
        window.end_utc_ms,
        window.seq,
        window.end_s,
        window.state,
        len(window.evidence),
        len(window.features),
    )
    return header + window.evidence + window.features


def unpack_all(records: bytes) -> Iterator[Window]:
    """The windows of records that stand one after the other."""
    offset = 0
    while offset < len(records):
        node, boot, utc_ms, seq, end_s, state, evidences, features = _HEADER.unpack_from(records, offset)
        evidence_at = offset + _HEADER.size
        features_at = evidence_at + evidences
        offset = features_at + features
        # A node's id once, however many windows of it are kept in memory.
        name = sys.intern(node.hex())
        evidence, x = records[evidence_at:features_at], records[features_at:offset]
        yield Window(name, boot, seq, end_s, utc_ms, state, evidence, x)
