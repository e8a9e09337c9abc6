"""A quiet node through every process: a report an hour, a sketch an hour, and a room that is known all the time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import stored
from attune_proto.v1 import admin_pb2
from dialled import dialled
from installation import Installation, installed

pytestmark = pytest.mark.slow

NODE, ROOM = "0a0b0c0d01020304", "1.01"
SENSORS = ("temperature", "light", "co2")
MINUTE, HOUR = 60_000, 3_600_000


def empty_room(tick_ms: int) -> Sequence[float]:
    """Cold, dark and aired."""
    return 17.0, 0.0, 425.0


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with installed(tmp_path, {ROOM: [NODE]}, rate=900, quiet=[NODE]) as found:
        yield found


def room_of(installation: Installation) -> admin_pb2.Room:
    with installation.admin() as admin:
        return admin.ListRooms(admin_pb2.ListRoomsRequest(rooms=[ROOM]), timeout=5).rooms[0]


def test_a_quiet_node_keeps_its_room_known(installation: Installation) -> None:
    with dialled(installation, NODE, SENSORS, readings=empty_room) as node:
        states = set()

        def lived(until_ms: int) -> bool:
            if node.tick_ms > 5 * MINUTE:
                states.add(room_of(installation).state)
            return node.tick_ms >= until_ms

        node.live_until(lambda: lived(4 * HOUR), "Four hours", 60)
        node.live_until(lambda: node.core.facts.waiting == 0, "The last acknowledgement")
        assert states == {admin_pb2.ROOM_STATE_FREE}
        # The first window and the first of each hour; a change or two while the filter settles.
        reported = len(stored.windows(installation.store))
        assert 4 <= reported <= 8
        sketches = stored.sketches(installation.store)
        assert [name for name, _, _ in sketches] == [NODE] * len(sketches)
        assert [windows for _, windows, _ in sketches[1:]] == [60] * (len(sketches) - 1)
        assert len(sketches) >= 3
        # Hours of UTC, but for the time that the window of the full hour takes to end.
        assert all(to_utc_ms % HOUR >= HOUR - 2 * MINUTE or to_utc_ms % HOUR == 0 for _, _, to_utc_ms in sketches)

        installation.restart("daemon")
        node.live_until(lambda: node.core.facts.timed and node.tick_ms > 4 * HOUR + 10 * MINUTE, "The greeting")
        # Where the start takes longer than the node's patience the room is unknown until its next hour.
        node.live_until(lambda: room_of(installation).state == admin_pb2.ROOM_STATE_FREE, "The room's state")

        installation.quiet = []
        installation.configure(installation.rooms)
        installation.restart("daemon")
        begun = node.core.facts.next_seq
        node.live_until(lambda: node.core.facts.next_seq > begun + 20, "A report a window")
        assert len(stored.windows(installation.store)) > reported + 10
