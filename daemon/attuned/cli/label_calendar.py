"""Bookings from an iCalendar file (RFC 5545), an event at a time, so that a broken one spoils no other."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Any, BinaryIO

from attuned.cli import clock
from attuned.cli.errors import CliError
from attuned.cli.label_rows import Bad, Reading, Row

# A calendar is read as a whole, for an event may change one that comes much earlier.
SIZE_LIMIT = 32 * 1024 * 1024

# Bytes of one event: rooms' calendars have some hundreds; attachments and comments may be longer.
EVENT_LIMIT = 65_536

# How often one event may repeat until today: every day for fifty years.
REPEAT_LIMIT = 20_000

# Bookings do not repeat every minute; what does would be an attack on our time.
_FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}


@dataclass(frozen=True)
class _Block:
    """The lines of one component, and where it begins."""

    line: int
    text: bytes


def read_calendar(file: BinaryIO, reading: Reading) -> Iterator[Row | Bad]:
    """Each booking that is over as `occupied`, and each event that cannot be read. What is still to come, cancelled or
    does not block the room is left out. Raises CliError for a file that is no calendar."""
    data = file.read(SIZE_LIMIT + 1)
    if len(data) > SIZE_LIMIT:
        raise CliError(f"The calendar has more than {SIZE_LIMIT >> 20} MiB; export it in parts, a year at a time.")
    if b"BEGIN:VCALENDAR" not in data[:4096].upper():
        raise CliError("The file is no calendar in UTF-8: it does not begin with BEGIN:VCALENDAR.")
    for zone in _blocks(data, b"VTIMEZONE"):
        _parsed_zone(zone)
    events, moved = [], dict[str, set[datetime]]()
    for block in _blocks(data, b"VEVENT"):
        event = _parsed(block)
        events.append((block.line, event))
        if isinstance(event, dict) and "RECURRENCE-ID" in event:
            start = _start_of(event["RECURRENCE-ID"].dt, reading.zone)
            moved.setdefault(str(event.get("UID")), set()).add(start.astimezone(UTC))
    for line, event in events:
        yield from [Bad(line, event)] if isinstance(event, str) else _bookings(line, event, moved, reading)


def _blocks(data: bytes, name: bytes) -> Iterator[_Block]:
    """Components of a name with the number of their first line; one that never ends is given up to the next."""
    begin, end = b"BEGIN:" + name, b"END:" + name
    lines: list[bytes] = []
    first = 0
    for number, line in enumerate(data.splitlines(), start=1):
        word = line.strip().upper()
        if word == begin:
            if lines:
                yield _Block(first, b"\r\n".join(lines))
            lines, first = [line], number
        elif lines:
            lines.append(line)
            if word == end:
                yield _Block(first, b"\r\n".join(lines) + b"\r\n")
                lines = []
    if lines:
        yield _Block(first, b"\r\n".join(lines))


def _parsed_zone(block: _Block) -> None:
    """Makes a zone known that the calendar defines itself; one that cannot be read spoils its own events alone."""
    import icalendar

    try:
        icalendar.Timezone.from_ical(block.text)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return


def _parsed(block: _Block) -> Any:
    """The event, or a sentence on why it is none."""
    import icalendar

    if len(block.text) > EVENT_LIMIT:
        return f"The event has more than {EVENT_LIMIT} bytes."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            event = icalendar.Event.from_ical(block.text.decode(errors="replace"))
            if not isinstance(getattr(event.get("DTSTART"), "dt", None), date):
                return "The event has no beginning that can be read."
            return _unknown_zone(event) or event
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
        return "The event cannot be read; export the calendar again."


def _unknown_zone(event: Any) -> str:
    """A sentence on a time zone that nobody knows, or nothing: taken for the site's, it would be of another hour."""
    for name in ("DTSTART", "DTEND"):
        said = event.get(name)
        zone = said.params.get("TZID") if said is not None else None
        if zone and isinstance(said.dt, datetime) and said.dt.tzinfo is None:
            return f"The event's time zone {str(zone)[:40]!r} is not known; export the calendar with times in UTC."
    return ""


def _bookings(line: int, event: Any, moved: dict[str, set[datetime]], reading: Reading) -> Iterator[Row | Bad]:
    if str(event.get("STATUS", "")).upper() == "CANCELLED" or str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return
    room = reading.room or " ".join(str(event.get("LOCATION", "")).split())
    if not room:
        yield Bad(line, "The event names no room as its location; name one for all with --room.")
        return
    try:
        length = _length(event, reading.zone)
        for start in _starts(event, moved.get(str(event.get("UID")), set()), reading):
            begins, ends = clock.utc_ms(start), clock.utc_ms(_end(start, length, event, reading.zone))
            if ends <= reading.now_utc_ms:
                yield Row(line, room, "occupied", begins, ends, reading.weight)
    except (ValueError, TypeError, AttributeError, OverflowError, KeyError) as error:
        yield Bad(line, str(error) if isinstance(error, _EventError) else "The event's times cannot be read.")


class _EventError(ValueError):
    """What is wrong with an event, as a sentence."""


def _length(event: Any, zone: tzinfo) -> timedelta:
    """How long it is: in real time, or in days where it has no times, which are shorter and longer as clocks change."""
    begins = event["DTSTART"].dt
    if "DTEND" in event:
        ends = event["DTEND"].dt
        same = isinstance(begins, datetime) == isinstance(ends, datetime)
        if not same or (isinstance(begins, datetime) and (begins.tzinfo is None) != (ends.tzinfo is None)):
            raise _EventError("The event's beginning and end are of different kinds.")
        timed = isinstance(begins, datetime)
        length = (
            _start_of(ends, zone).astimezone(UTC) - _start_of(begins, zone).astimezone(UTC) if timed else ends - begins
        )
    elif "DURATION" in event:
        length = event["DURATION"].dt
    else:
        length = timedelta(0) if isinstance(begins, datetime) else timedelta(days=1)
    if length <= timedelta(0):
        raise _EventError("The event does not end after its beginning.")
    return timedelta(seconds=length.total_seconds())


def _end(start: datetime, length: timedelta, event: Any, zone: tzinfo) -> datetime:
    """A whole day ends at the site's midnight, 23 to 25 hours after its beginning."""
    if isinstance(event["DTSTART"].dt, datetime):
        return start + length
    return (start.astimezone(zone).replace(tzinfo=None) + length).replace(tzinfo=zone)


def _starts(event: Any, moved: set[datetime], reading: Reading) -> Iterator[datetime]:
    """When it begins, in UTC, each time until now; what another event has moved is left to that one."""
    now = clock.local(reading.now_utc_ms, UTC)
    first = event["DTSTART"].dt
    if "RRULE" not in event or "RECURRENCE-ID" in event:
        yield _start_of(first, reading.zone).astimezone(UTC)
        return
    without = moved | {_start_of(one, reading.zone).astimezone(UTC) for one in _dates(event.get("EXDATE"))}
    zone = (first.tzinfo if isinstance(first, datetime) else None) or reading.zone
    wall = (first if isinstance(first, datetime) else datetime.combine(first, time())).replace(tzinfo=None)
    every = (naive.replace(tzinfo=zone).astimezone(UTC) for naive in _rule(event, wall, zone))
    extra = sorted(_start_of(one, reading.zone).astimezone(UTC) for one in _dates(event.get("RDATE")))
    past = list(takewhile(lambda at: at < now, islice(every, REPEAT_LIMIT + 1)))
    if len(past) > REPEAT_LIMIT:
        raise _EventError(f"The event repeats more than {REPEAT_LIMIT} times; export single bookings.")
    yield from (start for start in [*past, *extra] if start not in without)


def _rule(event: Any, wall: datetime, zone: tzinfo) -> Iterable[datetime]:
    """The rule on the clock of its zone: a weekly meeting stays at ten when the clocks change."""
    from dateutil.rrule import rrulestr

    rule = event["RRULE"]
    if isinstance(rule, list) or {str(part).upper() for part in rule.get("FREQ", [])} - _FREQUENCIES:
        raise _EventError("The event repeats in a way that bookings do not; export single bookings.")
    parts = {key: value for key, value in rule.items() if key.upper() != "UNTIL"}
    until = next(iter(rule.get("UNTIL", [])), None)
    text = ";".join(f"{key}={','.join(map(_rule_value, value))}" for key, value in parts.items())
    if until is not None:
        last = until if isinstance(until, datetime) else datetime.combine(until, time.max)
        local = last.astimezone(zone) if last.tzinfo else last
        text += f";UNTIL={local:%Y%m%dT%H%M%S}"
    found: Iterable[datetime] = iter(rrulestr(text, dtstart=wall))
    return found


def _rule_value(value: Any) -> str:
    encoded = value.to_ical() if hasattr(value, "to_ical") else str(value)
    return encoded.decode() if isinstance(encoded, bytes) else str(encoded)


def _dates(value: Any) -> Iterator[date]:
    for group in value if isinstance(value, list) else [value] if value is not None else []:
        for one in group.dts:
            yield one.dt[0] if isinstance(one.dt, tuple) else one.dt


def _start_of(moment: date, zone: tzinfo) -> datetime:
    """A day begins at midnight of the site, and a time without a zone is the site's."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(), tzinfo=zone)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
