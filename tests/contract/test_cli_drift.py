"""`attune drift` as people see it and as programs read it."""

from __future__ import annotations

import pytest
from attune_proto.v1 import drift_pb2
from cli_data import HOUR, NOW
from cli_run import CommandLine


def test_the_table_shows_then_and_now(attune: CommandLine) -> None:
    code, out, _ = attune("drift")
    assert code == 0
    # Steps 0 to 7 between 0.4 and 3.2: 3.0 is 6.5 and rounds to 6 (ties to even), 2.9 is 6.25, 0.5 is 0.25.
    assert "▇█·▇│▁▁" in out
    assert any(line.split()[:3] == ["2", "open", "2.13"] for line in out.splitlines())
    assert "muted: 00a1b2c3d4e51213 since 14:32 by ann: is being moved" in out


def test_nothing_drifts(attune: CommandLine) -> None:
    attune.site.empty()
    assert attune("drift")[1].startswith("Nothing has drifted")


@pytest.mark.parametrize(
    ("words", "since"),
    [
        (["--since", "-2h"], NOW - 2 * HOUR),
        # Midnights of Brussels, which is at UTC+1 then; it is 14:32:10.
        (["--since", "yesterday"], NOW - 38 * HOUR - 32 * 60_000 - 10_000),
        (["--since", "2026-11-20 14:00"], NOW - 24 * HOUR - 32 * 60_000 - 10_000),
        ([], NOW - 31 * 24 * HOUR),
    ],
)
def test_what_is_asked(attune: CommandLine, words: list[str], since: int) -> None:
    assert attune("drift", "--node", "00a1b2c3d4e50213", *words)[0] == 0
    (request,) = [one for one in attune.site.asked if isinstance(one, drift_pb2.ListDriftRequest)]
    assert (request.node, request.since_utc_ms, request.number) == ("00a1b2c3d4e50213", since, 0)


def test_one_event_in_words(attune: CommandLine) -> None:
    _, out, _ = attune("drift", "show", "2")
    assert out.splitlines()[:3] == [
        "Drift event 2, open",
        "Light is lower in working hours.",
        "See whether something covers the sensor.",
    ]
    assert "Nothing was done about it yet." in out


def test_acknowledge(attune: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    _, out, _ = attune("drift", "ack", "2", "--note", "curtain")
    assert out.strip() == "Drift event 2 is acknowledged by ann: curtain."
    (request,) = [one for one in attune.site.asked if isinstance(one, drift_pb2.AckDriftRequest)]
    assert (request.number, request.author, request.note) == (2, "ann", "curtain")


@pytest.mark.parametrize("words", [[], ["--off", "--reason", "x"]])
def test_muting_needs_a_reason(attune: CommandLine, words: list[str]) -> None:
    code, _, err = attune("drift", "mute", "00a1b2c3d4e50213", *words)
    assert (code, "Say why with --reason" in err) == (2, True)


def test_json(attune: CommandLine) -> None:
    answer = attune.answer("drift")
    assert list(answer) == ["now", "events", "muted"]
    assert answer["events"][0] == {
        "id": 2,
        "node": "00a1b2c3d4e50213",
        "room": "2.13",
        "since": "2026-11-19",
        "cause": "sensor stuck or covered",
        "sensors": ["light"],
        "score": 2.41,
        "state": "open",
        "done": None,
        "raised": "2026-11-20T00:32:10.000+01:00",
        "changed": "2026-11-20T00:32:10.000+01:00",
        "text": ["Light is lower in working hours.", "See whether something covers the sensor."],
        "plotted": "light.mean day",
        "then": [3.0, 3.2, None, 2.9],
        "now": [0.4, 0.5],
    }
    assert answer["events"][1]["node"] is None
    assert attune.answer("drift", "show", "1")["id"] == 1
    assert attune.answer("drift", "mute", "00a1b2c3d4e50213", "--off") == {
        "node": "00a1b2c3d4e50213",
        "muted": False,
        "reason": None,
    }
