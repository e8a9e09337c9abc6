"""Drift events in a caretaker's words, and for machines."""

from collections.abc import Mapping

from attuned.drift.cause import Cause
from attuned.drift.judge import SITE
from attuned.drift.life import DriftEvent, Moved

_TIMES = {
    "night": "at night",
    "day": "in working hours",
    "low": "at its lowest",
    "middle": "in the middle of the day's readings",
    "high": "at its highest",
}

_ADVICE: Mapping[str, str] = {
    Cause.STUCK: "See whether something covers the sensor; if nothing does, replace the node.",
    Cause.REPLACED: "If the sensor was replaced or calibrated, acknowledge this; if not, have it checked.",
    Cause.MOVED: "If the node was moved, hang it back, or assign it to its new room in the configuration.",
    Cause.SEASON: "Nothing needs to be done; acknowledge this if the weather stays so, and give a few labels.",
    Cause.USE: "If the room is used in another way now, acknowledge this and give a few labels.",
}

SHOWN = 3
"""Statistics that a person is told of."""


def headline(event: DriftEvent, room: str) -> str:
    """One line: who, what, and probably why."""
    who = "The whole site" if event.node == SITE else f"Room {room}" if room else f"Node {event.node}"
    return f"{who}: {', '.join(event.sensors)} changed; probably: {event.cause}"


def explain(event: DriftEvent, room: str) -> list[str]:
    """What happened, sentence by sentence, and what to do."""
    who = (
        "Most nodes of this site together"
        if event.node == SITE
        else f"Node {event.node}" + (f" in {room}" * bool(room))
    )
    day = f"{event.since.day} {event.since:%B}"
    lines = [f"{who} measured differently on {day} than on any of the days before."]
    lines += [_sentence(one) for one in event.moved[:SHOWN]]
    lines.append(f"This looks like: {event.cause}. {_ADVICE[event.cause]}")
    return lines


def _sentence(moved: Moved) -> str:
    sensor = moved.feature.partition(".")[0]
    if moved.name in ("stuck", "missing"):
        what = "repeats the same reading" if moved.name == "stuck" else "has no reading"
        return f"{sensor.capitalize()} {what} {'more' if moved.spreads > 0 else 'less'} often than before."
    subject = {"variation": "How much {} varies", "activity": "How much the {} sensor is set off"}
    named = subject.get(moved.feature.rpartition(".")[2], "{}").format(sensor)
    way = "higher" if moved.spreads > 0 else "lower"
    times = f"{abs(moved.spreads):.0f} times what days usually differ by"
    return f"{named[0].upper()}{named[1:]} is {way} {_TIMES[moved.name]}, by {times}."


def alert(event: DriftEvent, room: str) -> dict[str, object]:
    """The event for machines: its keys are a promise."""
    return {
        "id": event.number,
        "node": event.node or None,
        "room": room or None,
        "since": event.since.isoformat(),
        "cause": event.cause,
        "sensors": list(event.sensors),
        "score": event.score,
        "state": str(event.state),
        "done": event.done or None,
        "text": headline(event, room),
    }
