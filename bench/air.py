"""What the air costs a node: packets and waits from its advertisement to the first report, and for updates; their time.

Nodes of the core, the gateway's radio and the daemon run in this process, over Bumble's virtual link; each packet of
L2CAP is counted there, and those of the link layer that carry it. A wait is one side having to hear the other before it
can go on; two are a round trip. A step's waits are those of its packets.

The virtual link has no connection intervals. The seconds of the second table are those of the same packets, in the
same order, under the model of bench/over_air/events.py. `limit` is the least that the interval allows: one for each
wait that no order of these messages does without. `with the node` adds what its processor takes at 64 MHz and one
instruction a cycle, counted under QEMU (mcu_firmware/tests/cost); all else in node, gateway and daemon takes no time.

Updates are those of a node with 24 features: each kind, and the largest envelope that a node collects, which says
nothing and is refused.
"""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.cost import count
from bench.output import results
from bench.over_air.envelopes import Envelope, envelopes, send
from bench.over_air.events import Interval, limit, pieces, replay
from bench.over_air.place import Place, gateway, node_id, place, until
from bench.over_air.steps import CONNECT, HANDSHAKE, Listener, Packet, packets

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "build/mps2_an386/mcu_firmware/ports/mps2_an386"
KINDS = ("temperature", "humidity", "light", "co2", "voc", "pm25", "sound", "power")
HERTZ = 64e6

# As the node asks for them: while much is to be said, and otherwise (mcu_firmware/ble/parameters.c).
INTERVALS = (Interval("fast", 0.015), Interval("slow", 0.5, latency=2))


@dataclass(frozen=True)
class Step:
    """Packets of L2CAP each way, those of the link layer, bytes of L2CAP, and waits."""

    what: str
    step: str
    down: int
    up: int
    link_layer: int
    bytes: int
    waits: int


@dataclass(frozen=True)
class Duration:
    """Seconds."""

    what: str
    interval: str
    seconds: float
    with_node: float
    limit: float


def steps(what: str, said: Sequence[Packet]) -> Iterator[Step]:
    """A row for each step, in the order of their beginning, and their sum."""
    waits = [p.up != before.up for before, p in zip([said[0], *said], said, strict=False)]
    for step in [*dict.fromkeys(packet.step for packet in said), "all"]:
        of = [(p, wait) for p, wait in zip(said, waits, strict=True) if step in (p.step, "all")]
        yield Step(
            what,
            step,
            down=sum(not p.up for p, _ in of),
            up=sum(p.up for p, _ in of),
            link_layer=sum(len(pieces(p.size)) for p, _ in of),
            bytes=sum(p.size for p, _ in of),
            waits=sum(wait for _, wait in of),
        )


def durations(what: str, said: Sequence[Packet], figures: dict[str, int]) -> Iterator[Duration]:
    """A row for each interval."""
    carried = [packet for packet in said if packet.step != CONNECT]
    thinking = thinking_s(what, carried, figures)
    for interval in INTERVALS:
        seconds, with_node = (replay(carried, interval, each) for each in ({}, thinking))
        yield Duration(what, interval.name, seconds, with_node, limit(carried, interval))


def thinking_s(what: str, said: Sequence[Packet], figures: dict[str, int]) -> dict[int, float]:
    """What the node computes before a packet. Of a handshake it is three of five products of X25519 before its first
    message, and the others after the answer."""
    first: dict[str, int] = {}
    for number, packet in enumerate(said):
        if packet.up:
            first.setdefault(packet.step, number)
    handshake_s = figures["handshake"] / HERTZ
    kind = what.partition(",")[0]
    judged = sum(figures.get(f"{kind} {work}", figures.get(f"model {work}", 0)) for work in ("verify", "apply"))
    found = {HANDSHAKE: 3 / 5 * handshake_s, "hello": 2 / 5 * handshake_s, "update verdict": judged / HERTZ}
    return {first[step]: seconds for step, seconds in found.items() if step in first}


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Place, bytes, Listener]]:
    """A node that was commissioned before and has a report, from its first advertisement until that is acknowledged."""
    with tempfile.TemporaryDirectory() as folder:
        async with place(Path(folder), KINDS) as made:
            listener = Listener(made.site.trust)
            ident = node_id()
            node = made.make(ident)
            await made.commission(node)
            made.let_pass(1)
            await node.start()
            async with gateway(made, Path(folder)):
                await until(lambda: not node.node.facts.waiting, "the acknowledgement of a report")
                yield made, ident, listener


async def first_report() -> list[Packet]:
    """From the connection to the acknowledgement of the report."""
    async with connected() as (made, _, listener):
        said = packets(made.ether.sent, listener.name)
    return until_step(said, "report ack")


async def update(envelope: Envelope) -> list[Packet]:
    """From the daemon's first word to the verdict."""
    async with connected() as (made, ident, listener):
        await asyncio.sleep(0.5)
        made.ether.clear()
        await send(made.site, ident, envelope)
        said = packets(made.ether.sent, listener.name)
    begun = next(n for n, packet in enumerate(said) if packet.step.startswith("update"))
    return until_step(said[begun:], "update verdict")


def until_step(said: list[Packet], step: str) -> list[Packet]:
    """Up to the last packet of the first frame of that step."""
    begin = next(n for n, packet in enumerate(said) if packet.step == step)
    same = next(len(list(group)) for _, group in groupby(said[begin:], key=lambda packet: packet.step))
    return said[: begin + same]


def show(rows: Sequence[Step], times: Sequence[Duration]) -> None:
    """Both tables."""
    table = Table(title="packets, as they were on the virtual link")
    for column in ("", "step", "down", "up", "link layer", "bytes", "waits"):
        table.add_column(column, justify="left" if column in ("", "step") else "right")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in asdict(row).values()))
    Console(width=110).print(table)
    table = Table(title="the same under the model of the link layer, seconds")
    for column in ("", "interval", "model", "with the node", "limit"):
        table.add_column(column, justify="left" if column in ("", "interval") else "right")
    for time in times:
        table.add_row(time.what, time.interval, *(f"{each:.3f}" for each in (time.seconds, time.with_node, time.limit)))
    Console(width=110).print(table)


async def measure() -> dict[str, list[Packet]]:
    """The packets of each case."""
    cases = {"first report": await first_report()}
    for envelope in envelopes():
        cases[f"{envelope.name}, {len(envelope.data)} bytes"] = await update(envelope)
    return cases


def main() -> int:
    """Prints both tables and writes them to `results/`."""
    subprocess.run(["make", "--silent", "firmware"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    figures = {**count(IMAGES / "attune-cost-session.elf").figures, **count(IMAGES / "attune-cost-update.elf").figures}
    cases = asyncio.run(measure())
    rows = [row for what, said in cases.items() for row in steps(what, said)]
    times = [time for what, said in cases.items() for time in durations(what, said, figures)]
    show(rows, times)
    results.write("air", map(asdict, rows), results.surroundings("bumble"))
    results.write("air-time", map(asdict, times), results.surroundings("bumble"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
