"""Root file systems of Debian releases, for packages to be built and tried in, and commands run in them.

A root is made once and never written to again: each command writes to a layer of its own, and has no network.
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

# Layers over the root, with a folder of the caller's at /build; no network, and processes that end with it.
_ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"
mkdir -p "$2/merged/build"
mount --bind "$3" "$2/merged/build"
mount -t proc proc "$2/merged/proc"
mount --rbind /dev "$2/merged/dev"
ip link set lo up
shift 3
exec "$@"
"""


@dataclass(frozen=True)
class Root:
    """A release with some packages in it: those named, and what mmdebstrap's variant comes with."""

    release: str
    name: str
    variant: str
    architectures: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        text = "\n".join([*self.packages, *debian_archives(self.release)])
        return CACHE / f"{self.release}-{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def provide(self) -> None:
        """Makes the root where it is not there yet."""
        if not self.folder.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            fresh = self.folder.with_suffix(".new")
            run_as_root(["rm", "-rf", str(fresh)])
            self.make(fresh)
            fresh.rename(self.folder)

    def make(self, target: Path) -> None:
        """Makes it of the archives, as a folder, or as the archive that the target's name asks for."""
        command = ["mmdebstrap", "--quiet", f"--variant={self.variant}", "--aptopt=Acquire::Retries 3"]
        command += [f"--architectures={','.join(self.architectures)}", f"--include={','.join(self.packages)}"]
        run_as_root([*command, self.release, str(target), *debian_archives(self.release)])

    def run(self, command: Sequence[str], tree: Path, work: Path) -> None:
        """Runs a command in the root, where the folder `tree` is /build; `work` is a folder for its layer."""
        self.run_beside(["chroot", str(work / "merged"), *command], tree, work)

    def run_beside(self, command: Sequence[str], tree: Path, work: Path) -> None:
        """Runs a command of this machine that finds the root, as `run` has it, at `work`/merged."""
        run_as_root(["rm", "-rf", str(work)])
        for name in ("upper", "work", "merged"):
            (work / name).mkdir(parents=True)
        alone = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"]
        places = [str(self.folder), str(work), str(tree)]
        try:
            run_as_root([*alone, "sh", "-c", _ENTER, "sh", *places, *command])
        finally:
            run_as_root(["rm", "-rf", str(work)])
            run_as_root(["chown", "--recursive", f"{os.getuid()}:{os.getgid()}", str(tree)])


def building(release: str, arch: str) -> Root:
    """The root in which packages of a release are built, for machines of an architecture, as Debian names it."""
    if arch == own_architecture():
        return Root(release, arch, "buildd", (arch,), (*_TOOLS, *_LIBRARIES))
    packages = (*_TOOLS, f"crossbuild-essential-{arch}", *(f"{name}:{arch}" for name in _LIBRARIES))
    return Root(release, arch, "buildd", (own_architecture(), arch), packages)


def trying(release: str, *more: str) -> Root:
    """A small system of this machine's architecture, in which packages are tried, with more packages in it."""
    # systemd comes with any machine that the packages are for, and leaves folders of its own behind.
    return Root(release, "try", "minbase", (own_architecture(),), ("systemd", "systemd-sysv", *more))


def run_as_root(command: Sequence[str]) -> None:
    """Mounts, and files of a root file system, are root's alone."""
    subprocess.run([*([] if os.geteuid() == 0 else ["sudo"]), *command], check=True)


def own_architecture() -> str:
    command = ["dpkg", "--print-architecture"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
