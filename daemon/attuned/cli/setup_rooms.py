"""Rooms, as a person types or pastes them in `attune setup`, or names a file of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from attuned.cli.setup_questions import Attached
from attuned.cli.terminal import Terminal
from attuned.config import RoomSettings
from attuned.errors import ConfigError
from attuned.setup import room_table
from attuned.setup.wanted import Wanted

# Rooms, and bad lines, that are listed before the rest is only counted.
_SHOWN = 12

_FILE, _OUT = "file ", "- "


def rooms(terminal: Terminal, wanted: Wanted, attached: Attached) -> Wanted:
    """Adds, changes and takes out rooms; lines that cannot be read are asked for again."""
    terminal.show("\nRooms")
    if wanted.rooms:
        _list(terminal, wanted.rooms)
        if not terminal.agrees("Add, change or take out rooms?", default=False):
            return wanted
    terminal.say(
        "One a line: id, name, floor, building. Type or paste them, with commas, semicolons or tabs, with or without a "
        "header. `file rooms.csv` reads a file, `- 2.13` takes a room out. An empty line ends."
    )
    order: Sequence[str] = room_table.COLUMNS
    while lines := list(_typed(terminal)):
        for line in lines:
            if line.startswith(_OUT):
                wanted = _without(terminal, wanted, line.removeprefix(_OUT).strip(), attached)
        table = _read([line for line in lines if not line.startswith(_OUT)], order)
        wanted, order = wanted.with_rooms(table.rooms), table.order
        terminal.say(f"{len(table.rooms):,} read, {len(wanted.rooms):,} in all.", indent=4)
        if not table.bad:
            break
        _complain(terminal, table.bad)
    return wanted


def _typed(terminal: Terminal) -> Iterator[str]:
    while text := terminal.line("  > ").strip(" \r\n"):
        yield from filter(None, text.splitlines())


def _list(terminal: Terminal, rooms: Sequence[RoomSettings]) -> None:
    for room in rooms[:_SHOWN]:
        terminal.show(f"    {', '.join(filter(None, (room.id, room.name, room.floor, room.building)))}")
    if len(rooms) > _SHOWN:
        terminal.show(f"    and {len(rooms) - _SHOWN:,} more")


def _complain(terminal: Terminal, bad: Sequence[room_table.BadRow]) -> None:
    for row in bad[:_SHOWN]:
        terminal.say(f"line {row.line}, `{row.text[:60]}`: {row.reason}.", indent=4)
    if len(bad) > _SHOWN:
        terminal.say(f"and {len(bad) - _SHOWN:,} more", indent=4)
    terminal.say("Type these again as they should be; an empty line leaves them out.")


def _read(lines: Sequence[str], order: Sequence[str]) -> room_table.Table:
    """Of what was typed, and of the files that are named."""
    text = [line for line in lines if not line.startswith(_FILE)]
    missing = []
    for line in set(lines) - set(text):
        try:
            text.append(room_table.decoded(room_table.file_bytes(Path(line.removeprefix(_FILE).strip()).expanduser())))
        except (OSError, ConfigError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
            missing.append(room_table.BadRow(1, line, f"it cannot be read ({reason})"))
    table = room_table.read("\n".join(text), order)
    return replace(table, bad=(*table.bad, *missing))


def _without(terminal: Terminal, wanted: Wanted, room: str, attached: Attached) -> Wanted:
    if all(room != known.id for known in wanted.rooms):
        terminal.say(f"There is no room {room}.", indent=4)
        return wanted
    if lost := attached(room):
        terminal.say(f"Room {room} has {lost}.", indent=4)
        if not terminal.agrees("Take it out?", default=False):
            return wanted
    terminal.say(f"Room {room} is taken out.", indent=4)
    return wanted.without_rooms(frozenset({room}))
