"""Payloads of each kind, also of those that the daemon has no use for by themselves, and what a node then runs."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from attune_core import Head, Schema
from attune_core.update import Model, UpdateKind, compact, of_compact
from attuned.updates.envelope import Audience, EnvelopeError, Kind, Update

_FORMATS = ("int8", "float32")
_THROUGH_LABEL, _NORMALISER, _CALIBRATION = b"\x01", b"\x02", b"\x03"

# 2^((code - ONE) / STEPS), as in the core's update/normaliser.c.
_SCALE_ONE, _SCALE_STEPS = 129, 16


@dataclass(frozen=True)
class Normaliser:
    """x' = (x - centre) / scale for each feature, x in units of q / 1024; rounded to what travels.

    `codes` are the scales as bytes: 2^((code - 129) / 16), above 0.
    """

    centres: tuple[float, ...]
    codes: tuple[int, ...]

    @property
    def payload(self) -> bytes:
        return struct.pack(f"<{len(self.centres)}e{len(self.codes)}B", *self.centres, *self.codes)

    @property
    def scales(self) -> tuple[float, ...]:
        return tuple(2.0 ** ((code - _SCALE_ONE) / _SCALE_STEPS) for code in self.codes)


@dataclass(frozen=True)
class NodeCalibration:
    """What a node makes of evidence, slope x + offset for each class above 0, and the mean stays of its filter in
    seconds, one a class."""

    slope: float
    offsets: tuple[float, ...]
    dwell_s: tuple[int, ...]

    @property
    def payload(self) -> bytes:
        classes = len(self.dwell_s)
        numbers = struct.pack(f"<B{classes}e", classes, self.slope, *self.offsets)
        return numbers + struct.pack(f"<{classes}I", *self.dwell_s)


def model_payload(
    head: Head,
    state_format: str = "int8",
    *,
    through_label: int = 0,
    normaliser: Normaliser | None = None,
    calibration: NodeCalibration | None = None,
) -> bytes:
    """A whole release: the head of any kind in a format (float32: as it is), and everything beside it."""
    sections: Sequence[bytes] = (
        _THROUGH_LABEL + struct.pack("<I", through_label) if through_label else b"",
        _NORMALISER + normaliser.payload if normaliser else b"",
        _CALIBRATION + calibration.payload if calibration else b"",
    )
    return head.export(state_format) + b"".join(sections)


def _smallest(head: Head, schema: Schema) -> tuple[UpdateKind, bytes]:
    """How a head travels without any change: in one packet, or its state in the smallest format that keeps it."""
    try:
        packet = compact(head)
        if of_compact(schema, packet).export() == head.export():
            return UpdateKind.HEAD, packet
    except ValueError:
        pass
    return UpdateKind.MODEL, next(
        state for state in map(head.export, _FORMATS) if _imported(head, schema, state) == head.export()
    )


def _imported(head: Head, schema: Schema, state: bytes) -> bytes:
    other = Head(head.kind, schema)
    other.import_(state)
    return other.export()


def release_payload(head: Head, schema: Schema, through_label: int) -> tuple[Kind, bytes]:
    """The smallest update that brings exactly this head, which `attune_core.update.delivered` has rounded."""
    kind, state = _smallest(head, schema)
    label = struct.pack("<I", through_label)
    if kind is UpdateKind.HEAD:
        return Kind.HEAD, label + state
    return Kind.MODEL, state + (_THROUGH_LABEL + label if through_label else b"")


def make_update(base: Model, audience: Audience, sequence: int, kind: Kind, payload: bytes) -> tuple[Update, Model]:
    """The update, ready to be signed, and the model that the node will run: what a gate has to judge.

    EnvelopeError if the node would refuse the payload.
    """
    try:
        result = base.updated(UpdateKind(kind), payload)
    except ValueError as refused:
        raise EnvelopeError(str(refused)) from None
    named = audience.digest, audience.cohort, sequence, base.digest, result.digest
    return Update(kind, *named, payload), result
