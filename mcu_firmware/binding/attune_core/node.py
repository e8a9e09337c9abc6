"""A whole node as a value: samples and frames in, frames out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attune_core.head import Head, kind_name
from attune_core.library import library
from attune_core.schema import Schema
from attune_core.session import KEY_SIZE, Keeper

FIRMWARE_SIZE = 23
HARDWARE_SIZE = 15
NODE_ID_SIZE = 8
EVIDENCE_UNIT = 256
"""Steps of reported evidence in one nat."""


@dataclass(frozen=True)
class NodeFacts:
    """What a node can be asked for; counts are since its start."""

    next_seq: int
    through: int
    """The daemon has acknowledged all reports up to this one."""
    waiting: int
    """Reports in RAM without acknowledgement; others may wait in flash."""
    dropped: int
    label_windows: int
    bad_frames: int
    refused_samples: int
    refused_labels: int
    classes: int
    state: int
    """Most probable class of the node's own filter."""
    link_up: bool
    timed: bool
    """A time message has come since the link came up: reports go."""
    ready: bool
    """There are keys to seal messages with."""
    blinks: bool
    release: bytes
    """Digest of the committed one."""
    schema: bytes
    highest: int
    """Sequence number of an update that it has ever accepted."""
    trial: int
    """Sequence number of the update on trial; 0 if none is."""
    signing_key: int
    """Number of the key that it goes by; 0 if it has none."""


@dataclass(frozen=True)
class WaitingReport:
    """A report without acknowledgement: features int16[d], evidence in nats (empty if the head knew nothing)."""

    seq: int
    end_s: int
    evidence: tuple[float, ...]
    features: npt.NDArray[np.int16]


class Node:
    """A node in float32, as on a board, for tests and replays. Time is what `poll` and `sample` say it is."""

    def __init__(
        self,
        node_id: bytes,
        boot: int,
        sensors: Sequence[str],
        window_s: int = 60,
        firmware: str = "test",
        *,
        keeper: Keeper | None = None,
        test: bool = False,
        hardware: str = "",
    ) -> None:
        """Starts with the link down, on the factory release. node_id has 8 bytes, boot 32 bits.

        Keys are random, and what the node knows ends with it, unless it has a keeper. A `test` node says that it is
        one. Updates are for a `hardware`: without one it gets none.
        """
        if len(node_id) != NODE_ID_SIZE:
            raise ValueError(f"A node id has 8 bytes, not {len(node_id)}.")
        if not 0 <= boot < 1 << 32:
            raise ValueError(f"A boot number has 32 bits; {boot} does not fit.")
        if len(firmware.encode()) > FIRMWARE_SIZE:
            raise ValueError(f"A firmware version has at most {FIRMWARE_SIZE} bytes.")
        if len(hardware.encode()) > HARDWARE_SIZE:
            raise ValueError(f"The name of a hardware has at most {HARDWARE_SIZE} bytes.")
        self.schema = Schema(sensors, window_s)
        self._core = library()
        self._memory = self._core.new("node")
        self._pointer = self._memory.pointer
        self._frame = self._core.ffi.new("uint8_t[]", self._core.node_frame)
        kinds = self.schema.sensor_bytes
        arguments = node_id, boot, firmware.encode(), hardware.encode(), kinds, len(kinds), window_s, test
        if self._core.lib.core_node_init(self._pointer, *arguments):
            raise ValueError("A node cannot have these sensors and this window.")
        self.keeper = keeper or Keeper(os.urandom(KEY_SIZE))
        if not self._core.lib.core_node_keep(self._pointer, self.keeper.pointer):
            raise ValueError("The node's keys cannot be kept.")

    @property
    def code(self) -> str:
        """What the node shows to people who want to commission it."""
        text = self._core.ffi.new("char[43]")
        self._core.lib.core_node_code(self._pointer, text)
        return bytes(self._core.ffi.string(text)).decode()

    def sample(self, sensor: int, tick_ms: int, value: float) -> bool:
        """One reading; windows that ended before tick_ms close first. False if the node refused, and counted, it."""
        return not self._core.lib.core_node_sample(self._pointer, sensor, tick_ms, value)

    def press(self, tick_ms: int, class_index: int) -> None:
        """Somebody pressed the node's button: the last ten minutes were of that class (1 byte)."""
        self._core.lib.core_node_press(self._pointer, tick_ms, class_index)

    def poll(self, now_ms: int) -> None:
        """Time passes: closes every window that ends at now_ms or before, and makes due retries ready."""
        self._core.lib.core_node_poll(self._pointer, now_ms)

    def link(self, up: bool) -> None:
        """The link came up, which begins with a handshake, or went down."""
        self._core.lib.core_node_link(self._pointer, up)

    def receive(self, frame: bytes) -> None:
        """One frame from the daemon, without stream framing."""
        self._core.lib.core_node_receive(self._pointer, frame, len(frame))

    def frames(self) -> list[bytes]:
        """Every frame that the node wants to send now."""
        frames: list[bytes] = []
        send, frame = self._core.lib.core_node_send, self._frame
        while size := send(self._pointer, frame, len(frame)):
            frames.append(bytes(self._core.ffi.buffer(frame, size)))
        return frames

    @property
    def facts(self) -> NodeFacts:
        facts = self._core.ffi.new("struct core_node_facts *")
        self._core.lib.core_node_describe(self._pointer, facts)
        return NodeFacts(
            next_seq=facts.next_seq,
            through=facts.through,
            waiting=facts.waiting,
            dropped=facts.dropped,
            label_windows=facts.label_windows,
            bad_frames=facts.bad_frames,
            refused_samples=facts.refused_samples,
            refused_labels=facts.refused_labels,
            classes=facts.classes,
            state=facts.state,
            link_up=bool(facts.link_up),
            timed=bool(facts.timed),
            ready=bool(facts.ready),
            blinks=bool(facts.blinks),
            release=bytes(facts.release),
            schema=bytes(facts.schema),
            highest=facts.highest,
            trial=facts.trial,
            signing_key=facts.signing_key,
        )

    @property
    def newest_report(self) -> WaitingReport | None:
        """The report of the last window that closed; None once it is acknowledged, or before the first window."""
        core = self._core
        end_s, evidences = core.ffi.new("uint32_t *"), core.ffi.new("uint8_t *")
        evidence = core.ffi.new("int16_t[]", core.max_classes)
        features = np.zeros(len(self.schema), np.int16)
        into = end_s, evidences, evidence, core.array("int16_t", features)
        seq = core.lib.core_node_newest(self._pointer, *into)
        if seq == 0:
            return None
        nats = tuple(evidence[k] / EVIDENCE_UNIT for k in range(evidences[0]))
        return WaitingReport(seq, end_s[0], nats, features)

    def head(self) -> Head:
        """A copy of the head as it is now: the release and what was learned since."""
        core = self._core
        own = core.lib.core_node_head(self._pointer)
        head = Head(kind_name(core.lib.core_head_kind(own)), self.schema)
        core.ffi.memmove(head.memory.pointer, own, head.memory.size)
        return head
