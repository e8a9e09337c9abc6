"""Topics and payloads of MQTT, which are a promise: a key that is renamed breaks somebody's building."""

import json

from attuned.bms import topics
from attuned.presence.belief import BEFORE, NOTHING, Belief, RoomState, Share

# Saturday 21 November 2026, 13:32:10 UTC.
NOW = 1_795_267_930_000
BELIEF = Belief(
    RoomState.OCCUPIED,
    2.5,
    NOW - 3_600_000,
    NOW,
    NOW + 900_000,
    (Share(BEFORE, 2.0), Share("a1b2c3d400000001", 0.75), Share("b1b2c3d400000002", -0.25, "stuck: counts half")),
)


def test_topics() -> None:
    assert topics.status_topic("townhall") == "attune/townhall/status"
    assert topics.room_topic("townhall", "2.13") == "attune/townhall/rooms/2.13"
    assert topics.health_topic("townhall", "a1b2c3d400000001") == "attune/townhall/nodes/a1b2c3d400000001/health"


def test_a_room() -> None:
    releases = {"a1b2c3d400000001": "5f3a", "b1b2c3d400000002": "5f3a", "c1b2c3d400000003": "99"}
    assert json.loads(topics.room_payload(BELIEF, releases, taught=True)) == {
        "schema": 1,
        "state": "occupied",
        # 1 / (1 + e^-2.5)
        "probability": 0.9241,
        "since": "2026-11-21T12:32:10Z",
        "as_of": "2026-11-21T13:32:10Z",
        "valid_until": "2026-11-21T13:47:10Z",
        "log_odds": 2.5,
        "reason": [
            {"source": "before", "log_odds": 2.0},
            {"source": "a1b2c3d400000001", "log_odds": 0.75},
            {"source": "b1b2c3d400000002", "log_odds": -0.25, "note": "stuck: counts half"},
        ],
        "release": ["5f3a"],
        "taught": True,
    }


def test_a_room_of_which_nothing_is_known() -> None:
    assert json.loads(topics.room_payload(NOTHING, {}, taught=False)) == {
        "schema": 1,
        "state": "unknown",
        "probability": 0.5,
        "since": None,
        "as_of": None,
        "valid_until": None,
        "log_odds": 0.0,
        "reason": [],
        "release": [],
        "taught": False,
    }


def test_the_site_and_a_node() -> None:
    assert topics.status_payload(online=True) == '{"schema":1,"state":"online"}'
    assert topics.status_payload(online=False) == '{"schema":1,"state":"offline"}'
    assert json.loads(topics.health_payload({"state": "online"})) == {"schema": 1, "state": "online"}
