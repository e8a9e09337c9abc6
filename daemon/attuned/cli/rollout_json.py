"""What `attune rollout ... --json` prints; the promises are those of json_form.py."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from attune_proto.v1 import rollouts_pb2

from attuned.cli import clock


def rollouts(reply: rollouts_pb2.ListRolloutsReply, zone: tzinfo) -> dict[str, Any]:
    """`attune rollout status --json`, the newest first."""
    return {"now": clock.iso(reply.now_utc_ms, zone), "rollouts": [_line(one, zone) for one in reply.rollouts]}


def rollout(one: rollouts_pb2.Rollout, zone: tzinfo) -> dict[str, Any]:
    """`attune rollout status ID --json`, and what the other commands answer."""
    return _line(one, zone) | {
        "nodes": [
            {
                "node": node.node,
                "room": node.room,
                "release": node.release,
                "stage": one.stages[node.stage].name if node.stage < len(one.stages) else None,
                "step": node.step,
                "what": node.what,
                "away": node.away,
                "windows": node.windows,
                "differing": node.differing,
            }
            for node in one.nodes
        ],
        "acts": [
            {"when": clock.iso(act.utc_ms, zone), "author": act.author or None, "what": act.what, "reason": act.reason}
            for act in one.acts
        ],
    }


def _line(one: rollouts_pb2.Rollout, zone: tzinfo) -> dict[str, Any]:
    return {
        "number": one.number,
        "state": one.state,
        "reason": one.reason or None,
        "author": one.author or None,
        "trigger": one.trigger,
        "started": clock.iso(one.started_utc_ms, zone),
        "ends": clock.iso(one.ends_utc_ms, zone),
        "through": one.through,
        "size": one.size,
        "stage": one.stages[one.stage].name if one.stage < len(one.stages) else None,
        "stages": [
            {
                "name": stage.name,
                "nodes": stage.nodes,
                "committed": stage.committed,
                "failed": stage.failed,
                "away": stage.away,
            }
            for stage in one.stages
        ],
        "mixed_rooms": list(one.mixed_rooms),
    }
