"""`attune doctor` against a daemon, and without one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from attune_proto.v1 import health_pb2
from attuned.cli.doctor_screens import findings_screen
from attuned.doctor import look
from attuned.doctor.finding import ok, problem, warning
from attuned.doctor.machine import Disk, Unit
from cli_data import NOW
from cli_run import CommandLine
from rich.console import Console

DEFAULT = Path(__file__).parents[2] / "packaging" / "default"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration on a machine that is well, without systemd."""
    folder = tmp_path / "etc"
    shutil.copytree(DEFAULT, folder)
    monkeypatch.setattr(look, "under_systemd", lambda: False)
    monkeypatch.setattr(look, "clock_synchronised", lambda: True)
    monkeypatch.setattr(look, "places", lambda etc, store: ([], True))
    monkeypatch.setattr(look, "disk", lambda path: Disk(str(path), 9 << 30, 9 << 30, 0, 0))
    monkeypatch.setattr(look, "set_aside", lambda store: [])
    monkeypatch.setattr(look, "newest_age_s", lambda folder: (60.0, True))
    return folder


def by_check(answer: dict[str, Any]) -> dict[str, str]:
    return {row["check"]: row["level"] for row in answer["findings"]}


def test_a_site_that_is_well(attune: CommandLine, etc: Path) -> None:
    (etc / "backup-key.toml").write_text("")
    attune.site.health.started_utc_ms = NOW * 2
    attune.site.gateways = [row for row in attune.site.gateways if row.connected]
    attune.site.nodes = [node for node in attune.site.nodes if node.online]
    answer = attune.answer("doctor", "--etc", str(etc))
    assert answer["problems"] == 0
    assert {check for check, level in by_check(answer).items() if level != "ok"} == {"services"}
    assert list(answer["findings"][0]) == ["check", "level", "found", "advice"]
    assert answer["findings"][0]["advice"] is None


def test_what_the_daemon_knows_is_asked(attune: CommandLine, etc: Path) -> None:
    attune.site.broker = "The broker at h:1 cannot be reached (x): start it."
    attune.site.health = health_pb2.SiteHealth(started_utc_ms=1, clock_jump_ms=5000, clock_jumped_utc_ms=NOW)
    code, out, err = attune("doctor", "--etc", str(etc))
    assert (code, err) == (1, "")
    text = " ".join(out.split())
    assert "✗ broker The broker at h:1 cannot be reached (x) Start it." in text
    assert "! clock jumps the clock was set forward by 5 s while the daemon ran" in text
    assert "changed after attuned started" in text
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        ((50, 50, 100), []),
        ((50, 150, 100), ["gateway.toml changed after attune-gateway started"]),
        ((150, 50, 100), ["attuned.toml changed after attuned started"]),
        # The setup restarts only those whose file it has changed.
        ((50, 250, 300), []),
    ],
)
def test_a_file_that_its_reader_has_not_taken_up(
    attune: CommandLine, etc: Path, monkeypatch: pytest.MonkeyPatch, seconds: tuple[int, int, int], found: list[str]
) -> None:
    """`seconds`: when the two files were written, and when the gateway started; the daemon did in the 100th."""
    *written, gateway_s = seconds
    monkeypatch.setattr(look, "under_systemd", lambda: True)
    monkeypatch.setattr(look, "unit", lambda name: Unit(name, "loaded", True, "active", "success", 0, ""))
    monkeypatch.setattr(look, "unit_started_utc_ms", {"attune-gateway": 1000 * gateway_s}.get)
    attune.site.health = health_pb2.SiteHealth(started_utc_ms=100_000)
    for name, second in zip(("attuned.toml", "gateway.toml"), written, strict=True):
        os.utime(etc / name, (second, second))
    findings = attune.answer("doctor", "--etc", str(etc))["findings"]
    said = [row["found"] for row in findings if row["check"] == "configuration"]
    assert said == [f"{etc}/{sentence}" for sentence in found]


def test_without_a_daemon_it_says_why(
    attune: CommandLine, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Cannot listen on unix:/run/attune/attune.sock: see whether another daemon runs there."
    monkeypatch.setattr(look, "under_systemd", lambda: True)
    monkeypatch.setattr(
        look, "unit", lambda name: Unit(name, "loaded", True, "failed", "exit-code", 0, words)
    )  # fmt: skip
    (etc / "attuned.toml").write_text("[sit]")
    code, out, err = attune("doctor", "--etc", str(etc), "--socket", str(tmp_path / "none.sock"))
    assert (code, err) == (1, "")
    text = " ".join(out.split())
    assert "✗ daemon No daemon is listening at" in text
    assert "What its service says stands below." in text
    assert "✗ attuned.toml" in text
    assert "key site is missing" in text
    assert f"✗ attuned has failed (exit-code): {words}" in text


def test_a_daemon_of_another_version(attune: CommandLine, etc: Path) -> None:
    import grpc

    attune.site.refuse["GetHealth"] = (grpc.StatusCode.UNIMPLEMENTED, "")
    code, out, _ = attune("doctor", "--etc", str(etc))
    assert code == 1
    assert "another version" in out


def test_the_screen() -> None:
    found = [
        ok("daemon", "answers"),
        warning("attune-backup.timer", "does not run", "`sudo systemctl enable --now attune-backup.timer`."),
        problem(
            "files", "/etc/attune/secrets has mode 0755, which lets others read it, and more " * 2, "`sudo chmod`."
        ),
    ]
    console = Console(width=80, color_system=None, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(findings_screen(found))
    text = console.export_text()
    assert "✓ daemon               answers\n" in text
    assert "  `sudo systemctl enable --now attune-backup.timer`.\n" in text
    assert text.endswith("1 problem and 1 warning.\n")
    assert max(map(len, text.splitlines())) <= 80
