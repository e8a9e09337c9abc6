"""What the signing process remembers of numbers: one message for each, whoever asks, and however it was ended."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import update_world as world
from attuned.updates.envelope import Kind, Update
from attuned.updates.numbers import Numbers
from hypothesis import given, settings
from hypothesis import strategies as st

RECORD = 32 + 4 + 16


def update(sequence: int, audience: int = 0, payload: int = 0) -> Update:
    changed = {"sequence": sequence, "audience": bytes([audience]) * 32, "payload": bytes([payload])}
    return replace(world.made(Kind.CALIBRATION).update, **changed)  # type: ignore[arg-type]


asked = st.builds(update, st.integers(1, 6), st.integers(0, 2), st.integers(0, 2))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.one_of(asked, st.none()), max_size=20))
def test_no_number_says_two_things(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, told: list[Update | None]
) -> None:
    """None: the process is ended and started, perhaps with a record that was half written."""
    path = tmp_path_factory.mktemp("numbers") / "numbers"
    with pytest.MonkeyPatch.context() as patch:
        # Disks of test machines are slow to sync.
        patch.setattr(os, "fsync", lambda _: None)
        ask(path, data, told)
    assert path.stat().st_mode & 0o777 == 0o600


def ask(path: Path, data: st.DataObject, told: list[Update | None]) -> None:
    numbers, signed = Numbers(path), dict[tuple[bytes, int], Update]()
    for each in told:
        if each is None:
            with path.open("ab") as file:
                file.write(b"\xff" * data.draw(st.integers(0, RECORD - 1)))
            numbers = Numbers(path)
            continue
        highest = max((number for audience, number in signed if audience == each.audience), default=0)
        refused = numbers.take(each)
        if refused:
            assert refused == highest >= each.sequence
        else:
            assert signed.setdefault((each.audience, each.sequence), each) == each
            assert each.sequence >= highest


def test_a_disk_that_is_full_signs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "numbers"
    numbers = Numbers(path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            numbers.take(update(5))
    assert path.read_bytes() == b""
    assert numbers.take(update(3)) == 0
    assert Numbers(path).take(update(3, payload=1)) == 3


def test_the_file_holds_the_last_of_each_once_it_was_started_again(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    numbers = Numbers(path)
    for sequence in range(1, 10):
        numbers.take(update(sequence, sequence % 2))
    assert path.stat().st_size == 9 * RECORD
    Numbers(path)
    assert path.stat().st_size == 2 * RECORD
