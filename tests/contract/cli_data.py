"""Rooms, nodes, labels, events and releases of a site that stands still, for the command line to show."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from attune_proto.v1 import admin_pb2, drift_pb2, gateways_pb2

MINUTE, HOUR = 60_000, 3_600_000
# Saturday 21 November 2026, 14:32:10 in Brussels, which is at UTC+1 then.
# Ids have 32 digits; people are shown eight.
RELEASE = "5f3a09c1" * 4
NOW = int(datetime(2026, 11, 21, 13, 32, 10, tzinfo=UTC).timestamp()) * 1000

UNKNOWN, FREE, OCCUPIED = (
    admin_pb2.ROOM_STATE_UNKNOWN,
    admin_pb2.ROOM_STATE_FREE,
    admin_pb2.ROOM_STATE_OCCUPIED,
)


def room(name: str, title: str, floor: str, log_odds: float, minutes: int, **more: Any) -> admin_pb2.Room:
    """A room in the state that its log-odds say, since so many minutes."""
    state = OCCUPIED if log_odds > 0 else FREE
    node = f"00a1b2c3d4e5{int(name.replace('.', '')):04d}"
    facts: dict[str, Any] = {
        "room": name,
        "name": title,
        "floor": floor,
        "state": state,
        "probability": 1 / (1 + math.exp(-log_odds)),
        "since_utc_ms": NOW - minutes * MINUTE,
        "as_of_utc_ms": NOW - 10_000,
        "valid_until_utc_ms": NOW + 10 * MINUTE,
        "log_odds": log_odds,
        "shares": [
            admin_pb2.Share(source="before", log_odds=log_odds * 0.7),
            admin_pb2.Share(source=node, log_odds=log_odds * 0.3, release=RELEASE),
        ],
        "taught": True,
        "nodes": [node],
    }
    return admin_pb2.Room(**(facts | more))


def accuracy(release: str = RELEASE, **more: Any) -> admin_pb2.Accuracy:
    """A release that is right in most of 41 labelled hours on nine days."""
    figures: dict[str, Any] = {
        "days": 9,
        "free_hours": 30.25,
        "occupied_hours": 10.75,
        "balanced_accuracy": 0.9375,
        "least": 0.905,
        "most": 0.962,
        "calibration_error": 0.0425,
        "false_free_min_per_day": 4.5,
        "false_occupied_min_per_day": 31.0,
        "unknown_share": 0.0,
    }
    return admin_pb2.Accuracy(release=release, **(figures | more))


def few_rooms() -> list[admin_pb2.Room]:
    """Five rooms on two floors in every state, one with two nodes that disagree."""
    shares = [
        admin_pb2.Share(source="before", log_odds=2.104),
        admin_pb2.Share(source="00a1b2c3d4e50213", log_odds=1.354, release=RELEASE),
        admin_pb2.Share(source="00a1b2c3d4e51213", log_odds=-0.654, release=RELEASE, note="stuck: counts half"),
    ]
    nodes = ["00a1b2c3d4e50213", "00a1b2c3d4e51213"]
    few: dict[str, Any] = {"days": 3, "least": None, "most": None, "unknown_share": 0.125}
    right = [accuracy(), accuracy("00ab" * 8, **few)]
    nothing: dict[str, Any] = {"state": UNKNOWN, "since_utc_ms": 0, "as_of_utc_ms": 0, "shares": [], "taught": False}
    return [
        room("0.01", "Reception", "Ground floor", 3.1, 393),
        room("0.02", "Workshop", "Ground floor", -5.2, 3 * 24 * 60, taught=False),
        room("2.12", "Office of the caretaker", "Second floor", -1.8, 52),
        room("2.13", "Meeting north", "Second floor", 2.804, 33, shares=shares, nodes=nodes, accuracy=right),
        room("2.14", "Archive", "Second floor", 0.0, 0, nodes=[], **nothing),
    ]


def many_rooms(number: int = 200) -> list[admin_pb2.Room]:
    """So many rooms on floors of twenty, in states and for times that follow from their number."""
    floors = ("Ground floor", "First floor", "Second floor", "Third floor")
    rooms = []
    for index in range(number):
        storey = index // 20
        floor = floors[storey] if storey < len(floors) else f"Floor {storey}"
        log_odds = (index * 37 % 100 - 62) / 10
        rooms.append(room(f"{storey}.{index % 20 + 1:02d}", f"Room {index + 1}", floor, log_odds, index * 17 % 2000))
    return rooms


def some_nodes() -> list[admin_pb2.Node]:
    """A node in order, one that is refused and has lost windows, one that is offline and without a room."""
    sound: dict[str, Any] = {
        "sensors": ["temperature", "humidity", "co2", "pir"],
        "release": RELEASE,
        "firmware": "0.1.0",
    }
    here: dict[str, Any] = {"online": True, "commissioned": True, "gateway": "gw-north", "window_seconds": 60}
    return [
        admin_pb2.Node(
            node="00a1b2c3d4e50213",
            room="2.13",
            last_window_utc_ms=NOW - 10_000,
            last_heard_utc_ms=NOW - 9_000,
            windows=41_022,
            label_windows=60,
            reset_reason="power_on",
            battery_mv=2_960,
            name="by the door",
            transport="ble",
            rssi_dbm=-67,
            on_air_utc_ms=NOW - 31_000,
            findable=True,
            trial=301,
            trial_left_s=64_800,
            signing_key=2,
            **here,
            **sound,
        ),
        admin_pb2.Node(
            node="00a1b2c3d4e51213",
            room="2.13",
            last_window_utc_ms=NOW - 70_000,
            last_heard_utc_ms=NOW - 9_000,
            windows=40_871,
            windows_lost=12,
            windows_summarised=48,
            refused=3,
            last_refusal="the window ends 1 h 12 min in the future; see whether the node's clock was reset",
            bad_frames=2,
            transport="tcp",
            signing_key=1,
            **here,
            **sound,
        ),
        admin_pb2.Node(node="00a1b2c3d4e59999", last_heard_utc_ms=NOW - 26 * HOUR, backlog=0, window_seconds=60),
    ]


def some_gateways() -> list[gateways_pb2.GatewayRow]:
    """One on this machine, one elsewhere, one that is away, one that was shut out, one that is to come."""
    day = 24 * HOUR
    return [
        gateways_pb2.GatewayRow(name="cellar", local=True, connected=True, heard_utc_ms=NOW - 2_000),
        gateways_pb2.GatewayRow(
            name="east", connected=True, heard_utc_ms=NOW - MINUTE, slots=8, slots_used=2,
            since_utc_ms=NOW - 40 * day, expires_utc_ms=NOW + 50 * day,
        ),
        gateways_pb2.GatewayRow(
            name="north", heard_utc_ms=NOW - 3 * day, since_utc_ms=NOW - 5 * day, expires_utc_ms=NOW + 85 * day
        ),
        gateways_pb2.GatewayRow(
            name="old", heard_utc_ms=NOW - 9 * day, since_utc_ms=NOW - 50 * day, expires_utc_ms=NOW + 40 * day,
            revoked_utc_ms=NOW - 9 * day,
        ),
        gateways_pb2.GatewayRow(name="west", invited_utc_ms=NOW + HOUR),
    ]  # fmt: skip


def a_scan() -> gateways_pb2.ScanGatewayReply:
    """A node that is connected, one that another gateway serves, one whose code waits, and somebody."""
    heard = [
        gateways_pb2.HeardRow(
            hint=bytes.fromhex("0a0b0c6a18527388"), node="00a1b2c3d4e50213", room="2.13", rssi_dbm=-52,
            heard_utc_ms=NOW - 2_000, served_by="east", connected=True,
        ),
        gateways_pb2.HeardRow(
            hint=bytes.fromhex("12345667dc10bc2c"), node="00a1b2c3d4e51213", room="2.13", rssi_dbm=-71,
            heard_utc_ms=NOW - 9_000, served_by="north", failures=3,
        ),
        gateways_pb2.HeardRow(
            hint=bytes.fromhex("ffffff60a213e96a"), node="5e6f7081", room="0.01", rssi_dbm=-80,
            heard_utc_ms=NOW - MINUTE, served_by="east",
        ),
        gateways_pb2.HeardRow(hint=bytes.fromhex("0000005740608c57"), rssi_dbm=-93, heard_utc_ms=NOW - 4 * MINUTE),
    ]  # fmt: skip
    return gateways_pb2.ScanGatewayReply(heard=heard, now_utc_ms=NOW, slots=8, slots_used=2)


def some_labels() -> list[admin_pb2.LabelRow]:
    """Three labels, the newest first; the oldest is superseded."""
    common: dict[str, Any] = {"weight": 1.0, "source": "person", "author": "ann", "windows_learned": 20}
    today = NOW - 32 * MINUTE - 10_000
    return [
        admin_pb2.LabelRow(
            number=3, room="2.13", class_name="free", from_utc_ms=today - 20 * MINUTE, to_utc_ms=today,
            told_utc_ms=NOW - 5 * MINUTE, **common,
        ),
        admin_pb2.LabelRow(
            number=2, room="2.13", class_name="occupied", from_utc_ms=today - 24 * HOUR, to_utc_ms=today - 22 * HOUR,
            told_utc_ms=NOW - 21 * HOUR, **common,
        ),
        admin_pb2.LabelRow(
            number=1, room="0.01", class_name="free", from_utc_ms=today - 20 * MINUTE - 24 * HOUR,
            to_utc_ms=today - 24 * HOUR, told_utc_ms=NOW - 23 * HOUR, superseded_by=2, **common,
        ),
    ]  # fmt: skip


def some_drift() -> list[drift_pb2.DriftEvent]:
    """An open event of a node with a plot, and a resolved one of the site without."""
    return [
        drift_pb2.DriftEvent(
            number=2, node="00a1b2c3d4e50213", room="2.13", since="2026-11-19", cause="sensor stuck or covered",
            sensors=["light"], score=2.41, state="open", raised_utc_ms=NOW - 38 * HOUR, changed_utc_ms=NOW - 38 * HOUR,
            text=["Light is lower in working hours.", "See whether something covers the sensor."],
            plotted="light.mean day", then=[3.0, 3.2, math.nan, 2.9], now=[0.4, 0.5],
        ),
        drift_pb2.DriftEvent(
            number=1, since="2026-11-02", cause="season or weather", sensors=["temperature", "light"], score=1.9,
            state="resolved", done="measures as before again", raised_utc_ms=NOW - 18 * 24 * HOUR,
            changed_utc_ms=NOW - 15 * 24 * HOUR, text=["Most nodes measured differently."],
        ),
    ]  # fmt: skip


def a_day(end: int = NOW) -> list[admin_pb2.BeliefPoint]:
    """A day in steps of a minute that ends now: in use in the morning and again just now, two silent hours between."""
    points = []
    for minute in range(24 * 60):
        hour = minute / 60
        busy = 18 <= hour < 20.5 or hour >= 23.4
        silent = 21 <= hour < 23
        log_odds = 2.5 if busy else -3.0 + math.sin(hour)
        known = UNKNOWN if silent else OCCUPIED if busy else FREE
        chance = 1 / (1 + math.exp(-log_odds))
        points.append(
            admin_pb2.BeliefPoint(
                utc_ms=end - (24 * 60 - 1 - minute) * MINUTE,
                said=known, said_probability=chance, known=known, known_probability=chance,
            )
        )  # fmt: skip
    return points


def a_page(verdict: str = "better", days: int = 9) -> admin_pb2.ReleasePage:
    """A release that is better, or worse, than what its node came with."""
    node, worse = "00a1b2c3d4e50213", verdict == "worse"
    figures = (("balanced accuracy", 0.81, 0.93, 0.07, 0.16), ("Brier score", 0.14, 0.06, -0.1, -0.05),
               ("calibration error", 0.11, 0.04, -0.1, -0.02), ("changes a day", 12.0, 6.5, -8.0, -3.0))  # fmt: skip
    measures = [
        admin_pb2.Measure(
            measure=name, before=now if worse else before, now=before if worse else now,
            low=-high if worse else low, high=-low if worse else high,
        )
        for name, before, now, low, high in figures
    ]  # fmt: skip
    release = admin_pb2.Release(
        id="91c0ffee" * 4 if worse else "4f9a0c11" * 4, room="2.13", node=node, made_utc_ms=NOW - 2 * HOUR,
        state="refused" if worse else "candidate", verdict=verdict, ready=not worse, trigger="20 new labels",
        through_label=3,
    )  # fmt: skip
    names = (f"factory {node}", f"cohort 0.01 00a1b2c3d4e50001 for {node}", f"label 2 {node}", f"label 3 {node}")
    return admin_pb2.ReleasePage(
        release=release, against="factory", days=9, changes=31, negative_flips=40, positive_flips=512, flips_p=0.0004,
        slices=[
            admin_pb2.SliceFigures(name=name, days=days, windows=4000, measures=measures)
            for name in ("all", "first hour of presence", "without co2")
        ],
        verdict=verdict,
        recommendation="Refuse it: the nodes keep what they run." if worse
        else "Let it go out: it is ready to be signed.",
        reasons=["Balanced accuracy on days that were held back goes from 0.810 to 0.930 (by +0.070 to +0.160).",
                 "40 windows that were right are wrong now and 512 the other way round."],
        blocks=[
            admin_pb2.ReleaseBlock(name=name, digest="0f" * 16, windows=count, weight=1)
            for name, count in zip(names, (0, 64, 120, 20), strict=True)
        ],
        code="0.1.0",
    )  # fmt: skip


def a_forgetting() -> admin_pb2.ForgetEntry:
    """What somebody had forgotten of a room an hour ago."""
    counts = [
        admin_pb2.ForgetCount(what=what, rows=rows)
        for what, rows in (("windows", 40_320), ("labels", 12), ("muted nodes", 0))
    ]
    return admin_pb2.ForgetEntry(
        id="0123456789abcdef", utc_ms=NOW - HOUR, author="ann", room="2.13", to_utc_ms=NOW - HOUR, counts=counts,
        state="done",
    )  # fmt: skip
