"""What a user would pick instead: scikit-learn's classifiers with their defaults, and rules, without any filter."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from bench.ladder.cache import cached
from bench.ladder.choice import folds
from bench.ladder.inputs import Matrix, drawn_labels, seen
from bench.ladder.rows import Row
from bench.ladder.rules import Classes, Schedule, Threshold

# Counts up when what is computed changes without any of the cache's keys.
EDITION = 2
INPUTS = ("raw", "features")


@dataclass(frozen=True)
class Peer:
    """A classifier and the inputs that it sees; `build` makes an untaught one with fit and predict_proba."""

    name: str
    inputs: str
    build: Callable[[], Any]

    @property
    def title(self) -> str:
        return self.name if self.inputs not in INPUTS or self.name in RULE_NAMES else f"{self.name}, {self.inputs}"


def _scaled(model: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: make_pipeline(_imputer(), StandardScaler(), model())


def _plain(model: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: make_pipeline(_imputer(), model())


def _imputer() -> SimpleImputer:
    return SimpleImputer(keep_empty_features=True)


LEARNERS: Mapping[str, Callable[[], Any]] = {
    "LDA": _scaled(LinearDiscriminantAnalysis),
    "logistic regression": _scaled(lambda: LogisticRegression(max_iter=1000)),
    "Gaussian NB": _plain(GaussianNB),
    "tree of depth 3": _plain(lambda: DecisionTreeClassifier(max_depth=3, random_state=0)),
    "random forest": _plain(lambda: RandomForestClassifier(200, random_state=0, n_jobs=1)),
    "gradient boosting": _plain(lambda: HistGradientBoostingClassifier(random_state=0)),
}
QUICK_LEARNERS = ("LDA", "Gaussian NB")
RULES = (
    Peer("light rule", "light", lambda: Threshold(rising=True)),
    Peer("CO2 rule", "co2", lambda: Threshold(rising=True)),
    Peer("best one-sensor rule", "raw", lambda: Threshold(rising=False)),
    Peer("weekday schedule", "schedule", Schedule),
)
RULE_NAMES = frozenset(rule.name for rule in RULES)


def peers(row: Row, quick: bool) -> tuple[Peer, ...]:
    """The peers of a row, rules first, as far as its room has their sensors."""
    line = row.lines[0]
    there = seen(row, line.split, line.rooms[0]).inputs
    learners = [name for name in LEARNERS if not quick or name in QUICK_LEARNERS]
    learned = (Peer(name, inputs, LEARNERS[name]) for name in learners for inputs in INPUTS)
    return (*(rule for rule in RULES if rule.inputs in there), *learned)


def may_be_chosen(row: Row, peer: Peer) -> bool:
    """Whether the peer sees no more than Attune: a schedule sees the clock."""
    return row.clock or peer.inputs != "schedule"


@dataclass(frozen=True)
class Said:
    """Probabilities of occupied: of the labelled train windows by cross-validation [l], and of each test split [n]."""

    held_out: Matrix
    tests: Mapping[str, Matrix]


def frozen(row: Row, peer: Peer, room: str, seed: int) -> Said:
    """What a peer says that learned the row's train labels in a room."""
    train = seen(row, "train", room)
    labels = drawn_labels(row, room, seed)
    known = labels >= 0
    x, y, days = train.inputs[peer.inputs][known], labels[known], train.days[known]
    tests = {line.split: seen(row, line.split, room).inputs[peer.inputs] for line in row.lines if room in line.rooms}
    key = digest(peer, x, y, days, *tests.values())

    def compute() -> dict[str, Matrix]:
        model = fitted(peer, x, y)
        after = {f"test-{split}": occupied(model, inputs) for split, inputs in tests.items()}
        return {"held_out": held_out(peer, x, y, folds(days)), **after}

    arrays = cached(key, compute)
    return Said(arrays["held_out"], {split: arrays[f"test-{split}"] for split in tests})


def digest(peer: Peer, *arrays: npt.NDArray[Any]) -> str:
    """Names a computation by everything that goes into it."""
    versions = [version(name) for name in ("numpy", "scikit-learn", "river")]
    text = repr((EDITION, peer.name, peer.inputs, repr(peer.build()), versions, [array.shape for array in arrays]))
    total = hashlib.sha256(text.encode())
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def fitted(peer: Peer, x: Matrix, y: Classes) -> Any:
    """The peer after learning; None where only one class was seen, of which no classifier can be made."""
    return peer.build().fit(x, y) if len(np.unique(y)) == 2 else None


def occupied(model: Any, x: Matrix) -> Matrix:
    """Probability of occupied; an untaught model cannot tell."""
    return np.full(len(x), 0.5) if model is None else np.asarray(model.predict_proba(x)[:, 1])


def held_out(peer: Peer, x: Matrix, y: Classes, fold: npt.NDArray[np.int64]) -> Matrix:
    """Probability of each train window from a model that never saw its fold [n]."""
    said = np.full(len(y), 0.5)
    for number in np.unique(fold):
        out = fold == number
        said[out] = occupied(fitted(peer, x[~out], y[~out]), x[out])
    return said
