"""Which node stands in which room: those that the configuration names, and those that were added since."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from attuned.config import RoomSettings, Settings
from attuned.errors import RequestError
from attuned.nodes.trusted import TrustedNode

# A sentence names no more rooms than these, the likest to what was written.
_NAMED = 8


class Assignments:
    """`room_of` and the lists of nodes in `settings.rooms` change in place: whoever has them sees the nodes of now."""

    def __init__(self, settings: Settings) -> None:
        self._configured = settings.room_of
        rooms = [room.model_copy(update={"nodes": list(room.nodes)}) for room in settings.rooms]
        self.settings = settings.model_copy(update={"rooms": rooms})
        self.rooms: dict[str, RoomSettings] = {room.id: room for room in rooms}
        self.room_of: dict[str, str] = dict(self._configured)

    def take(self, nodes: Iterable[TrustedNode]) -> None:
        """Assigns nodes from the store. One whose room is not in the configuration any more stands in none."""
        for node in nodes:
            if node.room in self.rooms:
                self.assign(node.node, node.room)

    def assign(self, node: str, room: str) -> None:
        """Puts a node into a room, unless the configuration has a say in it."""
        if node in self._configured:
            return
        self.remove(node)
        self.room_of[node] = room
        self.rooms[room].nodes.append(node)

    def remove(self, node: str) -> None:
        """Takes a node out of its room, unless the configuration names it there."""
        room = None if node in self._configured else self.room_of.pop(node, None)
        if room is not None:
            self.rooms[room].nodes.remove(node)

    def check_room(self, room: str, node_hint: str) -> None:
        """RequestError unless a node whose id begins so can be put into that room, or into its configured one ('')."""
        configured = next((name for node, name in self._configured.items() if node.startswith(node_hint)), "")
        if configured and room not in {"", configured}:
            raise RequestError(
                f"The configuration has the node in room {configured}: take it out there, or leave the room out here."
            )
        if not configured and room not in self.rooms:
            raise RequestError(_no_such(room, self.rooms))


def _no_such(room: str, rooms: Mapping[str, RoomSettings]) -> str:
    if not rooms:
        return "The site has no rooms yet: `sudo attune setup` asks for them, or takes them from a table."
    near = list(rooms) if len(rooms) <= _NAMED else get_close_matches(room, rooms, n=_NAMED, cutoff=0)
    known = f"rooms are {', '.join(near)}{' and others' * (len(near) < len(rooms))}."
    return f"There is no room {room!r}; {known}" if room else f"Name the room of the node with --room; {known}"
