"""What `attune retrain --json` and `attune release ... --json` print; the promises are those of json_form.py."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import Any

from attune_proto.v1 import admin_pb2

from attuned.cli import clock


def retrained(reply: admin_pb2.RetrainReply) -> dict[str, Any]:
    """One room of `attune retrain --json`, a line; no releases where nothing has changed."""
    pages = [page(each, UTC) for each in reply.pages]
    return {"room": reply.room, "done": reply.done, "rooms": reply.rooms, "releases": pages}


def releases(reply: admin_pb2.ListReleasesReply, zone: tzinfo) -> dict[str, Any]:
    """`attune release list --json`, the newest first."""
    return {"now": clock.iso(reply.now_utc_ms, zone), "releases": [_release(each, zone) for each in reply.releases]}


def page(one: admin_pb2.ReleasePage, zone: tzinfo) -> dict[str, Any]:
    """`attune release show --json` and `compare --json`; differences are those of now less before."""
    return {
        "release": _release(one.release, zone),
        "against": one.against,
        "days": one.days,
        "changes": one.changes,
        "slices": [_slice(each) for each in one.slices],
        "negative_flips": one.negative_flips,
        "positive_flips": one.positive_flips,
        "flips_p": one.flips_p,
        "verdict": one.verdict,
        "recommendation": one.recommendation,
        "reasons": list(one.reasons),
        "blocks": [
            {"name": each.name, "digest": each.digest, "windows": each.windows, "weight": each.weight}
            for each in one.blocks
        ],
        "code": one.code,
    }


def rebuilt(reply: admin_pb2.RebuildReleaseReply, zone: tzinfo) -> dict[str, Any]:
    """`attune release rebuild --json`."""
    return {
        "release": _release(reply.release, zone),
        "same": reply.same,
        "rebuilt": reply.rebuilt or None,
        "missing": list(reply.missing),
        "forgotten": [{"name": one.name, "when": clock.iso(one.utc_ms, zone)} for one in reply.forgotten],
    }


def _release(one: admin_pb2.Release, zone: tzinfo) -> dict[str, Any]:
    return {
        "id": one.id,
        "room": one.room,
        "node": one.node,
        "made": clock.iso(one.made_utc_ms, zone),
        "state": one.state,
        "verdict": one.verdict,
        "ready": one.ready,
        "trigger": one.trigger,
        "through_label": one.through_label or None,
        "approved_by": one.approved_by or None,
        "approved": clock.iso(one.approved_utc_ms, zone),
    }


def _slice(one: admin_pb2.SliceFigures) -> dict[str, Any]:
    measures = {
        each.measure: {"before": each.before, "now": each.now, "low": each.low, "high": each.high}
        for each in one.measures
    }
    return {"name": one.name, "days": one.days, "windows": one.windows, "measures": measures}
