"""What golden vectors of services for nodes, gateways, rollouts, upkeep and health say: see vector_values.py."""

from typing import Any

from vector_values import LATER, START

NODES: dict[str, dict[str, Any]] = {
    "AddNodeRequest": {"code": "ABCD", "room": "2.13", "name": "desk", "take_over": True},
    "AddNodeReply": {"hint": "00a1b2c3", "moves_from": "2.13"},
    "ListComingRequest": {"hint": "00a1b2c3"},
    "ListComingReply": {"coming": [{"hint": "00a1b2c3", "waits": True}], "unknown_heard": 3},
    "Coming": {"hint": "00a1b2c3", "node": "a1", "waits": True, "what": "why"},
    "ChangeNodeRequest": {"node": "a1", "room": "2.13"},
    "ChangeNodeReply": {"told": True},
    "RotateKeyRequest": {"begin": True},
    "RotateKeyReply": {"waiting_for": ["a1", "b1"]},
}

ADVERTISED = bytes.fromhex("0a0b0c6a18527388")

GATEWAYS: dict[str, dict[str, Any]] = {
    "InviteGatewayRequest": {"name": "north", "valid_s": 3600, "host": "attune.lan"},
    "InviteGatewayReply": {"invitation": "ABCD", "until_utc_ms": LATER, "enrolled_already": True},
    "Invitation": {
        "token": bytes(range(16)),
        "authority": bytes([2, *range(32)]),
        "host": "attune.lan",
        "port": 7444,
    },
    "ListGatewaysRequest": {},
    "ListGatewaysReply": {"gateways": [{"name": "north", "connected": True}], "now_utc_ms": LATER},
    "GatewayRow": {
        "name": "north",
        "local": True,
        "connected": True,
        "since_utc_ms": START,
        "expires_utc_ms": LATER,
        "heard_utc_ms": START,
        "revoked_utc_ms": LATER,
        "invited_utc_ms": LATER,
        "slots": 8,
        "slots_used": 2,
    },
    "ScanGatewayRequest": {"name": "north"},
    "ScanGatewayReply": {
        "heard": [{"hint": ADVERTISED, "rssi_dbm": -67}],
        "now_utc_ms": LATER,
        "slots": 8,
        "slots_used": 2,
    },
    "HeardRow": {
        "hint": ADVERTISED,
        "node": "a1",
        "room": "2.13",
        "rssi_dbm": -67,
        "heard_utc_ms": START,
        "served_by": "north",
        "connected": True,
        "failures": 3,
    },
    "RevokeGatewayRequest": {"name": "north"},
    "RevokeGatewayReply": {"connected": True},
    "EnrolRequest": {"token": bytes(range(16)), "request": b"\x30\x03\x01\x02\x03"},
    "EnrolReply": {
        "name": "north",
        "certificate": b"\x30\x01\x01",
        "authority": b"\x30\x01\x02",
        "port": 7443,
    },
    "RenewRequest": {"request": b"\x30\x03\x01\x02\x03"},
    "RenewReply": {"certificate": b"\x30\x01\x01"},
}

ROLLOUT_STAGE: dict[str, Any] = {"name": "canary", "nodes": 1, "committed": 1, "failed": 2, "away": 3}
ROLLOUT_NODE: dict[str, Any] = {
    "node": "a1",
    "room": "2.13",
    "release": "4f9a",
    "stage": 1,
    "step": "under way",
    "what": "tries it",
    "windows": 41,
    "differing": 2,
    "away": True,
}
ROLLOUT_ACT: dict[str, Any] = {"utc_ms": START, "author": "ann", "what": "abort", "reason": "noise"}

ROLLOUTS: dict[str, dict[str, Any]] = {
    "StartRolloutRequest": {
        "releases": ["4f9a", "91c0"],
        "rooms": ["2.13"],
        "canary": 2,
        "canary_share": 0.25,
        "success_share": 0.75,
        "error_share": 0.125,
        "wait_hours": 4.0,
        "deadline_hours": 48.0,
        "author": "ann",
    },
    "ListRolloutsRequest": {"limit": 300},
    "ListRolloutsReply": {"rollouts": [{"number": 7, "state": "done"}], "now_utc_ms": LATER},
    "RolloutRequest": {"number": 300},
    "ChangeRolloutRequest": {"number": 7, "word": "rollback", "author": "ann", "reason": "noise"},
    "Rollout": {
        "number": 300,
        "state": "running",
        "author": "ann",
        "trigger": "asked",
        "reason": "why",
        "started_utc_ms": START,
        "ends_utc_ms": LATER,
        "now_utc_ms": LATER,
        "stage": 1,
        "stages": [ROLLOUT_STAGE],
        "nodes": [ROLLOUT_NODE],
        "acts": [ROLLOUT_ACT],
        "mixed_rooms": ["2.13"],
        "through": 1,
        "size": 2,
    },
    "RolloutStage": ROLLOUT_STAGE,
    "RolloutNode": ROLLOUT_NODE,
    "RolloutAct": ROLLOUT_ACT,
}

UPKEEP: dict[str, dict[str, Any]] = {
    "RunRetentionRequest": {},
    "RunRetentionReply": {"windows_from_utc_ms": START, "history_from_utc_ms": LATER},
}

HEALTH: dict[str, dict[str, Any]] = {
    "GetHealthRequest": {},
    "SiteHealth": {"started_utc_ms": START, "clock_jump_ms": -3_600_000, "clock_jumped_utc_ms": LATER},
}
