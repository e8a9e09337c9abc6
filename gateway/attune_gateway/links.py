"""All links of the gateway, between their lines on one side and the outbox on the other."""

import asyncio
import itertools
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from attune_proto.v1.link_pb2 import Frame, Wish

from attune_gateway.framing import FrameCounts
from attune_gateway.link import Line, Link
from attune_gateway.outbox import Outbox
from attune_gateway.pacing import Sparingly

_log = logging.getLogger(__name__)

# Hosts whose last warning is remembered: more than a site has nodes, little enough for a crowd of strangers.
HOSTS = 4096


class Follower(Protocol):
    """Who goes by what the daemon wants: a radio."""

    def wish(self, wishes: Iterable[Wish]) -> None:
        """The daemon says which nodes are to be served."""

    def attach(self) -> None:
        """A new stream begins, in which the daemon has said nothing so far."""

    def detach(self) -> None:
        """The stream has ended."""


class Links:
    """Numbers links, passes their frames on, holds them back while the daemon does not take what there is.

    idle_s: a link without a good frame for so long is closed; clock: monotonic seconds.
    """

    def __init__(self, idle_s: float, clock: Callable[[], float]) -> None:
        self.outbox = Outbox(self._press)
        self._idle_s = idle_s
        self._clock = clock
        self._links: dict[int, Link] = {}
        self._numbers = itertools.count(1)
        self._warnings: OrderedDict[str, Sparingly] = OrderedDict()
        self._came = self._went = 0
        self._followers: list[Follower] = []

    def __len__(self) -> int:
        return len(self._links)

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._links.values()))

    def follow(self, follower: Follower) -> None:
        """Passes on to `follower` what the daemon wants, from the next stream on."""
        self._followers.append(follower)

    def up(
        self, line: Line, counts: FrameCounts, transport: str, peer: str, *, hint: bytes = b"", mtu: int = 0
    ) -> Link:
        """A transport has a new connection; it keeps `counts` up to date."""
        warnings = self._warnings_of(transport, peer)
        number, now_s = next(self._numbers), self._clock()
        link = Link(number, transport, peer, line, counts, now_s, hint, mtu, warnings=warnings)
        self._links[link.number] = link
        self._came += 1
        self.outbox.announce(link)
        if self.outbox.full:
            line.pause()
        return link

    def received(self, link: Link, frames: list[bytes]) -> None:
        """A link has good frames for the daemon."""
        link.heard_s = self._clock()
        self.outbox.put(link, frames)

    def down(self, link: Link) -> None:
        """A link's connection has ended."""
        del self._links[link.number]
        self._went += 1
        if (stats := link.changed_stats()) is not None:
            self.outbox.note(stats)
        self._warn(link)
        self.outbox.retire(link)

    def deliver(self, frames: Iterable[Frame]) -> None:
        """Sends frames of the daemon; those for a link that has just gone down go nowhere, and its node asks again."""
        by_link: dict[int, list[bytes]] = defaultdict(list)
        for frame in frames:
            by_link[frame.link].append(frame.data)
        for number, batch in by_link.items():
            if (link := self._links.get(number)) is not None:
                link.send(batch)

    def wish(self, wishes: Iterable[Wish]) -> None:
        """The daemon says which nodes are to be served by radio."""
        for follower in self._followers:
            follower.wish(wishes)

    def restart(self) -> None:
        """A new stream to the daemon begins: it knows nothing of any link."""
        for link in self:
            link.noted = None
        self.outbox.restart(self)
        for follower in self._followers:
            follower.attach()

    def detach(self) -> None:
        """The stream to the daemon has ended."""
        for follower in self._followers:
            follower.detach()

    async def watch(self, every_s: float = 1.0) -> None:
        """Once a second: totals that changed, damage worth a line in the log, links that have gone silent."""
        while True:
            await asyncio.sleep(every_s)
            for link in self:
                self._look_at(link)
            if self._came or self._went:
                _log.info("%d links are open (%d came up, %d went down).", len(self), self._came, self._went)
                self._came = self._went = 0

    def close(self) -> None:
        """Closes all links."""
        for link in self:
            link.line.close()

    def _look_at(self, link: Link) -> None:
        if (stats := link.changed_stats()) is not None:
            self.outbox.note(stats)
        self._warn(link)
        # While links are held back they cannot be heard.
        if not self.outbox.full and self._clock() - link.heard_s > self._idle_s:
            _log.info("Link %d (%s) had no good frame for %.0f s and is closed.", link.number, link, self._idle_s)
            link.line.close()

    def _warn(self, link: Link) -> None:
        if (sentence := link.damage_to_report(self._clock())) is not None:
            _log.warning(sentence)

    def _warnings_of(self, transport: str, peer: str) -> Sparingly:
        """Whoever dials again and again is warned of as seldom as one who stays: what counts is the host."""
        host = peer.rpartition(":")[0] if transport == "tcp" else peer
        self._warnings.setdefault(host, Sparingly())
        self._warnings.move_to_end(host)
        if len(self._warnings) > HOSTS:
            self._warnings.popitem(last=False)
        return self._warnings[host]

    def _press(self, full: bool) -> None:
        now_s = self._clock()
        for link in self._links.values():
            if full:
                link.line.pause()
            else:
                link.heard_s = now_s
                link.line.resume()
