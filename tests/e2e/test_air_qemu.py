"""A board in QEMU whose whole life is on the air: from commissioning to a day out of reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from air_board import AirBoard, on_the_air
from attune_core import Head
from attune_core.update import Model
from attune_proto.v1 import node_pb2
from attuned.updates.chunks import chunk, transfer_id
from attuned.updates.envelope import Kind
from daemon_double import DaemonDouble, SilenceError
from qemu_board import wait_until
from test_qemu_node import feed_lines, samples
from test_qemu_update import SCHEMA, SIGNER, SPARE_STACK, decide, envelope, everything, label, taught

OK = node_pb2.UPDATE_RESULT_OK

# A message of so many bytes is one part at an MTU of 247, sealed.
ONE_PART = 247 - 3 - 1 - 25


@pytest.fixture
def node(tmp_path: Path) -> Iterator[AirBoard]:
    with on_the_air(tmp_path) as found:
        yield found


def greeted(node: AirBoard) -> DaemonDouble:
    daemon = node.daemon()
    daemon.greet()
    return daemon


def follow_signer(daemon: DaemonDouble) -> None:
    key = (1).to_bytes(4, "little") + SIGNER.public_key().public_bytes_raw()
    daemon.send(node_pb2.DaemonMessage(command=node_pb2.Command(signing_key=key)))
    assert daemon.wait_for("signing_key_ack").signing_key_ack.number == 1


def offset_of(daemon: DaemonDouble, sent: bytes) -> int:
    """Where the node wants the envelope to go on."""
    asked = node_pb2.UpdateChunk(id=transfer_id(sent), size=len(sent))
    daemon.send(node_pb2.DaemonMessage(update_chunk=asked))
    return daemon.wait_for("update_ack").update_ack.offset


def send_chunk(daemon: DaemonDouble, sent: bytes, offset: int) -> int:
    """One chunk in one part; the offset that the node then has."""
    daemon.send(chunk(sent, offset, ONE_PART))
    return daemon.wait_for("update_ack").update_ack.offset


def test_commissioning_reports_and_labels(node: AirBoard) -> None:
    daemon = greeted(node)
    assert daemon.side.handshakes == 2  # XXpsk0, once
    rows = samples(60)
    node.board.feed(feed_lines(rows))
    before = daemon.reports(60)
    assert [report.end_s for report in before] == list(range(60, 3601, 60))
    label(daemon, 1, before[:8])
    label(daemon, 1, before[8:16])
    node.board.feed(feed_lines(samples(1, first=60)))
    daemon.reports(1)
    line = node.lines[-1]
    # Nothing on the air names the node, in either direction.
    hint = node.code.hint
    assert all(frame[1:5] == bytes(4) for frame in line.frames)
    assert not any(hint in part for part in line.parts)
    node.cut()

    # The connection is lost; the next one begins with KK, and all is as it was.
    daemon = greeted(node)
    assert daemon.hello.label_windows == 16
    assert daemon.hello.next_seq == 62
    node.board.feed(feed_lines(samples(30, first=61)))
    found = [report.seq for report in daemon.reports_to(91 * 60)]
    assert found == list(range(daemon.hello.first_seq, 92))


def test_a_chunked_update_goes_on_where_the_connection_was_lost(node: AirBoard) -> None:
    daemon = greeted(node)
    follow_signer(daemon)
    factory = Model(Head.factory(SCHEMA)[0], SCHEMA)
    assert daemon.hello.release == factory.digest
    sent, result = envelope(daemon, factory, 1, Kind.MODEL, everything(taught(3, classes=4)))
    assert len(sent) > 3 * ONE_PART
    offset = offset_of(daemon, sent)
    assert offset == 0
    offset = send_chunk(daemon, sent, send_chunk(daemon, sent, 0))
    node.cut()

    # Lost once more, in the middle of a frame: between two parts of a chunk that needs three.
    daemon = greeted(node)
    assert offset_of(daemon, sent) == offset
    line = node.lines[-1]
    first = line.parts_sent

    def cut(number: int) -> None:
        if number == first + 2:
            node.air.ether.cut()

    line.before_part = cut
    daemon.send(chunk(sent, offset, 600))
    with pytest.raises((SilenceError, OSError)):
        daemon.wait_for("update_ack", 2)
    line.close()

    daemon = greeted(node)
    assert offset_of(daemon, sent) == offset
    while offset < len(sent):
        offset = send_chunk(daemon, sent, offset)
    assert daemon.wait_for("update_verdict").update_verdict.result == OK
    assert daemon.wait_for("health").health.running.trial == 1
    assert decide(daemon, 1, commit=True).release == result.digest
    # Nothing of the half frame was taken for damage of the new connection.
    assert daemon.health.bad_frames == 0
    # The board measures its stack when the feed's time has passed.
    node.board.feed("@5000\n")
    daemon.ask_for_hello()
    daemon.greet()
    assert daemon.health.stack_free > SPARE_STACK


@pytest.mark.slow
def test_a_connection_is_fast_at_first_and_slow_once_all_is_said(node: AirBoard) -> None:
    greeted(node)
    asked = node.controller.parameters
    wait_until(lambda: len(asked) > 0, "The wish for a fast connection")
    assert (asked[0].connection_interval_max, asked[0].max_latency) == (12, 0)  # 15 ms
    wait_until(lambda: len(asked) > 1, "The wish for a slow connection", 40)
    assert asked[1].connection_interval_min * 1.25 * (1 + asked[1].max_latency) >= 400
    # What a central must wait before it takes the node for gone (volume 6, part B, 4.5.2).
    assert asked[1].supervision_timeout * 10 > 2 * (1 + asked[1].max_latency) * asked[1].connection_interval_max * 1.25


@pytest.mark.slow
def test_a_day_out_of_reach_arrives_oldest_first_and_whole(node: AirBoard) -> None:
    daemon = greeted(node)
    node.board.feed(feed_lines(samples(5)))
    daemon.reports(5)
    node.out_of_reach(gone=True)
    day = 24 * 60
    for first in range(5, 5 + day, 60):
        node.board.feed(feed_lines(samples(60, first=first)))
    wait_until(node.board.is_fed, "The end of the day", 60)
    # Hint and address have changed every four hours.
    assert node.controller.resets >= 6
    node.out_of_reach(gone=False)
    daemon = node.daemon()
    hello = daemon.greet()
    # The acknowledgement of the last ones may have been lost with the connection.
    first = hello.first_seq
    assert (first <= 6, hello.next_seq) == (True, 6 + day)
    found = daemon.reports_to(60 * (5 + day))
    assert [(report.seq, report.end_s) for report in found] == [(seq, 60 * seq) for seq in range(first, 6 + day)]
    assert daemon.health.dropped_reports == 0
