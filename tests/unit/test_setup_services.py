"""Which services start again, and what systemctl says of it."""

import os
from pathlib import Path

import pytest
from attuned.setup import services
from attuned.setup.files import Change


@pytest.mark.parametrize(
    ("names", "units"),
    [
        (["gateway.toml", "attuned.toml"], ["attuned", "attune-gateway"]),
        (["mqtt-password"], ["attuned"]),
        (["gateway.toml"], ["attune-gateway"]),
        (["backup-key.toml"], []),
        ([], []),
    ],
)
def test_concerned(names: list[str], units: list[str]) -> None:
    assert services.concerned([Change(Path("/etc/attune") / name, None, "") for name in names]) == units


def test_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    program.chmod(0o755)
    assert services.restart(["attuned", "attune-gateway"]) == ""
    assert (tmp_path / "asked").read_text() == "restart attuned attune-gateway\n"
    program.write_text("#!/bin/sh\necho 'Job for attuned.service failed.\n  See more.' >&2\nexit 1\n")
    assert services.restart(["attuned"]) == "Job for attuned.service failed. See more."
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "No such file or directory" in services.restart(["attuned"])
