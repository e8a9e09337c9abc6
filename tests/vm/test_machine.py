"""The virtual machine itself: what its disk keeps through a pulled plug, and its orderly end."""

from pathlib import Path

import pytest
from bluez_machine import bluez_machine
from guest_agent import GuestError


def test_dies_and_boots_again(tmp_path: Path) -> None:
    with bluez_machine(tmp_path) as machine:
        machine.wait_for_line("login:")
        assert machine.run("sh", "-c", "echo out; echo err >&2; exit 3", check=False).exit_code == 3
        with pytest.raises(GuestError, match="ended with 3: err"):
            machine.run("sh", "-c", "echo err >&2; exit 3")
        machine.write("/srv/some/file", b"kept")
        machine.run("sync")
        machine.kill()
        machine.boot()
        assert machine.read("/srv/some/file") == "kept"
        machine.shut_down()
        assert "Power down" in machine.console
