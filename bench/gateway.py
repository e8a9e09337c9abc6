"""How many frames a second the gateway carries: its framing alone, and a whole process on one core.

The process stands between 1,000 TCP connections of this process and a daemon that only counts (or answers each frame
with one of 16 bytes, as an acknowledgement would be). `frames/CPU s` is what the gateway would do with a core of its
own. At saturation many frames come with each read; the paced row, one frame a read, is the dear one.
"""

import asyncio
import math
import multiprocessing
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import grpc.aio
import psutil
from attune_gateway.framing import StreamDecoder, encode
from attune_proto.v1.link_pb2 import DaemonBatch, Frame
from attune_proto.v1.link_pb2_grpc import NodeLinkServicer, add_NodeLinkServicer_to_server
from rich.console import Console
from rich.table import Table

from bench.output import results

CONNECTIONS = 1000
FRAME_BYTES = 96
ANSWER = encode(bytes(16))
FRAMES = 200_000
PACED_S = 5
SEED = 7


@dataclass(frozen=True)
class Row:
    """One line of the table; rates in frames a second, memory in MiB."""

    what: str
    frames: int
    rate: float
    rate_cpu: float
    rss_mib: float


class Counter(NodeLinkServicer):
    """Counts frames and, if asked, answers each."""

    def __init__(self, count: "Synchronized[int]", answers: bool) -> None:
        self._count = count
        self._answers = answers

    async def Attach(self, request_iterator: Any, context: Any) -> None:  # type: ignore[override] # noqa: N802
        while (batch := await context.read()) is not grpc.aio.EOF:
            if self._answers and batch.frames:
                frames = [Frame(link=frame.link, data=bytes(16)) for frame in batch.frames]
                await context.write(DaemonBatch(frames=frames))
            self._count.value += len(batch.frames)


def serve(target: str, count: "Synchronized[int]", answers: bool) -> None:
    """Runs the daemon's side until it is terminated."""

    async def forever() -> None:
        server = grpc.aio.server()
        add_NodeLinkServicer_to_server(Counter(count, answers), server)
        server.add_insecure_port(target)
        await server.start()
        await server.wait_for_termination()

    asyncio.run(forever())


def sample_frames(count: int) -> list[bytes]:
    """Frames of random bytes, as sealed ones look."""
    source = random.Random(SEED)
    return [encode(source.randbytes(FRAME_BYTES)) for _ in range(count)]


def framing_alone(what: str, frames_a_read: int) -> Row:
    """Reads of a few frames each, in turn for every connection."""
    reads = [b"".join(sample_frames(frames_a_read)) for _ in range(64)]
    decoders = [StreamDecoder() for _ in range(CONNECTIONS)]
    began, began_cpu = time.perf_counter(), time.process_time()
    for number in range(FRAMES // frames_a_read):
        decoders[number % CONNECTIONS].feed(reads[number % 64])
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    assert sum(decoder.counts.good for decoder in decoders) == FRAMES
    return Row(what, FRAMES, FRAMES / wall, FRAMES / cpu, psutil.Process().memory_info().rss / 2**20)


def encoding_alone() -> Row:
    """Frames for the nodes."""
    frames = [random.Random(SEED).randbytes(FRAME_BYTES) for _ in range(1000)]
    began, began_cpu = time.perf_counter(), time.process_time()
    for number in range(FRAMES):
        encode(frames[number % 1000])
    wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return Row("encode", FRAMES, FRAMES / wall, FRAMES / cpu, psutil.Process().memory_info().rss / 2**20)


@contextmanager
def counting_daemon(target: str, answers: bool) -> Iterator["Synchronized[int]"]:
    context = multiprocessing.get_context("spawn")
    count: Synchronized[int] = context.Value("q", 0)
    process = context.Process(target=serve, args=(target, count, answers))
    process.start()
    try:
        yield count
    finally:
        process.terminate()
        process.join()


@contextmanager
def gateway_process(target: str) -> Iterator[tuple[psutil.Process, int]]:
    command = "from attune_gateway.main import main; main()"
    arguments = ["--daemon", target, "--listen", "127.0.0.1:0", "--name", "bench"]
    process = subprocess.Popen([sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        handle = psutil.Process(process.pid)
        handle.cpu_affinity(handle.cpu_affinity()[:1])
        yield handle, int(line.rstrip(".\n").rpartition(":")[2])
    finally:
        process.terminate()
        process.communicate()


def through_process(what: str, frames_a_write: int, answers: bool, rate: float = math.inf) -> Row:
    """From the first byte written to the last frame counted (and answered)."""
    with tempfile.TemporaryDirectory() as folder:
        target = f"unix:{folder}/daemon.sock"
        with counting_daemon(target, answers) as count, gateway_process(target) as (gateway, port):
            nodes = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(CONNECTIONS)]
            exchange(nodes, count, 1, 1, answers=answers, rate=math.inf)
            before = gateway.cpu_times()
            began = time.perf_counter()
            frames_a_node = (FRAMES if rate == math.inf else int(PACED_S * rate)) // CONNECTIONS
            frames = exchange(nodes, count, frames_a_node, frames_a_write, answers=answers, rate=rate)
            wall = time.perf_counter() - began
            after = gateway.cpu_times()
            cpu = after.user + after.system - before.user - before.system
            row = Row(what, frames, frames / wall, frames / cpu, gateway.memory_info().rss / 2**20)
            for node in nodes:
                node.close()
            return row


def exchange(
    nodes: list[socket.socket],
    count: "Synchronized[int]",
    frames_a_node: int,
    frames_a_write: int,
    *,
    answers: bool,
    rate: float,
) -> int:
    """Every node sends so many frames, at most `rate` a second; returns when all are counted, and answered if asked."""
    start, total = count.value, len(nodes) * frames_a_node
    write = b"".join(sample_frames(frames_a_write))
    began = time.perf_counter()
    for number in range(total // frames_a_write):
        if (ahead := began + number * frames_a_write / rate - time.perf_counter()) > 0:
            time.sleep(ahead)
        nodes[number % len(nodes)].sendall(write)
    while count.value - start < total:
        time.sleep(0.001)
    if answers:
        for node in nodes:
            left = frames_a_node * len(ANSWER)
            while left:
                left -= len(node.recv(left))
    return total


def show(rows: list[Row]) -> None:
    table = Table(title=f"Gateway, frames of {FRAME_BYTES} bytes, {CONNECTIONS} connections")
    for heading in ("what", "frames", "frames/s", "frames/CPU s", "MiB"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        table.add_row(row.what, f"{row.frames:,}", f"{row.rate:,.0f}", f"{row.rate_cpu:,.0f}", f"{row.rss_mib:.0f}")
    Console().print(table)


def main() -> int:
    """Measures, prints a table and writes it to `results/gateway.csv`."""
    rows = [
        framing_alone("decode, 1 frame a read", 1),
        framing_alone("decode, 4 frames a read", 4),
        encoding_alone(),
        through_process("process, 1 frame a write", 1, answers=False),
        through_process("process, 4 frames a write", 4, answers=False),
        through_process("process, 4 frames a write, each answered", 4, answers=True),
        through_process("process, 1 frame a read, 5,000/s, each answered", 1, answers=True, rate=5000),
    ]
    show(rows)
    results.write("gateway", map(asdict, rows), {"seed": SEED, **results.surroundings("grpcio")})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
