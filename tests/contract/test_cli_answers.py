"""Labels as the daemon is told them, JSON that is a promise, and what is loaded for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from attune_proto.v1 import admin_pb2
from cli_data import MINUTE, NOW, RELEASE
from cli_run import CommandLine, environment
from cli_site import served


class TestLabels:
    def test_what_the_daemon_is_told(self, attune: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOGNAME", "ann")
        assert attune("label", "add", "2.13", "occupied", "-20m", "now")[0] == 0
        (request,) = [one for one in attune.site.asked if isinstance(one, admin_pb2.AddLabelRequest)]
        assert (request.room, request.class_name, request.source, request.author) == (
            "2.13",
            "occupied",
            "person",
            "ann",
        )
        assert (request.from_utc_ms, request.to_utc_ms) == (NOW - 20 * MINUTE, NOW)
        assert 0 < request.wait_ms <= 10_000

    @pytest.mark.parametrize("words", [["--json", "-20m", "now"], ["-20m", "--json", "now"], ["-20m", "now", "--json"]])
    def test_options_stand_anywhere(self, attune: CommandLine, words: list[str]) -> None:
        code, out, _ = attune("label", "add", "2.13", "free", *words)
        assert code == 0
        assert json.loads(out)["label"]["from"] == "2026-11-21T14:12:10.000+01:00"

    @pytest.mark.parametrize(
        ("learned", "waiting", "sentence"),
        [
            (2, 0, "2 nodes learned 20 windows."),
            (0, 2, "2 nodes will learn it once reached."),
            (0, 0, "It is kept; no node of this room has windows in that time to learn from."),
        ],
    )
    def test_who_has_learned(
        self, attune: CommandLine, monkeypatch: pytest.MonkeyPatch, learned: int, waiting: int, sentence: str
    ) -> None:
        label = admin_pb2.LabelRow(number=4, room="2.13", class_name="free", from_utc_ms=NOW - MINUTE, to_utc_ms=NOW)
        reply = admin_pb2.AddLabelReply(
            label=label, windows_learned=20 * bool(learned), nodes_learned=learned, nodes_waiting=waiting
        )
        monkeypatch.setattr(attune.site, "AddLabel", lambda *_: reply)
        # The server holds the method that it was given; a served copy of the site has the new one.
        with served(attune.site, os.environ["ATTUNE_SOCKET"] + "2"):
            _, out, _ = attune("label", "add", "2.13", "free", "now", "--socket", os.environ["ATTUNE_SOCKET"] + "2")
        assert out.splitlines()[-1] == sentence

    def test_limit_and_room(self, attune: CommandLine) -> None:
        for room in (["2.13"], ["--room", "2.13"], ["2.13", "--room", "2.13"]):
            labels = attune.answer("label", "list", *room, "--limit", "1")["labels"]
            assert [label["number"] for label in labels] == [3]

    def test_two_rooms_are_no_room(self, attune: CommandLine) -> None:
        code, _, err = attune("label", "list", "2.13", "--room", "0.01")
        assert (code, err) == (2, "attune: 2.13 and --room 0.01 are two rooms; name one.\n")

    @pytest.mark.parametrize(
        ("since", "utc_ms"),
        [
            ("2026-11-21 14:00", NOW - 32 * MINUTE - 10_000),
            ("-2d", NOW - 48 * 60 * MINUTE),
            ("today", NOW - (14 * 60 + 32) * MINUTE - 10_000),
        ],
    )
    def test_since(self, attune: CommandLine, since: str, utc_ms: int) -> None:
        attune.answer("label", "list", "--since", since)
        (request,) = [one for one in attune.site.asked if isinstance(one, admin_pb2.ListLabelsRequest)]
        assert request.since_utc_ms == utc_ms

    def test_force_is_passed_on(self, attune: CommandLine) -> None:
        assert attune("label", "add", "2.13", "free", "-2d", "--force")[0] == 0
        (request,) = [one for one in attune.site.asked if isinstance(one, admin_pb2.AddLabelRequest)]
        assert request.force

    @pytest.mark.parametrize(("words", "number"), [([], 0), (["3"], 3)])
    def test_taking_back(
        self, attune: CommandLine, monkeypatch: pytest.MonkeyPatch, words: list[str], number: int
    ) -> None:
        monkeypatch.setenv("LOGNAME", "ann")
        answer = attune.answer("label", "undo", *words)
        assert list(answer) == ["label", "in_force_again", "nodes_unlearned", "nodes_waiting"]
        assert (answer["label"]["number"], answer["label"]["withdrawn_by"]) == (3, "ann")
        (request,) = [one for one in attune.site.asked if isinstance(one, admin_pb2.WithdrawLabelRequest)]
        assert (request.number, request.author) == (number, "ann")


class TestJson:
    """The keys are a promise to scripts: a key that is renamed or missing fails here."""

    def test_status(self, attune: CommandLine) -> None:
        assert attune.answer("status") == {
            "site": "town-hall",
            "timezone": "Europe/Brussels",
            "version": "0.1.0",
            "now": "2026-11-21T14:32:10.000+01:00",
            "started": "2026-11-18T10:32:10.000+01:00",
            "accuracy": {
                "release": None,
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
            },
            "rooms_judged": 3,
            "rooms": 5,
            "rooms_with_state": 4,
            "nodes": 3,
            "nodes_online": 2,
            "gateways": ["gw-north", "gw-south"],
            "broker": None,
            "store": None,
            "updates": None,
            "windows_check": None,
            "windows_checked": None,
            "windows": 81893,
            "windows_lost": 12,
            "windows_summarised": 48,
            "refused": 3,
            "labels": 3,
            "mqtt_messages": 512,
            "commit_delay_ms": 2.5,
            "publish_delay_ms": 41.0,
        }

    def test_what_is_not_known_of_accuracy_is_null(self, attune: CommandLine) -> None:
        attune.site.accuracy = admin_pb2.Accuracy()
        found = attune.answer("status")["accuracy"]
        assert (found.pop("days"), found.pop("free_hours"), found.pop("occupied_hours")) == (0, 0, 0)
        assert set(found.values()) == {None}

    def test_rooms(self, attune: CommandLine) -> None:
        answer = attune.answer("rooms")
        assert list(answer) == ["now", "rooms"]
        assert answer["rooms"][4] == {
            "room": "2.14",
            "name": "Archive",
            "floor": "Second floor",
            "state": "unknown",
            "probability": 0.5,
            "since": None,
            "as_of": None,
            "valid_until": "2026-11-21T14:42:10.000+01:00",
            "log_odds": 0.0,
            "shares": [],
            "taught": False,
            "nodes": [],
            "accuracy": [],
        }
        meeting = answer["rooms"][3]
        assert [found["release"] for found in meeting["accuracy"]] == [RELEASE, "00ab" * 8]
        assert meeting["accuracy"][1]["least"] is None
        assert meeting["since"] == "2026-11-21T13:59:10.000+01:00"
        assert sum(share["log_odds"] for share in meeting["shares"]) == pytest.approx(meeting["log_odds"])
        assert meeting["shares"][2] == {
            "source": "00a1b2c3d4e51213",
            "log_odds": -0.654,
            "release": RELEASE,
            "note": "stuck: counts half",
        }

    def test_one_room(self, attune: CommandLine) -> None:
        answer = attune.answer("rooms", "2.13")
        assert list(answer) == ["now", "rooms", "history"]
        assert [one["room"] for one in answer["rooms"]] == ["2.13"]
        assert len(answer["history"]) == 1440
        assert answer["history"][-1]["at"] == "2026-11-21T14:32:10.000+01:00"
        assert set(answer["history"][0]) == {"at", "said", "said_probability", "known", "known_probability"}

    def test_nodes(self, attune: CommandLine) -> None:
        answer = attune.answer("nodes", "00a1b2c3d4e51213")
        assert list(answer) == ["now", "nodes"]
        assert answer["nodes"] == [
            {
                "node": "00a1b2c3d4e51213",
                "room": "2.13",
                "online": True,
                "gateway": "gw-north",
                "sensors": ["temperature", "humidity", "co2", "pir"],
                "release": RELEASE,
                "firmware": "0.1.0",
                "last_window": "2026-11-21T14:31:00.000+01:00",
                "last_heard": "2026-11-21T14:32:01.000+01:00",
                "windows": 40871,
                "windows_lost": 12,
                "windows_summarised": 48,
                "refused": 3,
                "last_refusal": "the window ends 1 h 12 min in the future; see whether the node's clock was reset",
                "label_windows": 0,
                "window_seconds": 60,
                "reset_reason": None,
                "battery_mv": None,
                "backlog": 0,
                "bad_frames": 2,
                "name": None,
                "commissioned": True,
                "transport": "tcp",
                "signal_dbm": None,
                "on_air": None,
                "findable": False,
                "trial": None,
                "trial_left_s": None,
                "signing_key": 1,
            }
        ]
        on_air = attune.answer("nodes", "00a1b2c3d4e50213")["nodes"][0]
        assert [on_air[key] for key in ("transport", "signal_dbm", "findable", "trial", "trial_left_s")] == [
            "ble",
            -67,
            True,
            301,
            64_800,
        ]

    def test_labels(self, attune: CommandLine) -> None:
        answer = attune.answer("label", "list")
        assert list(answer) == ["now", "labels"]
        assert answer["labels"][2] == {
            "number": 1,
            "room": "0.01",
            "class": "free",
            "from": "2026-11-20T13:40:00.000+01:00",
            "to": "2026-11-20T14:00:00.000+01:00",
            "weight": 1.0,
            "source": "person",
            "author": "ann",
            "told": "2026-11-20T15:32:10.000+01:00",
            "superseded_by": 2,
            "withdrawn": None,
            "withdrawn_by": None,
            "windows_learned": 20,
        }

    def test_label_added(self, attune: CommandLine) -> None:
        answer = attune.answer("label", "add", "2.13", "free", "14:00", "14:20")
        assert list(answer) == ["label", "windows_learned", "nodes_learned", "nodes_waiting"]
        assert answer["label"]["from"] == "2026-11-21T14:00:00.000+01:00"

    @pytest.mark.parametrize("words", [["status"], ["rooms"], ["nodes"], ["label", "list"]])
    def test_an_empty_site_is_json_too(self, attune: CommandLine, words: list[str]) -> None:
        attune.site.empty()
        attune.answer(*words)


class TestImports:
    @pytest.mark.parametrize(
        ("words", "never"),
        [
            (["--help"], {"numpy", "sqlite3", "grpc", "rich"}),
            (["status"], {"numpy", "sqlite3"}),
            (["rooms", "2.13"], {"numpy", "sqlite3"}),
        ],
    )
    def test_lean(self, attune: CommandLine, words: list[str], never: set[str]) -> None:
        program = (
            "import sys\nfrom attuned.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
            "print(*sorted(sys.modules), file=sys.stderr)"
        )
        run = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True, env=environment()
        )
        loaded = set(run.stderr.split())
        assert not never & loaded
        strangers = {name for name in loaded if name.startswith("attuned.") and not name.startswith("attuned.cli")}
        assert not strangers
        assert "attune_core" not in loaded
