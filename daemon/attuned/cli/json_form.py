"""What `--json` prints. These keys are a promise: they may grow in number and never change their meaning.

Every time is ISO 8601 with milliseconds and the site's offset, as in `2026-11-21T14:00:00.000+01:00`. What is absent is
null. Probabilities are of being occupied, 0 to 1; log-odds are natural. States are `occupied`, `free`, `unknown`.
Pure: a reply of the daemon in, plain values out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from attune_proto.v1 import admin_pb2

from attuned.cli import clock
from attuned.cli.look import state_word

_FIGURES = (
    "balanced_accuracy",
    "least",
    "most",
    "calibration_error",
    "false_free_min_per_day",
    "false_occupied_min_per_day",
    "unknown_share",
)


def status(reply: admin_pb2.SiteStatus, zone: tzinfo) -> dict[str, Any]:
    """`attune status --json`. `broker`, `store`, `updates` and `windows_check` are null when well, else a sentence.

    `windows_checked` is null until windows.db has been checked, which begins some seconds after the start.

    The delays are those that 99 % of the last windows did not exceed: to the disk, and to the broker's acknowledgement.
    """
    return {
        "site": reply.site,
        "timezone": reply.timezone,
        "version": reply.version,
        "now": clock.iso(reply.now_utc_ms, zone),
        "started": clock.iso(reply.started_utc_ms, zone),
        "accuracy": _accuracy(reply.accuracy),
        "rooms_judged": reply.rooms_judged,
        "rooms": reply.rooms,
        "rooms_with_state": reply.rooms_with_state,
        "nodes": reply.nodes,
        "nodes_online": reply.nodes_online,
        "gateways": list(reply.gateways),
        "broker": reply.broker or None,
        "store": reply.store or None,
        "updates": reply.updates or None,
        "windows_check": reply.windows_check or None,
        "windows_checked": clock.iso(reply.windows_checked_utc_ms, zone),
        "windows": reply.windows,
        "windows_lost": reply.windows_lost,
        "windows_summarised": reply.windows_summarised,
        "refused": reply.refused,
        "labels": reply.labels,
        "mqtt_messages": reply.mqtt_messages,
        "commit_delay_ms": reply.commit_delay_ms,
        "publish_delay_ms": reply.publish_delay_ms,
    }


def rooms(reply: admin_pb2.ListRoomsReply, zone: tzinfo) -> dict[str, Any]:
    """`attune rooms --json`."""
    return {"now": clock.iso(reply.now_utc_ms, zone), "rooms": [room(one, zone) for one in reply.rooms]}


def room_with_history(
    reply: admin_pb2.ListRoomsReply, points: Iterable[admin_pb2.BeliefPoint], zone: tzinfo
) -> dict[str, Any]:
    """`attune rooms ROOM --json`: as all rooms, with the last 24 hours of the one."""
    return rooms(reply, zone) | {"history": [_point(point, zone) for point in points]}


def room(one: admin_pb2.Room, zone: tzinfo) -> dict[str, Any]:
    """One room; its shares add up to its log-odds."""
    return {
        "room": one.room,
        "name": one.name or None,
        "floor": one.floor or None,
        "state": state_word(one.state),
        "probability": one.probability,
        "since": clock.iso(one.since_utc_ms, zone),
        "as_of": clock.iso(one.as_of_utc_ms, zone),
        "valid_until": clock.iso(one.valid_until_utc_ms, zone),
        "log_odds": one.log_odds,
        "shares": [_share(share) for share in one.shares],
        "taught": one.taught,
        "nodes": list(one.nodes),
        "accuracy": [_accuracy(found) for found in one.accuracy],
    }


def _accuracy(found: admin_pb2.Accuracy) -> dict[str, Any]:
    """What was said against labels, while a release ran; what cannot be told is null."""
    known = {"days": found.days, "free_hours": found.free_hours, "occupied_hours": found.occupied_hours}
    told = {field.name: value for field, value in found.ListFields()}
    figures = {name: told.get(name) for name in _FIGURES}
    return {"release": found.release or None, **known, **figures}


def nodes(reply: admin_pb2.ListNodesReply, zone: tzinfo) -> dict[str, Any]:
    """`attune nodes [NODE] --json`."""
    return {"now": clock.iso(reply.now_utc_ms, zone), "nodes": [_node(one, zone) for one in reply.nodes]}


def added(reply: admin_pb2.AddLabelReply, zone: tzinfo) -> dict[str, Any]:
    """`attune label add ... --json`."""
    return {
        "label": _label(reply.label, zone),
        "windows_learned": reply.windows_learned,
        "nodes_learned": reply.nodes_learned,
        "nodes_waiting": reply.nodes_waiting,
    }


def withdrawn(reply: admin_pb2.WithdrawLabelReply, zone: tzinfo) -> dict[str, Any]:
    """`attune label undo ... --json`."""
    return {
        "label": _label(reply.label, zone),
        "in_force_again": list(reply.in_force_again),
        "nodes_unlearned": reply.nodes_unlearned,
        "nodes_waiting": reply.nodes_waiting,
    }


def doubted(reply: admin_pb2.CheckLabelsReply, zone: tzinfo) -> dict[str, Any]:
    """`attune label check --json`, the likeliest mistakes first; `chance` is that of the label's being right."""
    labels = [
        {"label": _label(one.label, zone), "chance": one.chance, "contradicted_by": list(one.contradicted_by)}
        for one in reply.labels
    ]
    return {"now": clock.iso(reply.now_utc_ms, zone), "checked": reply.checked, "labels": labels}


def questions(reply: admin_pb2.AskLabelsReply, zone: tzinfo) -> dict[str, Any]:
    """`attune label ask --json`, what teaches most first; `probability` as it is known now."""
    asked = [
        {
            "room": one.room,
            "from": clock.iso(one.from_utc_ms, zone),
            "to": clock.iso(one.to_utc_ms, zone),
            "probability": one.probability,
        }
        for one in reply.questions
    ]
    return {"now": clock.iso(reply.now_utc_ms, zone), "questions": asked}


def labels(reply: admin_pb2.ListLabelsReply, zone: tzinfo) -> dict[str, Any]:
    """`attune label list --json`, the newest first."""
    return {"now": clock.iso(reply.now_utc_ms, zone), "labels": [_label(one, zone) for one in reply.labels]}


def _share(share: admin_pb2.Share) -> dict[str, Any]:
    return {
        "source": share.source,
        "log_odds": share.log_odds,
        "release": share.release or None,
        "note": share.note or None,
    }


def _point(point: admin_pb2.BeliefPoint, zone: tzinfo) -> dict[str, Any]:
    return {
        "at": clock.iso(point.utc_ms, zone),
        "said": state_word(point.said),
        "said_probability": point.said_probability,
        "known": state_word(point.known),
        "known_probability": point.known_probability,
    }


def _node(one: admin_pb2.Node, zone: tzinfo) -> dict[str, Any]:
    return {
        "node": one.node,
        "room": one.room or None,
        "online": one.online,
        "gateway": one.gateway or None,
        "sensors": list(one.sensors),
        "release": one.release or None,
        "firmware": one.firmware or None,
        "last_window": clock.iso(one.last_window_utc_ms, zone),
        "last_heard": clock.iso(one.last_heard_utc_ms, zone),
        "windows": one.windows,
        "windows_lost": one.windows_lost,
        "windows_summarised": one.windows_summarised,
        "refused": one.refused,
        "last_refusal": one.last_refusal or None,
        "label_windows": one.label_windows,
        "window_seconds": one.window_seconds,
        "reset_reason": one.reset_reason or None,
        "battery_mv": one.battery_mv or None,
        "backlog": one.backlog,
        "bad_frames": one.bad_frames,
        "name": one.name or None,
        "commissioned": one.commissioned,
        "transport": one.transport or None,
        "signal_dbm": one.rssi_dbm or None,
        "on_air": clock.iso(one.on_air_utc_ms, zone),
        "findable": one.findable,
        "trial": one.trial or None,
        "trial_left_s": one.trial_left_s if one.trial else None,
        "signing_key": one.signing_key or None,
    }


def _label(one: admin_pb2.LabelRow, zone: tzinfo) -> dict[str, Any]:
    return {
        "number": one.number,
        "room": one.room,
        "class": one.class_name,
        "from": clock.iso(one.from_utc_ms, zone),
        "to": clock.iso(one.to_utc_ms, zone),
        "weight": one.weight,
        "source": one.source,
        "author": one.author or None,
        "told": clock.iso(one.told_utc_ms, zone),
        "superseded_by": one.superseded_by or None,
        "withdrawn": clock.iso(one.withdrawn_utc_ms, zone),
        "withdrawn_by": one.withdrawn_by or None,
        "windows_learned": one.windows_learned,
    }
