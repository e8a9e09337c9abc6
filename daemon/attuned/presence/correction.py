"""What arrives more than an hour late corrects the history in the store, and never the live state."""

from collections.abc import Callable, Collection, Iterable

from attuned.presence.rooms import Late, add_window, checkpoint_from_json, pack_hours
from attuned.presence.timeline import Checkpoint, RoomTimeline
from attuned.store.beliefs import HOUR_MS
from attuned.store.windows import WindowStore


async def correct(
    store: WindowStore,
    room: str,
    nodes: Iterable[str],
    new_timeline: Callable[[str, Checkpoint | None], RoomTimeline],
    late: Late,
    *,
    quiet: Collection[str],
) -> bool:
    """Computes a room's stored hours again, from the one of the first late window to the last.

    False if steps that followed without the late windows are still on their way to the store: call it again then.
    """
    first = (late.from_utc_ms - 1) // HOUR_MS
    stored = dict(await store.beliefs.known(room, first, 1 << 31))
    if not stored:
        return False
    before = await store.beliefs.checkpoint_before(room, first)
    timeline = new_timeline(room, checkpoint_from_json(before) if before else None)
    windows = await store.windows_between(nodes, first * HOUR_MS, (max(stored) + 1) * HOUR_MS)
    for window in windows:
        add_window(timeline, window, quiet=window.node in quiet)
    timeline.finish((max(stored) + 1) * HOUR_MS)
    changed = [
        hour for hour in pack_hours(room, timeline.settled, timeline.step_ms) if hour.known != stored.get(hour.hour)
    ]
    await store.beliefs.write(changed)
    return (max(stored) + 1) * HOUR_MS >= late.until_utc_ms
