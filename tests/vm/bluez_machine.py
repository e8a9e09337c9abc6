"""The machine of the tests, made once: Debian with bluetoothd, and the project with its locked packages on a disk."""

from pathlib import Path

from guest_image import Recipe, made
from guest_machine import Machine
from guest_python import FSTAB, ROOT, made_disk

CACHE = ROOT / "build" / "vm"

RECIPE = Recipe(
    packages=("bluez", "mosquitto", "python3"),
    files={
        "/etc/fstab": FSTAB,
        "/etc/modules-load.d/vhci.conf": "hci_vhci\n",
        # An empty unit is one that never starts: tests have a broker of their own.
        "/etc/systemd/system/mosquitto.service": "",
    },
)


def project_disk() -> Path:
    """The project with what its tests need, for a machine that mounts it at PLACE."""
    return made_disk(CACHE, ["pytest", "pytest-asyncio"])


def bluez_machine(folder: Path) -> Machine:
    """With its files in a folder; it is not running yet."""
    return Machine(folder, made(RECIPE, CACHE), [project_disk()])
