"""A node's button: what a press says of the ten minutes before it becomes a label, once."""

from collections.abc import Callable

from attune_proto.v1 import node_pb2

from attuned.errors import RequestError
from attuned.labels.labels import Labels
from attuned.labels.teaching import CLASSES
from attuned.nodes.conversation import Conversation
from attuned.nodes.press import Press
from attuned.store.site import LabelRow

BUTTON = "button"

# Stretch that a press speaks of: who presses knows how it has just been, and not how it was an hour ago.
BEFORE_MS = 10 * 60_000

_NAMES = {index: name for name, index in CLASSES.items()}


class Presses:
    """Makes labels of presses. `send` gives a message to a node's link."""

    def __init__(self, labels: Labels, send: Callable[[Conversation, node_pb2.DaemonMessage], bool]) -> None:
        self._labels = labels
        self._send = send

    async def take(self, conversation: Conversation, press: Press) -> None:
        """Stores the press as a label unless it has been before, teaches it, and tells the node to let go of it."""
        try:
            if press.class_index not in _NAMES:
                raise RequestError(f"A label says {' or '.join(CLASSES)}, not class {press.class_index}.")
            await self._labels.pressed(_label(conversation, press), press)
        except RequestError as error:
            conversation.refuse(f"a press of its button. {error}")
        self._send(conversation, press.acknowledgement())


def _label(conversation: Conversation, press: Press) -> LabelRow:
    interval = press.utc_ms - BEFORE_MS, press.utc_ms
    name = _NAMES[press.class_index]
    return LabelRow(0, conversation.room, name, *interval, 1.0, BUTTON, conversation.node, press.utc_ms)
