"""Replays of the recordings, where they are; nothing of them is in the repository."""

import time
from pathlib import Path

import pytest
from attuned.learning.replay.data_folder import data_folder
from attuned.learning.replay.run import Options, Result, run
from attuned.learning.replay.spec import load_spec
from replay_standin import NumpyCode

SPECS = Path(__file__).parents[2] / "bench" / "specs"
FOLDER = data_folder(SPECS)


def replayed(name: str, **options: object) -> Result:
    if FOLDER is None or not (FOLDER / name).is_dir():
        pytest.skip(f"the recording {name} is not there; set ATTUNE_DATA to the folder that holds it")
    path = SPECS / f"{name}.toml"
    return run(load_spec(path), path, Options(**{"head": "gnb", **options}), NumpyCode(), clock=time.perf_counter)  # type: ignore[arg-type]


def accuracies(result: Result) -> list[float]:
    return [split.overall.accuracy or 0.0 for split in result.splits.values()]


def test_candanedo_has_a_window_for_each_row() -> None:
    result = replayed("candanedo")
    assert {name: split.overall.windows for name, split in result.splits.items()} == {"before": 2665, "after": 9752}
    assert result.labels == 8143


def test_candanedo_with_all_labels() -> None:
    # Naive Bayes alone; the default head is judged in test_replay_core.py.
    before, after = accuracies(replayed("candanedo"))
    assert before >= 0.94
    assert after >= 0.94


def test_candanedo_with_two_days() -> None:
    before, after = accuracies(replayed("candanedo", train_days=2))
    assert before >= 0.95
    assert after >= 0.94


def test_robod_judges_two_rooms_apart() -> None:
    splits = replayed("robod").splits
    assert {name: split.overall.windows for name, split in splits.items()} == {"september": 4416, "december": 5760}
    for split in splits.values():
        assert {room: scores.windows for room, scores in split.rooms.items()} == {
            "lecture-1": split.overall.windows // 2,
            "lecture-2": split.overall.windows // 2,
        }


def test_singh_fuses_seven_nodes() -> None:
    # 2,779 rows at 30 s from 00:00 to 23:59 of the second day, with one minute missing.
    second = replayed("singh").splits["second-day"].overall
    assert second.windows == 1439
    assert (second.accuracy or 0) > 1 - 0.2814  # always free
