"""Stretches of time, beside sets of their milliseconds."""

from itertools import pairwise

from attuned.store.spans import merged
from hypothesis import given
from hypothesis import strategies as st

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda one: (one[0], one[0] + one[1])))


@given(SPANS)
def test_the_same_time_without_overlap_and_in_order(spans: list[tuple[int, int]]) -> None:
    found = merged(spans)
    moments = [moment for first, last in found for moment in range(first + 1, last + 1)]
    assert sorted({m for first, last in spans for m in range(first + 1, last + 1)}) == moments
    # Stretches that touch are one.
    assert all(before[1] < after[0] for before, after in pairwise(found))
