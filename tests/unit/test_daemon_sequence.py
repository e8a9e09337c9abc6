"""Which reports of a boot have arrived, against plain sets."""

from attuned.nodes.sequence import BEYOND_LIMIT, MORE_BITS, SeqTracker
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

SEQS = st.integers(1, 60)


class Sequence(RuleBasedStateMachine):
    """The model knows every number that came and every number that was given up."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = SeqTracker()
        self.came: set[int] = set()
        self.lost: set[int] = set()

    @rule(seq=SEQS)
    def arrive(self, seq: int) -> None:
        if seq in self.tracker:
            assert seq in self.came | self.lost
            return
        self.tracker.add(seq)
        self.came.add(seq)

    @rule(seq=SEQS)
    def again(self, seq: int) -> None:
        """A report that comes twice is counted once, whether or not anybody looked."""
        if seq not in self.lost:
            self.tracker.add(seq)
            self.came.add(seq)

    @rule(first=st.integers(0, 70), coming=st.sets(SEQS))
    def give_up(self, first: int, coming: set[int]) -> None:
        self.tracker.give_up_below(first, coming)
        gone = set(range(1, first)) - self.came - self.lost
        self.lost |= gone - coming
        self.came |= gone & coming

    @invariant()
    def agree(self) -> None:
        settled = self.came | self.lost
        through = next(seq for seq in range(200) if seq + 1 not in settled)
        assert self.tracker.through == through
        assert self.tracker.lost == len(self.lost)
        assert self.tracker.beyond == {seq for seq in self.came if seq > through}
        assert all((seq in self.tracker) == (seq in settled) for seq in range(1, 80))
        named = {through + 2 + i for i in range(MORE_BITS) if self.tracker.more() >> i & 1}
        assert named == {seq for seq in self.came if through + 2 <= seq < through + 2 + MORE_BITS}
        assert self.tracker.more() < 1 << MORE_BITS


TestSequence = Sequence.TestCase


@given(st.permutations(range(1, 40)))
def test_any_order_ends_contiguous(seqs: list[int]) -> None:
    tracker = SeqTracker()
    for seq in seqs:
        tracker.add(seq)
    assert tracker == SeqTracker(through=39)


def test_numbers_far_ahead_and_zero_are_not_the_nodes() -> None:
    tracker = SeqTracker(through=10)
    assert [tracker.accepts(seq) for seq in (0, 1, 11, 10 + BEYOND_LIMIT, 11 + BEYOND_LIMIT)] == [
        False,
        True,
        True,
        True,
        False,
    ]
