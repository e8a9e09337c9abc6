"""Every command of the README is run as it stands there."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
from build_lock import building_in
from firmware_build import BUILD

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"

# Both are covered by other tests (test_demo_change.py) or run this very test: they do not stand in the list.
DEMO, TEST = "./dev demo", "./dev test"


def commands() -> list[str]:
    """The lines of the README's shell blocks, without their remarks."""
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def run(command: str, timeout_s: float = 300) -> str:
    words = shlex.split(command)
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-2000:]
    return answer.stdout


def has_recordings() -> bool:
    folder = os.environ.get("ATTUNE_DATA") or ROOT.parent / "shared" / "data"
    return Path(folder).is_dir()


def test_the_two_commands_stand_there() -> None:
    assert {DEMO, TEST} <= set(commands())


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in commands() if command not in {DEMO, TEST}])
def test_command(command: str) -> None:
    if " replay " in command and not has_recordings():
        pytest.skip("the recordings are not here: set ATTUNE_DATA to their folder")
    with building_in(BUILD):
        assert run(command)


def test_demo_shows_a_change() -> None:
    assert run(f"{DEMO} --dry-run").strip().endswith("attune demo --change")


def test_test_runs_the_c_tests_and_pytest() -> None:
    planned = run(f"{TEST} --dry-run")
    assert "ctest" in planned
    assert "-m pytest" in planned


@pytest.mark.slow
def test_a_live_demo_ends_on_ctrl_c(tmp_path: Path) -> None:
    live, environment = [*shlex.split(DEMO), "DEMO_ARGS=--rate=60"], os.environ | {"TMPDIR": str(tmp_path)}
    pipe, to_pipe = subprocess.PIPE, subprocess.STDOUT
    demo = subprocess.Popen(
        live, cwd=ROOT, env=environment, stdout=pipe, stderr=to_pipe, text=True, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("attune-*/api.sock")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(3)
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: to make and to the demonstration alike
        said, _ = demo.communicate(timeout=15)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGTERM)
    assert "lost" in said
    assert not list(tmp_path.glob("attune-*"))
