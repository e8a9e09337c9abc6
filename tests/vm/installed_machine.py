"""The machine that staff have: Debian 12 with systemd and a broker, and none of this project but the package."""

from pathlib import Path

from guest_image import Recipe
from guest_python import ROOT

CACHE = ROOT / "build" / "vm"

CARGO = "/mnt/cargo"
"""Where the machine has the disk with packages and node programs."""

RECIPE = Recipe(
    packages=("mosquitto", "mosquitto-clients", "python3.11", "procps"),
    files={"/etc/fstab": f"/dev/vda / ext4 defaults 0 1\nLABEL=cargo {CARGO} ext4 ro,nofail 0 0\n"},
)
