"""Releases on the command line: what a person reads, and what a program gets."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest
from attune_proto.v1 import admin_pb2
from attuned.cli.release_screens import release_screen
from cli_data import a_page
from cli_run import CommandLine
from rich.console import Console


class TestRetrain:
    def test_rooms_as_they_are_done(self, attune: CommandLine) -> None:
        code, out, _ = attune("retrain", "--all")
        assert code == 0
        assert out.splitlines() == [
            "1/2 0.01: nothing has changed since its last release",
            "2/2 2.13: better, release 4f9a0c11 for 00a1b2c3d4e50213",
        ]

    def test_what_the_daemon_is_asked(self, attune: CommandLine) -> None:
        attune("retrain", "2.13", "--dry-run")
        assert admin_pb2.RetrainRequest(rooms=["2.13"], dry_run=True) in attune.site.asked

    def test_a_line_of_json_for_each_room(self, attune: CommandLine) -> None:
        lines = [json.loads(line) for line in attune("retrain", "--all", "--json")[1].splitlines()]
        assert [(line["room"], line["done"], line["rooms"], len(line["releases"])) for line in lines] == [
            ("0.01", 1, 2, 0),
            ("2.13", 2, 2, 1),
        ]

    @pytest.mark.parametrize("words", [[], ["2.13", "--all"]])
    def test_one_room_or_all(self, attune: CommandLine, words: list[str]) -> None:
        code, _, err = attune("retrain", *words)
        assert (code, "--all" in err) == (2, True)


class TestRelease:
    def test_list(self, attune: CommandLine) -> None:
        _, out, _ = attune("release", "list")
        assert "ready to be signed" in out
        assert "refused" in out
        answer = attune.answer("release", "list", "--limit", "1")
        assert [(each["id"], each["ready"]) for each in answer["releases"]] == [("4f9a0c11" * 4, True)]

    def test_nothing_yet(self, attune: CommandLine) -> None:
        attune.site.empty()
        assert "attune retrain ROOM" in " ".join(attune("release", "list")[1].split())

    def test_the_page_ends_with_the_recommendation_and_two_reasons(self, attune: CommandLine) -> None:
        _, out, _ = attune("release", "show", "4f9a")
        lines = out.splitlines()
        text = " ".join(out.split())
        assert lines[0] == "Release " + "4f9a0c11" * 4
        assert "what people said of this room (140 windows)" in text
        assert "Compared with what its nodes came with" in text
        assert "  first hour of presence  0.810 -> 0.930     +0.070 to +0.160" in out
        assert "changes a day 12.0 -> 6.5" in text
        end = text[text.index("Verdict: better") :]
        assert end.startswith("Verdict: better Let it go out: it is ready to be signed. 1. Balanced accuracy")
        assert end.endswith("512 the other way round.")

    def test_no_interval_is_made_of_few_days(self) -> None:
        console = Console(width=80)
        with console.capture() as screen:
            console.print(release_screen(a_page(days=4), ZoneInfo("Europe/Brussels")))
        text = screen.get()
        assert "+0.070" not in text[: text.index("Verdict")]
        assert text.count("too few days") == 3

    def test_a_persons_word(self, attune: CommandLine) -> None:
        code, out, _ = attune("release", "approve", "4f9a")
        asked = attune.site.asked[-1]
        assert isinstance(asked, admin_pb2.ApproveReleaseRequest)
        assert (code, asked.id, bool(asked.author)) == (0, "4f9a", True)
        assert f"is ready to be signed, on the word of {asked.author}." in " ".join(out.split())
        answer = attune.answer("release", "approve", "4f9a")
        assert (answer["release"]["approved_by"], answer["release"]["ready"]) == (asked.author, True)

    def test_compare(self, attune: CommandLine) -> None:
        assert "Refuse it" in attune("release", "compare", "4f9a", "91c0")[1]
        answer = attune.answer("release", "compare", "4f9a", "91c0")
        assert answer["verdict"] == "worse"
        assert answer["slices"][0]["measures"]["balanced accuracy"]["high"] == pytest.approx(-0.07)

    def test_rebuild(self, attune: CommandLine) -> None:
        assert attune("release", "rebuild", "4f9a")[:2] == (0, "Release 4f9a0c11 was rebuilt: the same bytes.\n")
        code, out, _ = attune("release", "rebuild", "91c0")
        assert (code, "label 3 00a1b2c3d4e50213" in out) == (1, True)
        assert attune.answer("release", "rebuild", "4f9a")["same"] is True

    def test_rebuild_says_what_was_forgotten_and_when(self, attune: CommandLine) -> None:
        code, out, _ = attune("release", "rebuild", "7777")
        assert (code, "label 3 00a1b2c3d4e50213 on Sat 21 Nov 2026, 13:32" in out) == (1, True)
