"""A whole node through the binding, spoken to in protobuf as the daemon would."""

import struct

import numpy as np
import pytest
from attune_core import MISSING, Filter, Head, Node, Schema, Windower
from attune_proto.v1 import node_pb2

from bench.daemon_side import Talk

NODE_ID = bytes.fromhex("0102030405060708")
SENSORS = ["co2", "temperature"]


def started(windows: int = 0) -> Talk:
    """A node with its link up and the time told, that has closed some windows."""
    node = Node(NODE_ID, 77, SENSORS, 60)
    talk = Talk(node)
    node.link(True)
    tick = talk.heard()[0].hello.tick_ms
    talk.tell(node_pb2.DaemonMessage(time=node_pb2.Time(echo_tick_ms=tick, utc_ms=1)))
    for window in range(windows):
        node.sample(0, window * 60_000 + 1, 500.0 + 50 * window)
        node.sample(1, window * 60_000 + 1, 21.0)
        node.poll((window + 1) * 60_000)
    return talk


def reports(talk: Talk) -> list[node_pb2.Report]:
    return [message.report for message in talk.heard() if message.WhichOneof("body") == "report"]


def test_reports_hold_what_windower_head_and_filter_say() -> None:
    talk = started(5)
    node = talk.node
    schema = Schema(SENSORS, 60)
    head, digest = Head.factory(schema)
    assert (node.facts.release, node.facts.schema) == (digest, schema.hash)
    windower, steady = Windower(schema), Filter()
    ticks = np.repeat(np.arange(5) * 60_000 + 1, 2)
    values = np.array([[500.0 + 50 * i, 21.0] for i in range(5)]).ravel()
    before = windower.samples(np.tile([0, 1], 5), ticks, values)[1]
    features = np.concatenate([before, windower.advance(300_000)[1]])
    evidence, known = head.predict(features)
    probabilities = steady.run(evidence, known)
    for i, report in enumerate(reports(talk)):
        k = int(probabilities[i].argmax())
        assert (report.seq, report.end_s) == (i + 1, 60 * (i + 1))
        assert report.features == features[i].astype("<i2").tobytes()
        assert struct.unpack("<h", report.evidence) == (round(float(evidence[i, 0]) * 256),)
        assert report.state == k | round(float(probabilities[i, k]) * 15) << 4


def test_the_newest_report_is_readable_until_it_is_acknowledged() -> None:
    talk = started(2)
    node = talk.node
    sent = reports(talk)[-1]
    newest = node.newest_report
    assert newest is not None
    assert (newest.seq, newest.end_s) == (sent.seq, sent.end_s)
    assert newest.features.astype("<i2").tobytes() == sent.features
    assert newest.evidence == tuple(value / 256 for value in struct.unpack("<h", sent.evidence))
    talk.tell(node_pb2.DaemonMessage(report_ack=node_pb2.ReportAck(through=2)))
    assert (node.newest_report, node.facts.through, node.facts.waiting, node.facts.next_seq) == (None, 2, 0, 3)


def test_a_label_changes_the_head_as_learning_does() -> None:
    talk = started(3)
    node = talk.node
    report = reports(talk)[0]
    window = node_pb2.LabelWindow(boot=77, seq=1, features=report.features)
    label = node_pb2.Label(number=5, class_index=1, weight=512, windows=[window])
    release = node.head()
    assert release.kind == Head.factory_kind
    talk.tell(node_pb2.DaemonMessage(label=label))
    assert node.facts.label_windows == 1
    release.learn(np.frombuffer(report.features, "<i2").reshape(1, -1), [1], [2.0])
    assert node.head().export() == release.export()
    acks = [message.label_ack for message in talk.heard() if message.WhichOneof("body") == "label_ack"]
    assert [(ack.number, ack.learned, ack.refused) for ack in acks] == [(5, 1, 0)]


def test_frames_of_others_and_frames_of_nobody() -> None:
    talk = started()
    node, hint = talk.node, NODE_ID[:4]
    node.receive(b"\x05\x09\x09\x09\x09\x00")
    node.receive(b"\x04\x09\x09\x09\x09" + bytes(40))
    assert [message.WhichOneof("body") for message in talk.heard()] == ["time_ack", "health"]
    assert node.facts.bad_frames == 0
    clear = node_pb2.DaemonMessage(hello_request=node_pb2.HelloRequest()).SerializeToString()
    for bad in (b"", b"\x04\x01", b"\x07" + hint, b"\x01" + hint + clear, b"\x04" + hint + bytes(40), b"\x05" + hint):
        before = node.facts.bad_frames
        node.receive(bad)
        assert node.facts.bad_frames == before + 1
    assert talk.heard() == []


def test_a_call_has_the_node_begin_a_handshake_and_say_hello() -> None:
    talk = started()
    talk.heard()
    before = talk.side.handshakes
    talk.node.receive(b"\x05" + bytes(4) + b"\x00")
    assert [message.WhichOneof("body") for message in talk.heard()] == ["hello"]
    assert talk.side.handshakes == before + 1


def test_readings_that_are_none_are_refused_and_counted() -> None:
    talk = started()
    node = talk.node
    assert node.sample(0, 1, 500.0)
    refused = [(0, float("nan")), (0, float("inf")), (2, 1.0)]
    assert not any(node.sample(sensor, 1, value) for sensor, value in refused)
    assert node.facts.refused_samples == len(refused)
    node.poll(60_000)
    assert struct.unpack("<6h", reports(talk)[0].features)[3:] == (MISSING,) * 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((b"short", 1, SENSORS), "A node id has 8 bytes, not 5"),
        ((NODE_ID, 1 << 32, SENSORS), "A boot number has 32 bits"),
        ((NODE_ID, 1, []), "A node has 1 to 12 sensors, not 0"),
        ((NODE_ID, 1, SENSORS, 5), "A window lasts 10 to 600 seconds, not 5"),
        ((NODE_ID, 1, SENSORS, 60, "x" * 24), "A firmware version has at most 23 bytes"),
    ],
)
def test_what_is_no_node_is_refused_with_a_sentence(arguments: tuple[bytes, int, list[str]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Node(*arguments)


def test_the_name_of_a_hardware_is_short() -> None:
    with pytest.raises(ValueError, match="at most 15 bytes"):
        Node(NODE_ID, 1, SENSORS, hardware="x" * 16)
