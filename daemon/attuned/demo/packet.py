"""What an update of a node takes on the air."""

from __future__ import annotations

from pathlib import Path

from attuned.errors import RequestError
from attuned.nodes.sealed import AROUND, TEXT_LIMIT
from attuned.store.reading import opened
from attuned.updates.chunks import whole

ATT_WRITE = 244
"""One write of Bluetooth at an MTU of 247, with the byte that says which part of a frame it is."""


def bytes_on_air(store: Path, node: str) -> int:
    """Bytes of the one frame with which the newest update went to a node, sealed, with every header of a Bluetooth
    write.

    Raises RequestError for an update that was never signed, and for one that has to be sent in parts.
    """
    with opened(store / "attune.db") as connection:
        row = connection.execute("SELECT envelope FROM deliveries WHERE node = ?", (node,)).fetchone()
    if row is None or not row[0]:
        raise RequestError(f"No update was signed for node {node}: see `attune rollout status`.")
    message = whole(row[0], TEXT_LIMIT)
    if message is None:
        raise RequestError(f"The update for node {node} does not go into one frame: it has {len(row[0])} bytes.")
    return message.ByteSize() + AROUND + 1
