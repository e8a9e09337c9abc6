"""Golden screens of the command line."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attune_proto.v1 import admin_pb2
from cli_data import NOW, accuracy, few_rooms, many_rooms, room
from cli_run import CommandLine

Golden = Callable[[str, str], None]


class TestGoldenScreens:
    @pytest.mark.parametrize(
        ("name", "words", "width"),
        [
            ("status", ["status"], 80),
            ("status-40", ["status"], 40),
            ("rooms", ["rooms"], 80),
            ("rooms-40", ["rooms"], 40),
            ("rooms-60", ["rooms"], 60),
            ("rooms-120", ["rooms"], 120),
            ("room", ["rooms", "2.13"], 80),
            ("room-40", ["rooms", "2.13"], 40),
            ("room-without-nodes", ["rooms", "2.14"], 80),
            ("nodes", ["nodes"], 80),
            ("nodes-40", ["nodes"], 40),
            ("nodes-120", ["nodes"], 120),
            ("node", ["nodes", "00a1b2c3d4e51213"], 80),
            ("node-radio", ["nodes", "00a1b2c3d4e50213"], 80),
            ("node-radio-40", ["nodes", "00a1b2c3d4e50213"], 40),
            ("labels", ["label", "list"], 80),
            ("labels-40", ["label", "list"], 40),
            ("label-check", ["label", "check"], 80),
            ("label-undone", ["label", "undo", "3"], 80),
            ("label-added", ["label", "add", "2.13", "free", "-20m", "now"], 80),
        ],
    )
    def test_screen(self, attune: CommandLine, golden: Golden, name: str, words: list[str], width: int) -> None:
        code, out, err = attune(*words, width=width)
        assert (code, err) == (0, "")
        assert max(map(len, out.splitlines())) <= width
        golden(f"{name}.txt", out)

    @pytest.mark.parametrize("words", [["status"], ["rooms"], ["nodes"], ["label", "list"]], ids=lambda words: words[0])
    def test_empty_site_says_what_to_do(self, attune: CommandLine, golden: Golden, words: list[str]) -> None:
        attune.site.empty()
        code, out, _ = attune(*words)
        assert code == 0
        golden(f"empty-{words[0]}.txt", out)

    def test_two_hundred_rooms(self, attune: CommandLine, golden: Golden) -> None:
        attune.site.rooms = many_rooms()
        golden("rooms-200.txt", attune("rooms")[1])

    def test_one_room_site(self, attune: CommandLine, golden: Golden) -> None:
        attune.site.rooms = few_rooms()[:1]
        golden("rooms-1.txt", attune("rooms")[1])

    def test_what_is_wrong_is_said_on_the_status_screen(self, attune: CommandLine, golden: Golden) -> None:
        attune.site.broker = "The broker at mqtt.example:8883 refuses the password; see [mqtt] in the configuration."
        attune.site.updates = (
            "The signing process at /run/attune-signer/signer.sock does not answer (it is silent); start it."
        )
        golden("status-broker.txt", attune("status")[1])

    def test_labels_that_are_weak_or_taken_back(self, attune: CommandLine, golden: Golden) -> None:
        weak, gone = attune.site.labels[:2]
        weak.weight, weak.source, weak.author = 0.3, "booking", ""
        gone.withdrawn_utc_ms, gone.withdrawn_by, gone.source = NOW, "bob", "mqtt"
        golden("labels-weak.txt", attune("label", "list")[1])

    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            (
                {"days": 6, "free_hours": 0.2, "occupied_hours": 0.3, "least": 0.94, "most": 0.999},
                "94 % balanced (94 to >99 %), 30 labelled minutes on 6 days in 3 of 5 rooms",
            ),
            ({"days": 0}, "no labels yet that speak of what the nodes run now"),
            (
                {"days": 2, "occupied_hours": 0, "balanced_accuracy": None},
                "not known: only free was labelled yet, 30 labelled hours on 2 days",
            ),
            (
                {"days": 4, "least": None, "most": None, "balanced_accuracy": 0.999},
                ">99 % balanced, 41 labelled hours on 4 days in 3 of 5 rooms: too few days for an interval",
            ),
        ],
    )
    def test_no_more_is_said_of_accuracy_than_is_known(
        self, attune: CommandLine, more: dict[str, object], expected: str
    ) -> None:
        attune.site.accuracy = accuracy("", **more)
        lines = attune("status", width=200)[1].splitlines()
        assert lines[2].removeprefix("  accuracy").strip().startswith(expected)

    def test_colour(self, attune: CommandLine, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("COLORTERM", raising=False)
        golden("rooms-colour.txt", attune("rooms")[1].replace("\x1b", "\\e"))

    def test_no_colour(self, attune: CommandLine, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
        golden("rooms-no-colour.txt", attune("rooms")[1].replace("\x1b", "\\e"))

    def test_shares_on_the_screen_add_up(self, attune: CommandLine) -> None:
        shares = [admin_pb2.Share(source=f"{n:016x}", log_odds=0.3333) for n in range(3)]
        attune.site.rooms = [room("1.01", "", "", 0.9999, 5, shares=shares)]
        lines = [line.split() for line in attune("rooms", "1.01")[1].splitlines() if "│" in line]
        values = [float(next(word for word in line if word[0] in "+-")) for line in lines]
        assert values[-1] == 1.0
        assert round(sum(values[:-1]), 2) == 1.0

    def test_a_sum_that_is_wrong_is_not_made_up(self, attune: CommandLine) -> None:
        attune.site.rooms = [room("1.01", "", "", 2.0, 5, shares=[admin_pb2.Share(source="before", log_odds=1.0)])]
        out = attune("rooms", "1.01")[1]
        assert "+1.00" in out
        assert "+2.00" in out
