"""One connection that carries frames of one or more nodes, whatever it is made of."""

from dataclasses import dataclass, field
from typing import Protocol

from attune_proto.v1.link_pb2 import LinkStats

from attune_gateway.framing import FrameCounts
from attune_gateway.pacing import Sparingly


class Line(Protocol):
    """What a transport gives for each connection; it tells `Links` that it is up, what came in, and that it is down."""

    def send(self, frames: list[bytes]) -> int:
        """Sends without waiting; returns how many frames it did not take."""

    def pause(self) -> None:
        """Stops reading."""

    def resume(self) -> None:
        """Reads again."""

    def close(self) -> None:
        """Gives the connection up at once; `Links.down` follows."""


@dataclass(slots=True, eq=False)
class Link:
    """A line, its number and what is known of it.

    number: never used again in the life of this process; heard_s: when its last good frame came, in seconds of the
    caller's clock; queued: its frames that wait for the daemon; announced: whether the daemon knows it in the present
    stream; noted: the totals that the daemon was told last. Over Bluetooth, hint: the advertised one, mtu: the largest
    part of a frame, rssi_dbm: smoothed.
    """

    number: int
    transport: str
    peer: str
    line: Line
    counts: FrameCounts
    heard_s: float
    hint: bytes = b""
    mtu: int = 0
    rssi_dbm: int = 0
    queued: int = 0
    announced: bool = False
    unsendable: int = 0
    noted: LinkStats | None = None
    warned: tuple[int, int] = (0, 0)
    warnings: Sparingly = field(default_factory=Sparingly)

    def __str__(self) -> str:
        return f"{self.transport} {self.peer}"

    def send(self, frames: list[bytes]) -> None:
        """Sends frames to the nodes; what the line does not take is lost and counted."""
        self.unsendable += self.line.send(frames)

    def changed_stats(self) -> LinkStats | None:
        """The totals, if they are not those of the last call."""
        stats = LinkStats(
            link=self.number,
            frames=self.counts.good,
            damaged=self.counts.damaged,
            oversized=self.counts.oversized,
            unsendable=self.unsendable,
            rssi_dbm=self.rssi_dbm,
        )
        if stats == (self.noted or LinkStats(link=self.number)):
            return None
        self.noted = stats
        return stats

    def damage_to_report(self, now_s: float) -> str | None:
        """A sentence about frames dropped since the last one, at most one a minute."""
        now = (self.counts.damaged, self.counts.oversized)
        if now == self.warned or not self.warnings.allows(now_s):
            return None
        damaged, oversized = (new - old for new, old in zip(now, self.warned, strict=True))
        self.warned = now
        return (
            f"Link {self.number} ({self}): dropped {damaged} damaged and {oversized} oversized frames; check its line."
        )
