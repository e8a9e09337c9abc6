"""What each golden vector of node.proto and link.proto says, written by hand: see vector_values.py."""

from typing import Any

from vector_values import START

HELLO: dict[str, Any] = {
    "node_id": bytes([0xA1, 2, 3, 4, 5, 6, 7, 8]),
    "boot": 0xDEADBEEF,
    "tick_ms": 10_000,
    "window_s": 60,
    "sensors": bytes([0x81, 4, 32]),
    "schema": bytes([0x3F, 0xE7, 0xB5, 0xCD, 0xC7, 0xDD, 0x8D, 0x9A]),
    "release": bytes(range(16)),
    "classes": 2,
    "first_seq": 7,
    "next_seq": 300,
    "label_capacity": 64,
    "label_windows": 5,
    "firmware": "0.1.0",
    "test": True,
}
REPORT: dict[str, Any] = {
    "seq": 300,
    "end_s": 18_000,
    "features": b"\x00\x02\x00\x80\xff\xff",
    "evidence": b"\x00\xfa",
    "state": 0xC0,
    "first_seq": 290,
}
WINDOW: dict[str, Any] = {"boot": 77, "seq": 9, "features": b"\x00\x02\x00\x80"}
BUTTON = {"press": 7, "class_index": 1, "tick_ms": 600_000}
SUMMARY = {
    "number": 37,
    "boot": 0xDEADBEEF,
    "first_seq": 201,
    "last_seq": 248,
    "end_s": 14_880,
    "reports": 48,
    "class_reports": b"\x24\x0c",
    "features": b"\x01\x02\x00\x80",
}

SKETCH = {"number": 5, "end_s": 10_800, "windows": 60, "counts": b"\x01\x02\x01\xff"}
RUNNING: dict[str, Any] = {
    "release": bytes(range(16)),
    "highest": 301,
    "signing_key": 2,
    "trial": 301,
    "trial_left_s": 86_000,
    "last_trial": "TRIAL_END_DEADLINE",
}
COMMAND: dict[str, Any] = {"identify_s": 10, "next_daemon": bytes(range(32)), "rekey": True, "disown": True}
FRAME: dict[str, Any] = {"link": 3, "data": b"\x01\xa1\x02\x03\x04\x22\x00"}
UPDATE_CHUNK: dict[str, Any] = {"id": bytes(range(16)), "size": 700, "offset": 300, "data": b"\xa1\xa2\xa3"}

NODE: dict[str, dict[str, Any]] = {
    "Hello": HELLO,
    "Command": COMMAND,
    "DaemonMessage.command": {"command": {"identify_s": 10}},
    "Time": {"echo_tick_ms": 10_000, "utc_ms": START, "quiet": True},
    "TimeAck": {"echo_tick_ms": 10_000, "tick_ms": 10_010},
    "Report": REPORT,
    "ReportAck": {"through": 300, "more": 0b101},
    "LabelWindow": WINDOW,
    "Label": {
        "number": 12,
        "part": 1,
        "class_index": 2,
        "weight": 256,
        "from_s": 1200,
        "to_s": 2400,
        "windows": [WINDOW, {"boot": 77, "seq": 10, "features": b"\xff\x7f"}],
    },
    "LabelAck": {"number": 12, "part": 1, "learned": 7, "refused": 1},
    "Health": {
        "uptime_s": 600,
        "reset_reason": "RESET_REASON_FAULT",
        "reset_pc": 0x08001234,
        "stack_free": 1024,
        "battery_mv": 3000,
        "dropped_reports": 72,
        "bad_frames": 3,
        "refused_samples": 2,
        "refused_labels": 1,
        "backlog": 128,
        "dropped_presses": 2,
    },
    "Button": BUTTON,
    "DriftSketch": SKETCH,
    "SketchAck": {"boot": 0xDEADBEEF, "number": 5},
    "Summary": SUMMARY,
    "SummaryAck": {"number": 37},
    "ButtonAck": {"boot": 0xDEADBEEF, "press": 7},
    "HelloRequest": {},
    "Unlearn": {"number": 12, "part": 3},
    "NodeMessage.hello": {"hello": HELLO},
    "NodeMessage.time_ack": {"time_ack": {"echo_tick_ms": 10_000, "tick_ms": 10_010}},
    "NodeMessage.report": {"report": REPORT},
    "NodeMessage.label_ack": {"label_ack": {"number": 12, "learned": 7}},
    "NodeMessage.health": {"health": {"uptime_s": 600, "reset_reason": "RESET_REASON_POWER_ON"}},
    "NodeMessage.drift_sketch": {"drift_sketch": SKETCH},
    "NodeMessage.summary": {"summary": SUMMARY},
    "NodeMessage.button": {"button": BUTTON},
    "DaemonMessage.time": {"time": {"echo_tick_ms": 10_000, "utc_ms": START}},
    "DaemonMessage.report_ack": {"report_ack": {"through": 300, "more": 0b101}},
    "DaemonMessage.label": {
        "label": {
            "number": 12,
            "class_index": 1,
            "weight": 256,
            "from_s": 1200,
            "to_s": 2400,
            "windows": [WINDOW],
        }
    },
    "DaemonMessage.hello_request": {"hello_request": {}},
    "DaemonMessage.unlearn": {"unlearn": {"number": 12}},
    "DaemonMessage.summary_ack": {"summary_ack": {"number": 37}},
    "DaemonMessage.sketch_ack": {"sketch_ack": {"boot": 0xDEADBEEF, "number": 5}},
    "DaemonMessage.button_ack": {"button_ack": {"boot": 0xDEADBEEF, "press": 7}},
    "UpdateChunk": UPDATE_CHUNK,
    "UpdateAck": {"id": bytes(range(16)), "offset": 300},
    "UpdateVerdict": {"sequence": 300, "result": "UPDATE_RESULT_OK"},
    "Running": RUNNING,
    "TrialDecision": {"sequence": 301, "commit": True},
    "DaemonMessage.trial_decision": {"trial_decision": {"sequence": 301}},
    "SigningKeyAck": {"number": 2, "result": "SIGNING_KEY_RESULT_OK"},
    "NodeMessage.update_ack": {"update_ack": {"id": bytes(range(16)), "offset": 300}},
    "NodeMessage.update_verdict": {"update_verdict": {"sequence": 300, "result": "UPDATE_RESULT_SEQUENCE"}},
    "NodeMessage.signing_key_ack": {"signing_key_ack": {"number": 2, "result": "SIGNING_KEY_RESULT_GAP"}},
    "DaemonMessage.update": {"update": b"\x01\x84\x07"},
    "DaemonMessage.update_chunk": {"update_chunk": UPDATE_CHUNK},
    "DaemonMessage.signing_keys": {"signing_keys": b"\x01\x02"},
    "DaemonMessage.newer": {"time": {"echo_tick_ms": 10_000}},
}

ADVERTISED = bytes.fromhex("0a0b0c1112131415")

LINK: dict[str, dict[str, Any]] = {
    "GatewayHello": {"name": "gw-1", "version": "0.1.0", "slots": 8},
    "Sighting": {"hint": ADVERTISED, "rssi_dbm": -71, "failures": 2},
    "Wish": {"hint": ADVERTISED, "need": 3},
    "LinkUp": {"link": 3, "transport": "tcp", "peer": "10.0.0.7:50312"},
    "LinkUp.ble": {"link": 3, "transport": "ble", "peer": "F0:E1", "hint": ADVERTISED, "mtu": 243},
    "Frame": FRAME,
    "LinkStats": {"link": 3, "frames": 300, "damaged": 1, "oversized": 2, "unsendable": 4, "rssi_dbm": -64},
    "GatewayBatch": {
        "hello": {"name": "gw-1", "version": "0.1.0"},
        "links_up": [{"link": 3, "transport": "tcp"}],
        "links_down": [1, 128],
        "frames": [FRAME],
        "stats": [{"link": 3, "frames": 300}],
        "sightings": [{"hint": ADVERTISED, "rssi_dbm": -71}],
    },
    "DaemonBatch": {
        "frames": [FRAME, {"link": 5, "data": b"\x01\x00\x00\x00\x00"}],
        "wishes": [{"hint": ADVERTISED}],
    },
}
