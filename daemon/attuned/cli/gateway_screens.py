"""Gateways as a table and as JSON. Pure: a reply of the daemon in, something to print out."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from attune_proto.v1 import gateways_pb2
from rich.console import RenderableType
from rich.text import Text

from attuned.cli import clock
from attuned.cli.grid import Column, Grid, Row, Section

NO_GATEWAYS = (
    "No gateway is attached, and none is enrolled. One on this machine attaches to the daemon's socket; for one on "
    "another machine, make an invitation with `attune gateway invite NAME`."
)
_COLUMNS = (
    Column("gateway", least=8),
    Column("state"),
    Column("heard", leave=1),
    Column("since", leave=3),
    Column("expires", leave=2),
)
_STYLES = {"connected": "green", "away": "yellow", "revoked": "dim", "invited": ""}
_MARKS = {"connected": "●", "away": "○", "revoked": "-", "invited": "+"}


def table(reply: gateways_pb2.ListGatewaysReply, zone: tzinfo) -> RenderableType:
    """All gateways by name; or what to do where there are none."""
    if not reply.gateways:
        return Text(NO_GATEWAYS)
    rows = [_row(each, reply.now_utc_ms, zone) for each in reply.gateways]
    return Grid(_COLUMNS, [Section("", rows)], indent=0)


def as_json(reply: gateways_pb2.ListGatewaysReply, zone: tzinfo) -> dict[str, Any]:
    """`attune gateway list --json`. `state` is connected, away, revoked or invited; `local` one has no certificate."""
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


def _row(gateway: gateways_pb2.GatewayRow, now: int, zone: tzinfo) -> Row:
    word = state(gateway)
    cells = (
        Text(gateway.name),
        Text(f"{_MARKS[word]} {word}", style=_STYLES[word]),
        Text(clock.short(gateway.heard_utc_ms, now, zone)),
        Text("this machine" if gateway.local else clock.short(gateway.since_utc_ms, now, zone)),
        Text(_expires(gateway, now, zone)),
    )
    return Row(cells)


def _expires(gateway: gateways_pb2.GatewayRow, now: int, zone: tzinfo) -> str:
    """An invitation's end to the minute, a certificate's to the day."""
    if state(gateway) == "invited":
        return clock.day_and_minute(gateway.invited_utc_ms, now, zone)
    return clock.short(gateway.expires_utc_ms, now, zone)
