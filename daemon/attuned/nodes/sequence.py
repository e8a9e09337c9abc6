"""Which reports of one boot have arrived: everything up to a number, and a few beyond it."""

from collections.abc import Collection
from dataclasses import dataclass, field

# Reports ahead of the highest contiguous number that are kept in mind; a node has at most 8 in flight.
BEYOND_LIMIT = 4096

# Reports that one acknowledgement can name beyond the contiguous ones: bits of ReportAck.more.
MORE_BITS = 32


@dataclass
class SeqTracker:
    """Numbers from 1; `through` is the highest below which nothing is missing, `beyond` are those above it."""

    through: int = 0
    beyond: set[int] = field(default_factory=set)
    lost: int = 0

    def __contains__(self, seq: int) -> bool:
        return 0 < seq <= self.through or seq in self.beyond

    def accepts(self, seq: int) -> bool:
        """Whether the number may be the node's at all."""
        return 0 < seq <= self.through + BEYOND_LIMIT

    def add(self, seq: int) -> None:
        if seq == self.through + 1 and not self.beyond:
            self.through = seq
            return
        if seq > self.through:
            self.beyond.add(seq)
            self._advance()

    def give_up_below(self, first_seq: int, coming: Collection[int] = ()) -> None:
        """The node holds nothing below `first_seq` any more: what has not come and is not `coming` is lost."""
        missing = first_seq - 1 - self.through
        if missing <= 0:
            return
        passed = {seq for seq in self.beyond if seq < first_seq}
        arrived = passed | {seq for seq in coming if self.through < seq < first_seq}
        self.lost += missing - len(arrived)
        self.beyond -= passed
        self.through = first_seq - 1
        self._advance()

    def more(self) -> int:
        """The bitmap of an acknowledgement: bit i stands for `through + 2 + i`."""
        if not self.beyond:
            return 0
        first = self.through + 2
        return sum(1 << (seq - first) for seq in self.beyond if seq < first + MORE_BITS)

    def _advance(self) -> None:
        while self.through + 1 in self.beyond:
            self.through += 1
            self.beyond.remove(self.through)
