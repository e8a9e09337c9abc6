"""The disk of a virtual machine with Debian, made of packages and files, without a mount.

Packages come from the Debian archives that this machine's own apt is configured with. What is made is kept under the
digest of what it was made of; newer versions of packages are taken when the folder is removed.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archives import debian_archives
from build_lock import building_in

# A system that boots under QEMU and takes commands by its guest agent.
_BASE = ("dbus", "initramfs-tools", "kmod", "linux-image-amd64", "qemu-guest-agent", "systemd", "systemd-sysv", "udev")

# What the initial file system loads to find the root on its disk: a quarter of a second each where all are tried.
_DISK_MODULES = ("virtio_pci", "virtio_blk", "ext4")

# Drivers of hardware that the emulator has not, and pages that nobody reads: half of the disk.
_LEFT_OUT = (
    *(f"/lib/modules/*/kernel/drivers/{kind}/*" for kind in ("gpu", "infiniband", "media", "scsi", "staging", "usb")),
    *(f"/lib/modules/*/kernel/drivers/net/{kind}/*" for kind in ("ethernet", "wireless", "usb")),
    "/lib/modules/*/kernel/sound/*",
    "/usr/share/doc/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
)

_FILES = {
    # A system without one believes that this is its very first start, and looks at all of its services again.
    "/etc/machine-id": "a77e0000000000000000000000000001\n",
    "/etc/hostname": "guest\n",
    "/etc/hosts": "127.0.0.1 localhost guest\n",
    "/etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    # An empty unit is one that never starts: this one looks for snapshots that a check left behind.
    "/etc/systemd/system/e2scrub_reap.service": "",
}


class ImageError(Exception):
    """A disk could not be made; the message says what to do next."""


@dataclass(frozen=True)
class Recipe:
    """Debian packages beside the base, text files by their paths in the machine, its disk in MiB, Debian's release."""

    packages: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    size_mib: int = 2048
    release: str = "bookworm"

    def digest(self, archives: Sequence[str]) -> str:
        """Names what the recipe and this script make of these archives."""
        about = [self.packages, sorted(self.files.items()), self.size_mib, self.release]
        parts = [*about, list(archives), Path(__file__).read_text()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Image:
    """A root file system that nobody writes to any more, and what it is booted with."""

    root: Path
    kernel: Path
    initrd: Path


def made(recipe: Recipe, cache: Path) -> Image:
    """The image of a recipe, from the cache where it is there: two minutes for a new one. ImageError."""
    archives = debian_archives(recipe.release)
    folder = cache / f"image-{recipe.digest(archives)}"
    with building_in(folder):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as work:
                fresh = Path(work) / "image"
                fresh.mkdir()
                _make(recipe, archives, Path(work), fresh)
                fresh.rename(folder)
    return Image(folder / "root.img", folder / "vmlinuz", folder / "initrd.img")


def make_disk(folder: Path, disk: Path, label: str) -> None:
    """A disk with all that is in a folder, with some room to spare. ImageError."""
    used_mib = int(_run(["du", "--summarize", "--block-size=1M", str(folder)]).split()[0])
    size = f"{used_mib + used_mib // 4 + 32}M"
    owner = ["-E", "root_owner=0:0"]
    _run(
        [
            "mke2fs",
            "-q",
            "-F",
            "-t",
            "ext4",
            "-O",
            "^has_journal",
            *owner,
            "-L",
            label,
            "-d",
            str(folder),
            str(disk),
            size,
        ]
    )


def _make(recipe: Recipe, archives: Sequence[str], work: Path, fresh: Path) -> None:
    archive = work / "root.tar"
    _run(_debootstrap(recipe, archives, archive))
    with tarfile.open(archive) as packed:
        for name in ("vmlinuz", "initrd.img"):
            found = packed.extractfile(f"./{name}")
            if found is None:
                raise ImageError(f"The packages brought no {name}; linux-image-amd64 must be among them.")
            with (fresh / name).open("wb") as out:
                shutil.copyfileobj(found, out)
    files = work / "files.tar"
    files.write_bytes(_packed({**_FILES, **recipe.files}))
    # Owners and devices need root, or the user namespace in which mmdebstrap had it.
    script = (
        'set -e; mkdir "$1/root"; for tar in "$2" "$3"; do tar --extract --preserve-permissions --file "$tar" '
        '--directory "$1/root"; done; mke2fs -q -F -t ext4 -d "$1/root" "$4" "$5"; rm -rf "$1/root"'
    )
    as_root = [] if os.geteuid() == 0 else ["mmdebstrap", "--unshare-helper"]
    places = [str(work), str(archive), str(files), str(fresh / "root.img"), f"{recipe.size_mib}M"]
    _run([*as_root, "sh", "-c", script, "sh", *places])


def _debootstrap(recipe: Recipe, archives: Sequence[str], archive: Path) -> list[str]:
    """Modules are listed before the kernel comes, which makes its initial file system at once."""
    folders = '"$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"'
    modules = "".join(f"{name}\\n" for name in _DISK_MODULES)
    hook = f'mkdir -p {folders}; echo MODULES=list > "$1/etc/initramfs-tools/conf.d/guest"; '
    hook += f"printf '{modules}' > \"$1/usr/share/initramfs-tools/modules.d/guest\""
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join([*_BASE, *recipe.packages])}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    command += ["--aptopt=Acquire::Retries 3", f"--essential-hook={hook}"]
    return [*command, recipe.release, str(archive), *archives]


def _packed(files: Mapping[str, str]) -> bytes:
    """A tar archive of files that belong to root; their folders are made where they are missing."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(f".{path}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _with_sbin() -> dict[str, str]:
    """Debian keeps mke2fs where not every user looks."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


def _run(command: Sequence[str]) -> str:
    """The standard output of a command; ImageError with its last words if it fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, env=_with_sbin()).stdout
    except FileNotFoundError:
        raise ImageError(f"The command {command[0]} is missing; run `./dev test-vm`, which installs it.") from None
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip()[-1000:]
        raise ImageError(f"{' '.join(command[:3])} ended with {error.returncode}: {words}") from None
