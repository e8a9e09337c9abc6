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
    near = _near(name, names)
    if not near:
        return NotFoundError(f"There is no room {name!r}: `attune rooms` lists the rooms.")
    *others, last = near[:NEAREST]
    meant = f"{', '.join(others)} or {last}" if others else last
    return NotFoundError(f"There is no room {name!r}: did you mean {meant}? `attune rooms` lists them all.")


def _near(name: str, names: Mapping[str, str]) -> list[str]:
    """Rooms that may be meant, the likeliest first: by id, then by a word of their names, then by a like name."""
    asked = name.casefold()
    titles = {title.casefold(): room for room, title in names.items() if title}
    near = [room for room, title in names.items() if asked and asked in (room.casefold(), title.casefold())]
    # Two digits the wrong way round are the commonest mistake.
    near += sorted(get_close_matches(name, names, NEAREST), key=lambda room: sorted(room) != sorted(name))
    near += [room for title, room in titles.items() if asked in title.split()]
    near += [titles[title] for title in get_close_matches(asked, titles, NEAREST)]
    return list(dict.fromkeys(near))
