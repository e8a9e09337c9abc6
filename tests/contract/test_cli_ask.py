"""Questions and answers at the keyboard, and labels that are doubted."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable

import pytest
from attune_proto.v1 import admin_pb2
from attuned.cli.label_screens import sparkline
from cli_data import MINUTE, NOW
from cli_run import CommandLine

END = NOW - 10_000


def typed(attune: CommandLine, monkeypatch: pytest.MonkeyPatch, lines: str, *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    return attune("label", "ask", *words)


def told(attune: CommandLine) -> list[tuple[str, str, int, int]]:
    requests = [one for one in attune.site.asked if isinstance(one, admin_pb2.AddLabelRequest)]
    return [(one.room, one.class_name, one.from_utc_ms, one.to_utc_ms) for one in requests]


def test_answers_become_labels(
    attune: CommandLine, monkeypatch: pytest.MonkeyPatch, golden: Callable[[str, str], None]
) -> None:
    code, out, err = typed(attune, monkeypatch, "o\nwhat?\nf 14:00 later\nf 14:00 14:05\ns\n")
    assert (code, err) == (0, "")
    # 14:00 in Brussels, where it is 14:32:10.
    fourteen = NOW - 32 * MINUTE - 10_000
    assert told(attune) == [
        ("2.13", "occupied", END - 10 * MINUTE, END),
        ("2.13", "free", fourteen, fourteen + 5 * MINUTE),
    ]
    golden("label-ask.txt", out)


@pytest.mark.parametrize("lines", ["", "q\n"])
def test_an_end_is_an_end(attune: CommandLine, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    code, out, _ = typed(attune, monkeypatch, lines, "--budget", "2", "--room", "2.13", "--since", "-2h")
    assert code == 0
    assert out.endswith("0 of 2 questions answered.\n")
    (request,) = [one for one in attune.site.asked if isinstance(one, admin_pb2.AskLabelsRequest)]
    assert (request.room, request.budget, request.from_utc_ms) == ("2.13", 2, NOW - 120 * MINUTE)
    assert told(attune) == []


def test_nothing_to_ask(attune: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    attune.site.empty()
    assert typed(attune, monkeypatch, "")[1].startswith("There is nothing to ask")


def test_json_asks_nothing(attune: CommandLine) -> None:
    answer = attune.answer("label", "ask", "--budget", "1")
    assert list(answer) == ["now", "questions"]
    assert answer["questions"] == [
        {
            "room": "2.13",
            "from": "2026-11-21T14:22:00.000+01:00",
            "to": "2026-11-21T14:32:00.000+01:00",
            "probability": 0.52,
        }
    ]


def test_doubts_as_json(attune: CommandLine) -> None:
    answer = attune.answer("label", "check", "--room", "2.13", "--limit", "2")
    assert (list(answer), answer["checked"]) == (["now", "checked", "labels"], 40)
    assert [(one["label"]["number"], one["contradicted_by"]) for one in answer["labels"]] == [(3, []), (2, [7, 8])]


def test_no_doubts(attune: CommandLine) -> None:
    attune.site.labels = []
    assert attune("label", "check")[1].startswith("Nothing speaks against 40 labels of the last four weeks. ")


@pytest.mark.parametrize(
    ("values", "bars"),
    [([], ""), ([3.0, 3.0], "▁▁"), ([0.0, 3.5, 7.0], "▁▅█"), ([math.nan, 1.0, math.inf, 2.0], " ▁ █")],
)
def test_sparkline(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars
