"""Forgetting on the command line: nothing goes without being asked for twice."""

from __future__ import annotations

import json

import pytest
from attune_proto.v1 import admin_pb2
from cli_data import HOUR, NOW
from cli_run import CommandLine


def asked(attune: CommandLine) -> list[admin_pb2.ForgetRequest]:
    return [request for request in attune.site.asked if isinstance(request, admin_pb2.ForgetRequest)]


class TestForget:
    def test_a_preview_first(self, attune: CommandLine) -> None:
        code, out, err = attune("forget", "--room", "2.13")
        assert code == 1
        assert out.splitlines()[0] == "This would go for good: room 2.13 until Sat 21 Nov 2026, 14:32."
        assert "windows" in out
        assert "40,320" in out
        assert "muted nodes" not in out
        assert err == "attune: Nothing was forgotten; the same with --yes forgets it.\n"
        assert [request.dry_run for request in asked(attune)] == [True]

    def test_what_was_shown_is_what_goes(self, attune: CommandLine) -> None:
        code, out, _ = attune("forget", "--room", "2.13", "--source", "button", "--from", "12:00", "--yes")
        assert code == 0
        said = "labels of the source button of room 2.13 from Sat 21 Nov 2026, 12:00 until Sat 21 Nov 2026, 14:32"
        assert " ".join(out.split()).startswith(f"Forgotten: {said}.")
        preview, meant = asked(attune)
        assert (preview.dry_run, meant.dry_run) == (True, False)
        noon = NOW - 2 * HOUR - 32 * 60_000 - 10_000
        assert [(each.room, each.source, each.from_utc_ms) for each in (preview, meant)] == [
            ("2.13", "button", noon)
        ] * 2
        assert (preview.to_utc_ms, meant.to_utc_ms) == (0, NOW)

    def test_a_person_is_asked(self, attune: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("typer.confirm", lambda question, abort: None)
        assert attune("forget", "--node", "00a1b2c3d4e50213")[0] == 0
        assert [request.dry_run for request in asked(attune)] == [True, False]

    def test_with_a_proof(self, attune: CommandLine) -> None:
        code, out, _ = attune("forget", "--room", "2.13", "--yes", "--prove")
        assert (code, out.splitlines()[-1]) == (0, "Proved: all 2 are as if it had never been there.")
        assert attune.site.asked[-1].ids == ["0123456789abcdef"]

    def test_a_proof_that_fails(self, attune: CommandLine) -> None:
        attune.site.proved = False
        code, out, _ = attune("forget", "--prove")
        assert code == 1
        assert "differs" in out
        assert out.splitlines()[-1] == "Not proved: 1 of 2 differ from what never saw it."
        assert not asked(attune)
        code, out, _ = attune("forget", "--prove", "--json")
        assert (code, json.loads(out)["proof"]["proved"]) == (1, False)

    def test_json(self, attune: CommandLine) -> None:
        answer = attune.answer("forget", "--room", "2.13", "--yes", "--prove")
        assert answer["forgotten"]["counts"] == {"windows": 40_320, "labels": 12, "muted nodes": 0}
        assert answer["proof"]["proved"] is True

    def test_the_log(self, attune: CommandLine) -> None:
        out = attune("forget", "--log")[1]
        assert "Sat 21 Nov 2026, 13:32" in out
        assert "room 2.13 until Sat 21 Nov 2026, 13:32" in " ".join(out.split())
        assert attune.answer("forget", "--log")["entries"][0]["room"] == "2.13"
        attune.site.empty()
        assert attune("forget", "--log")[1] == "Nothing was forgotten yet.\n"

    @pytest.mark.parametrize("words", [[], ["--yes"], ["--log", "--room", "2.13"], ["--log", "--prove"]])
    def test_wrong_usage(self, attune: CommandLine, words: list[str]) -> None:
        code, _, err = attune("forget", *words)
        assert (code, "Say what is to be forgotten" in err) == (2, True)
