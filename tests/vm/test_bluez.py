"""BlueZ for real: in a virtual machine with a kernel and a bluetoothd of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bluez_machine import bluez_machine
from guest_agent import GuestError
from guest_machine import Machine
from guest_python import PLACE

# Of one file of tests in the machine, where everything takes ten times as long and the cores are somebody else's too.
TESTS_S = 900.0

INSIDE = sorted((Path(__file__).parent / "inside").glob("test_*.py"))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with bluez_machine(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def run_inside(machine: Machine, tests: str) -> None:
    """Runs a file of tests in the machine; shows what it said."""
    # Without the workers and fixtures of the tests outside; results lie in memory, and nothing beside the tests.
    options = "-o addopts= --noconftest -p no:cacheprovider -v --basetemp /dev/shm/tests"
    pytest_there = f"{PLACE}/venv/bin/python -m pytest {options}"
    script = f"cd {PLACE} && ATTUNE_TEST_PATIENCE=60 {pytest_there} tests/vm/inside/{tests} > /tmp/said 2>&1"
    try:
        exit_code = machine.run("sh", "-c", script, seconds=TESTS_S, check=False).exit_code
    except GuestError as error:
        exit_code = -1
        print(error)
    print(machine.read("/tmp/said"))
    if exit_code != 0:
        print(
            machine.run(
                "journalctl", "--no-pager", "--boot", "--lines=80", "--identifier=bluetoothd", "--identifier=systemd"
            ).stdout
        )
        pytest.fail(f"The tests of {tests} in the machine ended with {exit_code}.")


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.stem)
def test_inside(machine: Machine, path: Path) -> None:
    run_inside(machine, path.name)
