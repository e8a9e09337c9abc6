"""Sealed frames between the node's core and the daemon, over a link that loses, repeats, reorders, cuts, joins and
changes them: exactly the whole frames that are newer than all before are delivered, and sessions outlive all of it."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from attune_core import NodeHandshake, Pattern, SealedPair, SessionError, SessionKeys
from attune_proto.v1 import node_pb2
from attuned.nodes import noise
from attuned.nodes.frames import KK, FrameError
from attuned.nodes.sealed import (
    AROUND,
    TEXT_AT,
    TEXT_LIMIT,
    HandshakeFrame,
    NodeSessions,
    prologue,
    read_handshake,
    write_handshake,
)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

HINT = b"abcd"
NODE, DAEMON, NEXT_DAEMON = bytes(range(32)), bytes(range(100, 132)), bytes(range(200, 232))
DAY_MS = 24 * 3600 * 1000

random_bytes = (bytes([number % 256, number // 256]) * 16 for number in itertools.count())
"""Numbers that serve no second handshake."""


def begin(daemon: bytes = DAEMON) -> NodeHandshake:
    return NodeHandshake(Pattern.KK, HINT, secret=NODE, ephemeral=next(random_bytes), other=noise.public_key(daemon))


@dataclass
class Pair:
    """A node and its daemon."""

    node: SealedPair = field(default_factory=lambda: SealedPair(HINT))
    daemon: NodeSessions = field(default_factory=lambda: NodeSessions(HINT))

    def answer(self, frame: bytes) -> bytes:
        return self.daemon.answer(frame, own=[DAEMON], node=noise.public_key(NODE), ephemeral=next(random_bytes)).frame

    def shake_hands(self, now_ms: int = 0) -> bytes:
        """A whole handshake, but for the first frame under its keys; returns its first message."""
        handshake = begin()
        first = handshake.write(b"boot")
        handshake.read(self.answer(first))
        self.node.adopt(handshake.finish(), now_ms)
        return first

    def greet(self) -> None:
        """The first frame of the node, and one back."""
        assert self.daemon.open(self.node.seal(b"hello")) == b"hello"
        assert self.node.open(self.daemon.seal(b"time")) == b"time"


def connected() -> Pair:
    pair = Pair()
    pair.shake_hands()
    pair.greet()
    return pair


def directions(pair: Pair) -> dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]]:
    return {"up": (pair.node.seal, pair.daemon.open), "down": (pair.daemon.seal, pair.node.open)}


@st.composite
def arrivals(draw: st.DrawFn, sent: list[bytes]) -> bytes:
    """A frame as it comes out of the link: one that was sent, or one that is made of it."""
    frame = draw(st.sampled_from(sent))
    match draw(st.sampled_from(["whole", "whole", "whole", "flip", "cut", "longer", "splice", "counter"])):
        case "flip":
            place = draw(st.integers(0, 8 * len(frame) - 1))
            return bytes(byte ^ (1 << place % 8 if i == place // 8 else 0) for i, byte in enumerate(frame))
        case "cut":
            return frame[: draw(st.integers(0, len(frame) - 1))]
        case "longer":
            return frame + draw(st.binary(min_size=1, max_size=20))
        case "splice":
            other = draw(st.sampled_from(sent))
            return frame[: draw(st.integers(0, len(frame)))] + other[draw(st.integers(0, len(other))) :]
        case "counter":
            counter: bytes = draw(st.binary(min_size=4, max_size=4))
            return frame[:5] + counter + frame[TEXT_AT:]
    return frame


@pytest.mark.parametrize("direction", ["up", "down"])
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_exactly_whole_and_newer_frames_are_delivered(direction: str, data: st.DataObject) -> None:
    seal, open_ = directions(connected())[direction]
    texts = data.draw(st.lists(st.binary(max_size=100), min_size=1, max_size=6), label="texts")
    sent = [seal(text) for text in texts]
    newest = -1
    for frame in data.draw(st.lists(arrivals(sent), max_size=20), label="arrivals"):
        number = sent.index(frame) if frame in sent else -1
        if number > newest:
            assert open_(frame) == texts[number]
            newest = number
        else:
            with pytest.raises((SessionError, FrameError)):
                open_(frame)
    assert open_(seal(b"and on")) == b"and on"


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_new_keys_replace_old_ones_with_the_first_frame_that_opens(data: st.DataObject) -> None:
    """Model: of each side, the sessions that it would open a frame of, and the newest counter of each."""
    pair = connected()
    sent: dict[str, list[tuple[int, int, bytes]]] = {"up": [], "down": []}
    counters: dict[tuple[str, int], int] = {("up", 0): 1, ("down", 0): 1}
    newest: dict[tuple[str, int], int] = {("up", 0): 0, ("down", 0): 0}
    node_opens, daemon_opens, made = [0], [0], 0
    for step in data.draw(st.lists(st.sampled_from(["shake", "up", "down", "arrive up", "arrive down"]), max_size=30)):
        match step.split():
            case ["shake"]:
                pair.shake_hands()
                made += 1
                confirmed = [s for s in node_opens if ("down", s) in newest]
                node_opens = [*confirmed[-1:], made]
                # The daemon keeps the session in use and four others.
                daemon_opens = [daemon_opens[0], *daemon_opens[1:][-3:], made]
            case [direction]:
                session = node_opens[-1] if direction == "up" else daemon_opens[0]
                counter = counters.get((direction, session), 0)
                counters[direction, session] = counter + 1
                seal, _ = directions(pair)[direction]
                sent[direction].append((session, counter, seal(b"%d %d" % (session, counter))))
            case ["arrive", direction] if sent[direction]:
                session, counter, frame = data.draw(st.sampled_from(sent[direction]))
                opens = daemon_opens if direction == "up" else node_opens
                _, open_ = directions(pair)[direction]
                if session in opens and counter > newest.get((direction, session), -1):
                    assert open_(frame) == b"%d %d" % (session, counter)
                    newest[direction, session] = counter
                    if direction == "up":
                        daemon_opens = daemon_opens[daemon_opens.index(session) :]
                    elif session == node_opens[-1]:
                        node_opens = [session]
                else:
                    with pytest.raises((SessionError, FrameError)):
                        open_(frame)
    pair.shake_hands()
    pair.greet()


def test_a_handshake_sent_again_ends_no_session_and_gets_the_same_answer() -> None:
    pair = Pair()
    handshake = begin()
    first = handshake.write()
    reply = pair.answer(first)
    assert pair.answer(first) == reply
    handshake.read(reply)
    pair.node.adopt(handshake.finish())
    pair.greet()
    for _ in range(10):
        assert pair.answer(first) != reply
        pair.greet()


def test_a_recorded_handshake_does_not_push_out_one_on_its_way() -> None:
    pair = Pair()
    recorded = [begin().write() for _ in range(3)]
    pair.shake_hands()
    for first in recorded:
        pair.answer(first)
    pair.greet()


def test_a_late_first_frame_does_not_push_out_the_handshake_after_it() -> None:
    pair = Pair()
    pair.shake_hands()
    late = pair.node.seal(b"late")
    pair.shake_hands()
    assert pair.daemon.open(late) == b"late"
    pair.greet()
    with pytest.raises(FrameError):
        pair.daemon.open(late)


def test_the_daemon_says_nothing_before_the_node_has_used_the_keys() -> None:
    pair = Pair()
    pair.shake_hands()
    assert not pair.daemon.live
    with pytest.raises(FrameError, match="no session with the node yet"):
        pair.daemon.seal(b"time")
    pair.greet()
    assert pair.daemon.live


def test_both_keys_of_the_daemon_are_accepted_and_it_learns_which_the_node_knows() -> None:
    for known in (DAEMON, NEXT_DAEMON):
        handshake, sessions = begin(known), NodeSessions(HINT)
        reply = sessions.answer(
            handshake.write(b"boot"),
            own=[DAEMON, NEXT_DAEMON],
            node=noise.public_key(NODE),
            ephemeral=next(random_bytes),
            payload=b"news",
        )
        assert (reply.payload, reply.own) == (b"boot", noise.public_key(known))
        assert handshake.read(reply.frame) == b"news"
        assert handshake.finish().remote == noise.public_key(known)


def test_a_node_is_commissioned_in_frames() -> None:
    psk = b"secret" * 5 + b"!!"
    handshake = NodeHandshake(Pattern.XXPSK0, HINT, secret=NODE, ephemeral=next(random_bytes), other=psk)
    first = read_handshake(handshake.write())
    assert (first.kind, first.hint, first.number) == (3, HINT, 1)
    begun = noise.answer_xxpsk0(
        first.message, psks=[psk], own=DAEMON, ephemeral=next(random_bytes), prologue=prologue(HINT), payload=b"key"
    )
    assert handshake.read(write_handshake(HandshakeFrame(3, HINT, 2, begun.message))) == b"key"
    last = read_handshake(handshake.write())
    assert last.number == 3
    done = begun.finish(last.message)
    pair = Pair()
    pair.node.adopt(handshake.finish())
    pair.daemon.adopt(done.keys, noise.public_key(DAEMON))
    # Here the daemon may speak first: the node's last message has proved that it knows the keys.
    assert pair.node.open(pair.daemon.seal(b"welcome")) == b"welcome"
    pair.greet()
    assert done.node == noise.public_key(NODE)


def test_a_frame_is_what_the_page_says() -> None:
    """docs/protocol.md: kind, hint, counter, then ChaCha20-Poly1305 as the package cryptography has it."""
    keys = SessionKeys(b"s" * 32, b"r" * 32, b"")
    node = SealedPair(HINT)
    node.adopt(keys)
    for counter in range(300):
        sealed = ChaCha20Poly1305(keys.send).encrypt(bytes(4) + counter.to_bytes(8, "little"), b"text", b"\x04" + HINT)
        assert node.seal(b"text") == b"\x04" + HINT + counter.to_bytes(4, "little") + sealed
    assert len(node.seal(b"")) == AROUND == 25


def test_a_report_of_24_features_has_at_most_96_bytes() -> None:
    """After eight years of a minute a window, with two classes."""
    report = node_pb2.Report(seq=2**22, end_s=2**28 - 1, features=bytes(48), evidence=bytes(2), state=0xF1)
    frame = connected().node.seal(node_pb2.NodeMessage(report=report).SerializeToString())
    assert len(frame) <= 96


def test_texts_are_bounded() -> None:
    pair = connected()
    assert len(pair.daemon.seal(bytes(TEXT_LIMIT))) == 1024
    with pytest.raises(FrameError, match="1000 bytes, more than a frame takes"):
        pair.daemon.seal(bytes(1000))
    with pytest.raises(FrameError, match="no sealed one"):
        pair.daemon.open(pair.node.seal(bytes(1000)))


def test_the_daemon_stops_at_the_last_counter() -> None:
    pair = connected()
    assert pair.daemon._live is not None
    pair.daemon._live._next_send = 2**32 - 2
    last = pair.daemon.seal(b"last")
    assert last[5:9] == b"\xfe\xff\xff\xff"
    for _ in range(2):
        with pytest.raises(FrameError, match="counted to its end"):
            pair.daemon.seal(b"one more")
    assert pair.node.open(last) == b"last"
    pair.shake_hands()
    pair.greet()


def test_new_keys_are_due_after_a_day_or_65536_frames_of_either_side() -> None:
    assert not SealedPair(HINT).wants_keys(DAY_MS)
    pair = Pair()
    pair.shake_hands(now_ms=5000)
    pair.greet()
    assert not pair.node.wants_keys(5000 + DAY_MS - 1)
    assert pair.node.wants_keys(5000 + DAY_MS)
    for seal, open_ in directions(pair).values():
        assert not pair.node.wants_keys(5000)
        for _ in range(65_535):
            frame = seal(b"")
        open_(frame)
        assert pair.node.wants_keys(5000)
        pair.shake_hands(now_ms=5000)
        pair.greet()


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x02abcd",
        b"\x02abcd\x01",
        write_handshake(HandshakeFrame(KK, HINT, 2, bytes(48))),
        write_handshake(HandshakeFrame(KK, b"abce", 1, bytes(48))),
        write_handshake(HandshakeFrame(3, HINT, 1, bytes(48))),
        write_handshake(HandshakeFrame(4, HINT, 1, bytes(48))),
        write_handshake(HandshakeFrame(KK, HINT, 1, bytes(47))),
        write_handshake(HandshakeFrame(KK, HINT, 1, bytes(48 + 65))),
    ],
)
def test_frames_that_begin_nothing_are_refused(frame: bytes) -> None:
    pair = connected()
    with pytest.raises(FrameError):
        pair.answer(frame)
    pair.greet()


@pytest.mark.parametrize("byte", range(6))
def test_the_node_looks_at_every_byte_of_the_header(byte: int) -> None:
    handshake = begin()
    reply = Pair().answer(handshake.write())
    wrong = bytes([*reply[:byte], reply[byte] ^ 1, *reply[byte + 1 :]])
    with pytest.raises(SessionError, match="not what comes next"):
        handshake.read(wrong)
    with pytest.raises(SessionError, match="impossible size"):
        handshake.read(reply[:5])
    handshake.read(reply)
    assert handshake.finish().remote == noise.public_key(DAEMON)
