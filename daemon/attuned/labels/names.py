"""What a person may have meant who names a room that is not there."""

from collections.abc import Mapping
from difflib import get_close_matches

from attuned.errors import NotFoundError

# Rooms that are named as near: more are not read.
NEAREST = 3

# Characters of a wrong name that are repeated, and compared: a room has at most so many.
LONGEST = 64


def no_room(name: str, names: Mapping[str, str]) -> NotFoundError:
    """The error for an unknown room, with the nearest of the site's rooms; `names` are their names by id."""
    name = name[:LONGEST]
    near = [room for room, title in names.items() if name.casefold() in (room.casefold(), title.casefold())]
    alike = [room for room in get_close_matches(name, names, NEAREST) if room not in near]
    # Two digits the wrong way round are the commonest mistake.
    near += sorted(alike, key=lambda room: sorted(room) != sorted(name))
    if not near:
        return NotFoundError(f"There is no room {name!r}: `attune rooms` lists the rooms.")
    *others, last = near[:NEAREST]
    meant = f"{', '.join(others)} or {last}" if others else last
    return NotFoundError(f"There is no room {name!r}: did you mean {meant}? `attune rooms` lists them all.")
