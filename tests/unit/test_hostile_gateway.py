"""A gateway that does what it likes with frames, by seeds: nothing is taken that was not said, and all recovers.

Updates go through it as well: a node runs nothing that was not signed for it, with a number above all before."""

import random
from collections.abc import Sequence

import pytest
from attuned.nodes.frames import call
from daemon_world import A, FakeClock
from hostile_updates import Updates
from wire_world import Daemon, Wire, new_node, owned

QUICK, SLOW = 1_000, 10_000
HINT = bytes.fromhex(A)[:4]

# Steps of a schedule in which the gateway is hostile.
STEPS = 12

# Longest time in seconds that a node may need to recover over a good wire: the longest pause between two tries is
# five minutes, and the first two may be those of a handshake and of a hello.
RECOVERY_S = 1_200


class Hostile:
    """Drops, delays, repeats, changes about, flips, splices and makes up frames; remembers all that it has seen."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._seen: list[bytes] = []
        self._held: list[bytes] = []
        self._what = draw.sample(["drop", "hold", "repeat", "flip", "splice", "old", "call", "cut"], draw.randint(1, 5))

    def __call__(self, frames: Sequence[bytes], _: random.Random) -> list[bytes]:
        out: list[bytes] = []
        for frame in frames:
            self._seen.append(frame)
            out += self._meddled(frame) if self._draw.random() < 0.4 else [frame]
        if self._held and self._draw.random() < 0.3:
            out += self._held
            self._held = []
            self._draw.shuffle(out)
        return out

    def _meddled(self, frame: bytes) -> list[bytes]:
        what, place = self._draw.choice(self._what), self._draw.randrange(len(frame))
        if what == "hold":
            self._held.append(frame)
        flipped = bytes([frame[place] ^ 1 << self._draw.randrange(8)])
        made: dict[str, list[bytes]] = {
            "drop": [],
            "hold": [],
            "repeat": [frame] * 3,
            "flip": [frame[:place] + flipped + frame[place + 1 :]],
            "splice": [frame[:place] + self._draw.choice(self._seen)[place:]],
            "old": [frame, self._draw.choice(self._seen)],
            "call": [frame, call(HINT, commission=self._draw.random() < 0.5)],
            "cut": [frame[:place]],
        }
        return made[what]


def begun(draw: random.Random) -> Wire:
    """A node that is owned, or one in four times one that is to be commissioned."""
    if draw.random() < 0.75:
        return owned()
    wire = Wire(Daemon(FakeClock()), new_node(seed=draw.randrange(1, 200)))
    wire.daemon.expect(wire.node.code)
    return wire


def run(seed: int) -> None:
    draw = random.Random(seed)
    wire = begun(draw)
    wire.meddling = Hostile(draw)
    updates = Updates(wire, draw)
    wire.connect()
    for _ in range(STEPS):
        if draw.random() < 0.15:
            wire.connect()
        if draw.random() < 0.1:
            wire.daemon.restart()
            wire.daemon.hub.link_up(wire, 1)
        updates.meddle()
        wire.live(30, step_s=10)
        updates.check()
    check(wire)
    # The link goes bad with them: what the hostile gateway held back is gone, and a good one takes its place.
    wire.meddling = lambda frames, _: frames
    recover(wire)


def check(wire: Wire) -> None:
    """What the daemon holds is what the node has said, each once and in order of its counters."""
    seqs = [window.seq for window in wire.daemon.windows]
    assert len(set(seqs)) == len(seqs)
    assert set(seqs) <= set(range(1, wire.node.facts.next_seq))
    assert all(window.end_s == 60 * window.seq for window in wire.daemon.windows)
    assert set(wire.daemon.nodes) <= {A}
    assert wire.node.facts.refused_labels == 0


def recover(wire: Wire) -> None:
    """Nobody does anything for it."""
    for _ in range(0, RECOVERY_S, 60):
        wire.live(60, step_s=15)
        if wire.node.facts.timed and wire.node.facts.waiting == 0:
            break
    facts = wire.node.facts
    assert (facts.timed, facts.waiting, facts.dropped) == (True, 0, 0)
    assert sorted(window.seq for window in wire.daemon.windows) == list(range(1, facts.next_seq))
    check(wire)


@pytest.mark.parametrize("tenth", range(10))
def test_schedules_of_a_hostile_gateway(tenth: int) -> None:
    for seed in range(tenth * QUICK // 10, (tenth + 1) * QUICK // 10):
        try:
            run(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.slow
def test_more_schedules_of_a_hostile_gateway() -> None:
    for seed in range(QUICK, SLOW):
        try:
            run(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
