"""What the trials of nodes have shown: their windows, and what people said of those."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from pydantic import ValidationError

from attuned.clock import Clock
from attuned.labels.teaching import CLASSES
from attuned.learning.gates import ALL
from attuned.learning.retraining import REPORT
from attuned.nodes.window import Window
from attuned.store.site import LabelRow
from attuned.updates.delivery import DIFFERS, FAVOURED, Delivery
from attuned.updates.rollout_state import HOUR_MS
from attuned.updates.trial import Seen

# A trial lasts at most a day: as many windows at one a minute.
LONGEST = 1440

# Below so many labelled windows (five hours) the gate's share of differing ones is chance.
LEAST_COMPARED = 300


class Windows(Protocol):
    """Where the windows of nodes are read."""

    async def windows_between(self, nodes: Iterable[str], from_utc_ms: int, to_utc_ms: int) -> list[Window]: ...


class _Differing(NamedTuple):
    end_utc_ms: int
    trial: int
    committed: int


class TrialEvidence:
    """Remembers the windows on which the models of a trial differ; everything else is in the store.

    A restart of the daemon forgets them, and with them what labels say of them: `differing` of the delivery stays. They
    are not written down, since they would be one more trace of when people were there.
    """

    def __init__(self, clock: Clock, windows: Windows, labels_of: Callable[[str], Sequence[LabelRow]]) -> None:
        self._clock = clock
        self._windows = windows
        self._labels_of = labels_of
        self._differing: dict[str, deque[_Differing]] = defaultdict(lambda: deque(maxlen=LONGEST))

    def weighed(self, window: Window, trial: int) -> None:
        """A window of a node whose trial runs; `trial` as in a report."""
        favoured = trial & FAVOURED
        if trial & DIFFERS and favoured:
            said = _Differing(window.end_utc_ms, favoured - 1, _favoured(window.evidence))
            self._differing[window.node].append(said)

    def forget(self) -> None:
        """People had something forgotten: nothing is kept of any node."""
        self._differing.clear()

    async def seen(self, delivery: Delivery, room: str) -> Seen:
        """What a trial that runs has shown until now."""
        now, since = self._clock.utc_ms(), delivery.since_utc_ms
        differing = [each for each in self._differing[delivery.node] if each.end_utc_ms > since]
        windows = await self._windows.windows_between([delivery.node], since, now)
        busy = sum(_favoured(window.evidence) > 0 for window in windows)
        busy += sum(each.trial > 0 and not each.committed for each in differing)
        right, wrong = _labelled(differing, self._labels_of(room))
        hours = (now - since) / HOUR_MS
        return Seen(hours, delivery.windows, delivery.differing, busy, right, wrong)


def expected_share(report: str) -> float | None:
    """The share of windows that a release's gate saw differ from what its node ran; None where it saw too few, or
    where its report was forgotten."""
    try:
        findings = REPORT.validate_json(report).findings
    except ValidationError:
        return None
    windows = next((part.windows for part in findings.slices if part.name == ALL), 0)
    flips = findings.flips.negative + findings.flips.positive
    return flips / windows if windows >= LEAST_COMPARED else None


def _favoured(evidence: bytes) -> int:
    """The class that a window's evidence favours; a head that knows nothing favours none."""
    return int(np.argmax([0, *np.frombuffer(evidence, "<i2")]))


def _labelled(differing: Sequence[_Differing], labels: Sequence[LabelRow]) -> tuple[int, int]:
    """In how many of the windows people agree with the trial's model, and in how many with the committed one."""
    right = wrong = 0
    words = [label for label in labels if not label.weak]
    for each in differing:
        # The newest word on a moment is the one that counts.
        said = max(
            (label for label in words if label.covers(each.end_utc_ms)), key=lambda row: row.number, default=None
        )
        if said is not None:
            right += each.trial == CLASSES[said.class_name]
            wrong += each.committed == CLASSES[said.class_name]
    return right, wrong
