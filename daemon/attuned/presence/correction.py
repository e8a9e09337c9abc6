"""What arrives more than an hour late corrects the history in the store, and never the live state."""

from collections.abc import Callable, Iterable

from attuned.presence.rooms import add_window, checkpoint_from_json, pack_hours
from attuned.presence.timeline import Checkpoint, RoomTimeline
from attuned.store.beliefs import HOUR_MS
from attuned.store.windows import WindowStore


async def correct(
    store: WindowStore,
    room: str,
    nodes: Iterable[str],
    new_timeline: Callable[[Checkpoint | None], RoomTimeline],
    from_utc_ms: int,
) -> int:
    """Computes a room's stored hours again from the one that holds `from_utc_ms`; returns how many changed.

    Only hours that are in the store are written; younger ones follow from the timeline in memory.
    """
    first = (from_utc_ms - 1) // HOUR_MS
    stored = dict(await store.beliefs.known(room, first, 1 << 31))
    if not stored:
        return 0
    before = await store.beliefs.checkpoint_before(room, first)
    timeline = new_timeline(checkpoint_from_json(before) if before else None)
    windows = await store.windows_between(nodes, first * HOUR_MS, (max(stored) + 1) * HOUR_MS)
    for window in windows:
        add_window(timeline, window)
    timeline.finish((max(stored) + 1) * HOUR_MS)
    changed = [
        hour for hour in pack_hours(room, timeline.settled, timeline.step_ms) if hour.known != stored.get(hour.hour)
    ]
    await store.beliefs.write(changed)
    return len(changed)
