"""The rollouts of the site with fixed data (cli_site.py)."""

# The names of the methods are the contract's.
# ruff: noqa: N802

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from attune_proto.v1 import rollouts_pb2, rollouts_pb2_grpc
from cli_data import HOUR, NOW

RELEASE = "4f9a0c11" * 4


def a_node(number: int, room: str, step: str, what: str, **more: Any) -> rollouts_pb2.RolloutNode:
    values: dict[str, Any] = {"node": f"00a1b2c3d4e5{number:04d}", "room": room, "release": RELEASE} | more
    return rollouts_pb2.RolloutNode(step=step, what=what, **values)


def some_nodes() -> list[rollouts_pb2.RolloutNode]:
    """A canary that is done, one on trial, one out of reach, one that waits for its stage."""
    tries = "tries it: 41 windows so far, 2 of them different"
    return [
        a_node(213, "2.13", "committed", "runs it"),
        a_node(1213, "2.13", "under way", tries, stage=1, windows=41, differing=2),
        a_node(212, "2.12", "queued", "out of reach; it gets it when it comes", stage=1, away=True),
        a_node(1, "0.01", "queued", "waits for the stage everywhere else", stage=2),
    ]


def a_rollout(state: str = "running", **more: Any) -> rollouts_pb2.Rollout:
    """Begun four hours ago, in its second of three stages."""
    values: dict[str, Any] = {
        "number": 7,
        "author": "ann",
        "trigger": "a person asked",
        "started_utc_ms": NOW - 4 * HOUR,
        "ends_utc_ms": NOW + 14 * 24 * HOUR,
        "now_utc_ms": NOW,
        "stage": 1,
        "stages": [
            rollouts_pb2.RolloutStage(name="canary", nodes=1, committed=1),
            rollouts_pb2.RolloutStage(name="floor 2", nodes=2, away=1),
            rollouts_pb2.RolloutStage(name="everywhere else", nodes=1),
        ],
        "nodes": some_nodes(),
        "acts": [
            rollouts_pb2.RolloutAct(utc_ms=NOW - 4 * HOUR, author="ann", what="start", reason="a person asked"),
            rollouts_pb2.RolloutAct(utc_ms=NOW - HOUR, what="paused"),
        ],
        "mixed_rooms": ["2.13"],
        "through": 1,
        "size": 4,
    }
    return rollouts_pb2.Rollout(state=state, **(values | more))


class RolloutCalls(rollouts_pb2_grpc.RolloutsServicer):
    """What the daemon would answer. `begun`: whether there has been a rollout."""

    begun = True
    rollout_ends = "done"

    def StartRollout(self, request: Any, context: Any) -> rollouts_pb2.Rollout:
        self._note(request, context, "StartRollout")
        return a_rollout(author=request.author)

    def ListRollouts(self, request: Any, context: Any) -> rollouts_pb2.ListRolloutsReply:
        self._note(request, context, "ListRollouts")
        older = a_rollout("stopped", number=6, author="", reason="1 of 2 nodes went wrong", through=2, size=2, stage=3)
        return rollouts_pb2.ListRolloutsReply(rollouts=[a_rollout(), older] if self.begun else [], now_utc_ms=NOW)

    def ShowRollout(self, request: Any, context: Any) -> rollouts_pb2.Rollout:
        self._note(request, context, "ShowRollout")
        if request.number > 7:
            context.abort(grpc.StatusCode.NOT_FOUND, f"There is no rollout {request.number}.")
        return a_rollout()

    def ChangeRollout(self, request: Any, context: Any) -> rollouts_pb2.Rollout:
        self._note(request, context, "ChangeRollout")
        states = {"pause": "paused", "resume": "running", "abort": "aborted", "rollback": "rolling back"}
        return a_rollout(states[request.word])

    def WatchRollout(self, request: Any, context: Any) -> Iterator[rollouts_pb2.Rollout]:
        self._note(request, context, "WatchRollout")
        yield a_rollout()
        yield a_rollout(self.rollout_ends, through=4, stage=3, reason="why" if self.rollout_ends == "stopped" else "")

    def _note(self, request: Any, context: Any, method: str) -> None:
        """Keeps what was asked; for the class that these calls are a part of."""
