"""Which Python packages this project needs where it is installed, and their wheels, from the lock file.

    wheels.py FOLDER PYTHON_VERSION MACHINE

fills FOLDER with wheels for that Python ("3.11") on that machine ("x86_64" or "aarch64"), and with a lock file for each
use of them, from which they are installed without a network: `run.lock` for the daemon and all that it comes with,
`gateway.lock` for a gateway alone, and `build.lock` (in FOLDER/build, with wheels for the machine that builds). A
package that is published as source only lies there as it is published.
"""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

BUILD_TOOLS = frozenset({"packaging", "setuptools", "wheel"})
"""What packages without a wheel are built with; they have to be there before them."""

INSTALLER = "pip"
"""Asked for by sqlite-utils, for a command of its own that nobody runs here: an installed system has no installer."""

# Published as source only, and built with the Debian packages of the system that it is for.
SOURCE_ONLY = frozenset({"cobs", "systemd-python"})

# Any wheel for this glibc or an older one runs on Debian 12, which has 2.36.
_GLIBC_MINORS = range(5, 37)


@dataclass(frozen=True)
class Target:
    """The interpreter and the machine that packages are for."""

    python: str = f"{sys.version_info[0]}.{sys.version_info[1]}"
    machine: str = os.uname().machine

    def environment(self) -> dict[str, str]:
        """What markers of requirements are judged by."""
        here: dict[str, str] = {name: str(value) for name, value in default_environment().items()}
        return here | {
            "extra": "",
            "platform_machine": self.machine,
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
        }

    def pip_options(self) -> list[str]:
        """Has pip choose wheels for the target instead of for the interpreter that runs it."""
        platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in reversed(_GLIBC_MINORS)]
        platforms += [f"manylinux2014_{self.machine}", f"linux_{self.machine}"]
        options = [f"--platform={platform}" for platform in platforms]
        options += [f"--abi={abi}" for abi in (f"cp{self.python.replace('.', '')}", "abi3", "none")]
        return [*options, f"--python-version={self.python}", "--implementation=cp", "--only-binary=:all:"]


HERE = Target()


def needed(names: Iterable[str], target: Target = HERE) -> set[str]:
    """Packages and all that they need in turn on the target, as installed here, by canonical names."""
    found: set[str] = set()
    waiting = [str(canonicalize_name(name)) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        asked = map(Requirement, importlib.metadata.requires(name) or [])
        here = [each for each in asked if each.marker is None or each.marker.evaluate(target.environment())]
        waiting += [str(canonicalize_name(each.name)) for each in here]
    return found


def asked_for(extra: str = "") -> list[str]:
    """Packages that pyproject.toml names for an extra, or for the project itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [Requirement(line).name for line in listed]


def locked(lock: str, names: set[str], target: Target | None = None) -> str:
    """The entries of a lock file, each with its hashes, of packages with these names.

    With a target only those that it gets, without their markers, which pip would judge by the interpreter that runs it.
    """
    kept: list[str] = []
    keeping = False
    for line in lock.splitlines(keepends=True):
        entry = line
        if not line.startswith((" ", "#")):
            asked = Requirement(line.rstrip().removesuffix("\\"))
            keeping = canonicalize_name(asked.name) in names
            if target is not None and asked.marker is not None:
                keeping = keeping and asked.marker.evaluate(target.environment())
                entry = f"{asked.name}{asked.specifier} \\\n"
        if keeping:
            kept.append(entry)
    return "".join(kept)


def download(folder: Path, name: str, packages: set[str], target: Target) -> None:
    """Fetches packages for the target, checks their hashes, and notes them in FOLDER/NAME.lock."""
    entries = (ROOT / "requirements.lock").read_text()
    folder.mkdir(parents=True, exist_ok=True)
    wheels, sources = folder / f"{name}.lock", folder / "sources.lock"
    wheels.write_text(locked(entries, packages - SOURCE_ONLY, target))
    sources.write_text(locked(entries, packages & SOURCE_ONLY, target))
    _pip_download(folder, wheels, target.pip_options())
    if sources.read_text():
        _pip_download(folder, sources, ["--no-binary=:all:", "--no-build-isolation"])


def _pip_download(folder: Path, lock: Path, options: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--require-hashes", f"--dest={folder}"]
    subprocess.run([*command, f"--find-links={folder}", *options, f"--requirement={lock}"], check=True)


def fill(folder: Path, target: Target) -> None:
    """The wheelhouse that the Debian packages are built from."""
    download(folder, "gateway", needed(asked_for("gateway"), target) - {INSTALLER}, target)
    download(folder, "run", needed(asked_for(), target) - {INSTALLER}, target)
    tools = needed(asked_for("build"), target) | BUILD_TOOLS | {INSTALLER}
    download(folder / "build", "build", tools, Target(target.python))


if __name__ == "__main__":
    fill(Path(sys.argv[1]), Target(sys.argv[2], sys.argv[3]))
