"""A disk with Python packages, this project's own among them, for a virtual machine with Debian 12.

The packages are installed by Debian 12's own Python, from the lock file, before the machine boots: nothing in it needs
a network.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from build_lock import building_in
from guest_image import ImageError, make_disk
from wheels import BUILD_TOOLS, locked, needed

ROOT = Path(__file__).parents[2]

PLACE = "/opt/attune"
"""Where the machine has the disk; programs are in `bin` of its `venv`, the tests in `tests`."""

LABEL = "attune"

FSTAB = f"/dev/vda / ext4 defaults 0 1\nLABEL={LABEL} {PLACE} ext4 ro 0 0\n"

# The interpreter that the machine has as well.
_PYTHON = "/usr/bin/python3"
_VERSION = "3.11"

# What the disk is made of beside the lock file.
_SOURCES = (
    "CMakeLists.txt",
    "pyproject.toml",
    "cmake",
    "daemon",
    "gateway",
    "mcu_firmware",
    "proto",
    "service",
    "tests",
)


def made_disk(cache: Path, tools: Sequence[str] = ()) -> Path:
    """The disk, from the cache where it is there; `tools` are installed beside the project. ImageError."""
    entries = locked((ROOT / "requirements.lock").read_text(), needed(["attune", *tools, *BUILD_TOOLS]) - {"attune"})
    disk = cache / f"python-{_digest(entries)}.img"
    with building_in(cache / "python"):
        if not disk.exists():
            _make_disk(disk, _packages(cache, entries))
    return disk


def _make_disk(disk: Path, packages: Path) -> None:
    """In the place of those before it."""
    cache = disk.parent
    with tempfile.TemporaryDirectory(dir=cache) as work:
        _fill(Path(work) / "disk", packages)
        make_disk(Path(work) / "disk", Path(work) / "made.img", LABEL)
        for old in cache.glob("python-*.img"):
            old.unlink()
        (Path(work) / "made.img").rename(disk)


def _packages(cache: Path, entries: str) -> Path:
    """A virtual environment with what is locked."""
    venv = cache / f"packages-{hashlib.sha256(entries.encode()).hexdigest()[:16]}"
    if venv.exists():
        return venv
    found = _run([_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).strip()
    if found != _VERSION:
        raise ImageError(
            f"{_PYTHON} is Python {found}; the machine needs {_VERSION}, that of Debian 12. Use Debian 12."
        )
    with tempfile.TemporaryDirectory(dir=cache) as work:
        fresh, lock, first = Path(work) / "venv", Path(work) / "lock", Path(work) / "first"
        lock.write_text(entries)
        first.write_text(locked(entries, set(BUILD_TOOLS)))
        _run([_PYTHON, "-m", "venv", "--without-pip", str(fresh)])
        _pip(fresh, "--require-hashes", "-r", str(first))
        _pip(fresh, "--no-build-isolation", "--require-hashes", "-r", str(lock))
        for script in (fresh / "bin").iterdir():
            if not script.is_symlink():
                _readdress(script)
        fresh.rename(venv)
    return venv


def _fill(disk: Path, packages: Path) -> None:
    disk.mkdir()
    venv = disk / "venv"
    _run(["cp", "--archive", "--link", str(packages), str(venv)])
    wheels = disk / "wheels"
    wheel = ["wheel", "-qq", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT)]
    _run([sys.executable, "-m", "pip", *wheel])
    before = set((venv / "bin").iterdir())
    _pip(venv, *map(str, wheels.glob("*.whl")))
    for script in set((venv / "bin").iterdir()) - before:
        _readdress(script)
    shutil.rmtree(wheels)
    ignored = shutil.ignore_patterns("__pycache__", "fixtures", "golden")
    shutil.copytree(ROOT / "tests", disk / "tests", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", disk)


def _pip(venv: Path, *arguments: str) -> None:
    install = ["install", "-qq", "--no-deps", "--ignore-installed", *arguments]
    _run([sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), *install])


def _readdress(script: Path) -> None:
    """Its first line names the interpreter by where the environment was made, not by where the machine has it."""
    first, _, rest = script.read_bytes().partition(b"\n")
    if first.startswith(b"#!") and b"python" in first:
        mode = script.stat().st_mode
        script.unlink()
        script.write_bytes(f"#!{PLACE}/venv/bin/python\n".encode() + rest)
        script.chmod(mode)


def _digest(entries: str) -> str:
    """Names the disk by all that it is made of."""
    found = [entries]
    for source in _SOURCES:
        top = ROOT / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                found += [str(path.relative_to(ROOT)), hashlib.sha256(path.read_bytes()).hexdigest()]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16]


def _run(command: Sequence[str]) -> str:
    """The standard output of a command; ImageError with its last words if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ImageError(
            f"{' '.join(command[:4])} ended with {done.returncode}: {(done.stderr or done.stdout)[-1000:]}"
        )
    return done.stdout
