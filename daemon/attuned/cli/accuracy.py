"""How right rooms were, in words. Pure: figures of the daemon in, texts out; what is not known is said to be."""

from __future__ import annotations

from collections.abc import Iterator

from attune_proto.v1 import admin_pb2
from rich.console import RenderableType
from rich.text import Text

from attuned.cli import look
from attuned.cli.grid import Facts

NO_LABELS = "no labels yet"

# Labelled hours from which something can be said of chances: an hour is two or three stays.
CALIBRATED_H = 1.0

_NONE_THAT_COUNTS = f"{NO_LABELS} that speak of what the nodes run now"


def site_facts(status: admin_pb2.SiteStatus) -> dict[str, Text]:
    """The lines that the site's status begins with."""
    found = status.accuracy
    if not found.days:
        return {"accuracy": Text(_NONE_THAT_COUNTS if status.labels else NO_LABELS, style="yellow")}
    rooms = f" in {status.rooms_judged:,} of {look.count(status.rooms, 'room')}"
    return _figures(found, rooms)


def room_lines(room: admin_pb2.Room) -> Iterator[RenderableType]:
    """A room's own figures, those of the present release first; nothing while nobody has taught the room."""
    if not room.taught and not any(found.days for found in room.accuracy):
        return
    yield Text("What was said at the time, against people's labels")
    for number, found in enumerate(room.accuracy):
        if number:
            yield Text(f"  before, with release {found.release[: look.ID_SHOWN] or 'not known'}", style="dim")
        yield Facts(_facts(found))
    yield Text()


def _facts(found: admin_pb2.Accuracy) -> dict[str, Text]:
    if not found.days:
        return {"accuracy": Text(_NONE_THAT_COUNTS, style="yellow")}
    return _figures(found, "")


def _figures(found: admin_pb2.Accuracy, where: str) -> dict[str, Text]:
    figures = {"accuracy": _right(found, where), "wrongly": _wrong(found)}
    if _hours(found) >= CALIBRATED_H:
        figures["chances"] = _chances(found)
    return figures


def _right(found: admin_pb2.Accuracy, where: str) -> Text:
    labels = f"{_labelled(_hours(found))} on {look.count(found.days, 'day')}{where}"
    if not found.HasField("balanced_accuracy"):
        word = "free" if found.free_hours else "occupied"
        return Text(f"not known: only {word} was labelled yet, {labels}", style="yellow")
    share = f"{look.percent(found.balanced_accuracy)} balanced"
    if not found.HasField("least"):
        return Text(f"{share}, {labels}: too few days for an interval")
    return Text(f"{share} ({_between(found.least, found.most)}), {labels}")


def _between(least: float, most: float) -> str:
    return f"{look.percent(least).removesuffix(' %')} to {look.percent(most)}"


def _labelled(hours: float) -> str:
    if hours < 1:
        return f"{hours * 60:.0f} labelled minutes"
    return f"{hours:,.0f} labelled hours" if hours >= 10 else f"{hours:.1f} labelled hours"


def _wrong(found: admin_pb2.Accuracy) -> Text:
    # Of less than a day nothing is said of a whole one.
    days = min(_hours(found) / 24, 1)
    free, occupied = (_minutes(a * days) for a in (found.false_free_min_per_day, found.false_occupied_min_per_day))
    of = "a labelled day" if days == 1 else "of the labelled time"
    unknown = f"; unknown {look.percent(found.unknown_share)} of the time" if found.unknown_share else ""
    return Text(f"free {free}, occupied {occupied} {of}{unknown}")


def _hours(found: admin_pb2.Accuracy) -> float:
    return found.free_hours + found.occupied_hours


def _chances(found: admin_pb2.Accuracy) -> Text:
    return Text(f"off by {look.percent(found.calibration_error)} (calibration error)")


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes >= 1 or not minutes else "<1 min"
