"""Test then train: windows are judged by what the labels that had arrived by then have taught."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from attuned.learning.replay.nodes import Evidence, Features, Head
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.recording import UNLABELLED


@dataclass(frozen=True)
class Lessons:
    """Labelled windows in the order in which their labels arrive.

    arrives_s int64 [m] ascending; features int16 [m, d]; classes int8 [m].
    """

    arrives_s: npt.NDArray[np.int64]
    features: Features
    classes: npt.NDArray[np.int8]

    def __getitem__(self, part: slice) -> "Lessons":
        return Lessons(self.arrives_s[part], self.features[part], self.classes[part])

    def joined(self, other: "Lessons") -> "Lessons":
        """Both in order of arrival; of labels that arrive together, those of `self` come first."""
        arrives_s = np.concatenate([self.arrives_s, other.arrives_s])
        order = np.argsort(arrives_s, kind="stable")
        features = np.concatenate([self.features, other.features])
        return Lessons(arrives_s[order], features[order], np.concatenate([self.classes, other.classes])[order])


@dataclass
class Student:
    """A node that goes on learning while it is judged; each label arrives `late_s` seconds after its window's end."""

    head: Head
    late_s: int
    waiting: Lessons | None = None

    def judge(self, windows: NodeWindows, labels: npt.NDArray[np.int8]) -> Evidence:
        """Evidence of each window from the labels that arrived before its end; labels int8 [n] may be UNLABELLED.

        A label that arrives at a window's end is learned after that window was judged. Labels that arrive after the
        last window wait for the next call.
        """
        lessons = self._lessons(windows, labels)
        arrived = int(np.searchsorted(lessons.arrives_s, windows.ends_s[-1], side="right"))
        self.waiting = lessons[arrived:]
        return _run(self.head, windows, lessons[:arrived])

    def _lessons(self, windows: NodeWindows, labels: npt.NDArray[np.int8]) -> Lessons:
        taught = labels != UNLABELLED
        new = Lessons(windows.ends_s[taught] + self.late_s, windows.features[taught], labels[taught])
        return new if self.waiting is None else self.waiting.joined(new)


def _run(head: Head, windows: NodeWindows, lessons: Lessons) -> Evidence:
    """Evidence of the windows, with each lesson learned before the first window that ends after its arrival."""
    before = np.searchsorted(lessons.arrives_s, windows.ends_s, side="left")
    judged = np.zeros(len(windows.ends_s) + len(lessons.arrives_s), dtype=bool)
    judged[np.arange(len(before)) + before] = True
    features = np.empty((len(judged), windows.features.shape[1]), np.int16)
    features[judged], features[~judged] = windows.features, lessons.features
    classes = np.full(len(judged), UNLABELLED, np.int8)
    classes[~judged] = lessons.classes
    evidence = head.run(features, classes)
    return Evidence(evidence.nats[judged], evidence.told[judged])
