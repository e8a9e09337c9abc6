"""Named blocks: what a release is the sum of, each with the labelled windows that it holds and their digest."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from attune_core import Head, Schema
from pydantic import BaseModel, ConfigDict

DIGEST_SIZE = 16

# The kind of every release's head: what nodes start on (learner/factory.h).
HEAD = "mixture"

# (label number, boot, first seq, last seq): windows that follow each other and were labelled at once; number 0 for what
# motion sensors say (learning/motion.py).
Run = tuple[int, int, int, int]


class Block(BaseModel):
    """One summand of a release: the labelled windows of a node, each with one weight (1: a person's word).

    `name` says what it is: `factory NODE`, `cohort ROOM TWIN for NODE`, `weak SOURCE DAY NODE`, `motion DAY NODE`,
    `label NUMBER NODE`, or `before NUMBER NODE` for what a node of the label measured before it measured otherwise.
    `digest` (hex digits) is of all that is learned from it; `windows` names its windows, so that it can be found again.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    node: str = ""
    weight: float = 1.0
    windows: tuple[Run, ...] = ()

    @property
    def count(self) -> int:
        """Windows in the block."""
        return sum(last - first + 1 for _, _, first, last in self.windows)

    @property
    def labels(self) -> frozenset[int]:
        """Numbers of the labels that it comes from."""
        return frozenset(run[0] for run in self.windows if run[0])


@dataclass(frozen=True)
class Labelled:
    """Labelled windows of one node, by time: ends_ms int64 [n] of UTC, boot and seq int64 [n], label int64 [n], the
    number of the label that counts, classes uint8 [n], features int16 [n, d] in schema coordinates."""

    ends_ms: npt.NDArray[np.int64]
    boot: npt.NDArray[np.int64]
    seq: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    classes: npt.NDArray[np.uint8]
    features: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.ends_ms)

    def __getitem__(self, part: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Labelled":
        return Labelled(
            self.ends_ms[part],
            self.boot[part],
            self.seq[part],
            self.label[part],
            self.classes[part],
            self.features[part],
        )

    def runs(self) -> tuple[Run, ...]:
        """The windows in their order, as stretches without a gap."""
        if not len(self):
            return ()
        follows = (np.diff(self.label) == 0) & (np.diff(self.boot) == 0) & (np.diff(self.seq) == 1)
        first = np.flatnonzero(np.concatenate([[True], ~follows]))
        last = np.append(first[1:] - 1, len(self) - 1)
        columns = (self.label[first], self.boot[first], self.seq[first], self.seq[last])
        return tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in zip(*columns, strict=True))


def joined(parts: Sequence[Labelled], features: int) -> Labelled:
    """Several as one, in their order; `features` is d, for none at all."""
    whole, none = np.zeros(0, np.int64), np.zeros((0, features), np.int16)
    empty = Labelled(whole, whole, whole, whole, np.zeros(0, np.uint8), none)
    found = [empty, *parts]
    return Labelled(
        np.concatenate([each.ends_ms for each in found]),
        np.concatenate([each.boot for each in found]),
        np.concatenate([each.seq for each in found]),
        np.concatenate([each.label for each in found]),
        np.concatenate([each.classes for each in found]),
        np.concatenate([each.features for each in found]),
    )


def evenly(count: int, limit: int) -> npt.NDArray[np.int64]:
    """At most `limit` of `count` places, evenly spread."""
    wanted = min(count, limit)
    return (np.arange(wanted, dtype=np.int64) * count) // max(wanted, 1)


def make_block(name: str, node: str, weight: float, windows: Labelled) -> Block:
    """The block of these windows."""
    return Block(name=name, node=node, weight=weight, windows=windows.runs(), digest=_digest(weight, windows))


def factory_block(node: str, schema: Schema) -> Block:
    """The factory release of a schema as a block; its digest is the one that nodes on it report."""
    _, digest = Head.factory(schema, HEAD)
    return Block(name=f"factory {node}", node=node, digest=digest.hex())


def block_head(schema: Schema, windows: Labelled, weight: float) -> Head:
    """What is learned from the windows alone, in float64."""
    head = Head(HEAD, schema, "float64")
    if len(windows):
        head.learn(windows.features, windows.classes, np.full(len(windows), weight, np.float32))
    return head


def summed(schema: Schema, parts: Iterable[Head]) -> Head:
    """The factory release and the parts on it in their order, in float64."""
    head, _ = Head.factory(schema, HEAD, "float64")
    for part in parts:
        head.merge(part)
    return head


def as_node(schema: Schema, state: bytes) -> Head:
    """The head that a node makes of an exported state."""
    head = Head(HEAD, schema)
    head.import_(state)
    return head


def _digest(weight: float, windows: Labelled) -> str:
    digest = hashlib.blake2b(np.float64(weight).tobytes(), digest_size=DIGEST_SIZE)
    for column in (windows.ends_ms, windows.boot, windows.seq, windows.label):
        digest.update(column.astype("<i8").tobytes())
    digest.update(windows.classes.tobytes())
    digest.update(windows.features.astype("<i2").tobytes())
    return digest.hexdigest()
