"""Which windows of a long label a node is told: evenly spread, and the same ones when the label is told again."""

import pytest
from attuned.labels.teaching import thin
from attuned.nodes.window import Window


def minutes(first: int, last: int, boot: int = 1) -> list[Window]:
    return [
        Window("0a0b0c0d01020304", boot, seq, 60 * seq, 60_000 * seq, 0, b"", b"\0\0") for seq in range(first, last)
    ]


def numbers(windows: list[Window]) -> list[int]:
    return [window.seq for window in windows]


def test_few_windows_are_all_told() -> None:
    assert numbers(thin(minutes(1, 33), 32)) == list(range(1, 33))


def test_every_second_window_goes_before_the_others_are_told() -> None:
    # 16 to 32 hold nine even numbers and eight odd ones.
    assert numbers(thin(minutes(16, 33), 9)) == list(range(16, 33, 2))
    assert numbers(thin(minutes(16, 33), 5)) == [16, 20, 24, 28, 32]


@pytest.mark.parametrize("limit", [8, 20, 32])
@pytest.mark.parametrize("length", [33, 60, 480])
def test_the_windows_are_evenly_spread(limit: int, length: int) -> None:
    chosen = numbers(thin(minutes(1000, 1000 + length), limit))
    assert len(chosen) == min(limit, length)
    gaps = [later - earlier for earlier, later in zip([999, *chosen], [*chosen, 1000 + length], strict=True)]
    # A grid of powers of two is at most twice as coarse as the finest one that would do.
    assert max(gaps) <= 2 * -(-length // limit)


def test_a_label_of_almost_the_same_stretch_chooses_almost_the_same_windows() -> None:
    first, corrected = (set(numbers(thin(minutes(start, start + 60), 32))) for start in (100, 101))
    assert len(first & corrected) >= 30


def test_one_window_more_changes_at_most_one() -> None:
    whole = minutes(1, 61)
    without = [window for window in whole if window.seq != 17]
    assert len(set(numbers(thin(whole, 32))) - set(numbers(thin(without, 32)))) <= 1


def test_windows_of_two_boots_are_told_apart() -> None:
    windows = [*minutes(1, 9, boot=1), *minutes(1, 9, boot=2)]
    chosen = thin(windows, 8)
    assert [(window.boot, window.seq) for window in chosen] == [(boot, seq) for boot in (1, 2) for seq in (2, 4, 6, 8)]
