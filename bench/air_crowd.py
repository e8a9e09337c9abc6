"""A gateway with 8 connections and 200 nodes in reach: how many it serves a minute, and how long one has to wait.

Each node has three reports, and is served once the last of them is acknowledged; the longest wait is that of the last
node. In the second run 20 of those that still wait are asked to blink, which is urgent, ten seconds after the start:
their wait is from then to the blinking.

Nodes of the core, the gateway's radio with its schedule and the daemon run in this process, over Bumble's virtual link.
Its clock stands still while it computes (bench/over_air/idle_time.py). What the virtual link makes faster: packets take
no time on the air, 8 connections do not share the radio, and no advertisement is missed; what it makes slower: nodes
are looked after 20 times a second. `on the air` puts in the place of what an exchange took here what that of a report
takes under the model of bench/over_air/events.py at 15 ms, with the node's processor; other waits are as they were. It
is the least of what the slots give and what connecting one after the other does, at half an advertising interval each.
"""

import asyncio
import subprocess
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import mean, median

from rich.console import Console
from rich.table import Table

from bench.air import IMAGES, INTERVALS, KINDS, ROOT, first_report, thinking_s
from bench.cost import count
from bench.output import results
from bench.over_air import idle_time
from bench.over_air.events import replay
from bench.over_air.place import ADVERTISING_MS, AirNode, Place, gateway, node_id, place
from bench.over_air.steps import CONNECT, REQUESTS
from bench.over_air.thinned import Thinned

NODES, SLOTS, WINDOWS, ROOMS = 200, 8, 3, 50
URGENT, URGENT_AFTER_S, BLINK_S = 20, 10.0, 600
LONGEST_S = 420.0
_LOOK_S = 0.05


@dataclass
class Life:
    """A node of the crowd; seconds since the beginning. stays: of each connection, from when to when."""

    node: AirNode
    ident: bytes
    served_s: float | None = None
    blinked_s: float | None = None
    stays: list[list[float]] = field(default_factory=list)

    @property
    def exchange_s(self) -> float:
        """From the connection that it was served in to its last acknowledgement."""
        served_s = self.served_s or 0.0
        return served_s - max((begin for begin, *_ in self.stays if begin <= served_s), default=served_s)

    def look(self, now_s: float) -> None:
        connected = self.node.peripheral.connection is not None
        if connected and (not self.stays or len(self.stays[-1]) == 2):
            self.stays.append([now_s])
        elif not connected and self.stays and len(self.stays[-1]) == 1:
            self.stays[-1].append(now_s)
        if self.served_s is None and self.node.node.facts.waiting == 0:
            self.served_s = now_s
        if self.blinked_s is None and self.node.node.facts.blinks:
            self.blinked_s = now_s


@dataclass(frozen=True)
class Row:
    """Of one run. exchange_s: from the connection to the last acknowledgement, median; slot_s: how long a connection
    lasts, mean; per_minute: over the time until nine of ten are served; on_air: the same under the model."""

    run: str
    served: int
    per_minute: float
    longest_s: float
    urgent_longest_s: float | None
    connections: int
    exchange_s: float
    slot_s: float
    on_air: float


async def crowd(of: Place) -> list[Life]:
    """The nodes, on the air with their reports."""
    lives = []
    for number in range(NODES):
        ident = node_id()
        node = of.make(ident)
        await of.commission(node, number % ROOMS)
        lives.append(Life(node, ident))
    of.let_pass(WINDOWS)
    assert all(node.node.facts.waiting >= WINDOWS for node in of.nodes)
    for node in of.nodes:
        await node.start()
        # Not in step: each at its own moment of the interval.
        await asyncio.sleep(ADVERTISING_MS / 1000 / NODES)
    return lives


async def serve(urgent: int) -> tuple[list[Life], list[Life]]:
    """The nodes once all are served, or the time is over, and those of them that were urgent."""
    with tempfile.TemporaryDirectory() as folder:
        async with place(Path(folder), KINDS, ROOMS, Thinned()) as made:
            lives = await crowd(made)
            chosen: list[Life] = []
            async with gateway(made, Path(folder), SLOTS):
                clock = asyncio.get_running_loop().time
                began_s = clock()
                while (now_s := clock() - began_s) < LONGEST_S:
                    for life in lives:
                        life.look(now_s)
                    if urgent and not chosen and now_s >= URGENT_AFTER_S:
                        chosen = [life for life in lives if not life.stays][:: NODES // urgent // 2][:urgent]
                        for life in chosen:
                            made.site.commissioning.identify(life.ident.hex(), BLINK_S)
                    if all(life.served_s is not None for life in lives):
                        break
                    await asyncio.sleep(_LOOK_S)
    return lives, chosen


@dataclass(frozen=True)
class Model:
    """Seconds under the model of the air: from the connection to an acknowledgement, and until a node is connected."""

    exchange_s: float
    attempt_s: float


def modelled() -> Model:
    """By the packets of one node."""
    figures = count(IMAGES / "attune-cost-session.elf").figures
    said = [packet for packet in asyncio.run(first_report()) if packet.step != CONNECT]
    setup = [packet for packet in said if packet.step in REQUESTS]
    fast = INTERVALS[0]
    exchange_s = replay(said, fast, thinking_s("", said, figures))
    return Model(exchange_s, ADVERTISING_MS / 2000 + replay(setup, fast, {}))


def row(run: str, lives: list[Life], chosen: list[Life], model: Model) -> Row:
    """What a run says."""
    served = sorted(life.served_s for life in lives if life.served_s is not None)
    most = served[: 9 * NODES // 10]
    stays = [stay for life in lives for stay in life.stays if len(stay) == 2]
    exchange_s = median(life.exchange_s for life in lives if life.served_s is not None)
    slot_s = mean(end - begin for begin, end in stays)
    on_air_s = max((slot_s - exchange_s + model.exchange_s) / SLOTS, model.attempt_s)
    waits = [(life.blinked_s or LONGEST_S) - URGENT_AFTER_S for life in chosen]
    return Row(
        run,
        len(served),
        60 * len(most) / most[-1],
        served[-1] if len(served) == NODES else LONGEST_S,
        max(waits) if waits else None,
        sum(len(life.stays) for life in lives),
        exchange_s,
        slot_s,
        60 / on_air_s,
    )


def show(rows: list[Row]) -> None:
    table = Table(title=f"{NODES} nodes with {WINDOWS} reports each, {SLOTS} connections")
    for column in ("", "served", "a minute", "longest wait, s", "urgent, s", "connections", "exchange, s", "slot, s"):
        table.add_column(column, justify="right" if column else "left")
    table.add_column("a minute on the air", justify="right")
    for each in rows:
        urgent = "" if each.urgent_longest_s is None else f"{each.urgent_longest_s:.1f}"
        numbers = f"{each.exchange_s:.2f}", f"{each.slot_s:.2f}", f"{each.on_air:.0f}"
        counts = str(each.served), f"{each.per_minute:.0f}", f"{each.longest_s:.0f}", urgent, str(each.connections)
        table.add_row(each.run, *counts, *numbers)
    Console(width=120).print(table)


def main() -> int:
    """Prints the table and writes it to `results/air_crowd.csv`."""
    subprocess.run(["make", "--silent", "firmware"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    model = modelled()
    rows = []
    for run, urgent in (("all alike", 0), (f"{URGENT} urgent", URGENT)):
        rows.append(row(run, *idle_time.run(serve(urgent)), model))
    show(rows)
    results.write("air_crowd", map(asdict, rows), results.surroundings("bumble"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
