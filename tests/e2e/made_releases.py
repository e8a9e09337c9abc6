"""Releases for nodes of a test as a retraining would have stored them, put into the store while no daemon runs."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from attune_core import Head, Schema
from attune_core.update import delivered
from attuned.learning.releases import NodeType, Release
from attuned.presence.model import RoomModel
from attuned.store.releases import CANDIDATE, ReleaseRow
from attuned.store.site import SiteStore
from gate_reports import better_report

# What the gate said: half of the windows differ from what the nodes run, as where those have learned nothing yet.
_REPORT = better_report(negative=100, positive=1900)


def make_release(node: str, room: str, schema: Schema, window_s: int, head: Head, *, large: bool) -> Release:
    """Of a taught head. A `large` one takes more than one message to its node."""
    return Release(
        room=room,
        node=node,
        types={node: NodeType(sensors=schema.sensor_bytes.hex(), window_s=window_s)},
        step_s=window_s,
        schema_hash=schema.hash.hex(),
        state=(head if large else delivered(head, schema)).export().hex(),
        model=RoomModel(),
        through_label=0,
        blocks=(),
    )


def _row(made: Release, made_utc_ms: int) -> ReleaseRow:
    named = made.id, made.room, made.node, made_utc_ms
    return ReleaseRow(*named, CANDIDATE, "better", made.running_digest, 0, "a person", _REPORT, made.canonical())


def store_releases(
    store: Path, releases: Sequence[Release], made_utc_ms: int, numbers: Mapping[str, int] | None = None
) -> None:
    """Into the store of a daemon that does not run, with the numbers of updates that nodes have had by then."""

    async def work() -> None:
        site = SiteStore(store)
        await site.open()
        try:
            await site.releases.add([_row(made, made_utc_ms) for made in releases])
            for node, number in (numbers or {}).items():
                await site.deliveries.number(node, number - 1)
        finally:
            await site.close()

    asyncio.run(work())
