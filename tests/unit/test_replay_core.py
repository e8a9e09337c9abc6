"""The core in C beside its numpy stand-in, on recordings and on made samples."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from attune_core import Head
from attuned.learning.replay.core import CoreCode, CoreHead, schema
from attuned.learning.replay.data_folder import data_folder
from attuned.learning.replay.nodes import NodeCode, Samples
from attuned.learning.replay.run import Options, Result, run
from attuned.learning.replay.scores import Scores
from attuned.learning.replay.spec import load_spec
from replay_standin import NumpyCode, NumpyHead

SPECS = Path(__file__).parents[2] / "bench" / "specs"
FOLDER = data_folder(SPECS)
WINDOW_MS = 60_000


def replayed(name: str, code: NodeCode, **options: object) -> Result:
    if FOLDER is None or not (FOLDER / name).is_dir():
        pytest.skip(f"the recording {name} is not there; set ATTUNE_DATA to the folder that holds it")
    path = SPECS / f"{name}.toml"
    return run(load_spec(path), path, Options(**options), code, clock=time.perf_counter)  # type: ignore[arg-type]


def accuracies(result: Result) -> list[float]:
    return [split.overall.accuracy or 0.0 for split in result.splits.values()]


def test_candanedo_with_all_labels() -> None:
    before, after = accuracies(replayed("candanedo", CoreCode()))
    assert before >= 0.97
    assert after >= 0.97


def test_candanedo_with_two_days() -> None:
    before, after = accuracies(replayed("candanedo", CoreCode(), train_days=2))
    assert before >= 0.96
    assert after >= 0.97


class Untaught(CoreCode):
    """The core with heads that know nothing, as the stand-in's."""

    def head(self, name: str, kinds: tuple[str, ...], window_s: int) -> CoreHead:
        head = super().head(name, kinds, window_s)
        head._head = Head(name, schema(kinds, window_s))
        return head


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("candanedo", "frozen"),
        ("robod", "frozen"),
        ("singh", "frozen"),
        # The stand-in fits anew for each window.
        pytest.param("singh", "online", marks=pytest.mark.slow),
    ],
)
def test_core_and_stand_in_say_the_same(name: str, mode: str) -> None:
    ours, theirs = (replayed(name, code, mode=mode, head="gnb") for code in (Untaught(), NumpyCode()))
    assert ours.labels == theirs.labels
    for split, scores in ours.splits.items():
        for room, figures in scores.rooms.items():
            both = [_shares(one) for one in (figures, theirs.splits[split].rooms[room])]
            assert both[0] == pytest.approx(both[1], abs=0.002), (split, room)


def _shares(scores: Scores) -> dict[str, float]:
    """Shares and changes a day; a single window at the edge of a change moves delays and minutes by more."""
    return {name: value for name, value in asdict(scores).items() if isinstance(value, float) and "_min_" not in name}


def test_without_labels_a_node_stands_on_the_factory_release() -> None:
    result = replayed("candanedo", CoreCode(), train_days=0)
    assert result.labels == 0
    for split in result.splits.values():
        assert split.overall.unknown_share == 0.0


def levels(chance: np.random.Generator, windows: int) -> Samples:
    """Temperature (0) and CO2 (1), a reading every 20 s each, with a hole of three windows in CO2."""
    ticks = np.sort(chance.integers(1, windows * WINDOW_MS, windows * 6))
    sensor = chance.integers(0, 2, len(ticks)).astype(np.uint8)
    hole = (sensor == 1) & (ticks > 3 * WINDOW_MS) & (ticks <= 6 * WINDOW_MS)
    value = np.where(sensor == 0, 20 + 4 * chance.random(len(ticks)), 400 + 900 * chance.random(len(ticks)))
    return Samples(sensor[~hole], ticks[~hole], value[~hole].astype(np.float32))


def test_features_of_levels_agree_to_the_last_step() -> None:
    samples = levels(np.random.default_rng(3), 200)
    both = [
        code.windows(("temperature", "co2"), 60, samples, 200 * WINDOW_MS).astype(int)
        for code in (CoreCode(), NumpyCode())
    ]
    assert both[0].shape == (200, 6)
    assert (both[0][3:6, 3:] == -32768).all()
    assert np.abs(both[0] - both[1]).max() <= 1


def test_features_of_events_agree_to_the_last_step() -> None:
    """Readings of 0 to 3 events, none in the first two windows, half of them 0, and half an hour of silence."""
    chance = np.random.default_rng(6)
    ticks = np.sort(chance.integers(2 * WINDOW_MS + 1, 200 * WINDOW_MS, 500))
    ticks = ticks[(ticks < 90 * WINDOW_MS) | (ticks > 120 * WINDOW_MS)]
    value = (chance.integers(0, 4, len(ticks)) * chance.integers(0, 2, len(ticks))).astype(np.float32)
    samples = Samples(np.zeros(len(ticks), np.uint8), ticks, value)
    both = [code.windows(("pir",), 60, samples, 200 * WINDOW_MS).astype(int) for code in (CoreCode(), NumpyCode())]
    assert both[0].shape == (200, 3)
    assert (both[0][:2] == -32768).all()
    assert np.abs(both[0] - both[1]).max() <= 1


def test_features_of_the_clock_agree_to_the_last_step() -> None:
    """A week of windows of ten minutes, without a clock in the first, and twice told in some."""
    ends_s = np.arange(2, 7 * 144 + 1) * 600
    chance = np.random.default_rng(8)
    early = chance.random(len(ends_s)) < 0.2
    ticks = np.concatenate([ends_s * 1000, ends_s[early] * 1000 - 90_000])
    order = np.argsort(ticks)
    value = (ticks[order] // 1000 % 604_800).astype(np.float32)
    samples = Samples(np.zeros(len(ticks), np.uint8), ticks[order], value)
    both = [code.windows(("clock",), 600, samples, 7 * 86_400_000).astype(int) for code in (CoreCode(), NumpyCode())]
    assert both[0].shape == (7 * 144, 3)
    assert (both[0][0] == -32768).all()
    assert np.abs(both[0] - both[1]).max() <= 1
    assert np.sum(both[0][:, 2] == 1024) == 2 * 144


def test_evidence_agrees_where_the_factory_release_is_outweighed() -> None:
    chance = np.random.default_rng(4)
    classes = (chance.random(20_000) < 0.4).astype(np.uint8)
    features = np.rint(1024 * (chance.normal(size=(20_000, 2)) + 0.7 * classes[:, None])).astype(np.int16)
    features[chance.random((20_000, 2)) < 0.1] = -32768
    core, numpy = CoreCode().head("gnb", ("temperature+mean", "co2+mean"), 60), NumpyHead()
    for head in (core, numpy):
        head.learn(features, classes)
    ours, theirs = core.predict(features[:500]), numpy.predict(features[:500])
    assert ours.told.tolist() == theirs.told.tolist()
    assert ours.nats == pytest.approx(theirs.nats, abs=0.02)


def test_filters_agree() -> None:
    chance = np.random.default_rng(5)
    nats, told = chance.normal(size=3000), chance.random(3000) < 0.8
    for window_s in (60, 300):
        ours, theirs = (code.filter(nats, told, window_s) for code in (CoreCode(), NumpyCode()))
        assert ours == pytest.approx(theirs, abs=1e-4)
