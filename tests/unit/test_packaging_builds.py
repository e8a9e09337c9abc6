"""Builds of packages in one checkout come one after the other; `make --dry-run` takes its turn and builds nothing."""

import fcntl
import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAID = "Another build of packages is at work here; this one waits for its end.\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With a folder for packages of its own."""
    for path in ROOT.iterdir():
        if path.name != "build":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "build/deb").mkdir(parents=True)
    return tmp_path


def start(checkout: Path, target: str) -> "subprocess.Popen[str]":
    command = ["make", "--dry-run", target, "RELEASE=bookworm", "ARCH=amd64"]
    return subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("target", ["deb", "debs"])
def test_a_second_build_says_that_it_waits_and_goes_on_afterwards(checkout: Path, target: str) -> None:
    held = os.open(checkout / "build/deb", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with start(checkout, target) as build:
        assert build.stdout is not None
        # The command itself is shown first.
        assert SAID in (build.stdout.readline() for _ in range(4))
        time.sleep(0.2)
        assert build.poll() is None
        os.close(held)
        assert "packaging/deb/build_deb.py" in build.stdout.read()
    assert build.returncode == 0


def test_a_build_alone_waits_for_nobody(checkout: Path) -> None:
    with start(checkout, "deb") as build:
        said, _ = build.communicate()
    assert (build.returncode, SAID in said.splitlines(keepends=True)) == (0, False)
