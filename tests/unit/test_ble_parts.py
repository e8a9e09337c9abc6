"""The gateway's parts of frames by the golden file, and against the core's, which is another implementation."""

import pytest
from attune_core import PartDecoder
from attune_gateway.ble.advertising import hint_of
from attune_gateway.ble.parts import PartCutter, PartJoiner
from hypothesis import given
from hypothesis import strategies as st
from test_core_parts import Lines, cases, parts_of, told_of


def cutter_at(size: int, number: int) -> PartCutter:
    cutter = PartCutter(size)
    for _ in range(number):
        list(cutter.cut(b"."))
    return cutter


@pytest.mark.parametrize("case", [case for case in cases() if case[0][0] == "cut"])
def test_a_frame_is_cut_as_by_hand(case: Lines) -> None:
    size, number = map(int, case[0][1].split())
    frame, *parts = (bytes.fromhex(rest) for _, rest in case[1:])
    assert list(cutter_at(size, number).cut(frame)) == parts


@pytest.mark.parametrize("case", [case for case in cases() if case[0][0] == "join"])
def test_parts_are_put_together_as_by_hand(case: Lines) -> None:
    joiner = PartJoiner(int(case[0][1]))
    told, expected = told_of(case, joiner.feed, lambda: (joiner.counts.damaged, joiner.counts.oversized))
    assert told == expected


@given(st.lists(st.binary(min_size=1, max_size=640), max_size=8), st.integers(2, 300), st.randoms())
def test_both_implementations_say_the_same_of_lost_and_changed_parts(
    frames: list[bytes], size: int, random: object
) -> None:
    draw = __import__("random").Random(random.getrandbits(32))  # type: ignore[attr-defined]
    parts = parts_of(frames, size)
    damaged = [bytes([draw.randrange(256)]) + part[1:] if draw.random() < 0.1 else part for part in parts]
    kept = [part for part in damaged if draw.random() > 0.1] + [b"", b"\x80"]
    ours, core = PartJoiner(640), PartDecoder(640)
    for part in kept:
        assert ours.feed(part) == core.take(part)
        assert (ours.counts.damaged, ours.counts.oversized) == (core.damaged, core.oversized)


@given(st.lists(st.binary(max_size=300), max_size=300))
def test_rubbish_never_grows_beyond_a_frame(parts: list[bytes]) -> None:
    joiner = PartJoiner()
    for part in parts:
        frame = joiner.feed(part)
        assert frame is None or len(frame) <= 1024
        assert len(joiner._frame) <= 1024


FLAGS, DATA = "020106", "1921" + "e52d599b5788a5bff945a00101007ac9"


@pytest.mark.parametrize(
    ("advertised", "hint"),
    [
        (FLAGS + DATA + "0102030405060708", "0102030405060708"),
        (DATA + "0102030405060708" + FLAGS, "0102030405060708"),
        (FLAGS + DATA + "01020304050607", None),
        (FLAGS + "1821" + DATA[4:] + "01020304050607", None),
        (FLAGS + "1921" + "00" * 16 + "0102030405060708", None),
        (FLAGS + "00" + DATA + "0102030405060708", None),
        (FLAGS + "ff21", None),
        ("", None),
        ("01", None),
    ],
)
def test_only_the_service_with_a_whole_hint_counts(advertised: str, hint: str | None) -> None:
    assert hint_of(bytes.fromhex(advertised)) == (None if hint is None else bytes.fromhex(hint))


@given(st.binary(max_size=255))
def test_no_advertisement_is_too_strange(data: bytes) -> None:
    assert hint_of(data) is None or len(hint_of(data) or b"") == 8
