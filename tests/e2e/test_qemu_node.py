"""The node core on a Cortex-M4F board in QEMU: the whole conversation with a daemon, resets, cut links, equal bytes."""

import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attune_core import Node
from attune_proto.v1 import node_pb2
from attuned.nodes.codes import read_code
from daemon_double import DaemonDouble, SilenceError, stream_of
from firmware_build import ROOT, firmware, symbol
from qemu_board import Board, code_of, dial, wait_until

from bench.daemon_side import DaemonSide, Talk, seeded_psk

HOST_NODE = Path(sys.executable).with_name("attune-node")
SEED = bytes(range(32))
ROOM_SENSOR = ["temperature", "humidity", "light", "co2", "pir"]
ROOM_SENSOR_BYTES = bytes([0x41, 0x42, 0x43, 0x44, 0x20])
WINDOW_S = 60
BLOCK = 4096

Start = Callable[..., tuple[Board, DaemonDouble]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts boards with the test image; each is running, connected and has said nothing yet."""
    boards: list[Board] = []
    daemons: list[DaemonDouble] = []

    def start_one(
        seed: bytes | None = SEED, flash: bytes | None = None, side: DaemonSide | None = None
    ) -> tuple[Board, DaemonDouble]:
        folder = tmp_path / f"board{len(boards)}"
        folder.mkdir()
        board = Board(folder, firmware() / "attune-node-test.elf", seed, flash)
        boards.append(board)
        daemons.append(DaemonDouble(board.dial_link(), side or DaemonSide(lambda _: read_code(board.code()).psk)))
        board.run()
        return board, daemons[-1]

    yield start_one
    for daemon in daemons:
        daemon.line.close()
    for board in boards:
        board.close()


def samples(windows: int, seed: int = 1, first: int = 0) -> list[tuple[int, int, float]]:
    """(tick in ms, sensor, value) for some windows of a room: levels every 20 s with gaps, motion now and then."""
    draw = random.Random(seed)
    rows: list[tuple[int, int, float]] = []
    for tick_ms in range(first * WINDOW_S * 1000 + 20_000, (first + windows) * WINDOW_S * 1000 + 1, 20_000):
        levels = [draw.gauss(21, 2), draw.uniform(20, 80), draw.expovariate(1 / 300), draw.gauss(700, 250)]
        rows += [(tick_ms, sensor, round(level, 3)) for sensor, level in enumerate(levels) if draw.random() < 0.9]
        if draw.random() < 0.3:
            rows.append((tick_ms, 4, float(draw.randint(1, 3))))
    return rows


def feed_lines(rows: list[tuple[int, int, float]]) -> str:
    """The rows as the sample feed's lines, and the time of the last window's end."""
    end_ms = -(-rows[-1][0] // (WINDOW_S * 1000)) * WINDOW_S * 1000
    return "".join(f"0 {tick_ms} {sensor} {value!r}\n" for tick_ms, sensor, value in rows) + f"@{end_ms}\n"


def reports_of(node: Node, rows: list[tuple[int, int, float]]) -> list[node_pb2.Report]:
    """What a node of the binding reports of the rows, each report acknowledged at once."""

    talk = Talk(node)

    def said() -> list[node_pb2.Report]:
        found = [message.report for message in talk.heard() if message.HasField("report")]
        for report in found:
            talk.tell(node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=report.seq)))
        return found

    node.link(True)
    talk.heard()
    talk.tell(node_pb2.DaemonMessage(time=node_pb2.Time(echo_tick_ms=0, utc_ms=1)))
    reports = []
    for tick_ms, sensor, value in rows:
        node.sample(sensor, tick_ms, value)
        reports += said()
    node.poll(-(-rows[-1][0] // (WINDOW_S * 1000)) * WINDOW_S * 1000)
    return reports + said()


def nats(reports: list[node_pb2.Report]) -> float:
    """Evidence for class 1, summed over reports."""
    return sum(int.from_bytes(report.evidence[:2], "little", signed=True) / 256 for report in reports)


def test_a_board_introduces_itself_and_reports(start: Start) -> None:
    board, daemon = start()
    hello = daemon.greet()
    assert (hello.window_s, hello.sensors) == (WINDOW_S, ROOM_SENSOR_BYTES)
    assert (len(hello.node_id), len(hello.schema), len(hello.release)) == (8, 8, 16)
    assert (hello.classes, hello.first_seq, hello.next_seq) == (2, 1, 1)
    assert (hello.class_capacity, hello.hardware) == (4, "mps2-an386")
    assert hello.firmware.endswith(" mps2-an386")
    assert daemon.health.reset_reason == node_pb2.RESET_REASON_POWER_ON
    assert daemon.health.reset_pc == 0

    board.feed(feed_lines(samples(3)))
    assert [(report.seq, report.end_s) for report in daemon.reports(3)] == [(1, 60), (2, 120), (3, 180)]


def test_equal_samples_give_the_bytes_of_the_binding(start: Start) -> None:
    rows = samples(windows=120, seed=7)
    board, daemon = start()
    hello = daemon.greet()
    board.feed(feed_lines(rows))
    seen = [report.SerializeToString() for report in daemon.reports(120)]

    node = Node(hello.node_id, hello.boot, ROOM_SENSOR, WINDOW_S)
    assert (node.facts.schema, node.facts.release) == (hello.schema, hello.release)
    assert seen == [report.SerializeToString() for report in reports_of(node, rows)]


def test_equal_samples_give_the_bytes_of_the_host_port(start: Start, tmp_path: Path) -> None:
    rows = samples(windows=60, seed=11)
    board, daemon = start()
    hello = daemon.greet()
    board.feed(feed_lines(rows))
    seen = [report.SerializeToString() for report in daemon.reports(60)]

    (tmp_path / "feed").write_text(feed_lines(rows))
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [str(HOST_NODE), "--gateway", f"127.0.0.1:{server.getsockname()[1]}", "--id", hello.node_id.hex()]
        command += ["--sensors", ",".join(ROOM_SENSOR), "--samples", str(tmp_path / "feed"), "--identity-seed", "1"]
        with subprocess.Popen(command) as process:
            host = DaemonDouble(server.accept()[0], DaemonSide(seeded_psk))
            assert host.greet().release == hello.release
            assert [report.SerializeToString() for report in host.reports(60)] == seen
            assert process.wait(timeout=20) == 0
            host.line.close()


def test_a_key_on_the_console_is_a_press_of_the_button(start: Start) -> None:
    board, daemon = start()
    boot = daemon.greet().boot
    board.feed(feed_lines(samples(12)))
    daemon.reports(12)
    for number, (key, class_index) in enumerate([("o", 1), ("x\nf", 0)], 1):
        board.type(key)
        button = daemon.wait_for("button").button
        assert (button.press, button.class_index, button.tick_ms) == (number, class_index, 12 * 60_000)
        daemon.send(node_pb2.DaemonMessage(button_ack=node_pb2.ButtonAck(boot=boot, press=number)))
    board.feed("0 725000 button occupied\n")
    button = daemon.wait_for("button").button
    assert (button.press, button.class_index, button.tick_ms) == (3, 1, 725_000)


def test_the_reset_button_keeps_the_node_and_changes_the_boot(start: Start) -> None:
    board, daemon = start()
    first = daemon.greet()
    board.feed(feed_lines(samples(2)))
    daemon.reports(2)
    board.reset()
    second = daemon.greet()
    assert second.node_id == first.node_id
    assert second.boot != first.boot
    assert (second.first_seq, second.next_seq) == (1, 1)
    assert daemon.health.reset_reason == node_pb2.RESET_REASON_UNSPECIFIED
    board.feed(feed_lines(samples(2)))
    assert [report.seq for report in daemon.reports(2)] == [1, 2]


@pytest.mark.parametrize(
    ("command", "reason", "function"),
    [
        ("!fault", node_pb2.RESET_REASON_FAULT, "attune_test_fault"),
        ("!hang", node_pb2.RESET_REASON_WATCHDOG, "attune_test_hang"),
        ("!overflow", node_pb2.RESET_REASON_FAULT, None),
    ],
)
def test_health_tells_why_and_where_the_last_run_ended(
    start: Start, command: str, reason: int, function: str | None
) -> None:
    board, daemon = start()
    first = daemon.greet()
    board.feed(f"{command}\n")
    second = daemon.greet()
    assert (second.node_id, second.boot != first.boot) == (first.node_id, True)
    assert daemon.health.reset_reason == reason
    if function is None:
        # The stack is gone, and with it the place where the program was.
        assert daemon.health.reset_pc == 0
    else:
        assert daemon.health.reset_pc in symbol(firmware() / "attune-node-test.elf", function)

    # Told once: the next reset has a reason of its own.
    board.reset()
    daemon.greet()
    assert (daemon.health.reset_reason, daemon.health.reset_pc) == (node_pb2.RESET_REASON_UNSPECIFIED, 0)


def test_a_cut_link_loses_no_report(start: Start) -> None:
    board, daemon = start()
    daemon.greet()
    board.feed(feed_lines(samples(5)))
    before = daemon.reports(5)
    daemon.line.close()
    board.feed(feed_lines(samples(20, first=5)))

    again = DaemonDouble(board.dial_link(), daemon.side)
    again.ask_for_hello()
    hello = again.greet()
    assert hello.boot == daemon.hello.boot
    # The last acknowledgements may have been cut off with the link.
    assert 1 <= hello.first_seq <= 6
    after = again.reports_to(25 * WINDOW_S)
    seen = {report.seq: report for report in [*before, *after]}
    assert sorted(seen) == list(range(1, 26))
    assert again.health.dropped_reports == 0
    again.line.close()


def test_what_nobody_takes_waits_in_flash_and_outlives_a_reset(start: Start) -> None:
    """With a session 56 reports in RAM send 48 of them to flash: of 150, the last 54 go with the reset."""
    board, daemon = start()
    first = daemon.greet()
    board.feed(feed_lines(samples(150)))
    daemon.listen_until_silent(seconds=2.0)
    board.reset()
    second = daemon.greet()
    assert (second.first_seq, second.next_seq, second.boot != first.boot) == (1, 1, True)
    board.feed(feed_lines(samples(3)))
    found: dict[int, dict[int, int]] = {first.boot: {}, 0: {}}
    while (len(found[first.boot]), len(found[0])) != (96, 3):
        report = daemon.wait_for("report").report
        ends = found[report.boot]
        ends[report.seq] = report.end_s
        through = next(seq for seq in range(1, 200) if seq not in ends) - 1
        daemon.send(node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=through, boot=report.boot)))
    assert found == {
        first.boot: {seq: 60 * seq for seq in range(1, 97)},
        0: {seq: 60 * seq for seq in range(1, 4)},
    }
    assert (daemon.health.dropped_reports, daemon.health.stack_free > 512) == (0, True)


def test_garbage_on_the_line_is_counted_and_the_node_goes_on(start: Start) -> None:
    board, daemon = start()
    daemon.greet()
    good = stream_of(daemon.side.seal(node_pb2.DaemonMessage()))
    damaged = bytes([good[0], good[1] ^ 0x40, *good[2:]])
    daemon.line.sendall(b"\xff" * 2000 + b"\0" + damaged + good[:3] + b"\0")
    board.feed("this is no sample\n0 1000 99 1.0\n0 2000 0 nan\n" + feed_lines(samples(1)))
    daemon.reports(1)
    daemon.ask_for_hello()
    daemon.greet()
    assert daemon.health.bad_frames >= 3
    assert daemon.health.refused_samples == 2
    assert daemon.health.stack_free > 512


def test_a_label_changes_what_the_node_says(start: Start) -> None:
    board, daemon = start()
    hello = daemon.greet()
    levels, levels_again = ([row for row in samples(10, first=first) if row[1] < 4] for first in (0, 10))
    node = Node(hello.node_id, hello.boot, ROOM_SENSOR, WINDOW_S)
    untaught = reports_of(node, levels + levels_again)[10:]
    board.feed(feed_lines(levels))
    before = daemon.reports(10)
    # The node has let go of these windows, so the label brings them along.
    windows = [node_pb2.LabelWindow(boot=hello.boot, seq=report.seq, features=report.features) for report in before[:8]]
    label = node_pb2.Label(number=1, class_index=1, weight=2560, from_s=0, to_s=480, windows=windows)
    daemon.send(node_pb2.DaemonMessage(label=label))
    answer = daemon.wait_for("label_ack").label_ack
    assert (answer.number, answer.part, answer.learned, answer.refused) == (1, 0, 8, 0)

    board.feed(feed_lines(levels_again))
    after = daemon.reports(10)
    assert [report.features for report in after] == [report.features for report in untaught]
    assert nats(after[:8]) > nats(untaught[:8]) + 1


def test_identity_and_keys_live_in_flash_and_the_boot_in_the_seed(start: Start) -> None:
    board, daemon = start()
    first = daemon.greet()
    flash = board.flash()

    # The other board goes on with the keys of the first, so it is owned by the first one's daemon.
    other, later = start(seed=SEED[::-1], flash=flash, side=daemon.side)
    second = later.greet()
    assert second.node_id == first.node_id
    assert second.boot != first.boot
    assert other.code() == board.code()

    _, stranger = start(seed=SEED[::-1])
    assert stranger.greet().node_id != first.node_id


def test_flash_keeps_the_rules_of_nor(start: Start) -> None:
    board, daemon = start()
    daemon.greet()
    board.feed("!flash\n")
    # Program, clear more bits; set a bit; past the end; read past the end; erase off a block's start; and past the end.
    wait_until(lambda: "flash 0021111." in board.console(), "the flash's results")
    assert board.flash()[-BLOCK:] == b"\x30\x0f" + b"\xff" * (BLOCK - 2)
    board.feed("!erase\n")
    wait_until(lambda: "erased." in board.console(), "erasing")
    assert board.flash()[-BLOCK:] == b"\xff" * BLOCK


def test_a_damaged_identity_is_made_again_from_its_seed(start: Start) -> None:
    board, daemon = start()
    first = daemon.greet()
    flash = bytearray(board.flash())
    flash[5] ^= 0x10
    _, later = start(flash=bytes(flash), side=daemon.side)
    assert later.greet().node_id == first.node_id


def test_without_a_seed_a_board_does_not_start_and_says_why(start: Start) -> None:
    board, daemon = start(seed=None)
    wait_until(lambda: "There is no seed" in board.console(), "the board's sentence")
    with pytest.raises(SilenceError):
        daemon.receive(seconds=2.0)
    assert board.console().count("There is no seed") == 1


def test_the_documented_command_runs_a_node(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "porting.md").read_text().partition("To run it by hand")[2]
    block = [line[4:] for line in text.splitlines()[2:] if line.startswith("    ")]
    assert block[0] == "make firmware"
    firmware()
    script = "exec " + "\n".join(block[2:])
    for documented, name in (("tcp:127.0.0.1:7001", "link"), ("tcp:127.0.0.1:7002", "feed")):
        assert documented in script
        script = script.replace(documented, f"unix:{tmp_path / name}")
    (tmp_path / "seed").write_bytes(SEED)
    script = script.replace("build/seed", str(tmp_path / "seed"))
    with (
        (tmp_path / "console").open("wb") as console,
        subprocess.Popen(["/bin/sh", "-c", script], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=console) as process,
    ):
        try:
            code = lambda _: read_code(code_of((tmp_path / "console").read_text())).psk  # noqa: E731
            daemon = DaemonDouble(dial(tmp_path / "link"), DaemonSide(code))
            daemon.ask_for_hello()
            assert daemon.greet().window_s == WINDOW_S
            daemon.line.close()
        finally:
            process.kill()
