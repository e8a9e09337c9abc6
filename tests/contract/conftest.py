"""The command line against a fake daemon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import CommandLine
from cli_site import Site, served


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "LINES"):
        monkeypatch.delenv(name, raising=False)
    path = str(tmp_path / "attune.sock")
    monkeypatch.setenv("ATTUNE_SOCKET", path)
    return path


@pytest.fixture
def attune(socket: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    with served(Site(), socket) as site:
        yield CommandLine(site, capsys, monkeypatch)
