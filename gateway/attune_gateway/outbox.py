"""What waits for the daemon: bounded, in order, taken in batches."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable

from attune_proto.v1.link_pb2 import GatewayBatch, LinkStats, LinkUp, Sighting

from attune_gateway.link import Link

# A batch: enough to spread the cost of a gRPC message over many frames, little enough to be sent at once.
BATCH_FRAMES = 256
BATCH_BYTES = 64 * 1024

# The queue: about a second of the busiest site; what is more waits in the kernel's buffers and in the nodes.
QUEUE_FRAMES = 8192
QUEUE_BYTES = 1024 * 1024

# Sightings: in a batch, and those that wait; a radio knows of some thousands of nodes at most.
BATCH_SIGHTINGS = 256
QUEUE_SIGHTINGS = 8192


class Outbox:
    """Frames and news of links, in the order in which they came.

    `pressure(True)` is called when the queue is full (frames are still taken: whoever reads links stops reading),
    `pressure(False)` when it is half empty again.

    A link is announced in the first batch of a stream that is taken while it is up, or with its first frame. One that
    comes and goes unannounced leaves no trace, so that links alone can never fill the memory.
    """

    def __init__(
        self, pressure: Callable[[bool], None], queue_frames: int = QUEUE_FRAMES, queue_bytes: int = QUEUE_BYTES
    ) -> None:
        self._pressure = pressure
        self._limit_frames = queue_frames
        self._limit_bytes = queue_bytes
        # A frame of a link, or None: the link is down and has no more frames.
        self._queue: deque[tuple[Link, bytes | None]] = deque()
        self._bytes = 0
        self._new: dict[int, Link] = {}
        self._stats: dict[int, LinkStats] = {}
        self._sightings: dict[bytes, Sighting] = {}
        self._wake = asyncio.Event()
        self.full = False

    def announce(self, link: Link) -> None:
        """A link has come up."""
        self._new[link.number] = link
        self._wake.set()

    def put(self, link: Link, frames: list[bytes]) -> None:
        """Takes the frames of one read."""
        self._queue.extend([(link, frame) for frame in frames])
        self._bytes += sum(map(len, frames))
        link.queued += len(frames)
        self._wake.set()
        if not self.full and (len(self._queue) >= self._limit_frames or self._bytes >= self._limit_bytes):
            self.full = True
            self._pressure(True)

    def note(self, stats: LinkStats) -> None:
        """Takes a link's totals; later ones replace earlier ones that nobody has taken."""
        self._stats[stats.link] = stats
        self._wake.set()

    def sight(self, sightings: Iterable[Sighting]) -> None:
        """Takes what a radio hears; later sightings of a hint replace earlier ones that nobody has taken."""
        for sighting in sightings:
            self._sightings[sighting.hint] = sighting
            if len(self._sightings) > QUEUE_SIGHTINGS:
                del self._sightings[next(iter(self._sightings))]
        self._wake.set()

    def retire(self, link: Link) -> None:
        """A link has gone down."""
        if link.announced or link.queued:
            self._queue.append((link, None))
            self._wake.set()
        else:
            self._new.pop(link.number, None)
            self._stats.pop(link.number, None)

    def restart(self, links: Iterable[Link]) -> None:
        """A new stream begins: all that are up are announced again, what waits is kept."""
        self._queue = deque(entry for entry in self._queue if entry[1] is not None or entry[0].queued)
        for link, _ in self._queue:
            link.announced = False
        self._new = {link.number: link for link in links}
        for link in self._new.values():
            link.announced = False
        self._stats.clear()
        self._sightings.clear()
        self._wake.set()

    async def take(self) -> GatewayBatch:
        """Waits until there is something and returns all of it, up to the limits of a batch."""
        while not (self._queue or self._new or self._stats or self._sightings):
            self._wake.clear()
            await self._wake.wait()
        batch = GatewayBatch()
        for link in self._new.values():
            self._introduce(batch, link)
        self._new.clear()
        batch.stats.extend(self._stats.values())
        self._stats.clear()
        for hint in list(itertools.islice(self._sightings, BATCH_SIGHTINGS)):
            batch.sightings.append(self._sightings.pop(hint))
        self._fill(batch)
        self._relieve()
        return batch

    def _introduce(self, batch: GatewayBatch, link: Link) -> None:
        if not link.announced:
            link.announced = True
            up = LinkUp(link=link.number, transport=link.transport, peer=link.peer, hint=link.hint, mtu=link.mtu)
            batch.links_up.append(up)

    def _fill(self, batch: GatewayBatch) -> None:
        queue, add = self._queue, batch.frames.add
        taken = frames = 0
        while queue and frames < BATCH_FRAMES and taken < BATCH_BYTES:
            link, frame = queue[0]
            if frame is None:
                # Frames of a link and its end never share a batch, so their order within one does not matter.
                if frames or batch.links_up or batch.stats:
                    break
                batch.links_down.append(link.number)
            else:
                if not link.announced:
                    self._introduce(batch, link)
                add(link=link.number, data=frame)
                link.queued -= 1
                taken += len(frame)
                frames += 1
            queue.popleft()
        self._bytes -= taken

    def _relieve(self) -> None:
        roomy = len(self._queue) <= self._limit_frames // 2 and self._bytes <= self._limit_bytes // 2
        if self.full and roomy:
            self.full = False
            self._pressure(False)
