"""Topics and payloads. Every payload is JSON with `"schema": 1`; times are ISO 8601 in UTC."""

import json
from datetime import UTC, datetime

from attuned.presence.belief import BEFORE, Belief

SCHEMA = 1
PREFIX = "attune"


def status_topic(site: str) -> str:
    return f"{PREFIX}/{site}/status"


def room_topic(site: str, room: str) -> str:
    return f"{PREFIX}/{site}/rooms/{room}"


def health_topic(site: str, node: str) -> str:
    return f"{PREFIX}/{site}/nodes/{node}/health"


def alert_topic(site: str, number: int) -> str:
    return f"{PREFIX}/{site}/alerts/{number}"


def status_payload(*, online: bool) -> str:
    return _json({"state": "online" if online else "offline"})


def room_payload(belief: Belief, release_of: dict[str, str], *, taught: bool) -> str:
    """A room: state, probability, since, valid_until, reason (shares of the log-odds in nats), release, taught."""
    releases = sorted({release_of[s.source] for s in belief.shares if s.source != BEFORE and release_of.get(s.source)})
    return _json(
        {
            "state": belief.state.name.lower(),
            "probability": round(belief.probability, 4),
            "since": iso(belief.since_utc_ms),
            "as_of": iso(belief.as_of_utc_ms),
            "valid_until": iso(belief.valid_until_utc_ms),
            "log_odds": round(belief.log_odds, 4),
            "reason": [
                {"source": s.source, "log_odds": round(s.log_odds, 4)} | ({"note": s.note} if s.note else {})
                for s in belief.shares
            ],
            "release": releases,
            "taught": taught,
        }
    )


def iso(utc_ms: int) -> str | None:
    """ISO 8601 in UTC; None for "never"."""
    if not utc_ms:
        return None
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _json(values: dict[str, object]) -> str:
    return json.dumps({"schema": SCHEMA, **values}, separators=(",", ":"))


def alert_payload(values: dict[str, object]) -> str:
    """A drift event that is not resolved: what `attune drift` shows, for machines."""
    return _json(values)


def health_payload(values: dict[str, object]) -> str:
    """A node's health: what `attune nodes` shows, for machines."""
    return _json(values)
