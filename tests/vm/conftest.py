"""The machine of the tests, made once: Debian with bluetoothd, and the project with its locked packages on a disk."""

from pathlib import Path

import pytest
from guest_image import Image, Recipe, made
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


@pytest.fixture(scope="session")
def image() -> Image:
    return made(RECIPE, CACHE)


@pytest.fixture(scope="session")
def disk() -> Path:
    return made_disk(CACHE, ["pytest", "pytest-asyncio"])
