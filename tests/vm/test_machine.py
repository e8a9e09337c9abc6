"""The virtual machine itself: what its disk keeps through a pulled plug, and its orderly end."""

from pathlib import Path

import pytest
from guest_agent import GuestError
from guest_image import Image
from guest_machine import Machine


def test_dies_and_boots_again(tmp_path: Path, image: Image, disk: Path) -> None:
    with Machine(tmp_path, image, [disk]) as machine:
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
