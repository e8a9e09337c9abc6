"""Gateways as a table and as JSON. Pure: a reply of the daemon in, something to print out."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from attune_proto.v1 import gateways_pb2
from rich.console import RenderableType
from rich.text import Text

from attuned.cli import clock, look
from attuned.cli.grid import Column, Grid, Row, Section
from attuned.cli.tables import stacked

# Digits of a node's id that its code says.
HINT_DIGITS = 8

NO_GATEWAYS = (
    "No gateway is attached, and none is enrolled. One on this machine attaches to the daemon's socket; for one on "
    "another machine, make an invitation with `attune gateway invite NAME`."
)
_COLUMNS = (
    Column("gateway", least=8),
    Column("state"),
    Column("heard", leave=1),
    Column("slots", leave=2),
    Column("since", leave=4),
    Column("expires", leave=3),
)
_SCAN_COLUMNS = (
    Column("signal", right=True),
    Column("node"),
    Column("room", leave=2, least=6),
    Column("heard", leave=3),
    Column("served by", leave=1, least=6),
    Column("failed", leave=5, right=True),
    Column("hint", leave=4),
)
_STYLES = {"connected": "green", "away": "yellow", "revoked": "dim", "invited": ""}
_MARKS = {"connected": "●", "away": "○", "revoked": "-", "invited": "+"}


def table(reply: gateways_pb2.ListGatewaysReply, zone: tzinfo) -> RenderableType:
    """All gateways by name; or what to do where there are none."""
    if not reply.gateways:
        return NO_GATEWAYS
    rows = [_row(each, reply.now_utc_ms, zone) for each in reply.gateways]
    return Grid(_COLUMNS, [Section("", rows)], indent=0)


def as_json(reply: gateways_pb2.ListGatewaysReply, zone: tzinfo) -> dict[str, Any]:
    """`attune gateway list --json`. `state` is connected, away, revoked or invited; `local` one has no certificate.

    `slots` are Bluetooth connections, null where there is no radio.
    """
    gateways = [
        {
            "name": each.name,
            "state": state(each),
            "local": each.local,
            "connected": each.connected,
            "since": clock.iso(each.since_utc_ms, zone),
            "expires": clock.iso(each.expires_utc_ms, zone),
            "last_heard": clock.iso(each.heard_utc_ms, zone),
            "revoked": clock.iso(each.revoked_utc_ms, zone),
            "invited_until": clock.iso(each.invited_utc_ms, zone),
            "slots": each.slots or None,
            "slots_used": each.slots_used if each.slots else None,
        }
        for each in reply.gateways
    ]
    return {"now": clock.iso(reply.now_utc_ms, zone), "gateways": gateways}


def state(gateway: gateways_pb2.GatewayRow) -> str:
    """One word for how it stands."""
    if gateway.connected:
        return "connected"
    if gateway.invited_utc_ms and (gateway.revoked_utc_ms or not gateway.since_utc_ms):
        return "invited"
    return "revoked" if gateway.revoked_utc_ms else "away"


def scan_screen(name: str, reply: gateways_pb2.ScanGatewayReply, zone: tzinfo) -> RenderableType:
    """What a gateway's radio hears, the loudest first, and how busy it is."""
    used = Text(f"{reply.slots_used} of {look.count(reply.slots, 'connection')} used.")
    if not reply.heard:
        return stacked([Text(f"The radio of gateway {name} hears no node."), used])
    rows = [_scan_row(each, reply.now_utc_ms, zone) for each in reply.heard]
    unknown = sum(not each.node for each in reply.heard)
    if unknown:
        used.append(f" {look.count(unknown, 'unknown one')}: never added, added before radios, or somebody else's.")
    return stacked([Grid(_SCAN_COLUMNS, [Section("", rows)], indent=0), used])


def scan_as_json(name: str, reply: gateways_pb2.ScanGatewayReply, zone: tzinfo) -> dict[str, Any]:
    """`attune gateway scan --json`, the loudest first. `node` is null if unknown, 8 digits while its code waits."""
    heard = [
        {
            "hint": each.hint.hex(),
            "node": each.node or None,
            "room": each.room or None,
            "signal_dbm": each.rssi_dbm,
            "heard": clock.iso(each.heard_utc_ms, zone),
            "served_by": each.served_by or None,
            "connected": each.connected,
            "failures": each.failures,
        }
        for each in reply.heard
    ]
    now = clock.iso(reply.now_utc_ms, zone)
    return {"now": now, "name": name, "slots": reply.slots, "slots_used": reply.slots_used, "heard": heard}


def _scan_row(heard: gateways_pb2.HeardRow, now: int, zone: tzinfo) -> Row:
    waits = len(heard.node) == HINT_DIGITS
    served = f"● {heard.served_by}" if heard.connected else heard.served_by
    cells = (
        Text(f"{heard.rssi_dbm} dBm"),
        Text(f"{heard.node}… waits" if waits else heard.node or "unknown", style="" if heard.node else "dim"),
        Text(heard.room),
        Text(f"{clock.span(now - heard.heard_utc_ms)} ago"),
        Text(served, style="green" if heard.connected else ""),
        Text(str(heard.failures) if heard.failures else "", style="yellow"),
        Text(heard.hint.hex(), style="dim"),
    )
    return Row(cells)


def _row(gateway: gateways_pb2.GatewayRow, now: int, zone: tzinfo) -> Row:
    word = state(gateway)
    cells = (
        Text(gateway.name),
        Text(f"{_MARKS[word]} {word}", style=_STYLES[word]),
        Text(clock.short(gateway.heard_utc_ms, now, zone)),
        Text(f"{gateway.slots_used} of {gateway.slots}" if gateway.slots else ""),
        Text("this machine" if gateway.local else clock.short(gateway.since_utc_ms, now, zone)),
        Text(_expires(gateway, now, zone)),
    )
    return Row(cells)


def _expires(gateway: gateways_pb2.GatewayRow, now: int, zone: tzinfo) -> str:
    """An invitation's end to the minute, a certificate's to the day."""
    if state(gateway) == "invited":
        return clock.day_and_minute(gateway.invited_utc_ms, now, zone)
    return clock.short(gateway.expires_utc_ms, now, zone)
