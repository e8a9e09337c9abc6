"""A node of the core and the daemon's hub: commissioning, sessions, restarts, and what somebody between them can do."""

from pathlib import Path
from typing import Any

import pytest
from attune_core import Node
from attune_proto.v1 import node_pb2
from attuned.nodes import noise
from attuned.nodes.frames import KK, SEALED, XXPSK0, call
from attuned.nodes.own_keys import OwnKeys
from attuned.nodes.trust import TRIES
from daemon_world import A, B, FakeClock
from node_side import NodeSide
from wire_world import MINUTE, Daemon, Wire, new_node, owned


def test_a_node_is_commissioned_once_and_connects_with_kk_from_then_on() -> None:
    wire = owned()
    assert [frame[0] for frame in wire.seen if frame[0] != SEALED][:3] == [XXPSK0, 5, XXPSK0]
    assert wire.node.keeper.owned
    # The code is used up.
    assert wire.daemon.codes == {}
    assert list(wire.daemon.nodes) == [A]
    wire.seen.clear()
    again = Wire(wire.daemon, new_node(record=wire.node.keeper.record))
    again.connect()
    again.settle()
    assert again.node.facts.timed
    assert {frame[0] for frame in again.seen} == {KK, SEALED, 5}


def test_a_node_that_nobody_has_added_gets_no_answer() -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.connect()
    wire.live(120)
    assert not wire.node.facts.ready
    assert [frame[0] for frame in wire.seen if frame[0] != XXPSK0] == [5]
    assert "waits for" in wire.daemon.trust.strangers[bytes.fromhex(A)[:4]]
    # And then it is: the daemon calls it.
    wire.daemon.expect(wire.node.code)
    wire.settle()
    assert wire.node.facts.timed


def test_a_wrong_code_is_said_and_brings_nothing() -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.daemon.expect(new_node(seed=2).code)  # the same hint
    wire.connect()
    wire.live(60)
    assert not wire.node.facts.ready
    assert "another code" in next(iter(wire.daemon.trust.waiting.values())).trouble
    assert wire.daemon.nodes == {}


def test_a_node_of_another_daemon_says_so_and_can_be_taken_over_with_its_code() -> None:
    before = owned()
    node = before.node
    daemon = Daemon(FakeClock(), b"e" * 32)
    wire = Wire(daemon, node, node_ms=before.node_ms)
    wire.connect()
    wire.settle()
    assert not node.facts.ready
    assert daemon.trust.strangers[bytes.fromhex(A)[:4]] == "is owned by another daemon"
    daemon.expect(node.code)
    wire.live(60)
    assert "owned by another daemon" in next(iter(daemon.trust.waiting.values())).trouble
    assert not node.facts.ready
    daemon.expect(node.code, take_over=True)
    wire.live(120)
    assert node.facts.timed
    # The first daemon has lost it.
    back = Wire(before.daemon, new_node(record=node.keeper.record))
    back.connect()
    back.live(60)
    assert not back.node.facts.ready


def test_a_code_that_is_given_before_a_node_with_an_owner_comes_brings_it() -> None:
    """It begins a session with its owner, which nobody answers: the daemon calls it by its code."""
    before = owned()
    daemon = Daemon(FakeClock(), b"e" * 32)
    wire = Wire(daemon, before.node, node_ms=before.node_ms)
    daemon.expect(wire.node.code, take_over=True)
    wire.connect()
    wire.live(60)
    assert wire.node.facts.timed


def test_a_node_that_is_taken_over_forgets_who_signs() -> None:
    """Else the daemon before could still sign for it, and the new one's signer could not."""
    before = owned()
    command = node_pb2.Command(signing_key=(1).to_bytes(4, "little") + b"s" * 32)
    before.daemon.hub.send(before.daemon.hub.conversations[A], node_pb2.DaemonMessage(command=command))
    before.settle()
    assert before.node.facts.signing_key == 1
    wire = Wire(Daemon(FakeClock(), b"e" * 32), before.node, node_ms=before.node_ms)
    wire.connect()
    wire.settle()
    wire.daemon.expect(wire.node.code, take_over=True)
    wire.live(120)
    assert wire.node.facts.timed
    assert wire.node.facts.signing_key == 0


def test_asking_a_node_in_vain_to_be_commissioned_does_not_end_its_session() -> None:
    wire = owned()
    for _ in range(50):
        wire.node.receive(call(bytes.fromhex(A)[:4], commission=True))
        wire.live(5)
    wire.live(120)
    before = len(wire.daemon.windows)
    wire.live(300)
    assert len(wire.daemon.windows) >= before + 4
    assert wire.node.facts.waiting <= 1


def test_a_test_node_is_not_commissioned_where_test_nodes_are_not_taken() -> None:
    node = Node(bytes.fromhex(A), 7, ["co2"], 60, test=True)
    wire = Wire(Daemon(FakeClock()), node)
    wire.daemon.expect(node.code)
    wire.connect()
    wire.live(30)
    assert "test image" in next(iter(wire.daemon.trust.waiting.values())).trouble
    wire.daemon.trust.test_nodes = True
    wire.daemon.expect(node.code)
    wire.live(30)
    assert node.facts.timed


@pytest.mark.parametrize("lost", range(8))
def test_commissioning_survives_the_loss_of_any_frame(lost: int) -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.daemon.expect(wire.node.code)
    count = -1

    def lose(frames: list[bytes], _: object) -> list[bytes]:
        nonlocal count
        kept = []
        for frame in frames:
            count += 1
            kept += [frame] if count != lost else []
        return kept

    wire.meddling = lose
    wire.connect()
    wire.live(180)
    assert wire.node.facts.timed
    assert wire.node.facts.waiting <= 1
    assert wire.node.keeper.owned


@pytest.mark.parametrize("turns", range(1, 6))
def test_commissioning_survives_a_daemon_that_dies_between_any_two_frames(turns: int) -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.daemon.expect(wire.node.code)
    wire.connect()
    for _ in range(turns):
        wire.turn()
    wire.down.clear()
    wire.daemon.restart()
    wire.daemon.hub.link_up(wire, 1)
    wire.live(180)
    assert wire.node.facts.timed
    assert wire.daemon.codes == {}


@pytest.mark.parametrize("turns", range(1, 6))
def test_commissioning_survives_a_node_that_loses_power_between_any_two_frames(turns: int) -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.daemon.expect(wire.node.code)
    wire.connect()
    for _ in range(turns):
        wire.turn()
    wire.node, wire.down, wire.node_ms = new_node(record=wire.node.keeper.record), [], 0
    wire.connect()
    wire.live(180)
    assert wire.node.facts.timed


def test_a_node_that_cannot_save_its_owner_is_not_commissioned() -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.daemon.expect(wire.node.code)
    wire.node.keeper.break_down()
    wire.connect()
    wire.live(60)
    assert not wire.node.facts.timed
    assert not wire.node.keeper.owned
    # Its code is good for the next try.
    assert list(wire.daemon.codes) == [A[:8]]


def test_after_a_daemons_restart_the_node_begins_anew_and_loses_nothing() -> None:
    wire = owned()
    wire.live(600)
    for _ in range(5):
        wire.daemon.restart()
        wire.daemon.hub.link_up(wire, 1)
        wire.live(180)
    wire.live(60)
    assert [window.seq for window in wire.daemon.windows] == list(range(1, wire.node.facts.next_seq))
    assert wire.node.facts.dropped == 0


def test_on_a_wire_that_says_nothing_of_a_restart_the_node_is_called() -> None:
    """A serial line is always up; the gateway keeps its link while only the daemon's memory goes."""
    wire = owned()
    wire.daemon.restart()
    wire.daemon.hub.link_up(wire, 1)
    wire.down.clear()  # the call to all is lost
    wire.live(240)
    assert wire.node.facts.timed
    assert wire.node.facts.waiting <= 1


def test_a_stolen_gateway_learns_nothing() -> None:
    node_id = bytes.fromhex("a1b2c3d4") + b"\xde\xad\xbe\xef"
    node = Node(node_id, 7, ["co2", "pir"], 60, firmware="marker-of-this-test")
    wire = Wire(Daemon(FakeClock()), node)
    wire.daemon.expect(node.code)
    wire.connect()
    wire.live(1200)
    node.press(node.facts.next_seq * MINUTE, 1)
    wire.live(60)
    assert len(wire.daemon.windows) >= 19
    secrets = [b"marker", node_id[4:], node.facts.schema, node.facts.release, node.keeper.record[1:33]]
    secrets += [window.features for window in wire.daemon.windows]
    # The first four bytes of the node's id are the hint of its frames, and stand in the clear.
    for frame in wire.seen:
        assert not any(secret in frame for secret in secrets)


def test_yesterdays_frames_do_nothing() -> None:
    """All that was ever said comes again, in both directions: neither keys nor windows nor the session change."""
    wire = owned()
    wire.live(600)
    recorded = list(wire.seen)
    windows, record = list(wire.daemon.windows), wire.node.keeper.record
    for frame in recorded:
        wire.daemon.hub.frame(wire, 1, frame)
        wire.node.receive(frame)
    assert wire.daemon.windows == windows
    assert wire.node.keeper.record == record
    wire.live(120)
    assert len(wire.daemon.windows) >= len(windows) + 1
    assert wire.node.facts.waiting <= 1


def test_a_replayed_handshake_does_not_end_a_live_session() -> None:
    wire = owned()
    wire.connect()
    wire.settle()
    first = next(frame for frame in wire.seen if frame[0] == KK)
    for _ in range(20):
        wire.daemon.hub.frame(wire, 1, first)
    wire.down.clear()
    before = len(wire.daemon.windows)
    wire.live(120)
    assert len(wire.daemon.windows) == before + 2


def test_a_flood_of_handshakes_costs_no_more_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = owned()
    answer, computed = noise.answer_kk, []

    def counted(message: bytes, **keys: Any) -> noise.Answer:
        computed.append(message)
        return answer(message, **keys)

    monkeypatch.setattr(noise, "answer_kk", counted)
    first = NodeSide(bytes.fromhex(A), wire.daemon.own.public[0])
    for _ in range(1000):
        wire.daemon.hub.frame(wire, 1, first.begin())
    assert len(computed) <= TRIES
    before = len(wire.daemon.windows)
    wire.live(600)
    assert len(wire.daemon.windows) == before + 10
    # And the node itself may begin anew before long.
    wire.connect()
    wire.live(60)
    assert wire.node.facts.timed


def test_a_node_that_is_removed_before_it_has_confirmed_harms_nobody() -> None:
    wire = Wire(Daemon(FakeClock()), new_node())
    wire.daemon.expect(wire.node.code)
    wire.connect()
    wire.turn()
    wire.turn()
    last = next(frame for frame in wire.node.frames() if frame[:1] == bytes([XXPSK0]))
    wire.daemon.hub.frame(wire, 1, last)
    wire.down.clear()
    wire.daemon.trust.remove(A)
    wire.daemon.hub.remove(A)
    wire.daemon.hub.conversations.pop(A, None)
    wire.daemon.hub.frame(wire, 1, last)
    assert wire.down == []


def test_calls_without_end_keep_a_node_busy_for_no_more_than_a_handshake_in_ten_seconds() -> None:
    wire = owned()
    wire.seen.clear()
    for _ in range(60):
        for _ in range(100):
            wire.node.receive(call(bytes(4)))
        wire.live(5)
    handshakes = sum(frame[0] == KK and frame[5] == 1 for frame in wire.seen)
    assert 10 <= handshakes <= 300 // 10 + 5
    assert wire.node.facts.waiting <= 1


def test_keys_change_after_a_day_without_a_new_greeting() -> None:
    wire = owned()
    wire.live(3600, step_s=60)
    hellos = wire.daemon.hub.conversations[A].boots
    wire.seen.clear()
    wire.live(86_400, step_s=300)
    assert sum(frame[0] == KK for frame in wire.seen) == 2
    assert wire.daemon.hub.conversations[A].boots == hellos
    assert wire.node.facts.dropped == 0


def test_the_daemons_key_is_rotated_in_a_session() -> None:
    wire = owned()
    old, new = wire.daemon.own.secrets[0], b"f" * 32
    wire.daemon.own.secrets.append(new)
    command = node_pb2.Command(next_daemon=noise.public_key(new), rekey=True)
    assert wire.daemon.hub.send(wire.daemon.hub.conversations[A], node_pb2.DaemonMessage(command=command))
    wire.live(90)
    assert wire.daemon.trust.daemon_key(A) == noise.public_key(new)
    # The old one is gone, and the node comes back with the new one alone.
    wire.daemon.own.secrets = [new]
    wire.daemon.restart()
    again = Wire(wire.daemon, new_node(record=wire.node.keeper.record))
    again.connect()
    again.settle()
    assert again.node.facts.timed
    assert old not in wire.daemon.own.secrets


def test_a_node_that_heard_of_a_key_that_was_never_taken_tries_both() -> None:
    wire = owned()
    command = node_pb2.Command(next_daemon=noise.public_key(b"g" * 32))
    wire.daemon.hub.send(wire.daemon.hub.conversations[A], node_pb2.DaemonMessage(command=command))
    wire.settle()
    again = Wire(wire.daemon, new_node(record=wire.node.keeper.record))
    again.connect()
    again.live(120)
    assert again.node.facts.timed


def test_a_node_blinks_for_as_long_as_it_is_told() -> None:
    wire = owned()
    command = node_pb2.DaemonMessage(command=node_pb2.Command(identify_s=20))
    wire.daemon.hub.send(wire.daemon.hub.conversations[A], command)
    wire.settle()
    assert wire.node.facts.blinks
    wire.live(20)
    assert not wire.node.facts.blinks


def test_a_node_that_is_disowned_needs_its_code() -> None:
    wire = owned()
    wire.daemon.hub.send(
        wire.daemon.hub.conversations[A], node_pb2.DaemonMessage(command=node_pb2.Command(disown=True))
    )
    wire.live(60)
    assert not wire.node.keeper.owned
    assert not wire.node.facts.ready
    wire.daemon.expect(wire.node.code)
    wire.live(30)
    assert wire.node.facts.timed


def test_a_node_cannot_speak_for_another() -> None:
    """Two nodes that are both ours: what one seals is never taken for the other's."""
    wire = owned()
    other = Wire(wire.daemon, new_node(B, seed=3))
    wire.daemon.expect(other.node.code)
    other.connect()
    other.settle()
    other.live(120)
    hint = bytes.fromhex(A)[:4]
    before = len(wire.daemon.windows)
    for frame in [frame for frame in other.seen if frame[0] == SEALED]:
        wire.daemon.hub.frame(wire, 1, frame[:1] + hint + frame[5:])
    assert len(wire.daemon.windows) == before


def test_the_daemons_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path
    own = OwnKeys(folder)
    own.open()
    assert (folder / "daemon.key").stat().st_mode & 0o777 == 0o600
    again = OwnKeys(folder)
    again.open()
    assert again.secrets == own.secrets
    again.announce()
    again.announce()
    assert len(again.secrets) == 2
    third = OwnKeys(folder)
    third.open()
    assert third.secrets == again.secrets
    third.retire()
    assert third.secrets == again.secrets[1:]
    fourth = OwnKeys(folder)
    fourth.open()
    assert (fourth.secrets, fourth.announced) == (again.secrets[1:], b"")
