"""What updates cost: bytes and time on the air, instructions on the board, and what their rounding costs a head.

A line a kind. Bytes are those of the envelope; beside it the envelope of the same result with all of its statistics in
float32, and the head of the same result as a TensorFlow Lite model, which every change would have to send again
(float32, written with flatbuffers, and said by ai-edge-litert to give the same evidence). Seconds are computed for a
link of 1 Mbit/s that takes 30 ms one way: a frame is one ATT write of at most 244 bytes with everything in it, and the
next one goes when the acknowledgement of the one before has come. Instructions are those of a Cortex-M4F under QEMU
(mcu_firmware/tests/cost/update.c) for the golden envelopes, which are the same.

The second table judges heads on the test splits of recordings, by the evidence of each window: whole, in int8, and
rounded to one packet as nodes run them; `later` after each has learned 30 windows of the test split more. Differences
are in hundredths of balanced accuracy.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attune_core import Head, Schema
from attune_core.update import Model, UpdateKind, compact, of_compact
from attune_proto.v1 import node_pb2
from attuned.learning.replay.core import CoreCode
from attuned.learning.replay.errors import ReplayError
from attuned.learning.replay.observed import observe
from attuned.learning.replay.recording import UNLABELLED
from attuned.learning.replay.spec import load_spec
from attuned.learning.replay.streams import Split, load_splits
from attuned.updates.chunks import chunk, whole
from attuned.updates.envelope import AROUND, Kind
from rich.console import Console
from rich.table import Table

from bench.cost import count
from bench.litert.head import Numbers, head_file, said_by
from bench.output import results

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "build/mps2_an386/mcu_firmware/ports/mps2_an386/attune-cost-update.elf"
VECTORS = ROOT / "tests" / "vectors" / "updates"
SPECS = ROOT / "bench" / "specs"
RECORDINGS = ("candanedo", "robod", "robod-1-from-2", "robod-2-from-1", "singh")

ATT_WRITE = 244
# Which part of a frame it is; kind, hint, counter and tag of a sealed frame.
FRAME_AROUND = 1 + 25
ROOM = ATT_WRITE - FRAME_AROUND
BITS_PER_S, LATENCY_S = 1e6, 0.03

LABELS = (20, 100, 500)
LATER = 30
SENSORS = ("temperature", "humidity", "light", "co2", "voc", "pm25", "sound", "power")


@dataclass(frozen=True)
class Row:
    """An update of one kind."""

    kind: str
    bytes: int
    with_statistics: int
    tflite: int
    frames: int
    seconds: float
    tflite_seconds: float
    verify: int
    apply: int

    @property
    def line(self) -> str:
        return (
            f"{self.kind}: {self.bytes} bytes ({self.with_statistics:,} with statistics, {self.tflite:,} as .tflite), "
            f"{self.seconds:.3f} s in {self.frames} frame{'s' if self.frames > 1 else ''} "
            f"({self.tflite_seconds:.3f} s as .tflite), "
            f"{self.verify:,} instructions to verify and {self.apply:,} to apply"
        )


def golden(name: str) -> bytes:
    """A golden vector's bytes."""
    lines = (VECTORS / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex(" ".join(line for line in lines if not line.startswith("#")))


def messages(data: bytes) -> list[bytes]:
    """The messages that carry an envelope, or anything else, in their order."""
    if (single := whole(data, ROOM)) is not None:
        return [single.SerializeToString()]
    sent, offset = [], 0
    while offset < len(data):
        part = chunk(data, offset, ROOM)
        offset += len(part.update_chunk.data)
        sent.append(part.SerializeToString())
    return sent


def seconds(data: bytes) -> float:
    """From the first bit to the last acknowledgement."""
    ack = node_pb2.NodeMessage(update_ack=node_pb2.UpdateAck(id=bytes(16), offset=len(data)))
    up = FRAME_AROUND + ack.ByteSize()
    bits = sum(8 * (FRAME_AROUND + len(message) + up) for message in messages(data))
    return bits / BITS_PER_S + 2 * LATENCY_S * len(messages(data))


def tflite_of(model: Model) -> bytes:
    """The head of a model; AssertionError if the run time says anything else of a window than the core."""
    file = head_file(Numbers.of(model))
    x = np.random.default_rng(1).normal(0, 1000, (200, len(model.schema))).astype(np.int16)
    off = np.abs(said_by(file, x) - model.head.predict(x)[0][:, 0])
    assert off.max() < 0.01, f"The .tflite is another head: {off.max()} nats off."
    return file


def rows(figures: dict[str, int]) -> Iterator[Row]:
    """The golden updates."""
    base = Model.of_image(golden("base"), Schema(SENSORS, 60))
    for kind in Kind:
        name = kind.name.lower()
        envelope = golden(name)
        result = base.updated(UpdateKind(kind), envelope[AROUND - 64 : -64])
        assert result.digest == golden(f"{name}_result")
        file = tflite_of(result)
        yield Row(
            kind=name,
            bytes=len(envelope),
            with_statistics=AROUND + len(result.image) - len(result.schema.hash),
            tflite=len(file),
            frames=len(messages(envelope)),
            seconds=seconds(envelope),
            tflite_seconds=seconds(file),
            verify=figures[f"{name} verify"],
            apply=figures[f"{name} apply"],
        )


@dataclass(frozen=True)
class Lost:
    """What rounding costs; balanced accuracies, means over rooms, nodes and test splits of a recording."""

    recording: str
    labels: int
    cases: int
    whole: float
    int8: float
    packet: float
    later: float
    packet_later: float


Labelled = tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]


def nodes(split: Split, window_s: int) -> Iterator[tuple[tuple[str, ...], Labelled]]:
    """Each node's sensors and labelled windows."""
    for room in split.rooms:
        for node in room.nodes:
            windows = observe(CoreCode(), node, window_s)
            labels = room.labels[np.searchsorted(room.ends_s, windows.ends_s)]
            known = labels != UNLABELLED
            yield tuple(node.kinds), (windows.features[known], (labels[known] > 0).astype(np.uint8))


def balanced(head: Head, x: npt.NDArray[np.int16], classes: npt.NDArray[np.uint8]) -> float:
    said = head.predict(x)[0][:, 0] > 0
    return float(np.mean([np.mean(said[classes == k] == k) for k in (0, 1)]))


def copied(schema: Schema, state: bytes) -> Head:
    head = Head(Head.factory_kind, schema)
    head.import_(state)
    return head


def judged(schema: Schema, head: Head, test: Labelled) -> list[float]:
    """whole, int8, packet, later, packet later."""
    x, classes = test
    drawn = np.random.default_rng(1).permutation(len(classes))
    more, rest = drawn[:LATER], drawn[LATER:]
    whole_head, packet = copied(schema, head.export()), of_compact(schema, compact(head))
    found = [balanced(each, x, classes) for each in (whole_head, copied(schema, head.export("int8")), packet)]
    for each in (whole_head, packet):
        each.learn(x[more], classes[more])
        found.append(balanced(each, x[rest], classes[rest]))
    return found


def lost(recording: str) -> Iterator[Lost]:
    """A recording's rows."""
    path = SPECS / f"{recording}.toml"
    spec = load_spec(path)
    splits = {split.name: list(nodes(split, spec.window_s)) for split in load_splits(spec, path, (), lambda _: None)}
    train = splits.pop("train")
    for labels in LABELS:
        found = []
        for place, (kinds, (x, classes)) in enumerate(train):
            schema = Schema(kinds, spec.window_s)
            drawn = np.random.default_rng(0).permutation(len(classes))[:labels]
            head, _ = Head.factory(schema)
            head.learn(x[drawn], classes[drawn])
            for split in splits.values():
                others, test = split[min(place, len(split) - 1)]
                if others == kinds and len(set(test[1])) == 2:
                    found.append(judged(schema, head, test))
        yield Lost(recording, labels, len(found), *(float(mean) for mean in np.mean(found, axis=0)))


def show_lost(found: list[Lost]) -> None:
    table = Table(title="balanced accuracy of a window, and what rounding takes of it in hundredths")
    for column in ("recording", "labels", "heads", "whole", "int8", "packet", "later", "packet, later"):
        table.add_column(column, justify="left" if column == "recording" else "right")
    for row in found:
        taken = (row.int8 - row.whole, row.packet - row.whole, row.packet_later - row.later)
        int8, packet, later = (f"{100 * each:+.2f}" for each in taken)
        numbers = f"{row.whole:.4f}", int8, packet, f"{row.later:.4f}", later
        table.add_row(row.recording, str(row.labels), str(row.cases), *numbers)
    Console(width=110).print(table)
    heads = sum(row.cases for row in found)
    mean = sum(row.cases * (row.packet - row.whole) for row in found) / heads
    print(f"mean of {heads} heads: one packet costs {-100 * mean:.2f} hundredths of balanced accuracy")


def main() -> int:
    """Prints both tables and writes them to `results/`."""
    subprocess.run(["make", "--silent", "firmware"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    found = list(rows(count(IMAGE).figures))
    print("\n".join(row.line for row in found))
    results.write("updates", map(asdict, found), results.surroundings("ai-edge-litert", "flatbuffers", "tflite"))
    try:
        rounding = [row for recording in RECORDINGS for row in lost(recording)]
    except ReplayError as missing:
        print(missing)
        return 0
    show_lost(rounding)
    results.write("updates-rounding", map(asdict, rounding), results.surroundings("numpy"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
