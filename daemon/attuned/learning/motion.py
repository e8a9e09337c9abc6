"""Motion sensors as a weak source: motion says that somebody is there; a room without motion says nothing."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from attune_core import MISSING, UNIT, Schema, plain_kind

from attuned.learning.blocks import Labelled, evenly
from attuned.learning.effective import DAY_S
from attuned.learning.reliability import PRIOR_RIGHT, PRIOR_WRONG
from attuned.store.reading import Columns
from attuned.store.site import LabelRow

PIR = "pir"

# What motion weighs in a node's head at most: so many times what people said of the free room. Without anybody's word
# for `free` there is none, and everything would soon look occupied (bench/motion.py).
FREE_SHARE = 3.0

# The row that stands for the labels of this source: number 0 is no label of the store.
ROW = LabelRow(0, "", "occupied", 0, 0, 0.0, PIR, "", 0)

Steps = npt.NDArray[np.int64]


def has_motion(schema: Schema) -> bool:
    """Whether a node has a motion sensor."""
    return any(plain_kind(kind) == PIR for kind in schema.kinds)


def moved(schema: Schema, features: npt.NDArray[np.int16]) -> npt.NDArray[np.bool_]:
    """Windows [n, d] in which a motion sensor of the node counted anything [n]."""
    found = np.zeros(len(features), dtype=bool)
    for i, name in enumerate(schema.features):
        if plain_kind(schema.kinds[schema.sensors[i]]) == PIR and name.endswith(".count"):
            nothing = round(-float(schema.centre[i] / schema.scale[i]) * UNIT)  # log(1 + 0) is 0
            found |= (features[:, i] != MISSING) & (features[:, i] > nothing)
    return found


def steps_with_motion(windows: Mapping[str, tuple[Schema, Columns]], step_s: int) -> Steps:
    """The steps of a room in which any of its nodes saw motion, as numbers since 1970, ascending."""
    parts = [steps_of(each.ends_ms[moved(schema, each.features)], step_s) for schema, each in windows.values()]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def steps_of(ends_ms: npt.NDArray[np.int64], step_s: int) -> Steps:
    """The step in which each window ends [n]."""
    return -(-ends_ms // (1000 * step_s))


def reliability(steps: Steps, step_s: int, rows: Iterable[LabelRow]) -> float:
    """What a window with motion counts, 0 to 1: by how often people said `occupied` where there was motion.

    Each label with motion in it is compared once, with the prior of any weak source.
    """
    right, wrong = PRIOR_RIGHT, PRIOR_WRONG
    ends_ms = steps * step_s * 1000
    for row in rows:
        first, last = np.searchsorted(ends_ms, [row.from_utc_ms, row.to_utc_ms], side="right")
        if row.weight >= 1 and last > first:
            right += row.class_name == ROW.class_name
            wrong += row.class_name != ROW.class_name
    return max(0.0, 2 * right / (right + wrong) - 1)


def in_motion(windows: Columns, steps: Steps, step_s: int, said: Labelled) -> Labelled:
    """A node's windows that end in such a step and of which nobody has said anything."""
    inside = np.isin(steps_of(windows.ends_ms, step_s), steps)
    told = np.isin(_identity(windows), _identity(said))
    kept = np.flatnonzero(inside & ~told)
    return Labelled(
        windows.ends_ms[kept],
        windows.boot[kept],
        windows.seq[kept],
        np.zeros(len(kept), np.int64),
        np.ones(len(kept), np.uint8),
        windows.features[kept],
    )


def _identity(windows: Columns | Labelled) -> Steps:
    """One number for (boot, seq), which have 32 bits each."""
    return np.asarray(windows.boot << 32 | windows.seq)


def by_day(windows: Labelled, limit: int) -> dict[int, Labelled]:
    """At most `limit` windows of each day of UTC, by its number since 1970."""
    days = windows.ends_ms // (1000 * DAY_S)
    parts = {day: windows[days == day] for day in np.unique(days).tolist()}
    return {day: part[evenly(len(part), limit)] for day, part in parts.items()}


def weight(believed: float, free: float, windows: int) -> float:
    """What each of a node's windows with motion counts: what motion is believed, and of all together no more than
    FREE_SHARE times `free`, what people's windows of the free room weigh."""
    return min(believed, FREE_SHARE * free / max(windows, 1))
