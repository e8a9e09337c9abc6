"""What a room's heads say of labelled windows whose days they had not learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, Head, Schema, plain_kind

from attuned.learning.blocks import HEAD, Block, Labelled, as_node, block_head, joined, released, summed
from attuned.learning.effective import NEAR_S
from attuned.learning.folds import Folds
from attuned.learning.record import UNLABELLED, Flags, Reals, RoomRecord


class Part(Protocol):
    """A node's schema and the blocks that its head is the sum of."""

    @property
    def schema(self) -> Schema: ...

    @property
    def summands(self) -> Sequence[tuple[Block, Labelled]]: ...


@dataclass(frozen=True)
class RoomEvidence:
    """The steps of a room in which it has labels, and the windows that its nodes closed in them.

    ends_s int64 [n] ascending, classes int8 [n], stretch int64 [n] as in RoomRecord; of each node its labelled windows,
    by time, and the row of the step that each of them ends in.
    """

    ends_s: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int8]
    stretch: npt.NDArray[np.int64]
    windows: Mapping[str, Labelled]
    rows: Mapping[str, npt.NDArray[np.int64]]

    @classmethod
    def of(cls, own: Mapping[str, Sequence[tuple[Block, Labelled]]], step_s: int) -> "RoomEvidence | None":
        """From the blocks of the room's own labels by node; None without a window."""
        taught = {node: by_time([each for _, each in blocks]) for node, blocks in own.items() if blocks}
        windows = {node: each for node, each in taught.items() if len(each)}
        if not windows:
            return None
        steps = {node: -(-each.ends_ms // (1000 * step_s)) for node, each in windows.items()}
        every = np.unique(np.concatenate(list(steps.values())))
        rows = {node: np.searchsorted(every, found) for node, found in steps.items()}
        classes, newest = np.full(len(every), UNLABELLED, np.int8), np.full(len(every), -1, np.int64)
        for node, each in sorted(windows.items()):
            # Where a step has windows of two labels, the newest one speaks.
            order = np.argsort(each.label, kind="stable")
            at = rows[node][order]
            newer = each.label[order] >= newest[at]
            classes[at[newer]], newest[at[newer]] = each.classes[order][newer], each.label[order][newer]
        ends_s = every * step_s
        stretch = np.concatenate([[0], np.cumsum(np.diff(ends_s) > NEAR_S)])
        return cls(ends_s, classes, stretch, windows, rows)

    def record(self, nats: Mapping[str, Reals], told: Mapping[str, Flags]) -> RoomRecord:
        """What the nodes say: nats and told of each node's windows; several in one step count as their mean."""
        nodes = tuple(sorted(self.windows))
        sums, counts = np.zeros((len(self.ends_s), len(nodes))), np.zeros((len(self.ends_s), len(nodes)))
        for i, node in enumerate(nodes):
            np.add.at(sums[:, i], self.rows[node][told[node]], nats[node][told[node]])
            np.add.at(counts[:, i], self.rows[node][told[node]], 1)
        means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        return RoomRecord(nodes, self.ends_s, self.stretch, self.classes, means, counts > 0)


def by_time(parts: Sequence[Labelled]) -> Labelled:
    """Windows of one node in order of time."""
    found = joined(parts, parts[0].features.shape[1])
    return found[np.lexsort((found.seq, found.boot, found.ends_ms))]


@dataclass(frozen=True)
class Crossing:
    """The heads of a room's nodes, one for each fold that it had learned nothing of or near."""

    parts: Mapping[str, Part]
    folds: Folds
    heads: Mapping[str, Sequence[Head]]

    @classmethod
    def of(cls, parts: Mapping[str, Part], folds: Folds) -> "Crossing":
        """From what each node's head is the sum of."""
        return cls(parts, folds, {node: held_back_heads(part, folds) for node, part in parts.items()})

    def record(self, room: RoomEvidence, without: str = "") -> RoomRecord:
        """The room as these heads see it; `without` is a sensor kind that counts as missing in every window."""
        nats, told = {}, {}
        for node, windows in room.windows.items():
            x = masked(self.parts[node].schema, windows.features, without)
            fold = self.folds.fold(windows.ends_ms // 1000)
            nats[node], told[node] = np.zeros(len(windows)), np.zeros(len(windows), dtype=bool)
            for number, head in enumerate(self.heads[node]):
                here = fold == number
                nats[node][here], told[node][here] = occupied(head, x[here])
        return room.record(nats, told)


def held_back_heads(part: Part, folds: Folds) -> list[Head]:
    """For each fold the head, as a node would run it, that is the sum of what lies neither in nor near it."""
    cells: dict[int, Head] = {}
    for weight in sorted({block.weight for block, _ in part.summands}):
        windows = joined([each for block, each in part.summands if block.weight == weight], len(part.schema))
        # Windows that are near the same folds are learned together: a bit for each fold.
        codes = folds.near(windows.ends_ms // 1000) @ (1 << np.arange(folds.count))
        for code in np.unique(codes).tolist():
            piece = block_head(part.schema, windows[codes == code], weight)
            cells.setdefault(code, Head(HEAD, part.schema, "float64")).merge(piece)
    heads = []
    for fold in range(folds.count):
        known = summed(part.schema, (cells[code] for code in sorted(cells) if not code >> fold & 1))
        heads.append(released(part.schema, known) if part.summands else as_node(part.schema, known.export()))
    return heads


def occupied(head: Head, features: npt.NDArray[np.int16]) -> tuple[Reals, Flags]:
    """Nats for occupied against free [n], and where the head can tell [n]; other classes are left to their heads."""
    evidence, told = head.predict(features)
    return evidence[:, 0].astype(np.float64), told


def masked(schema: Schema, features: npt.NDArray[np.int16], kind: str) -> npt.NDArray[np.int16]:
    """The windows as they would be without the sensors of a kind; as they are for the empty kind."""
    gone = [plain_kind(each) == kind for each in schema.kinds]
    if not any(gone):
        return features
    return np.where(np.array(gone)[schema.sensors], np.int16(MISSING), features)
