"""What bad input gets, from the socket of a node to `attune nodes`: counted, told now and then, and dropped."""

import itertools
import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attune_core import Node
from attune_proto.v1 import node_pb2
from attuned.nodes.frames import SEALED, XXPSK0
from dialled import DialledNode, Line, dialled, stream_of
from installation import GATEWAY, Installation, installed, program, wait_until
from node_side import NodeSide

# Half a minute together: each case waits for what a whole installation makes of it.
pytestmark = pytest.mark.slow

GOOD = "00000001aaaaaaaa"
IMPOSTORS = [f"{i:08x}bbbbbbbb" for i in range(2, 60)]
SENSORS = ("temperature+mean", "co2+mean")
WIDEST = (1 << 32) - 1

# One after the other, for nodes that are there once and for boots that are there once.
fresh_node = iter(IMPOSTORS)
fresh_boot = itertools.count(1)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for all tests here: what harms it shows in every test that follows."""
    with installed(tmp_path_factory.mktemp("site"), {"1.01": [GOOD], "1.02": IMPOSTORS}, rate=60) as found:
        yield found


@pytest.fixture
def good(installation: Installation) -> Iterator[DialledNode]:
    """A node that does everything right, beside the one that does not."""
    with dialled(installation, GOOD, SENSORS, boot=next(fresh_boot), window_s=10) as node:
        yield node


def told(installation: Installation, node: str) -> dict[str, Any]:
    """The node in `attune nodes --json`."""
    command = [program("attune"), "--socket", str(installation.api_socket), "nodes", node, "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    (found,) = json.loads(answer.stdout)["nodes"]
    return dict(found)


def reports_on(node: DialledNode) -> None:
    """The node's next two windows arrive and are acknowledged."""
    before = node.acknowledged
    node.live_until(lambda: node.acknowledged >= before + 2, "The acknowledgement of two windows")


class Impostor:
    """A node that has never been there, on a line of its own, message by message as a test wants them."""

    def __init__(self, installation: Installation, **hello: Any) -> None:
        self._installation = installation
        self.node = next(fresh_node)
        self.node_id = bytes.fromhex(self.node)
        core = Node(self.node_id, 7, SENSORS).facts
        values: dict[str, Any] = {
            "node_id": self.node_id, "boot": 7, "tick_ms": 1000, "window_s": 60, "sensors": bytes([1, 4]),
            "schema": core.schema, "release": core.release, "classes": 2, "first_seq": 1, "next_seq": 1,
            "label_capacity": 64, "firmware": "bad",
        }  # fmt: skip
        self.hello = node_pb2.Hello(**(values | hello))
        self.side = NodeSide(self.node_id)
        installation.add_node(self.side.code)
        self.line = Line(installation.node_port)
        self.line.send(self.side.begin())
        self.line.send(self.side.finish(self._next_frame(XXPSK0)))
        self.side.open(self._next_frame(SEALED))

    def _next_frame(self, kind: int) -> bytes:
        deadline = time.monotonic() + 10
        while not (frames := [frame for frame in self.line.frames() if frame[0] == kind]):
            assert time.monotonic() < deadline, "The daemon has not answered."
            time.sleep(0.01)
        return frames[0]

    def messages(self) -> list[node_pb2.DaemonMessage]:
        return [self.side.open(frame) for frame in self.line.frames() if frame[0] == SEALED]

    def say(self, **body: Any) -> None:
        self.line.send(self.side.seal(node_pb2.NodeMessage(**body)))

    def greet(self, tick_ms: int = 1000) -> None:
        """Says hello, and answers the time with a tick."""
        self.say(hello=self.hello)
        self.tell_tick(tick_ms)

    def tell_tick(self, tick_ms: int) -> None:
        """Answers the time with a tick, once it has come."""
        deadline = time.monotonic() + 10
        while not (times := [m.time for m in self.messages() if m.HasField("time")]):
            assert time.monotonic() < deadline, "The daemon has not asked for a tick."
            time.sleep(0.01)
        self.say(time_ack=node_pb2.TimeAck(echo_tick_ms=times[-1].echo_tick_ms, tick_ms=tick_ms))

    def label(self, room: str) -> None:
        """Somebody labels the last minutes of a room, and does not wait for its nodes."""
        now = self._installation.now_utc_ms()
        self._installation.add_label(room, "free", now - 120_000, now, wait_ms=0)

    def report(self, **values: Any) -> None:
        defaults: dict[str, Any] = {"seq": 1, "end_s": 1, "features": bytes(4), "evidence": bytes(2)}
        self.say(report=node_pb2.Report(**(defaults | values)))


def test_a_stream_goes_on_after_damaged_frames(installation: Installation, good: DialledNode) -> None:
    reports_on(good)
    before = told(installation, GOOD)["bad_frames"]
    assert good.line is not None
    frame = bytes([SEALED]) + good.node_id[:4] + bytes(40)  # under no key of ours
    stream = stream_of(frame)
    corrupted = bytes([stream[0], stream[1] ^ 0x10, *stream[2:]])
    good.line.send_raw(stream[:4] + b"\0" + corrupted + b"\xff" * 5000 + b"\0")
    good.line.send(bytes([9]) + frame[1:], frame[:5] + b"\xff\xff\xff", bytes([SEALED]) + bytes(1100))
    good.line.send(frame)
    reports_on(good)
    # Cut, corrupted, endless and too long, as the gateway counts them; of unknown kind, too short, and forged,
    # as the daemon does.
    wait_until(lambda: told(installation, GOOD)["bad_frames"] >= before + 7, "The count of damaged frames", 5)
    # What was counted stays when the node dials in again.
    good.hang_up()
    good.dial()
    reports_on(good)
    found = told(installation, GOOD)
    assert (found["bad_frames"], found["windows_lost"]) == (before + 7, 0)


def test_damage_is_logged_now_and_then(installation: Installation, good: DialledNode) -> None:
    assert good.line is not None
    before = told(installation, GOOD)["bad_frames"]
    logged = [installation.log(name) for name in ("gateway", "daemon")]
    began_utc_ms = installation.now_utc_ms()
    for _ in range(300):
        good.line.send_raw(b"\xff" * 20 + b"\0")
        good.line.send(bytes([9]) + good.node_id)
    wait_until(lambda: told(installation, GOOD)["bad_frames"] >= before + 600, "The count of damaged frames", 5)
    reports_on(good)
    told_by = [installation.log(name)[len(log) :] for name, log in zip(("gateway", "daemon"), logged, strict=True)]
    # The gateway counts minutes of real time, the daemon those of its own clock.
    assert told_by[0].count(" damaged ") <= 1
    assert told_by[1].count("unknown kind") <= 1 + (installation.now_utc_ms() - began_utc_ms) / 60_000
    assert "unknown kind" in installation.log("daemon")


def test_who_dials_again_and_again_is_logged_as_seldom(installation: Installation, good: DialledNode) -> None:
    for _ in range(30):
        line = Line(installation.node_port)
        line.send_raw(b"\xff" * 20 + b"\0")
        line.close()
    reports_on(good)
    wait_until(lambda: " damaged " in installation.log("gateway"), "The gateway's complaint", 5)
    minutes = (time.time_ns() // 1_000_000 - installation.real_start_ms) / 60_000
    assert installation.log("gateway").count(" damaged ") <= 1 + minutes


def test_a_flood_of_hellos_holds_nobody_up(installation: Installation, good: DialledNode) -> None:
    impostor = Impostor(installation)
    for boot in range(5000):
        impostor.hello.boot = boot
        impostor.say(hello=impostor.hello)
        impostor.line.frames()
    unharmed(installation, good, impostor)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"features": bytes(6)}, "6 bytes of features instead of 4"),
        ({"features": bytes(700)}, "700 bytes of features instead of 4"),
        ({"evidence": bytes(3)}, "3 bytes of evidence"),
        ({"evidence": bytes(100)}, "100 bytes of evidence"),
        ({"seq": 0}, "far beyond the last one"),
        ({"seq": WIDEST}, "far beyond the last one"),
        ({"end_s": 7200}, "in the future"),
        ({"end_s": WIDEST}, "in the future"),
        ({"state": 256}, "state"),
        ({"state": WIDEST}, "state"),
    ],
)
def test_a_report_that_does_not_fit_is_refused_with_its_reason(
    installation: Installation, good: DialledNode, report: dict[str, Any], reason: str
) -> None:
    impostor = Impostor(installation)
    impostor.greet()
    impostor.report(**report)
    if reason == "in the future":
        # Not lost before its ticks have been compared with the daemon's clock once more.
        impostor.tell_tick(2000)
        assert told(installation, impostor.node)["refused"] == 0
        impostor.report(**report)
    wait_until(lambda: told(installation, impostor.node)["refused"] == 1, "The refusal", 5)
    found = told(installation, impostor.node)
    assert (reason in found["last_refusal"], found["windows"]) == (True, 0)
    reports_on(good)
    # A report that is refused stays refused when it is repeated, and is not counted again.
    impostor.report(**report)
    impostor.report(seq=2, end_s=1)
    wait_until(lambda: told(installation, impostor.node)["windows"] == 1, "The next good report", 5)


def test_readings_that_are_not_finite_are_refused_and_visible(installation: Installation, good: DialledNode) -> None:
    before = told(installation, GOOD)["refused"]
    for value in (float("nan"), float("inf"), float("-inf")):
        assert not good.core.sample(0, good.tick_ms, value)
    good.hang_up()
    good.dial()
    reports_on(good)
    found = told(installation, GOOD)
    assert (found["refused"] - before, "3 readings" in found["last_refusal"]) == (3, True)


def _give_an_unknown_reason(impostor: Impostor) -> None:
    impostor.greet()
    impostor.say(health={"reset_reason": 99})


def _lie_about_health(impostor: Impostor) -> None:
    impostor.greet()
    impostor.line.send_raw(b"\1\0")
    impostor.say(health=dict.fromkeys(("bad_frames", "backlog", "battery_mv", "uptime_s", "refused_samples"), WIDEST))
    time.sleep(1.2)  # the gateway tells of damage once a second


def _answer_time_for_ever(impostor: Impostor) -> None:
    impostor.say(hello=impostor.hello)
    for tick in range(2000):
        impostor.say(time_ack={"echo_tick_ms": tick, "tick_ms": tick})


def _exaggerate_what_was_learned(impostor: Impostor) -> None:
    impostor.greet()
    impostor.label("1.02")
    impostor.label("1.02")
    for number in (1, 2):
        impostor.say(label_ack={"number": number, "learned": WIDEST})


HOSTILE: dict[str, Callable[[Impostor], None]] = {
    "reset reason": _give_an_unknown_reason,
    "health": _lie_about_health,
    "tick of 64 bits": lambda impostor: impostor.greet(tick_ms=(1 << 64) - 1),
    "tick of 63 bits": lambda impostor: impostor.greet(tick_ms=(1 << 63) - 1),
    "tick beyond any report": lambda impostor: impostor.greet(tick_ms=1 << 43),
    "last tick of a report": lambda impostor: impostor.greet(tick_ms=(1000 << 32) - 1),
    "time answers": _answer_time_for_ever,
    "label answers": _exaggerate_what_was_learned,
}


@pytest.mark.parametrize("hello", [
    {"firmware": "\x1b[31mred\x07" + "x" * 300}, {"release": bytes(500)}, {"sensors": bytes(200)}, {"window_s": 0},
    {"window_s": WIDEST}, {"classes": WIDEST}, {"label_capacity": WIDEST, "label_windows": WIDEST}, {"schema": b""},
    {"first_seq": WIDEST, "next_seq": WIDEST}, {"tick_ms": (1 << 64) - 1},
])  # fmt: skip
def test_a_hello_that_does_not_fit_harms_nobody(
    installation: Installation, good: DialledNode, hello: dict[str, Any]
) -> None:
    impostor = Impostor(installation, **hello)
    impostor.say(hello=impostor.hello)
    impostor.say(time_ack=node_pb2.TimeAck(echo_tick_ms=impostor.hello.tick_ms, tick_ms=impostor.hello.tick_ms))
    unharmed(installation, good, impostor)
    assert "\x1b" not in (told(installation, impostor.node)["firmware"] or "")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_message_that_lies_harms_nobody(installation: Installation, good: DialledNode, name: str) -> None:
    impostor = Impostor(installation)
    HOSTILE[name](impostor)
    unharmed(installation, good, impostor)


def test_mutated_messages_harm_nobody(installation: Installation, good: DialledNode) -> None:
    draw = random.Random(5)
    impostor = Impostor(installation)
    impostor.greet()
    messages = [
        node_pb2.NodeMessage(hello=impostor.hello),
        node_pb2.NodeMessage(time_ack=node_pb2.TimeAck(echo_tick_ms=1000, tick_ms=1000)),
        node_pb2.NodeMessage(report=node_pb2.Report(seq=1, end_s=60, features=bytes(4), evidence=bytes(2), state=3)),
        node_pb2.NodeMessage(label_ack=node_pb2.LabelAck(number=1, part=0, learned=1)),
        node_pb2.NodeMessage(health=node_pb2.Health(uptime_s=9, reset_reason=node_pb2.RESET_REASON_FAULT)),
    ]
    for _ in range(3000):
        text = bytearray(draw.choice(messages).SerializeToString())
        for _ in range(draw.randrange(4)):
            text[draw.randrange(len(text))] = draw.randrange(256)
        frame = bytearray(impostor.side.seal(bytes(text)))
        if draw.random() < 0.1:
            frame[draw.randrange(len(frame))] ^= 1 << draw.randrange(8)
        impostor.line.send(bytes(frame))
        impostor.line.frames()
    unharmed(installation, good, impostor)


def unharmed(installation: Installation, good: DialledNode, impostor: Impostor) -> None:
    """The good node reports, the daemon tells of all nodes, labels are taken, and nobody was cut off."""
    reports_on(good)
    now = installation.now_utc_ms()
    assert installation.add_label("1.02", "free", now - 120_000, now, wait_ms=0).label.number >= 1
    assert installation.add_label("1.01", "free", now - 120_000, now, wait_ms=0).label.number >= 1
    time.sleep(0.4)  # a round of the daemon takes ten seconds of its clock
    told(installation, impostor.node)
    assert installation.status().nodes >= 1 + len(IMPOSTORS)
    log = installation.log("daemon")
    assert ("Traceback" in log, f"{GATEWAY} went away" in log) == (False, False), log[-3000:]


def test_sockets_are_closed_to_others(installation: Installation) -> None:
    for path in (installation.api_socket, installation.gateway_socket):
        assert path.stat().st_mode & 0o777 == 0o660
