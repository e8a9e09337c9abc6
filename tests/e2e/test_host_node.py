"""attune-node and attune-sim against a small server that speaks the wire format without any of the core's code."""

import asyncio
import json
import re
import signal
import struct
from pathlib import Path

import pytest
from attune_core import Node
from attune_proto.v1 import node_pb2
from attuned.nodes.frames import EVERY_NODE, call
from installation import program
from node_server import Server, contiguous, serving

from bench.daemon_side import Talk

SENSORS = ["temperature", "humidity+mean+spread", "co2", "pir"]
NODE_ID = bytes.fromhex("a1b2c3d4e5f60718")
BOOT = 0x0BADCAFE


async def start(name: str, *arguments: str | Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = [program(name), *map(str, arguments)]
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)


def gateway(server: Server) -> tuple[str, ...]:
    return "--gateway", f"127.0.0.1:{server.port}", "--identity-seed", "1"


def node_arguments(server: Server) -> tuple[str, ...]:
    return (*gateway(server), "--id", NODE_ID.hex(), "--sensors", ",".join(SENSORS), "--boot", f"{BOOT:08x}")


Sample = tuple[int, int, float]


def samples(windows: int) -> list[Sample]:
    """(tick_ms, sensor, value) for some minutes, with a gap in each sensor now and then and odd numbers."""
    rows: list[Sample] = []
    for tick in range(5_000, windows * 60_000, 5_000):
        step = tick // 5_000
        if step % 97 > 20:
            rows.append((tick, 0, 21.0 + (step % 13) * 0.137))
        rows.append((tick, 1, 40.0 + (step * 7919 % 101) / 17.0))
        rows.append((tick + 1, 2, 450.25 + step * 3.3))
        if step % 11 == 0:
            rows.append((tick + 2, 3, 1.0))
    return rows


def feed(rows: list[Sample], windows: int, nodes: int = 1) -> bytes:
    lines = [f"{node} {tick} {sensor} {value!r}" for tick, sensor, value in rows for node in range(nodes)]
    return ("\n".join([*lines, f"@{windows * 60_000}"]) + "\n").encode()


def reports_of_the_binding(rows: list[Sample], windows: int) -> dict[int, bytes]:
    """What attune_core's Node reports for the same samples, acknowledged at once."""
    node = Node(NODE_ID, BOOT, SENSORS, 60)
    talk = Talk(node)
    node.link(True)
    held: dict[int, bytes] = {}
    talk.heard()
    talk.tell(node_pb2.DaemonMessage(time=node_pb2.Time(echo_tick_ms=0, utc_ms=1)))
    for tick, sensor, value in rows:
        node.sample(sensor, tick, value)
    node.poll(windows * 60_000)
    while messages := talk.heard():
        for message in messages:
            if message.WhichOneof("body") == "report":
                held[message.report.seq] = message.report.SerializeToString()
        talk.tell(node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=contiguous(held))))
    return held


async def test_a_node_process_a_simulated_node_and_the_binding_report_the_same_bytes(tmp_path: Path) -> None:
    windows = 60  # the binding's node holds all of them until it is asked
    rows = samples(windows)
    expected = reports_of_the_binding(rows, windows)
    assert sorted(expected) == list(range(1, windows + 1))
    path = tmp_path / "samples.txt"
    path.write_bytes(feed(rows, windows))
    roster = tmp_path / "nodes.txt"
    roster.write_text(f"# the only node\n{NODE_ID.hex()} 60 {','.join(SENSORS)}\n")
    async with serving(Server()) as node_server, serving(Server()) as sim_server:
        node = await start("attune-node", *node_arguments(node_server), "--samples", path)
        sim = await start("attune-sim", *gateway(sim_server), "--nodes", roster, "--hold", "8", "--stats")
        output, errors = await asyncio.wait_for(sim.communicate(path.read_bytes()), 20)
        said = await asyncio.wait_for(node.communicate(), 20)
        assert (re.fullmatch(rb"Code: ([A-Z2-7]{4}-){8}[A-Z2-7]{2}\n", said[0]) is None, said[1]) == (False, b"")
        assert node.returncode == 0
    assert (errors, sim.returncode) == (b"", 0)
    assert json.loads(output)["reports"] == windows
    assert node_server.reports == {NODE_ID[:4]: expected}
    assert sim_server.reports == {NODE_ID[:4]: expected}


async def test_hello_says_who_the_node_is_and_reports_wait_for_the_time() -> None:
    async with serving(Server()) as server:
        node = await start("attune-node", *node_arguments(server), "--window", "10", "--samples", "-")
        await asyncio.wait_for(node.communicate(b"@20000\n"), 20)
    hello = server.hellos[0]
    assert (hello.node_id, hello.boot, hello.window_s) == (NODE_ID, BOOT, 10)
    # Kind numbers of the wire: temperature 1, humidity 2, CO2 4, PIR 32; bit 6 of a level stands for slope and
    # variation, bit 7 for the spread.
    assert hello.sensors == bytes([0x41, 0x82, 0x44, 32])
    assert server.health[0].backlog <= 2
    assert sorted(server.reports[NODE_ID[:4]]) == [1, 2]


async def test_a_node_dials_again_and_repeats_what_was_not_acknowledged() -> None:
    server = Server(acknowledge=False)
    async with serving(server):
        node = await start("attune-node", *node_arguments(server), "--samples", "-", "--verbose")
        assert node.stdin is not None
        node.stdin.write(feed(samples(3), 3))
        await server.until(lambda: server.count() == 3)
    server.acknowledge = True
    async with serving(server):
        _, errors = await asyncio.wait_for(node.communicate(b""), 20)
    assert node.returncode == 0
    assert errors.decode().count("is down") >= 1
    assert len(re.findall(r"Node 0 runs release \w{32}, highest update 0, on trial 0\.\n", errors.decode())) == 1
    assert len(server.hellos) >= 2
    assert server.repeated >= 3
    assert sorted(server.reports[NODE_ID[:4]]) == [1, 2, 3]


async def test_sigterm_ends_a_node_cleanly_while_nobody_listens() -> None:
    async with serving(Server()) as server:
        pass
    node = await start("attune-node", *node_arguments(server))
    await asyncio.sleep(0.5)
    node.send_signal(signal.SIGTERM)
    said, complaints = await asyncio.wait_for(node.communicate(), 5)
    assert (said.startswith(b"Code: "), complaints, node.returncode) == (True, b"", 0)


async def test_unacknowledged_reports_are_named_at_the_end(tmp_path: Path) -> None:
    roster = tmp_path / "nodes.txt"
    roster.write_text(f"{NODE_ID.hex()} 60 co2\n")
    async with serving(Server(acknowledge=False)) as server:
        sim = await start("attune-sim", *gateway(server), "--nodes", roster, "--drain", "1")
        _, errors = await asyncio.wait_for(sim.communicate(b"@120000\n"), 10)
    assert sim.returncode == 1
    assert errors.decode().startswith("attune-sim: 2 reports were not acknowledged")


async def test_damaged_lines_and_readings_are_counted_and_skipped(tmp_path: Path) -> None:
    roster = tmp_path / "nodes.txt"
    roster.write_text(f"{NODE_ID.hex()} 60 co2,pir\n")
    good = ["0 1000 0 400", "0 2000 0 5e2\r", "  0\t3000  0 .6e3", "@60000"]
    bad = [
        "x",
        "0 1 0",
        "0 1 0 4 0",
        "7 1 0 4",
        "@",
        "@-1",
        "0 -1 0 4",
        "0 1 0 0x10",
        "0 1 0 1e",
        "0 1 256 4",
        "9" * 200,
    ]
    refused = ["0 61000 0 nan", "0 61000 0 -inf", "0 61000 9 1", "0 61000 1 -2", "0 1000 0 400"]
    text = "\n".join(["# a comment" + "!" * 200, "", *bad, *good, *refused])
    async with serving(Server()) as server:
        sim = await start("attune-sim", *gateway(server), "--nodes", roster, "--stats")
        output, errors = await asyncio.wait_for(sim.communicate(text.encode()), 10)
    statistics = json.loads(output)
    assert (statistics["lines_malformed"], statistics["samples_refused"], errors) == (len(bad), len(refused), b"")
    assert statistics["reports"] == 1


async def test_a_label_reaches_one_node_of_a_shared_link(tmp_path: Path) -> None:
    roster = tmp_path / "nodes.txt"
    roster.write_text("".join(f"{n:02x}000001{n:08x} 60 co2\n" for n in (1, 2, 3)))
    async with serving(Server()) as server:
        sim = await start("attune-sim", *gateway(server), "--nodes", roster, "--links", "1", "--stats")
        assert sim.stdin is not None
        sim.stdin.write(b"@60000\n")
        await server.until(lambda: server.count() == 3)
        hint = bytes.fromhex("02000001")
        window = node_pb2.LabelWindow(boot=1, seq=9, features=struct.pack("<3h", 100, 0, 0))
        label = node_pb2.Label(number=1, class_index=1, weight=256, windows=[window])
        server.links[0].send(hint, node_pb2.DaemonMessage(label=label))
        await server.until(lambda: len(server.label_acks) == 1)
        # A hint of zeros speaks to all of them.
        server.links[0].put(call(EVERY_NODE))
        await server.until(lambda: len(server.hellos) == 6)
        output, _ = await asyncio.wait_for(sim.communicate(b""), 10)
    assert (len(server.links), server.label_acks[0].learned) == (1, 1)
    assert json.loads(output)["labels_learned"] == 1


@pytest.mark.parametrize(("links", "expected"), [((), 256), (("--links", "4"), 4)])
async def test_a_thousand_nodes_connect_and_report(tmp_path: Path, links: tuple[str, ...], expected: int) -> None:
    nodes, windows = 1000, 3
    roster = tmp_path / "nodes.txt"
    roster.write_text("".join(f"{n + 1:08x}00000000 10 temperature,pir\n" for n in range(nodes)))
    lines = [
        line
        for tick in range(10_000, windows * 10_000 + 1, 10_000)
        for line in [*(f"{n} {tick - 5000} 0 {20 + n / 100}" for n in range(nodes)), f"@{tick}"]
    ]
    async with serving(Server()) as server:
        arguments = (*gateway(server), "--nodes", str(roster), "--stats", "--boot-seed", "7", *links)
        sim = await start("attune-sim", *arguments)
        output, errors = await asyncio.wait_for(sim.communicate("\n".join(lines).encode()), 60)
    assert (sim.returncode, errors) == (0, b"")
    statistics = json.loads(output)
    assert (statistics["links_up"], len(server.links)) == (expected, expected)
    assert statistics["reports_dropped"] == 0
    assert {len(held) for held in server.reports.values()} == {windows}
    assert len(server.reports) == nodes
    assert len({hello.boot for hello in server.hellos}) == nodes


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--gateway", "nowhere"), "--gateway: it has to be HOST:PORT."),
        (("--gateway", "127.0.0.1:1", "--id", "12"), "--id: a node id has 16 hex digits."),
        (("--gateway", "127.0.0.1:1", "--id", "0000000012345678"), "--id: a node id must not begin with eight zeros"),
        (("--gateway", "127.0.0.1:1", "--sensors", "co3"), "--sensors: sensors are kinds such as temperature"),
        (("--gateway", "127.0.0.1:1", "--sensors", "pir+spread"), "--sensors: after a level may follow +mean"),
        (("--gateway", "127.0.0.1:1", "--sensors", "co2+history"), "--sensors: after a level may follow +mean"),
        (
            ("--gateway", "127.0.0.1:1", "--sensors", ",".join(["co2"] * 9)),
            "--sensors: these sensors have more than 24 features; write +mean after",
        ),
        (("--gateway", "127.0.0.1:1", "--window", "5"), "--window: a window lasts 10 to 600 seconds."),
        (("--gateway", "127.0.0.1:1", "--samples", "/nowhere"), "The samples in /nowhere cannot be read"),
        (("--gateway", "127.0.0.1:1", "--flash", "/nowhere/flash"), "The flash in /nowhere/flash cannot be opened"),
        (("--gateway", "127.0.0.1:1", "--boot", "xyz"), "--boot has to be a whole number"),
        (("--gateway", "127.0.0.1:1", "--samples", "-", "--rate", "0"), "--rate has to be a number above zero"),
        (("--colour",), "There is no option --colour; --help names them all."),
        (("--gateway",), "The option --gateway needs a value; --help says which."),
        ((), "The option --gateway is missing; --help says what it means."),
    ],
)
async def test_wrong_usage_gets_one_sentence_and_exit_code_2(arguments: tuple[str, ...], says: str) -> None:
    defaults = {"--id": NODE_ID.hex(), "--sensors": "co2"}
    given = [item for name, value in defaults.items() if name not in arguments for item in (name, value)]
    node = await start("attune-node", *given, *arguments)
    output, errors = await asyncio.wait_for(node.communicate(), 5)
    assert (node.returncode, output, errors.decode().count("\n")) == (2, b"", 1)
    assert errors.decode().startswith(f"attune-node: {says}")


async def test_a_flash_is_of_one_node_and_one_process(tmp_path: Path) -> None:
    flash = tmp_path / "flash"
    given = ["--gateway", "127.0.0.1:1", "--sensors", "co2", "--flash", str(flash)]
    node = await start("attune-node", *given, "--id", NODE_ID.hex())
    assert node.stdout is not None
    code = await asyncio.wait_for(node.stdout.readline(), 5)
    second = await start("attune-node", *given, "--id", NODE_ID.hex())
    _, errors = await asyncio.wait_for(second.communicate(), 5)
    assert (second.returncode, b"is in use: end the other process first" in errors) == (1, True)
    node.kill()
    await node.wait()
    other = await start("attune-node", *given, "--id", "a1b2c3d4e5f60719")
    _, errors = await asyncio.wait_for(other.communicate(), 5)
    assert (other.returncode, b"is not the flash of node 0" in errors) == (2, True)
    again = await start("attune-node", *given, "--id", NODE_ID.hex())
    assert again.stdout is not None
    assert await asyncio.wait_for(again.stdout.readline(), 5) == code
    again.kill()
    await again.wait()
    flash.write_bytes(flash.read_bytes()[:4096] + bytes(range(1, 256)) * 64)
    broken = await start("attune-node", *given, "--id", NODE_ID.hex())
    assert broken.stdout is not None
    # What is no file system is made one: the node has lost everything, its code among it.
    assert await asyncio.wait_for(broken.stdout.readline(), 5) != code
    broken.kill()
    await broken.wait()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no node"),
        ("a1b2c3d4e5f60718 60\n", "line 1: a line is `NODE_ID WINDOW_S SENSOR,SENSOR,...`."),
        ("# nodes\na1b2c3d4e5f60718 601 co2\n", "line 2: a window lasts 10 to 600 seconds."),
        ("a1b2c3d4e5f60718 60 co2\na1b2c3d4ffffffff 60 co2\n", "Nodes 0 and 1 have ids with the same first eight"),
    ],
)
async def test_a_wrong_node_file_gets_one_sentence_and_exit_code_2(tmp_path: Path, text: str, says: str) -> None:
    roster = tmp_path / "nodes.txt"
    roster.write_text(text)
    sim = await start("attune-sim", "--gateway", "127.0.0.1:1", "--nodes", roster)
    output, errors = await asyncio.wait_for(sim.communicate(), 5)
    assert (sim.returncode, output, errors.decode().count("\n")) == (2, b"", 1)
    assert says in errors.decode()


async def test_feed_lines_press_the_buttons_of_simulated_nodes(tmp_path: Path) -> None:
    roster = tmp_path / "nodes.txt"
    ids = [NODE_ID, bytes.fromhex("b1b2c3d4e5f60718")]
    roster.write_text("".join(f"{node.hex()} 60 co2\n" for node in ids))
    lines = b"1 70000 button occupied\n1 80000 button free\n2 80000 button free\n0 80000 button maybe\n@120000\n"
    async with serving(Server()) as server:
        process = await start("attune-sim", *gateway(server), "--nodes", roster, "--stats", "--drain", "10")
        output, _ = await process.communicate(lines)
        # Until they are acknowledged they may come again.
        pressed = list(dict.fromkeys(server.presses))
        assert pressed == [(ids[1][:4], 1, 1, 70_000), (ids[1][:4], 2, 0, 80_000)]
        # One line for a node that there is not, and one for a class that there is not.
        assert json.loads(output)["lines_malformed"] == 2
