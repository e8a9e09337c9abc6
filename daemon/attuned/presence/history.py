"""A room's history on one grid of steps: what was said then, and what is known now."""

import math
from dataclasses import dataclass

from attuned.presence.belief import RoomState, probability
from attuned.presence.rooms import Room, unpack_hour
from attuned.store.beliefs import HOUR_MS, BeliefStore, SaidRow


@dataclass(frozen=True)
class HistoryPoint:
    """One step, by the UTC of its end."""

    utc_ms: int
    said: RoomState
    said_probability: float
    known: RoomState
    known_probability: float


async def history(store: BeliefStore, room: Room, from_utc_ms: int, to_utc_ms: int) -> list[HistoryPoint]:
    """The steps that end in (from, to]; steps of which nothing is known are left out."""
    known = await _known(store, room, from_utc_ms, to_utc_ms)
    said = await store.said(room.room, from_utc_ms, to_utc_ms)
    threshold = room.timeline.threshold
    return [_point(utc_ms, log_odds, _standing(said, utc_ms), threshold) for utc_ms, log_odds in sorted(known.items())]


async def _known(store: BeliefStore, room: Room, from_utc_ms: int, to_utc_ms: int) -> dict[int, float]:
    """Log-odds by step, NaN where unknown: stored hours, then what is settled but not stored, then what is open."""
    known: dict[int, float] = {}
    for hour, packed in await store.known(room.room, from_utc_ms // HOUR_MS - 1, to_utc_ms // HOUR_MS):
        known.update(unpack_hour(hour, packed))
    step_ms = room.timeline.step_ms
    for step in room.settling:
        state = step.settled_as().state
        known[step.index * step_ms] = math.nan if state is RoomState.UNKNOWN else step.log_odds
    for utc_ms, state, log_odds in room.timeline.history():
        known[utc_ms] = math.nan if state is RoomState.UNKNOWN else log_odds
    return {utc_ms: log_odds for utc_ms, log_odds in known.items() if from_utc_ms < utc_ms <= to_utc_ms}


def _standing(said: list[SaidRow], utc_ms: int) -> SaidRow | None:
    """The last thing said at or before a step."""
    return next((row for row in reversed(said) if row.utc_ms <= utc_ms), None)


def _point(utc_ms: int, log_odds: float, said: SaidRow | None, threshold: float) -> HistoryPoint:
    said_state = RoomState(said.state) if said else RoomState.UNKNOWN
    said_probability = said.probability if said else 0.5
    if math.isnan(log_odds):
        return HistoryPoint(utc_ms, said_state, said_probability, RoomState.UNKNOWN, 0.5)
    known = RoomState.OCCUPIED if log_odds > threshold else RoomState.FREE
    return HistoryPoint(utc_ms, said_state, said_probability, known, probability(log_odds))
