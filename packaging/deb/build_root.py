"""A Debian release's root file system with what the packages are built with, and commands run in it.

A root is made once and never written to again: each build writes to a layer of its own, and has no network.
"""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archives import debian_archives

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "deb" / "roots"

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The releases that there are packages for, each with its Python."""

_TOOLS = ("cmake", "debhelper", "nanopb", "ninja-build", "pkg-config", "protobuf-compiler", "python3")

# Beside these, of the machine that packages are for: headers, and libraries that wheels ask for.
_LIBRARIES = ("libatomic1", "libpython3-dev", "libstdc++6", "libsystemd-dev")

# Layers over the root, with the build tree at /build; no network, and processes that end with it.
_ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mkdir -p "$2/root/build"
mount --bind "$3" "$2/root/build"
mount -t proc proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
root="$2/root"
shift 3
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class BuildRoot:
    """The root for packages of a release that are for a machine of an architecture, as Debian names them."""

    release: str
    arch: str

    @property
    def folder(self) -> Path:
        return CACHE / f"{self.release}-{self.arch}-{self._digest()}"

    @property
    def native(self) -> bool:
        return self.arch == _own_architecture()

    def _packages(self) -> list[str]:
        if self.native:
            return [*_TOOLS, *_LIBRARIES]
        return [*_TOOLS, f"crossbuild-essential-{self.arch}", *(f"{name}:{self.arch}" for name in _LIBRARIES)]

    def _digest(self) -> str:
        text = "\n".join([*self._packages(), *debian_archives(self.release)])
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def provide(self) -> None:
        """Makes the root where it is not there yet."""
        if self.folder.exists():
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = self.folder.with_suffix(".new")
        run_as_root(["rm", "-rf", str(fresh)])
        command = ["mmdebstrap", "--quiet", "--variant=buildd", "--format=directory"]
        own = _own_architecture()
        command.append(f"--architectures={own if self.native else f'{own},{self.arch}'}")
        command += [f"--include={','.join(self._packages())}", "--aptopt=Acquire::Retries 3", self.release, str(fresh)]
        run_as_root([*command, *debian_archives(self.release)])
        fresh.rename(self.folder)

    def run(self, command: Sequence[str], tree: Path, work: Path) -> None:
        """Runs a command in the root, where the folder `tree` is /build; `work` is a folder for its layer."""
        run_as_root(["rm", "-rf", str(work)])
        for name in ("upper", "work", "root"):
            (work / name).mkdir(parents=True)
        alone = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        places = [str(self.folder), str(work), str(tree)]
        try:
            run_as_root([*alone, "sh", "-c", _ENTER, "sh", *places, *command])
        finally:
            run_as_root(["rm", "-rf", str(work)])
            run_as_root(["chown", "--recursive", f"{os.getuid()}:{os.getgid()}", str(tree)])


def run_as_root(command: Sequence[str]) -> None:
    """Mounts, and files of a root file system, are root's alone."""
    subprocess.run([*([] if os.geteuid() == 0 else ["sudo"]), *command], check=True)


def _own_architecture() -> str:
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
