"""A board in QEMU takes updates: envelopes whole and in chunks, a trial that labels teach as well, a commit, resets.

Its stack is deep enough for all of it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from attune_core import Head, Schema
from attune_core.update import Model
from attune_proto.v1 import node_pb2
from attuned.nodes.codes import read_code
from attuned.updates.chunks import chunk, transfer_id, whole
from attuned.updates.envelope import Audience, Kind
from attuned.updates.planning import head_payload
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from daemon_double import DaemonDouble
from firmware_build import firmware
from qemu_board import Board
from test_qemu_node import ROOM_SENSOR, SEED, WINDOW_S, feed_lines, samples
from update_payloads import NodeCalibration, Normaliser, make_update, model_payload

from bench.daemon_side import DaemonSide

OK, BUSY = node_pb2.UPDATE_RESULT_OK, node_pb2.UPDATE_RESULT_BUSY
SIGNER = Ed25519PrivateKey.from_private_bytes(b"\x05" * 32)
SCHEMA = Schema(ROOM_SENSOR, WINDOW_S)
FEATURES = len(SCHEMA)

# Bytes of the stack that no test may ever have used.
SPARE_STACK = 512


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path, firmware() / "attune-node-test.elf", SEED, None)
    yield board
    board.close()


@pytest.fixture
def daemon(board: Board) -> Iterator[DaemonDouble]:
    """Owns the board, and has told it who signs."""
    daemon = DaemonDouble(board.dial_link(), DaemonSide(lambda _: read_code(board.code()).psk))
    board.run()
    daemon.greet()
    key = (1).to_bytes(4, "little") + SIGNER.public_key().public_bytes_raw()
    daemon.send(node_pb2.DaemonMessage(command=node_pb2.Command(signing_key=key)))
    assert daemon.wait_for("signing_key_ack").signing_key_ack.number == 1
    yield daemon
    daemon.line.close()


def taught(seed: int, classes: int = 2) -> Head:
    draw = np.random.default_rng(seed)
    head, _ = Head.factory(SCHEMA)
    x = draw.integers(-2000, 2000, (80, FEATURES)).astype(np.int16)
    head.learn(x, (np.arange(80) % classes).astype(np.uint8))
    return head


def envelope(daemon: DaemonDouble, base: Model, sequence: int, kind: Kind, payload: bytes) -> tuple[bytes, Model]:
    audience = Audience(daemon.hello.node_id, SCHEMA.hash, "mps2-an386")
    update, result = make_update(base, audience, sequence, kind, payload)
    return update.envelope(SIGNER.sign(update.message)), result


def deliver(daemon: DaemonDouble, sent: bytes) -> int:
    """Whole if it fits, else in chunks, each after the acknowledgement of the one before."""
    message = whole(sent, 600)
    if message is not None:
        daemon.send(message)
    while message is None:
        asked = node_pb2.UpdateChunk(id=transfer_id(sent), size=len(sent))
        daemon.send(node_pb2.DaemonMessage(update_chunk=asked))
        offset = daemon.wait_for("update_ack").update_ack.offset
        daemon.send(chunk(sent, offset, 600))
        if daemon.wait_for("update_ack").update_ack.offset == len(sent):
            break
    return daemon.wait_for("update_verdict").update_verdict.result


def decide(daemon: DaemonDouble, sequence: int, *, commit: bool) -> node_pb2.Running:
    decision = node_pb2.TrialDecision(sequence=sequence, commit=commit)
    daemon.send(node_pb2.DaemonMessage(trial_decision=decision))
    return daemon.wait_for("health").health.running


def label(daemon: DaemonDouble, number: int, reports: list[node_pb2.Report]) -> None:
    for part, first in enumerate(range(0, len(reports), 8)):
        windows = [
            node_pb2.LabelWindow(boot=daemon.hello.boot, seq=report.seq, features=report.features)
            for report in reports[first : first + 8]
        ]
        told = node_pb2.Label(number=number, part=part, class_index=number % 2, weight=256, windows=windows)
        daemon.send(node_pb2.DaemonMessage(label=told))
        assert daemon.wait_for("label_ack").label_ack.learned == len(windows)


def everything(head: Head) -> bytes:
    """As large as a model of the board gets: four classes, with everything beside the head."""
    normaliser = Normaliser((0.25,) * FEATURES, (133,) * FEATURES)
    calibration = NodeCalibration(0.5, (0.25, 0.0, 0.0), (7200, 3600, 3600, 3600))
    return model_payload(head, "float16", through_label=1, normaliser=normaliser, calibration=calibration)


def expect_spare_stack(daemon: DaemonDouble) -> None:
    """The board measures its stack when the feed's time has passed."""
    daemon.ask_for_hello()
    daemon.greet()
    assert daemon.health.stack_free > SPARE_STACK


def test_a_board_lives_through_updates(board: Board, daemon: DaemonDouble) -> None:
    factory = Model(Head.factory(SCHEMA)[0], SCHEMA)
    assert daemon.hello.release == factory.digest
    board.feed(feed_lines(samples(64)))
    reports = daemon.reports(64)
    label(daemon, 1, reports[:32])

    sent, first = envelope(daemon, factory, 1, Kind.HEAD, head_payload(taught(1)))
    assert deliver(daemon, sent) == OK
    assert daemon.wait_for("health").health.running.trial == 1
    label(daemon, 2, reports[32:])
    label(daemon, 3, reports[:8])  # takes windows from label 1: both models are taught anew
    other, _ = envelope(daemon, factory, 2, Kind.MODEL, model_payload(taught(2)))
    assert deliver(daemon, other) == BUSY
    assert deliver(daemon, sent) == OK
    assert decide(daemon, 1, commit=True).release == first.digest

    sent, second = envelope(daemon, first, 2, Kind.MODEL, everything(taught(3, classes=4)))
    assert len(sent) > 480
    assert deliver(daemon, sent) == OK
    daemon.send(node_pb2.DaemonMessage(unlearn=node_pb2.Unlearn(number=2)))
    daemon.wait_for("label_ack")
    board.feed(feed_lines(samples(4, first=64)))
    assert all(report.trial & 15 for report in daemon.reports(4))
    expect_spare_stack(daemon)

    board.reset()
    daemon.greet()
    running = daemon.hello.running
    assert (running.release, running.trial, running.highest, running.signing_key) == (first.digest, 2, 2, 1)
    assert decide(daemon, 2, commit=True).release == second.digest
    board.reset()
    hello = daemon.greet()
    assert (hello.release, hello.classes) == (second.digest, 4)
    # The label that replaces a window has both images on the stack, one after the other, and a message below them.
    board.feed(feed_lines(samples(4)))
    label(daemon, 4, daemon.reports(4))
    label(daemon, 5, reports[:8])
    board.feed(feed_lines(samples(1, first=4)))
    daemon.reports(1)
    expect_spare_stack(daemon)
