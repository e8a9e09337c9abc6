"""A wrong `attuned`, on a slow disk: it acknowledges windows before they are committed."""

from collections.abc import Sequence

import slow_disk
from attuned.nodes.window import Window
from attuned.site import Site

assert slow_disk.COMMIT_S > 0
_write = Site.write


async def _acknowledge_and_write(self: Site, windows: Sequence[Window]) -> None:
    for window in windows:
        self.hub.conversations[window.node].boots[window.boot].sequence.add(window.seq)
    for node in {window.node for window in windows}:
        conversation = self.hub.conversations[node]
        self.hub.send(conversation, conversation.acknowledgement())
    await _write(self, windows)


Site.write = _acknowledge_and_write  # type: ignore[method-assign]

if __name__ == "__main__":
    from attuned.app import run

    run()
