"""Rollouts on the command line: what a person reads, what a program gets, and what the daemon is asked."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import pytest
from attune_proto.v1 import rollouts_pb2
from attuned.cli.rollout_screens import rollout_screen
from cli_rollouts import a_node, a_rollout
from cli_run import CommandLine
from rich.console import Console

ZONE = ZoneInfo("Europe/Brussels")


def asked(attune: CommandLine, kind: type[Any]) -> Any:
    (found,) = (request for request in attune.site.asked if isinstance(request, kind))
    return found


def screen(one: rollouts_pb2.Rollout, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(rollout_screen(one, ZONE))
    return captured.get()


class TestStart:
    def test_what_the_daemon_is_asked(self, attune: CommandLine) -> None:
        code, out, _ = attune(
            "rollout", "start", "--room", "2.13", "--room", "2.12", "--canary", "10%", "--errors", "5%"
        )
        assert code == 0
        assert " ".join(out.split()) == ("Rollout 7 has begun: 4 nodes; `attune rollout status 7 --watch` shows it.")
        request = asked(attune, rollouts_pb2.StartRolloutRequest)
        assert (list(request.rooms), list(request.releases)) == (["2.13", "2.12"], [])
        assert (request.canary, request.canary_share, request.error_share) == (0, 0.1, 0.05)
        assert (request.success_share, request.wait_hours, request.deadline_hours) == (0.8, 4.0, 14 * 24.0)
        assert request.author

    def test_by_release(self, attune: CommandLine) -> None:
        answer = attune.answer("rollout", "start", "--release", "4f9a", "--release", "91c0", "--canary", "3")
        request = asked(attune, rollouts_pb2.StartRolloutRequest)
        assert (list(request.releases), request.canary, request.canary_share) == (["4f9a", "91c0"], 3, 0.0)
        assert (answer["number"], answer["state"], len(answer["nodes"])) == (7, "running", 4)

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            ([], "--release ID, --room ROOM or --all"),
            (["--all", "--room", "2.13"], "one of them"),
            (["--all", "--canary", "0"], "`0` is no share"),
            (["--all", "--canary", "a few"], "write one such as 10%"),
            (["--all", "--success", "80"], "`80` is no share"),
            (["--all", "--errors", "101%"], "`101%` is no share"),
            (["--all", "--wait", "0"], "more than 0"),
        ],
    )
    def test_wrong_usage(self, attune: CommandLine, words: list[str], says: str) -> None:
        code, out, err = attune("rollout", "start", *words)
        assert (code, out, says in err) == (2, "", True)

    def test_a_refusal(self, attune: CommandLine) -> None:
        sentence = "No release is ready: `attune release list` shows what there is."
        attune.site.refuse["StartRollout"] = (grpc.StatusCode.INVALID_ARGUMENT, sentence)
        assert attune("rollout", "start", "--all") == (1, "", f"attune: {sentence}\n")


class TestStatus:
    def test_the_list(self, attune: CommandLine) -> None:
        _, out, _ = attune("rollout", "status", width=100)
        first, second = out.splitlines()[1:]
        assert " ".join(first.split()) == "7 running 1 of 4 10:32 ann floor 2 a person asked"
        assert " ".join(second.split()) == "6 stopped 2 of 2 10:32 itself stragglers 1 of 2 nodes went wrong"
        answer = attune.answer("rollout", "status", "--limit", "2")
        assert [(one["number"], one["author"], one["stage"]) for one in answer["rollouts"]] == [
            (7, "ann", "floor 2"),
            (6, None, None),
        ]

    def test_nothing_yet(self, attune: CommandLine) -> None:
        attune.site.begun = False
        assert "attune rollout start --all" in " ".join(attune("rollout", "status")[1].split())

    def test_one_in_full(self) -> None:
        lines = screen(a_rollout()).splitlines()
        text = "\n".join(lines)
        assert lines[0] == "Rollout 7  running"
        assert lines[1] == "  " + "█" * 8 + "░" * 22 + "  1 of 4 nodes"
        assert "Sat 21 Nov 2026, 10:32 by ann, because: a person asked" in text
        assert "mixed rooms  2.13: some of their nodes run it" in text
        assert ["✓", "canary", "1", "1", "0", "0"] in [line.split() for line in lines]
        assert ["▸", "floor", "2", "2", "0", "0", "1"] in [line.split() for line in lines]
        assert "tries it: 41 windows so far, 2 of them different" in text
        assert "out of reach; it gets it when it comes" in text
        assert lines[-1] == "  13:32  itself: paused"

    def test_of_a_large_one_those_with_which_something_is_up(self) -> None:
        many = [a_node(i, f"r{i}", "queued", "waits for its turn") for i in range(500)]
        text = screen(a_rollout(nodes=[*many, a_node(900, "r900", "failed", "went wrong: it refused it")]))
        assert "went wrong: it refused it" in text
        assert "not shown: 500 queued" in text

    def test_on_a_narrow_terminal(self) -> None:
        assert all(len(line) <= 60 for line in screen(a_rollout(), 60).splitlines())

    def test_json(self, attune: CommandLine) -> None:
        answer = attune.answer("rollout", "status", "7")
        assert answer["nodes"][1] == {
            "node": "00a1b2c3d4e51213",
            "room": "2.13",
            "release": "4f9a0c11" * 4,
            "stage": "floor 2",
            "step": "under way",
            "what": "tries it: 41 windows so far, 2 of them different",
            "away": False,
            "windows": 41,
            "differing": 2,
        }
        assert [act["author"] for act in answer["acts"]] == ["ann", None]

    def test_unknown(self, attune: CommandLine) -> None:
        assert attune("rollout", "status", "8") == (1, "", "attune: There is no rollout 8.\n")


class TestWatch:
    def test_a_line_a_change_until_its_end(self, attune: CommandLine) -> None:
        code, out, _ = attune("rollout", "status", "--watch")
        lines = [line.split("\t") for line in out.splitlines()]
        assert (code, [line[1:5] for line in lines]) == (
            0,
            [["7", "running", "1/4", "floor 2"], ["7", "done", "4/4", "stragglers"]],
        )
        assert lines[0][5] == "1 committed, 2 queued, 1 under way"
        assert asked(attune, rollouts_pb2.RolloutRequest).number == 0

    def test_json_lines(self, attune: CommandLine) -> None:
        out = attune("rollout", "status", "7", "--watch", "--json")[1]
        assert [json.loads(line)["state"] for line in out.splitlines()] == ["running", "done"]

    def test_one_that_was_stopped_is_a_failure(self, attune: CommandLine) -> None:
        attune.site.rollout_ends = "stopped"
        code, _, err = attune("rollout", "status", "7", "--watch")
        assert (code, err) == (1, "attune: Rollout 7 was stopped: why.\n")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("pause", "Rollout 7 is paused; `attune rollout status 7 --watch` shows it."),
        ("resume", "Rollout 7 is running; `attune rollout status 7 --watch` shows it."),
        ("abort", "Rollout 7 is aborted."),
        ("rollback", "Rollout 7 is rolling back; `attune rollout status 7 --watch` shows it."),
    ],
)
def test_what_people_say(attune: CommandLine, word: str, says: str) -> None:
    why = [] if word == "resume" else ["--reason", "too warm"]
    code, out, _ = attune("rollout", word, "7", *why)
    assert (code, " ".join(out.split())) == (0, says)
    request = asked(attune, rollouts_pb2.ChangeRolloutRequest)
    assert (request.number, request.word, request.reason) == (7, word, " ".join(why[1:]))
    assert attune.answer("rollout", word, "7")["number"] == 7
