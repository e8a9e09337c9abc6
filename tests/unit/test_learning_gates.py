"""The gate: figures against independent ones, and verdicts where the right one is known."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from attune_core import Schema
from attuned.learning.blocks import make_block
from attuned.learning.crossing import RoomEvidence, masked
from attuned.learning.days import Compared, DaySums, compare
from attuned.learning.flips import Flips, count_flips, mcnemar
from attuned.learning.gates import Contest, Findings, SliceFigures
from attuned.learning.gathering import Gathering
from attuned.learning.releases import NodePart, RoomInputs
from attuned.learning.replay.scores import Beliefs, score
from attuned.learning.slices import first_hour, night
from attuned.learning.verdict import BETTER, TOO_LITTLE, WORSE, decide
from attuned.store.reading import Reader
from attuned.store.site import LabelRow
from hypothesis import given
from hypothesis import strategies as st
from release_world import Days, fill, node_id
from scipy.stats import binomtest  # type: ignore[import-untyped]

A = node_id(1)
BRUSSELS = ZoneInfo("Europe/Brussels")


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_binomial_test(one: int, other: int) -> None:
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar(one, other) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_many_flips() -> None:
    assert mcnemar(4000, 4000) == 1.0
    assert mcnemar(0, 5000) == 0.0  # 2^-4999
    assert mcnemar(3900, 4100) == pytest.approx(binomtest(3900, 8000).pvalue, rel=1e-9)


def test_flips_by_hand() -> None:
    before = np.array([1, 1, 1, 0, 0, 1, 1, 0], bool)
    now = np.array([1, 0, 0, 0, 1, 0, 0, 0], bool)
    # Lost in 1, 2, 5 and 6, won in 4. Windows 5 and 6 stand apart, with a gap between them.
    follows = np.array([1, 1, 1, 1, 1, 0, 1], bool)
    found = count_flips(before, now, follows)
    assert (found.negative, found.positive, found.negative_runs, found.positive_runs) == (4, 1, 3, 1)
    assert found.p == pytest.approx(2 * (1 + 4) / 16)


def beliefs(seed: int, days: int = 6, right: float = 0.8) -> Beliefs:
    source = np.random.default_rng(seed)
    ends_s = 1_700_006_400 + 600 * np.arange(1, 144 * days + 1, dtype=np.int64)
    truth = (np.arange(len(ends_s)) // 40 % 2).astype(np.int8)
    p = np.clip(np.where(source.random(len(truth)) < right, truth, 1 - truth) + source.normal(0, 0.3, len(truth)), 0, 1)
    told = source.random(len(truth)) < 0.95
    return Beliefs(ends_s, truth, p, told, np.zeros(len(truth), np.int64), threshold=0.4)


def test_figures_over_all_days_are_those_of_a_replay() -> None:
    said = beliefs(1)
    sums = DaySums.of(said, np.ones(len(said.ends_s), bool), 600)
    expected = score([said], 600)
    found = {name: float(values[0]) for name, values in sums.figures(np.ones((1, 6))).items()}
    assert sums.days == 6
    assert found["balanced accuracy"] == pytest.approx(expected.balanced_accuracy)
    assert found["Brier score"] == pytest.approx(expected.brier)
    assert found["calibration error"] == pytest.approx(expected.ece)
    assert found["changes a day"] == pytest.approx(expected.changes_per_day)


def test_a_day_drawn_twice_counts_twice() -> None:
    said = beliefs(2, days=3)
    twice = Beliefs(
        np.concatenate([said.ends_s, said.ends_s[:144] + 10 * 86_400]),
        np.concatenate([said.truth, said.truth[:144]]),
        np.concatenate([said.probability, said.probability[:144]]),
        np.concatenate([said.told, said.told[:144]]),
        np.concatenate([said.stretch, said.stretch[:144]]),
        threshold=0.4,
    )
    weights = np.array([[2.0, 1.0, 1.0]])
    one = DaySums.of(said, np.ones(len(said.ends_s), bool), 600).figures(weights)
    other = DaySums.of(twice, np.ones(len(twice.ends_s), bool), 600).figures(np.ones((1, 4)))
    for name in ("balanced accuracy", "Brier score", "calibration error"):
        assert one[name][0] == pytest.approx(other[name][0])


def test_intervals_hold_the_difference_and_are_the_same_each_time() -> None:
    sums = [DaySums.of(beliefs(seed, right=share), np.ones(864, bool), 600) for seed, share in ((3, 0.7), (4, 0.9))]
    found = compare(*sums)
    assert found == compare(*sums)
    assert all(each.low <= each.difference <= each.high for each in found)
    assert found[0].gain[0] > 0.05
    assert compare(sums[0], sums[0])[0].low == 0
    nobody = DaySums.of(beliefs(3), np.zeros(864, bool), 600)
    assert compare(nobody, nobody) == []


# Slices.


def test_night_is_local() -> None:
    moments = [datetime(2026, 7, 1, hour, minute, tzinfo=UTC) for hour, minute in ((3, 59), (4, 1), (20, 0), (20, 1))]
    ends_s = np.array([int(moment.timestamp()) for moment in moments], np.int64)
    # In Brussels it is two hours later; a window that ends at 22:00 belongs to the evening.
    assert night(ends_s, BRUSSELS).tolist() == [True, False, False, True]


def test_the_first_hour_begins_where_people_come() -> None:
    classes = np.array([1, 1, 0, 0, 1, 1, 1, 1, 0, 1], np.int8)
    ends_s = np.array([1, 2, 3, 4, 5, 6, 8, 9, 10, 11], np.int64) * 1200
    room = RoomEvidence(ends_s, classes, np.zeros(10, np.int64), {}, {})
    # After 4 * 20 minutes: until 7 * 20; the first two nobody saw coming.
    assert first_hour(room).tolist() == [False] * 4 + [True, True, False, False, False, True]


def test_a_missing_sensor_takes_all_its_features() -> None:
    schema = Schema(["co2+mean", "pir", "co2"], 60)
    x = np.ones((2, len(schema)), np.int16)
    gone = masked(schema, x, "co2")[0] == -32768
    assert [name.startswith("co2") for name in schema.features] == gone.tolist()
    assert masked(schema, x, "light") is x


# Verdicts.


async def contest(folder: Path, old: Sequence[LabelRow], new: Sequence[LabelRow], days: Days) -> Contest:
    """A release from the labels `old` against one from `new`; the latter are held to be true."""
    windows = days.windows(A)
    await fill(folder / "old", windows, old)
    await fill(folder / "new", windows, new)
    deployed, candidate = (Gathering(Reader(folder / name), {"r": [A]}, 240, UTC).room("r") for name in ("old", "new"))
    said = RoomEvidence.of(candidate.own, 240)
    assert said is not None
    return Contest(deployed, candidate, said, BRUSSELS, 2.0)


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()


TEN = Days(10, apart=0.7, every=4)


async def test_a_candidate_that_learned_the_room_is_better_than_the_factory(tmp_path: Path) -> None:
    findings = (await contest(tmp_path, [], TEN.labels("r"), TEN)).findings()
    verdict = decide(findings)
    assert verdict.word == BETTER
    assert len(verdict.reasons) == 2
    assert (findings.days, findings.changes) == (10, 40)
    names = [part.name for part in findings.slices]
    assert names[:3] == ["all", "night", "first hour of presence"]
    assert names[-3:] == ["without co2", "without light", "without temperature"]


async def test_a_candidate_from_wrong_labels_is_refused(tmp_path: Path) -> None:
    right = await contest(tmp_path, TEN.labels("r"), TEN.labels("r"), TEN)
    wrong = RoomInputs("r", 240, _wrongly_taught(right))
    verdict = decide(Contest(right.deployed, wrong, right.said, BRUSSELS, 2.0).findings())
    assert verdict.word == WORSE
    assert "Refuse it" in verdict.recommendation


def _wrongly_taught(right: Contest) -> dict[str, NodePart]:
    part = right.candidate.nodes[A]
    summands = []
    for block, windows in part.summands:
        each = replace(windows, classes=(1 - windows.classes).astype(np.uint8))
        summands.append((make_block(block.name, A, 1.0, each), each))
    return {A: NodePart(part.schema, tuple(summands))}


async def test_the_same_again_is_no_better(tmp_path: Path) -> None:
    findings = (await contest(tmp_path, TEN.labels("r"), TEN.labels("r"), TEN)).findings()
    assert findings.flips == Flips(0, 0, 0, 0, 1.0)
    assert decide(findings).word == TOO_LITTLE


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        (Days(4, every=4), "4 days"),
        (Days(6, every=4, empty=frozenset({1, 2, 3, 4})), "8 changes"),
    ],
)
async def test_a_few_days_or_changes_decide_nothing(tmp_path: Path, days: Days, reason: str) -> None:
    verdict = decide((await contest(tmp_path, [], days.labels("r"), days)).findings())
    assert verdict.word == TOO_LITTLE
    assert reason in " ".join(verdict.reasons)


async def test_held_back_days_are_not_known_to_the_heads_that_judge_them(tmp_path: Path) -> None:
    """Features that are noise: whoever had seen the days would know them."""
    noise = Days(8, apart=0.0, every=4)
    findings = (await contest(tmp_path, [], noise.labels("r"), noise)).findings()
    balanced = findings.slices[0].measures[0]
    assert abs(balanced.candidate - 0.5) < 0.06


def test_a_slice_that_loses_refuses_what_is_better_on_the_whole() -> None:
    good = Compared("balanced accuracy", 0.8, 0.9, 0.05, 0.15), Compared("Brier score", 0.2, 0.1, -0.15, -0.05)
    bad = Compared("balanced accuracy", 0.9, 0.8, -0.15, -0.05), Compared("Brier score", 0.1, 0.2, 0.05, 0.15)
    flips = Flips(0, 90, 0, 9, mcnemar(0, 9))
    whole, dark = SliceFigures("all", 9, 900, True, good), SliceFigures("low light", 6, 90, True, bad)
    assert decide(Findings(9, 20, (whole,), flips)).word == BETTER
    found = decide(Findings(9, 20, (whole, dark), flips))
    assert found.word == WORSE
    assert found.reasons[0].startswith("Low light: Balanced accuracy")
    for harmless in (SliceFigures("low light", 4, 90, True, bad), SliceFigures("first hour", 6, 90, False, bad)):
        assert decide(Findings(9, 20, (whole, harmless), flips)).word == BETTER
