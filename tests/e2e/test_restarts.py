"""Broker and daemon go away and come back: states go on where they were, and what is retained is true again."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from attune_proto.v1 import admin_pb2
from installation import SITE, START_UTC_MS, Installation, installed, wait_until
from listening import Listener, listening
from simulated import SimulatedNodes

pytestmark = pytest.mark.slow

NODES = [f"{i:08x}0000beef" for i in range(1, 9)]
ROOMS = {f"room{i}": NODES[2 * i : 2 * i + 2] for i in range(4)}
STATES = {"unknown": 0, "free": 1, "occupied": 2}


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Installation]:
    """Runs at the rate that the test names, 60 if it names none."""
    with installed(tmp_path, ROOMS, rate=getattr(request, "param", 60.0)) as found:
        yield found


@pytest.fixture
def nodes(installation: Installation) -> Iterator[SimulatedNodes]:
    found = SimulatedNodes(installation, NODES)
    found.start()
    yield found
    found.kill()


def rooms(installation: Installation) -> dict[str, admin_pb2.Room]:
    with installation.admin() as admin:
        return {room.room: room for room in admin.ListRooms(admin_pb2.ListRoomsRequest(), timeout=5).rooms}


def known(installation: Installation) -> dict[str, list[admin_pb2.BeliefPoint]]:
    """All of each room's history."""
    with installation.admin() as admin:
        return {
            room: list(
                admin.GetRoomHistory(
                    admin_pb2.GetRoomHistoryRequest(
                        room=room, from_utc_ms=START_UTC_MS, to_utc_ms=installation.now_utc_ms()
                    ),
                    timeout=10,
                ).points
            )
            for room in ROOMS
        }


def utc_ms(text: str | None) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000) if text else 0


def all_have_a_state(installation: Installation) -> bool:
    return installation.status().rooms_with_state == len(ROOMS)


def agrees(listener: Listener, installation: Installation) -> bool:
    """Whether what is retained of the rooms is what the daemon believes."""
    believed = rooms(installation)
    heard = {room: listener.room(room) for room in ROOMS}
    return all(
        heard[room].get("state") is not None
        and STATES[heard[room]["state"]] == believed[room].state
        and utc_ms(heard[room]["since"]) == believed[room].since_utc_ms
        for room in ROOMS
    )


def gives_its_reasons(said: dict[str, Any]) -> bool:
    """Whether the shares of what is retained add up (each is rounded to four digits)."""
    total = sum(share["log_odds"] for share in said["reason"])
    return len(said["reason"]) > 1 and abs(total - said["log_odds"]) < 1e-3


def test_a_broker_that_was_away_gets_all_that_was_missed(installation: Installation, nodes: SimulatedNodes) -> None:
    wait_until(lambda: all_have_a_state(installation), "A state of each room")
    before = installation.status().windows
    installation.kill("broker")
    wait_until(lambda: installation.status().broker != "", "The daemon's word on the broker")
    wait_until(lambda: installation.status().windows > before + 200, "Windows while the broker is away")
    assert "cannot be reached" in installation.status().broker
    installation.start("broker")
    wait_until(lambda: installation.status().broker == "", "The daemon's return to the broker", 40)
    # This broker remembers nothing, so all that is retained was said again.
    with listening(installation.broker.port, SITE) as listener:
        wait_until(lambda: listener.status == "online", "The site's status", 5)
        wait_until(lambda: agrees(listener, installation), "The rooms' states", 10)
        wait_until(lambda: {f"nodes/{node}/health" for node in NODES} <= set(listener.newest), "The nodes' health", 10)
    retained = {"status", *(f"rooms/{room}" for room in ROOMS)}
    # Who subscribed while it was said again heard some of it live; who comes now hears only what is retained.
    with listening(installation.broker.port, SITE) as late:
        wait_until(lambda: retained <= late.retained, "What is retained", 10)
    counted = nodes.finish()
    assert (counted["reports_dropped"], installation.status().windows_lost) == (0, 0)


def test_the_broker_tells_when_the_daemon_dies_and_when_it_is_back(installation: Installation) -> None:
    with listening(installation.broker.port, SITE) as listener:
        wait_until(lambda: listener.status == "online", "The daemon's presence")
        installation.kill("daemon")
        wait_until(lambda: listener.status == "offline", "The daemon's will", 5)
        installation.start("daemon")
        wait_until(lambda: listener.status == "online", "The daemon's return")
        installation.terminate("daemon")
        wait_until(lambda: listener.status == "offline", "The daemon's farewell", 5)


def test_rooms_go_on_where_they_were(installation: Installation, nodes: SimulatedNodes) -> None:
    with listening(installation.broker.port, SITE) as listener:
        wait_until(lambda: all_have_a_state(installation), "A state of each room")
        time.sleep(4)  # four minutes, in which some rooms fill and some empty
        nodes.finish()
        wait_until(lambda: agrees(listener, installation), "The rooms' states", 10)
        before = rooms(installation)
        installation.restart("daemon")
        wait_until(lambda: listener.status == "online", "The daemon's return")
        after = rooms(installation)
        for room, believed in before.items():
            assert (after[room].state, after[room].since_utc_ms) == (believed.state, believed.since_utc_ms)
            assert after[room].log_odds == pytest.approx(believed.log_odds, abs=1e-9)
            assert after[room].shares == believed.shares
        wait_until(lambda: agrees(listener, installation), "The same states at the broker", 10)
        wait_until(lambda: all(gives_its_reasons(listener.room(room)) for room in ROOMS), "The reasons", 5)


@pytest.mark.parametrize("installation", [600.0], indirect=True)
def test_history_is_the_same_after_a_restart(installation: Installation, nodes: SimulatedNodes) -> None:
    # Three and a half hours: some are packed, some settled and not packed, and one is open.
    until = START_UTC_MS + 3.5 * 3_600_000
    wait_until(lambda: installation.now_utc_ms() >= until, "Three and a half hours", 40)
    counted = nodes.finish()
    status = installation.status()
    assert (status.windows, status.refused, status.windows_lost) == (counted["reports"], 0, 0)
    before = known(installation)
    assert min(map(len, before.values())) > 150
    installation.restart("daemon")
    after = known(installation)
    for room in ROOMS:
        last = before[room][-1].utc_ms
        assert [point for point in after[room] if point.utc_ms <= last] == before[room]
    restarted = installation.status()
    assert (restarted.windows, restarted.windows_lost) == (counted["reports"], 0)
