"""Builds the Debian packages for a release and an architecture, into build/deb.

    build_deb.py RELEASE ARCHITECTURE

What does not depend on either has been made before: `make deb` sees to that. Prints a line a package: its name, its
size and that of what it installs, in MiB.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import check_deb
from build_root import PYTHONS, building, own_architecture
from wheels import Target, fill

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "deb"

DEBIAN_NUMBERS = {"bookworm": "12", "trixie": "13"}
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}

# What the packages are made of, beside packaging/debian.
SOURCES = (
    "CMakeLists.txt",
    "LICENSE",
    "README.md",
    "THIRD_PARTY_NOTICES.md",
    "cmake",
    "daemon",
    "docs",
    "gateway",
    "mcu_firmware",
    "packaging",
    "proto",
    "pyproject.toml",
    "service",
)

FIRMWARE = ROOT / "build/mps2_an386/mcu_firmware/ports/mps2_an386"
IMAGES = ("attune-node", "attune-node-ble")


def stage(tree: Path, release: str, target: Target) -> None:
    """Lays out the tree in which debian/rules builds: sources, and all that it would otherwise fetch."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, tree / name)
    shutil.copytree(ROOT / "packaging/debian", tree / "debian")
    changelog = (tree / "debian/changelog").read_text()
    version = changelog.split("(")[1].split(")")[0]
    numbered = changelog.replace(f"({version})", f"({version}+deb{DEBIAN_NUMBERS[release]})", 1)
    (tree / "debian/changelog").write_text(numbered.replace(") bookworm;", f") {release};", 1))
    shutil.copytree(ROOT / "build/sources", tree / "build/sources")
    shutil.copytree(ROOT / "build/manual", tree / "manual")
    make_images(tree / "firmware")
    fill(tree / "wheels", target)
    (tree / "wheels/pip-options").write_text("\n".join(target.pip_options()))


def make_images(folder: Path) -> None:
    """What boards and emulators load: symbols without the paths of this machine, and bare bytes."""
    folder.mkdir()
    for name in IMAGES:
        copy = ["arm-none-eabi-objcopy", str(FIRMWARE / f"{name}.elf")]
        subprocess.run([*copy, "--strip-debug", str(folder / f"{name}.elf")], check=True)
        subprocess.run([*copy, "--output-target=binary", str(folder / f"{name}.bin")], check=True)
    for image in folder.iterdir():
        image.chmod(0o644)


def build(release: str, arch: str) -> list[Path]:
    """The packages of a release for an architecture; those for all only where nothing is cross-built."""
    root = building(release, arch)
    root.provide()
    place = BUILD / f"{release}-{arch}"
    tree = place / "attune"
    stage(tree, release, Target(PYTHONS[release], MACHINES[arch]))
    kind = "--build=binary" if arch == own_architecture() else "--build=any"
    command = ["dpkg-buildpackage", "--unsigned-changes", kind, f"--host-arch={arch}"]
    root.run(["env", "-C", "/build/attune", "HOME=/root", *command], place, BUILD / f"{release}-{arch}.layer")
    return [Path(shutil.move(found, BUILD / found.name)) for found in sorted(place.glob("*.deb"))]


def main(release: str, arch: str) -> int:
    packages = build(release, arch)
    for package in packages:
        field = ["dpkg-deb", "--field", str(package), "Installed-Size"]
        installed = int(subprocess.run(field, check=True, capture_output=True, text=True).stdout)
        print(f"{package.name:48} {package.stat().st_size / 2**20:6.1f} MiB, installed {installed / 2**10:6.1f} MiB")
    return check_deb.main(packages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
