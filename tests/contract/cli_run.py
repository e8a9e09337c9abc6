"""Ways to run the command line: in this process, and in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import attuned.cli.app as cli
import pytest
from cli_site import Site


class CommandLine:
    """Runs `attune` in this process against a served site."""

    def __init__(self, site: Site, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.site = site
        self._capsys = capsys
        self._patch = patch

    def __call__(self, *words: str, width: int = 80) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        self._patch.setenv("COLUMNS", str(width))
        self._patch.setattr(sys, "argv", ["attune", *words])
        code = cli.run()
        out, err = self._capsys.readouterr()
        return code, out, err

    def answer(self, *words: str) -> Any:
        code, out, err = self(*words, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)


def environment(**more: str) -> dict[str, str]:
    """This process's environment with its import path, for a command of its own."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"} | more


def attune_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "attuned.cli", *words], capture_output=True, text=True, check=False, env=environment()
    )
