"""What tests of labels share: labels and windows by minutes after noon, and a site with a room whose nodes answer."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attune_proto.v1 import node_pb2
from attuned.errors import StoreError
from attuned.nodes.window import Window
from attuned.site import Site
from attuned.store.site import LabelRow
from daemon_world import HOUR, MINUTE, NOON, A, FakeClock, commit, opened_site, window
from site_world import HeardSite


def label(first: float, last: float, class_name: str = "occupied", number: int = 1, **more: Any) -> LabelRow:
    """From so many minutes after noon to so many."""
    start, end = NOON + round(first * MINUTE), NOON + round(last * MINUTE)
    values: dict[str, Any] = {"weight": 1.0, "source": "person", "author": "ann", "told_utc_ms": 0} | more
    return LabelRow(number, "r", class_name, start, end, **values)


def minutes(first: int, last: int, node: str = A) -> list[Window]:
    """Windows of the minutes that end after `first` and by `last` after noon."""
    return [window(i, NOON + i * MINUTE, node=node) for i in range(first + 1, last + 1)]


class LabelledRoom(HeardSite):
    """A site with nodes A and B in room r; A has a link."""

    def __init__(self, site: Site, clock: FakeClock) -> None:
        super().__init__(site, clock)
        site.commits.flush = self.flush  # type: ignore[method-assign]
        self.gateway.take()
        self.arriving: list[Window] = []

    async def flush(self) -> None:
        """Stands for the commits task: what has arrived is written and acknowledged."""
        arrived, self.arriving = self.arriving, []
        await self.commit(arrived)

    async def commit(self, windows: list[Window]) -> None:
        await commit(self.site, *windows)
        self.site.acknowledge([], windows)

    async def tell(self, label: LabelRow, *, force: bool = False) -> LabelRow:
        """A second passes after each label."""
        stored = await self.site.labels.add(label, force=force)
        self.clock.now += 1000
        return stored

    def forget(self) -> tuple[list[node_pb2.Unlearn], list[node_pb2.Label]]:
        """Answers everything; what was to be forgotten, and then the parts that came with windows."""
        unlearn: list[node_pb2.Unlearn] = []
        parts: list[node_pb2.Label] = []
        while fresh := [m for _, _, m in self.gateway.take() if m.WhichOneof("body") in ("label", "unlearn")]:
            for message in fresh:
                if message.HasField("unlearn"):
                    assert parts == []
                    unlearn.append(message.unlearn)
                    ack = node_pb2.LabelAck(number=message.unlearn.number, part=message.unlearn.part)
                else:
                    parts += [message.label] if message.label.windows else []
                    part = message.label
                    ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=len(part.windows))
                self.hear(ack)
        return unlearn, parts

    def play(self, log: dict[tuple[int, int], tuple[int, int]]) -> None:
        """Does to a log of (boot, seq) -> (number, class) what a node does to its own, and answers."""
        while fresh := [m for _, _, m in self.gateway.take() if m.WhichOneof("body") in ("label", "unlearn")]:
            for message in fresh:
                if message.HasField("unlearn"):
                    for key in [key for key, (number, _) in log.items() if number == message.unlearn.number]:
                        del log[key]
                    ack = node_pb2.LabelAck(number=message.unlearn.number, part=message.unlearn.part)
                else:
                    part = message.label
                    for w in part.windows:
                        if log.get((w.boot, w.seq), (0, 0))[0] < part.number:
                            log[w.boot, w.seq] = part.number, part.class_index
                    ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=len(part.windows))
                self.hear(ack)

    def learn(self) -> list[node_pb2.Label]:
        """Answers every part; what was sent."""
        parts: list[node_pb2.Label] = []
        while fresh := [m.label for _, _, m in self.gateway.take() if m.HasField("label")]:
            for part in fresh:
                parts.append(part)
                ack = node_pb2.LabelAck(number=part.number, part=part.part, learned=len(part.windows))
                self.hear(ack)
        return parts


@asynccontextmanager
async def labelled_room(folder: Path) -> AsyncIterator[LabelledRoom]:
    """Such a room two hours after noon, with an empty store in the folder."""
    clock = FakeClock(NOON + 2 * HOUR)
    site = await opened_site(folder, clock)
    yield LabelledRoom(site, clock)
    with contextlib.suppress(StoreError):  # the test has closed it
        await site.close()
