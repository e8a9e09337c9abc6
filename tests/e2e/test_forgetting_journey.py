"""Forgetting through every process: a node is as if it had never been told, and a kill changes nothing of that."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import stored
from attune_proto.v1 import admin_pb2
from dialled import DialledNode, dialled
from installation import Installation, installed, wait_until

pytestmark = pytest.mark.slow

NODE, ROOM = "0a0b0c0d01020304", "1.01"
SENSORS = ("temperature", "co2", "pir")
# Windows of ten seconds: what lasts minutes elsewhere is over sixfold sooner.
WINDOW_MS = 10_000


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path, {ROOM: [NODE]}, rate=60, step_s=10) as found:
        yield found


def forget(installation: Installation, node: DialledNode, first_window: int, last_window: int) -> admin_pb2.ForgetReply:
    first, last = (node.begun_utc_ms + number * WINDOW_MS for number in (first_window, last_window))
    request = admin_pb2.ForgetRequest(room=ROOM, author="ann", from_utc_ms=first, to_utc_ms=last)
    with installation.admin() as admin:
        return admin.Forget(request, timeout=30)


def inside(installation: Installation, node: DialledNode, first_window: int, last_window: int) -> int:
    """Windows of the time that the store holds, counted from when the node was there."""
    first, last = (node.begun_utc_ms + number * WINDOW_MS for number in (first_window, last_window))
    return sum(
        first < window.end_utc_ms <= last and not window.refused for window in stored.windows(installation.store)
    )


def test_a_node_is_as_if_it_had_never_been_told(installation: Installation) -> None:
    with dialled(installation, NODE, SENSORS, window_s=10) as node, ThreadPoolExecutor(1) as people:
        node.live_for(WINDOW_MS / 1000 * 75)
        for class_name, first, last in (("free", 30, 40), ("occupied", 45, 60)):
            before = node.core.head().export()
            span = node.begun_utc_ms + first * WINDOW_MS, node.begun_utc_ms + last * WINDOW_MS
            answer = people.submit(installation.add_label, ROOM, class_name, *span)
            node.live_until(answer.done, "The answer to the label")
        assert (node.core.facts.label_windows, inside(installation, node, 44, 61)) == (25, 17)

        forgotten = people.submit(forget, installation, node, 44, 61)
        node.live_until(forgotten.done, "The end of forgetting")
        entry = forgotten.result().entry
        assert entry.state == "done"
        node.live_until(lambda: node.core.facts.label_windows == 10, "The label's end on the node")
        assert node.core.head().export() == before
        assert inside(installation, node, 44, 61) == 0
        assert inside(installation, node, 30, 44) == 14

        def proof() -> admin_pb2.ProveForgottenReply:
            with installation.admin() as admin:
                return admin.ProveForgotten(admin_pb2.ProveForgottenRequest(ids=[entry.id], wait_ms=5000), timeout=60)

        proved = people.submit(proof)
        node.live_until(proved.done, "The proof", 60)
        assert [check.name for check in proved.result().checks if not check.same] == []
        # What the label said before its end is all that is left of it.
        installation.restart("daemon")
        node.live_for(WINDOW_MS / 1000 * 6)
        assert node.core.head().export() == before


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1])
def test_a_killed_daemon_ends_it_at_the_next_start(installation: Installation, delay_s: float) -> None:
    with dialled(installation, NODE, SENSORS, window_s=10) as node, ThreadPoolExecutor(1) as people:
        node.live_for(WINDOW_MS / 1000 * 30)
        before = inside(installation, node, 5, 25)
        running = people.submit(forget, installation, node, 5, 25)
        time.sleep(delay_s)
        installation.kill("daemon")
        assert running.exception() is None or isinstance(running.exception(), grpc.RpcError)
        installation.launch("daemon")
        installation.wait_ready("daemon")
        with installation.admin() as admin:
            entries = admin.ListForgotten(admin_pb2.ListForgottenRequest(), timeout=5).entries
            if entries:
                ask = admin_pb2.ListForgottenRequest()
                wait_until(
                    lambda: admin.ListForgotten(ask, timeout=5).entries[0].state == "done", "The end of forgetting"
                )
        left = inside(installation, node, 5, 25)
        print(f"\nKilled after {delay_s * 1000:g} ms: {'taken up and ended' if entries else 'never begun'}.")
        assert left == (0 if entries else before)
        assert before > 0
