"""`attune label import`: many labels from a file, in parts, with what cannot be used by its line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from attuned.cli import label, output
from attuned.cli.client import Daemon, connect, zone_of
from attuned.cli.errors import CliError, WrongUsageError
from attuned.cli.options import Json, Socket, socket_path

if TYPE_CHECKING:
    from attune_proto.v1 import admin_pb2

    from attuned.cli.label_rows import Bad, Row

# Rows that travel and are stored together, at most 1,000 for the daemon: they take some hundredths of a second.
PART_ROWS = 500

# Lines that are listed; a file with more has one mistake, and it shows by then.
LISTED = 1_000

# Bookings say what was planned. How often they were right is learned per source, this is where it begins.
BOOKING_WEIGHT = 0.3

_File = Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.ics", help="CSV with room,class,from,to or a calendar.")]
_Room = Annotated[str | None, typer.Option("--room", metavar="ROOM", help="All of it is about this room.")]
_Source = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Where it comes from. [default: import, of .ics booking]")
]
_Weight = Annotated[
    float | None,
    typer.Option("--weight", metavar="W", help="What a row weighs that does not say it. [default: 1, of .ics 0.3]"),
]


def import_labels(
    ctx: typer.Context,
    file: _File,
    *,
    room: _Room = None,
    source: _Source = None,
    weight: _Weight = None,
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Read labels from a file; good rows are kept, bad ones listed."""
    from attuned.cli.label_calendar import read_calendar
    from attuned.cli.label_rows import Reading, read_csv

    calendar = file.suffix.casefold() == ".ics"
    if not calendar and file.suffix.casefold() != ".csv":
        raise WrongUsageError(f"{file} is neither .csv nor .ics; only these can be read.")
    with _opened(file) as data, connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        default = BOOKING_WEIGHT if calendar else 1.0
        reading = Reading(site.now_utc_ms, zone_of(site), room or "", default if weight is None else weight)
        rows = read_calendar(data, reading) if calendar else read_csv(data, reading)
        if calendar and not room:
            rows = _with_ids(rows, daemon)
        outcome = _send(daemon, rows, source or ("booking" if calendar else "import"), as_json=as_json)
    _say(outcome, as_json=as_json)
    if outcome.refused:
        raise typer.Exit(1)


class Outcome:
    """What has become of the rows so far."""

    def __init__(self, *, as_json: bool) -> None:
        self.stored = 0
        self.refused = 0
        self.listed: list[tuple[int, str]] = []
        self._as_json = as_json

    def refuse(self, line: int, reason: str) -> None:
        self.refused += 1
        if len(self.listed) < LISTED:
            self.listed.append((line, reason))
            if not self._as_json:
                print(f"line {line}: {reason}", file=sys.stderr)

    def store(self, number: int) -> None:
        self.stored += number
        if sys.stderr.isatty():
            print(f"{self.stored:,} rows stored", end="\r", file=sys.stderr)


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise CliError(f"{file} cannot be read ({error.strerror}); name another file.") from None


def _with_ids(rows: Iterable[Row | Bad], daemon: Daemon) -> Iterator[Row | Bad]:
    """Calendars name rooms as people do: by name or id, in small letters or large."""
    from dataclasses import replace

    from attuned.cli.label_rows import Row

    rooms = daemon.rooms([]).rooms
    ids = {room.name.casefold(): room.room for room in rooms if room.name} | {r.room.casefold(): r.room for r in rooms}
    for row in rows:
        yield replace(row, room=ids.get(row.room.casefold(), row.room)) if isinstance(row, Row) else row


def _send(daemon: Daemon, rows: Iterator[Row | Bad], source: str, *, as_json: bool) -> Outcome:
    outcome = Outcome(as_json=as_json)
    for reply in daemon.import_labels(_parts(rows, source, outcome)):
        outcome.store(reply.stored)
        for bad in reply.refused:
            outcome.refuse(bad.line, bad.reason)
    return outcome


def _parts(rows: Iterator[Row | Bad], source: str, outcome: Outcome) -> Iterator[admin_pb2.ImportLabelsRequest]:
    from attune_proto.v1 import admin_pb2

    from attuned.cli.label_rows import Bad

    said_by = label.author()
    while part := list(islice(rows, PART_ROWS)):
        labels = []
        for row in part:
            if isinstance(row, Bad):
                outcome.refuse(row.line, row.reason)
                continue
            labels.append(
                admin_pb2.ImportedLabel(
                    line=row.line,
                    room=row.room,
                    class_name=row.class_name,
                    from_utc_ms=row.from_utc_ms,
                    to_utc_ms=row.to_utc_ms,
                    weight=row.weight,
                )
            )
        yield admin_pb2.ImportLabelsRequest(labels=labels, source=source, author=said_by)


def _say(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        refused = [{"line": line, "reason": reason} for line, reason in outcome.listed]
        output.show_json({"stored": outcome.stored, "refused": outcome.refused, "lines": refused})
        return
    if outcome.refused > len(outcome.listed):
        print(f"and {outcome.refused - len(outcome.listed):,} more lines", file=sys.stderr)
    whole = outcome.stored + outcome.refused
    print(f"Stored {outcome.stored:,} of {whole:,} labels." if whole else "The file has no labels.")
