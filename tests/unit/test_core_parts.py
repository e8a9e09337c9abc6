"""The core's parts of frames by the golden file, and what holds whatever a radio loses."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attune_core import PartDecoder, part_encode
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "vectors" / "parts.txt"

frames = st.binary(min_size=1, max_size=640)
largest = st.integers(2, 300)

Lines = list[tuple[str, str]]


def cases() -> Iterator[Lines]:
    """Each case of the golden file as its lines: the word, and what follows it."""
    case: Lines = []
    for line in GOLDEN.read_text().splitlines():
        word, _, rest = line.partition("#")[0].strip().partition(" ")
        if word in ("cut", "join") and case:
            yield case
            case = []
        if word:
            case.append((word, rest))
    yield case


def told_of(
    case: Lines, take: Callable[[bytes], bytes | None], counts: Callable[[], tuple[int, int]]
) -> tuple[Lines, Lines]:
    """What `take` makes of a case's parts, and what its lines say; `counts` are the damaged and the oversized ones."""
    told: Lines = []
    for part in [rest for word, rest in case[1:] if word == "part"]:
        before = counts()
        frame = take(bytes.fromhex(part))
        damaged, oversized = counts()
        told += [("damaged", "")] * (damaged - before[0]) + [("oversized", "")] * (oversized - before[1])
        told += [("frame", frame.hex().upper())] if frame is not None else []
    return told, [line for line in case[1:] if line[0] != "part"]


@pytest.mark.parametrize("case", [case for case in cases() if case[0][0] == "cut"])
def test_a_frame_is_cut_as_by_hand(case: Lines) -> None:
    size, number = map(int, case[0][1].split())
    frame, *parts = (bytes.fromhex(rest) for _, rest in case[1:])
    assert part_encode(frame, size, number) == parts


@pytest.mark.parametrize("case", [case for case in cases() if case[0][0] == "join"])
def test_parts_are_put_together_as_by_hand(case: Lines) -> None:
    decoder = PartDecoder(int(case[0][1]))
    told, expected = told_of(case, decoder.take, lambda: (decoder.damaged, decoder.oversized))
    assert told == expected


def parts_of(sent: list[bytes], size: int) -> list[bytes]:
    """The parts of frames one after the other, as a connection numbers them."""
    parts: list[bytes] = []
    for frame in sent:
        parts += part_encode(frame, size, len(parts) % 64)
    return parts


def joined(decoder: PartDecoder, parts: list[bytes]) -> list[bytes]:
    return [frame for part in parts if (frame := decoder.take(part)) is not None]


@given(st.lists(frames, max_size=4), largest)
def test_frames_come_back_whole(sent: list[bytes], size: int) -> None:
    decoder = PartDecoder()
    parts = parts_of(sent, size)
    assert all(2 <= len(part) <= size for part in parts)
    assert joined(decoder, parts) == sent
    assert (decoder.damaged, decoder.oversized) == (0, 0)


@given(st.lists(frames, min_size=1, max_size=5), largest, st.data())
def test_what_is_lost_loses_its_own_frames_and_no_others(sent: list[bytes], size: int, data: st.DataObject) -> None:
    """Fewer parts in a row than there are numbers; each frame with all of its parts comes through."""
    parts = parts_of(sent, size)
    begin = data.draw(st.integers(0, len(parts) - 1))
    end = data.draw(st.integers(begin + 1, min(len(parts), begin + 63)))
    whole = []
    at = 0
    for frame in sent:
        after = at + len(part_encode(frame, size))
        whole += [frame] if after <= begin or end <= at else []
        at = after
    decoder = PartDecoder()
    assert joined(decoder, parts[:begin] + parts[end:]) == whole
    # Nobody can know of a loss at the very end, unless it leaves a frame half sent; and that is not over yet.
    assert decoder.damaged == (1 if end < len(parts) else 0)


@given(st.lists(st.binary(max_size=20), max_size=40), frames, largest, st.integers(0, 63))
def test_after_any_garbage_the_next_frame_is_whole(garbage: list[bytes], frame: bytes, size: int, number: int) -> None:
    decoder = PartDecoder()
    for part in garbage:
        decoder.take(part)
    assert joined(decoder, part_encode(frame, size, number)) == [frame]


def test_a_frame_longer_than_a_node_takes_is_counted_and_dropped() -> None:
    decoder = PartDecoder()
    parts = part_encode(bytes(641), 244)
    assert [decoder.take(part) for part in parts] == [None] * len(parts)
    assert (decoder.damaged, decoder.oversized) == (0, 1)


@pytest.mark.parametrize(
    ("frame", "size", "number"), [(b"", 20, 0), (bytes(1025), 20, 0), (b"1", 1, 0), (b"1", 20, 64)]
)
def test_what_cannot_be_cut_is_refused(frame: bytes, size: int, number: int) -> None:
    with pytest.raises(ValueError, match=r"A frame has|A part has"):
        part_encode(frame, size, number)
