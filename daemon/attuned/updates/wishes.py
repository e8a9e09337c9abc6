"""Which releases a rollout is of: those that somebody names, or all that are ready."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from attuned.errors import RequestError
from attuned.learning.retraining import ready
from attuned.store.releases import ReleaseRow
from attuned.updates.stages import Wish


@dataclass(frozen=True)
class Place:
    """Where a node stands; floor and building are empty where the configuration does not say."""

    room: str
    floor: str = ""
    building: str = ""


@dataclass(frozen=True)
class Nodes:
    """What rollouts know of nodes: the place of a node, None for one without; whether it would hear of a wish now; how
    many there are."""

    place_of: Callable[[str], Place | None]
    reachable: Callable[[str], bool]
    count: Callable[[], int]


def check_ready(row: ReleaseRow) -> None:
    """Raises RequestError for a release that may not go out."""
    if ready(row):
        return
    name = f"Release {row.id[:8]} of room {row.room}"
    if row.state == "candidate":
        raise RequestError(
            f"{name} waits for evidence: give your word for it with `attune release approve {row.id[:8]}`."
        )
    raise RequestError(f"{name} is {row.state}: `attune release list` shows those that are ready.")


def chosen(candidates: Iterable[ReleaseRow], rooms: Collection[str]) -> list[ReleaseRow]:
    """Those that are ready, of these rooms or of all. Raises RequestError where there is none."""
    rows = [row for row in candidates if ready(row) and (not rooms or row.room in rooms)]
    if not rows:
        where = f" for room {next(iter(rooms))}" if len(rooms) == 1 else ""
        raise RequestError(
            f"No release is ready{where}: `attune release list` shows what there is and what it lacks, "
            "and `attune retrain` builds new ones."
        )
    return rows


def wishes_of(rows: Sequence[ReleaseRow], nodes: Nodes) -> list[Wish]:
    """Pairs of node and release. Nodes within reach come first, so that a rollout begins with them.

    Raises RequestError for two releases of one node, and for a node that stands in no room.
    """
    found: dict[str, Wish] = {}
    for row in rows:
        place = nodes.place_of(row.node)
        if place is None:
            raise RequestError(f"Node {row.node} stands in no room: put it into one with `attune node move`.")
        if row.node in found:
            raise RequestError(f"Two of these releases are for node {row.node}: name one of them.")
        found[row.node] = Wish(row.node, row.id, place.room, place.floor, place.building)
    return sorted(found.values(), key=lambda wish: not nodes.reachable(wish.node))
