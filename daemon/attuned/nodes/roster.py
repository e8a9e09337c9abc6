"""Who stands in which room: what nodes have said of themselves, by the rooms that they are assigned to."""

from collections.abc import Mapping, Sequence

from attune_core import Schema

from attuned.nodes.assignments import Assignments
from attuned.nodes.conversation import Conversation


class Roster:
    """Looks at assignments and conversations as they are now."""

    def __init__(self, assignments: Assignments, conversations: Mapping[str, Conversation]) -> None:
        self._rooms = assignments.rooms
        self._conversations = conversations

    def nodes_of(self, room: str) -> frozenset[str]:
        """The nodes of a room; none where it is not in the configuration any more."""
        return frozenset(self._rooms[room].nodes if room in self._rooms else ())

    def conversations(self, room: str) -> dict[str, Conversation]:
        """Those of a room's nodes, in the order of its nodes."""
        nodes = self._rooms[room].nodes
        return {node: self._conversations[node] for node in nodes if node in self._conversations}

    def releases(self, room: str) -> dict[str, str]:
        """The release that each node of a room runs."""
        found = self.conversations(room).values()
        return {c.node: c.facts.release for c in found if c.facts is not None}

    def sensors_of(self, node: str) -> Sequence[str]:
        """The kinds of a node's sensors; none of one that has not said so."""
        conversation = self._conversations.get(node)
        return conversation.kinds if conversation else ()

    def schemas(self) -> dict[str, Schema]:
        """Of the nodes that measure in rooms."""
        found = self._conversations.values()
        return {c.node: c.facts.make_schema() for c in found if c.facts is not None and c.room}
