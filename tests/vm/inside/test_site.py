"""The real daemon and gateway on BlueZ: nodes come, report, learn and take an update over the air."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import grpc
import pytest
import stored
from air import Air
from attune_core import Head
from attune_proto.v1 import rollouts_pb2
from installation import GATEWAY, START_UTC_MS, Installation
from kept_nodes import SCHEMA, SPELL_MS, WINDOW_S, labelled
from kernel_radio import KernelRadio
from made_releases import make_release, store_releases
from nodes_on_air import PART, NodeOnAir

ROOMS = {"1.01": ["00000001defe47aa"], "1.02": ["00000002defe47aa"]}
FIRST, SECOND = (nodes[0] for nodes in ROOMS.values())

# A window every two seconds and node. Nodes retry as much sooner: five seconds of theirs must do for an answer.
RATE = 5.0

RESTARTED = "Bluetooth radio hci0 was lost: bluetoothd has been restarted; "
STOPPED = "Bluetooth radio hci0 cannot be used: bluetoothd does not run; "
GONE = "Bluetooth radio hci0 is not there; "

# The machine is an emulated one.
PATIENCE_S = 240.0


class Site:
    def __init__(self, folder: Path) -> None:
        self.installation = Installation(
            folder,
            ROOMS,
            rate=RATE,
            step_s=WINDOW_S,
            updates=True,
            by_itself=False,
            radio="hci0",
            patience_s=PATIENCE_S,
        )
        self.air = Air()
        self.radio = KernelRadio(self.air.ether)
        self.air.run(self.radio.plug_in())
        self.installation.start()
        self.nodes = [NodeOnAir(self.installation, self.air, nodes[0], i) for i, nodes in enumerate(ROOMS.values())]

    def close(self) -> None:
        self.installation.close()
        self.air.run(self.radio.unplug())
        self.air.close()

    def windows(self) -> list[int]:
        return [self.installation.node(node.node).windows for node in self.nodes]

    def report_on(self, what: str, windows: int = 5) -> None:
        """Every node does."""
        before = self.windows()
        until(
            lambda: all(now >= then + windows for now, then in zip(self.windows(), before, strict=True)),
            f"{windows} more windows of each node, {what},",
        )

    def complaints(self) -> list[str]:
        """What the gateway has said of its radio, without that it listens."""
        lines = self.installation.log("gateway").splitlines()
        return [line for line in lines if line.startswith("Bluetooth radio")]

    def listened(self) -> int:
        """How often the gateway has taken its radio into use."""
        return self.installation.log("gateway").count("Listening for nodes with Bluetooth radio")

    def check_said(self, before: Sequence[str], *why: str) -> None:
        """The gateway has said why, once, unless its last words were the same, as may be where it happens twice in a
        minute; and, if bluetoothd has taken long, once what still kept it."""
        first, *more = self.complaints()[len(before) :] or before[-1:]
        assert first.startswith(why), first
        assert len(more) <= 1, more


def until(condition: Callable[[], object], what: str) -> None:
    """Returns once the condition holds. It is asked seldom: an emulated machine has better things to do."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(grpc.RpcError):
            if condition():
                return
        time.sleep(0.5)
    pytest.fail(f"{what} did not come within {PATIENCE_S:g} s.")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("site"))
    try:
        yield found
    finally:
        print([node.facts for node in found.nodes])
        print(found.windows(), found.installation.status())
        print(found.installation.log("gateway"))
        print(found.installation.log("daemon")[-3000:])
        found.close()


def test_nodes_are_commissioned_and_report(site: Site) -> None:
    for node in site.nodes:
        site.installation.add_node(node.core.code)
    until(lambda: site.installation.status().nodes_online == len(site.nodes), "Nodes")
    site.report_on("commissioned")
    for each in site.nodes:
        told = site.installation.node(each.node)
        assert (told.commissioned, told.findable, told.transport, told.gateway) == (True, True, "ble", GATEWAY)
        assert told.rssi_dbm < 0
    assert all(frame[1:5] == bytes(4) for node in site.nodes for frame in node.carrier.frames)


def test_a_label_is_learned(site: Site) -> None:
    now = site.installation.now_utc_ms()
    until(lambda: site.installation.now_utc_ms() > now + 120_000, "Two minutes")
    reply = site.installation.add_label("1.01", "free", now, now + 120_000)
    assert (reply.nodes_learned, reply.nodes_waiting) == (1, 0)
    assert reply.windows_learned == site.nodes[0].facts.label_windows >= 10


def test_an_update_goes_on_after_a_lost_link(site: Site) -> None:
    head, _ = Head.factory(SCHEMA)
    head.learn(*labelled(0, START_UTC_MS + 7 * SPELL_MS, 90))
    made = make_release(FIRST, "1.01", SCHEMA, WINDOW_S, head, large=True)
    site.installation.kill("daemon")
    store_releases(site.installation.store, [made], site.installation.now_utc_ms())
    site.installation.start("daemon")
    until(lambda: site.installation.status().nodes_online == len(site.nodes), "The nodes' return")
    node = site.nodes[0]
    connections = node.carrier.peripheral.connections
    sizes = node.cut_in_a_transfer()
    with site.installation.rollouts() as rollouts:
        rollouts.StartRollout(rollouts_pb2.StartRolloutRequest(author="ann"), timeout=30)
    until(lambda: node.facts.trial == 1, "The trial")
    assert sizes[-4:] == [PART] * 4
    assert node.carrier.peripheral.connections > connections


def test_a_bluetoothd_that_is_restarted(site: Site) -> None:
    before, listened = site.complaints(), site.listened()
    subprocess.run(["systemctl", "restart", "bluetooth"], check=True)
    until(lambda: site.listened() > listened, "The radio's return")
    site.report_on("after bluetoothd's restart")
    site.check_said(before, RESTARTED, STOPPED)


def test_a_bluetoothd_that_crashes(site: Site) -> None:
    """As BlueZ 5.66 does now and then; nobody but the gateway has it started again."""
    before, listened = site.complaints(), site.listened()
    subprocess.run(["systemctl", "kill", "--signal=SEGV", "bluetooth"], check=True)
    until(lambda: site.listened() > listened, "The radio's return")
    site.report_on("after bluetoothd's crash")
    site.check_said(before, RESTARTED, STOPPED)


def test_an_adapter_that_is_gone_for_a_while(site: Site) -> None:
    before = site.complaints()
    site.air.run(site.radio.unplug())
    until(lambda: site.complaints() != before, "Word of it")
    until(lambda: site.installation.status().nodes_online == 0, "The end of the links")
    site.air.run(site.radio.plug_in())
    site.report_on("with the adapter back")
    site.check_said(before, GONE)


def test_the_update_is_kept_and_nothing_was_lost(site: Site) -> None:
    def rollout() -> rollouts_pb2.Rollout:
        with site.installation.rollouts() as rollouts:
            return rollouts.ShowRollout(rollouts_pb2.RolloutRequest(number=1), timeout=30)

    until(lambda: rollout().state in {"done", "stopped", "aborted"}, "The end of the rollout")
    assert [node.step for node in rollout().nodes] == ["committed"], rollout()
    for node in site.nodes:
        node.stop_measuring()
    until(lambda: all(node.facts.waiting == 0 for node in site.nodes), "The last acknowledgement")
    status = site.installation.status()
    assert (status.windows_lost, status.refused) == (0, 0)
    found = stored.sequences(site.installation.store)
    assert len(found) == len(site.nodes)
    for numbers in found.values():
        assert (sorted(numbers), set(numbers.values())) == (list(range(1, len(numbers) + 1)), {1})
