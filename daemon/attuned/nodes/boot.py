"""What is known of one boot of a node."""

from dataclasses import dataclass, field

from attuned.nodes.sequence import SeqTracker
from attuned.nodes.ties import Ties
from attuned.nodes.window import Window


@dataclass
class BootRecord:
    """Which reports have been committed, where its ticks meet UTC, and how many windows it has brought."""

    sequence: SeqTracker = field(default_factory=SeqTracker)
    ties: Ties = field(default_factory=Ties)
    windows: int = 0

    def count(self, window: Window) -> None:
        """A window of the boot is on the disk."""
        self.sequence.add(window.seq)
        self.windows += not window.refused
