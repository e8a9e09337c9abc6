"""Test then train with labels that arrive late: what a head has learned when each window is judged."""

from dataclasses import dataclass, field

import numpy as np
from attuned.learning.replay.nodes import Evidence
from attuned.learning.replay.observed import NodeWindows
from attuned.learning.replay.online import Student
from hypothesis import given
from hypothesis import strategies as st


@dataclass
class Diary:
    """A head that says how many windows it had learned, and remembers which; a window's one feature is its end."""

    learned: list[tuple[int, int]] = field(default_factory=list)
    size_bytes: int = 0

    def predict(self, features: np.ndarray) -> Evidence:
        raise AssertionError("a student that goes on learning is run")

    def learn(self, features: np.ndarray, classes: np.ndarray) -> None:
        raise AssertionError("a student that goes on learning is run")

    def run(self, features: np.ndarray, classes: np.ndarray) -> Evidence:
        nats = np.zeros(len(features))
        for row, (feature, label) in enumerate(zip(features[:, 0].tolist(), classes.tolist(), strict=True)):
            nats[row] = len(self.learned)
            if label >= 0:
                self.learned.append((feature, label))
        return Evidence(nats, features[:, 0] % 2 == 0)


def windows(ends: list[int]) -> NodeWindows:
    return NodeWindows(np.array(ends, dtype=np.int64), np.array(ends, dtype=np.int16).reshape(-1, 1))


def judged(student: Student, ends: list[int], labels: list[int]) -> list[int]:
    return [int(nats) for nats in student.judge(windows(ends), np.array(labels, dtype=np.int8)).nats]


def test_a_label_at_once_is_learned_after_its_window() -> None:
    diary = Diary()
    # The second and third of five windows are labelled.
    assert judged(Student(diary, 0), [60, 120, 180, 240, 300], [-1, 1, 0, -1, -1]) == [0, 0, 1, 2, 2]
    assert diary.learned == [(120, 1), (180, 0)]


def test_the_last_label_at_once_is_learned_as_well() -> None:
    diary = Diary()
    judged(Student(diary, 0), [60, 120], [0, 1])
    assert diary.learned == [(60, 0), (120, 1)]


def test_a_label_that_arrives_at_a_window_s_end_is_learned_after_it() -> None:
    # The label of 60 arrives at 180, that of 120 at 240, and those of 180 and 240 after the end.
    diary = Diary()
    assert judged(Student(diary, 120), [60, 120, 180, 240], [0, 1, 0, 1]) == [0, 0, 0, 1]
    assert diary.learned == [(60, 0), (120, 1)]


def test_a_label_arrives_between_windows_and_in_gaps() -> None:
    # Arrivals at 150, 210 and 690, with nothing between 180 and 600.
    assert judged(Student(Diary(), 90), [60, 120, 180, 600, 660, 720], [0, 1, -1, 0, -1, -1]) == [0, 0, 1, 2, 2, 3]


def test_evidence_stays_with_its_window() -> None:
    said = Student(Diary(), 0).judge(windows([60, 61, 62]), np.array([0, 1, 0], dtype=np.int8))
    assert said.told.tolist() == [True, False, True]


def test_labels_on_their_way_arrive_in_the_next_split() -> None:
    diary = Diary()
    student = Student(diary, 100)
    assert judged(student, [60, 120, 180], [0, 1, 0]) == [0, 0, 1]
    # Those of 120 and 180 arrive at 220 and 280, that of 240 at 340.
    assert judged(student, [240, 300, 360], [1, -1, -1]) == [2, 3, 4]
    assert [end for end, _ in diary.learned] == [60, 120, 180, 240]


LABEL = st.sampled_from([-1, 0, 1])


@given(
    splits=st.lists(st.lists(st.tuples(st.integers(1, 400), LABEL), min_size=1, max_size=20), min_size=1, max_size=4),
    late_s=st.integers(0, 2000),
)
def test_what_was_learned_before_each_window_follows_from_times_alone(
    splits: list[list[tuple[int, int]]], late_s: int
) -> None:
    """Steps to the next window and labels; what a window knows is counted over all labels of all splits."""
    student, now, said, all_labels = Student(Diary(), late_s), 0, [], []
    ends_of: list[int] = []
    for split in splits:
        ends = (now + np.cumsum([step for step, _ in split])).tolist()
        now = ends[-1]
        all_labels += [end for end, (_, label) in zip(ends, split, strict=True) if label >= 0]
        said += judged(student, ends, [label for _, label in split])
        ends_of += ends
    assert said == [sum(label_end + late_s < end for label_end in all_labels) for end in ends_of]
