"""The board's images for tests, built as `make firmware` builds them."""

import functools
import subprocess
import sys
from pathlib import Path

from build_lock import building_in

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "mps2_an386"
IMAGES = BUILD / "mcu_firmware" / "ports" / "mps2_an386"
TOOLCHAIN = "mcu_firmware/ports/mps2_an386/toolchain.cmake"


@functools.cache
def firmware() -> Path:
    """Builds what is out of date; returns the folder of attune-node.elf and attune-node-test.elf."""
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(BUILD), "-DATTUNE_PORT=mps2_an386"]
    configure += ["-DCMAKE_BUILD_TYPE=MinSizeRel", f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", "--log-level=WARNING"]
    with building_in(BUILD):
        for command in (configure, ["cmake", "--build", str(BUILD)]):
            done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    return IMAGES


def symbol(image: Path, name: str) -> range:
    """Addresses of a function in an image, as nm tells them."""
    listing = subprocess.run(["arm-none-eabi-nm", "-S", str(image)], check=True, capture_output=True, text=True)
    for line in listing.stdout.splitlines():
        words = line.split()
        if len(words) == 4 and words[3] == name:
            begin = int(words[0], 16)
            return range(begin, begin + int(words[1], 16))
    raise AssertionError(f"{image.name} has no function {name}")


def section_sizes(image: Path) -> dict[str, int]:
    """Bytes of each section of an image, as size tells them."""
    listing = subprocess.run(["arm-none-eabi-size", "-A", str(image)], check=True, capture_output=True, text=True)
    rows = (line.split() for line in listing.stdout.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[1].isdecimal()}
