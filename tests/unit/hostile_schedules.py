"""A gateway that does what it likes with frames, by seeds: nothing is taken that was not said, and all recovers.

Updates go through it as well: a node runs nothing that was not signed for it, with a number above all before."""

import random

from daemon_world import A, FakeClock
from hostile import Hostile
from hostile_updates import Updates
from wire_world import Daemon, Wire, new_node, owned

HINT = bytes.fromhex(A)[:4]

# Steps of a schedule in which the gateway is hostile.
STEPS = 12

# Longest time in seconds that a node may need to recover over a good wire: the longest pause between two tries is
# five minutes, and the first two may be those of a handshake and of a hello.
RECOVERY_S = 1_200


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
    wire.meddling = Hostile(draw, HINT)
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


def run_all(seeds: range) -> None:
    for seed in seeds:
        try:
            run(seed)
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
