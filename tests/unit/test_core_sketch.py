"""The drift sketch against counting with numpy, and its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from attune_core import FAR, MISSING, Schema, Sketch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

EDGES = np.arange(-2048, 2049, 512)
SENSORS = [0, 0, 1, 2, 2, 2]

coordinates = st.one_of(st.just(MISSING), st.integers(-4096, 4096), st.integers(-32768, 32767))
windows = st.integers(0, 60).flatmap(lambda n: arrays(np.int16, (n, len(SENSORS)), elements=coordinates))


def counted_by_numpy(x: npt.NDArray[np.int16]) -> dict[str, Any]:
    """np.digitize and comparisons of whole columns."""
    there = x != MISSING
    bins = [np.bincount(np.digitize(x[there[:, i], i], EDGES), minlength=10) for i in range(x.shape[1])]
    missing, stuck, far = [], [], []
    for sensor in range(3):
        mine = [i for i, of in enumerate(SENSORS) if of == sensor]
        present = there[:, mine].all(axis=1)
        said = x[present, mine[0]]
        missing.append((~present).sum())
        stuck.append((said[1:] == said[:-1]).sum())
        far.append((np.abs(x[present][:, mine].astype(int)) >= FAR).any(axis=1).sum())
    return {"bins": np.array(bins), "missing": missing, "stuck": stuck, "far": far}


@settings(max_examples=200, deadline=None)
@given(windows)
def test_counts_are_those_of_numpy(x: npt.NDArray[np.int16]) -> None:
    sketch = Sketch(len(SENSORS), SENSORS)
    assert sketch.add(x) == len(x)
    for name, expected in counted_by_numpy(x).items():
        np.testing.assert_array_equal(getattr(sketch.counts, name), expected, err_msg=name)


@settings(max_examples=100, deadline=None)
@given(windows, st.data())
def test_parts_count_as_the_whole_and_bytes_carry_all(x: npt.NDArray[np.int16], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(x)))
    whole, parts = Sketch(len(SENSORS), SENSORS), Sketch(len(SENSORS), SENSORS)
    whole.add(x)
    parts.add(x[:cut])
    parts.add(x[cut:])
    assert parts.export() == whole.export()
    read = Sketch(len(SENSORS), SENSORS)
    read.load(whole.export())
    assert read.export() == whole.export()


def test_a_full_sketch_takes_no_more_until_it_is_cleared() -> None:
    sketch = Sketch(1)
    x = np.zeros((3000, 1), np.int16)
    x[::2] = 1
    assert sketch.add(x) == 2047
    assert (sketch.full, sketch.add(x[2047:])) == (True, 0)
    sketch.clear()
    assert not sketch.full
    assert sketch.add(x[2047:]) == 953
    assert sketch.counts.bins[0, 5] == 953
    assert sketch.counts.stuck[0] == 0


def test_the_size_for_24_features_keeps_to_400_bytes() -> None:
    assert len(Sketch(24, [i // 2 for i in range(24)]).export()) == 383


def test_a_schema_gives_the_shape() -> None:
    schema = Schema(["temperature", "co2+mean", "pir"])
    sketch = Sketch(len(schema), schema.sensors.tolist())
    assert (sketch.features, sketch.sensors) == (7, 3)


@pytest.mark.parametrize(
    ("features", "sensors"), [(0, None), (25, None), (13, None), (300, None), (2, [1, 0]), (2, [0])]
)
def test_other_shapes_are_refused(features: int, sensors: list[int] | None) -> None:
    with pytest.raises(ValueError, match="A sketch has 1 to 24 features"):
        Sketch(features, sensors)


@given(st.binary(max_size=30))
def test_hostile_bytes_are_refused_or_read(data: bytes) -> None:
    sketch = Sketch(1)
    try:
        sketch.load(data)
    except ValueError:
        assert sketch.counts.bins.sum() == 0
    else:
        assert sketch.export() == data


def test_windows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of 3 values"):
        Sketch(3).add(np.zeros((4, 2), np.int16))
    with pytest.raises(ValueError, match="int16"):
        Sketch(3).add(np.zeros((4, 3)))  # type: ignore[arg-type]
