"""Fetch the C libraries that Attune builds in: Monocypher, littlefs and the nanopb run time.

    fetch_c_sources.py FOLDER

Monocypher and littlefs come from the source distributions of the Python packages `pymonocypher` and `littlefs-python`,
nanopb from the source package of the Debian release whose `nanopb` holds the generator, so that generator and run time
are of one version. Archives are kept in FOLDER and used again for as long as their SHA-256 fits; nothing of them is
run. The unpacked sources lie in FOLDER/monocypher, FOLDER/littlefs and FOLDER/nanopb.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path


class FetchError(Exception):
    """A library could not be had; the message says what to do next."""


@dataclass(frozen=True)
class Library:
    """A source archive and the members of it that are built, by their paths below the archive's top folder."""

    name: str
    archive: str
    sha256: str
    members: tuple[str, ...]
    download: Callable[[Path], None]


def run(command: list[str], advice: str, folder: Path | None = None) -> str:
    """The standard output of a command run in a folder; FetchError with its last words and an advice if it fails."""
    try:
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise FetchError(f"The command {command[0]} is missing. {advice}") from None
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        raise FetchError(f"{Path(command[0]).name} failed: {words[0]} {advice}") from None
    return done.stdout


def configured_index() -> list[str]:
    """The package index that pip is set up with, so that a mirror serves here too; empty for the default one."""
    index = os.environ.get("PIP_INDEX_URL")
    if index is None:
        command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
        index = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    return ["--index-url", index] if index else []


def download_from_package_index(requirement: str, folder: Path) -> None:
    advice = "Check the network, then run `./dev setup` again."
    command = [sys.executable, "-m", "unearth", "--no-binary", "--download", str(folder), *configured_index()]
    found = json.loads(run([*command, requirement], advice))
    if found.get("local_path") is None:
        raise FetchError(f"The package index gave no archive of {requirement}. {advice}")


def download_from_debian(folder: Path) -> None:
    """`apt-get source` with lists of its own, so that the machine's apt configuration needs no deb-src line."""
    advice = "Check that `apt-get update` works on this machine, then run `./dev setup` again."
    apt = folder / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(debian_source_lines(advice))
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": 3,
        "Acquire::Languages": "none",
    }
    apt_get = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    run([*apt_get, "update"], advice)
    uris = run([*apt_get, "source", "--print-uris", "nanopb"], advice)
    if NANOPB.archive not in uris:
        raise FetchError(f"Debian's nanopb source is not {NANOPB.archive}; Attune is built on Debian 12. {advice}")
    run([*apt_get, "source", "--download-only", "nanopb"], advice, folder)
    shutil.rmtree(apt)


def debian_source_lines(advice: str) -> str:
    """deb-src lines for the Debian archives that this machine already takes its packages from."""
    command = ["apt-get", "indextargets", "-oAPT::Get::IndexTargets=false"]
    shape = ["--format", "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)"]
    lines = run([*command, *shape, "Created-By: Packages", "Origin: Debian"], advice).splitlines()
    if not lines:
        raise FetchError(f"This machine's apt has no Debian archive in its configuration. {advice}")
    return "".join(f"{line}\n" for line in sorted(set(lines)))


MONOCYPHER = Library(
    name="monocypher",
    archive="pymonocypher-4.0.3.4.tar.gz",
    sha256="5e56e3d3eb770a53e0b9f6274146663c11a11f3d0de5cd48e3be0428d1b07a4a",
    members=("monocypher.c", "monocypher.h", "LICENSE.txt"),
    download=partial(download_from_package_index, "pymonocypher==4.0.3.4"),
)
LITTLEFS = Library(
    name="littlefs",
    archive="littlefs_python-0.19.0.tar.gz",
    sha256="4ce8c6eeeb2703abaf8cb60f2dab624b17af42b13df3dbc6c42d4142bad79a59",
    members=(
        "littlefs/lfs.c",
        "littlefs/lfs.h",
        "littlefs/lfs_util.c",
        "littlefs/lfs_util.h",
        "littlefs/LICENSE.md",
    ),
    download=partial(download_from_package_index, "littlefs-python==0.19.0"),
)
NANOPB = Library(
    name="nanopb",
    archive="nanopb_0.4.7.orig.tar.gz",
    sha256="e1d89b166367a3c42d42311bdc2ed57ff78f86aede9a66828516e45490d48c81",
    members=(
        "pb.h",
        "pb_common.c",
        "pb_common.h",
        "pb_decode.c",
        "pb_decode.h",
        "pb_encode.c",
        "pb_encode.h",
        "LICENSE.txt",
    ),
    download=download_from_debian,
)


def fits(archive: Path, sha256: str) -> bool:
    return archive.is_file() and hashlib.sha256(archive.read_bytes()).hexdigest() == sha256


def unpack(library: Library, folder: Path) -> None:
    """Copy the members out of the archive, flat; a folder that is there is whole, because it is renamed in last."""
    fresh = folder / f"{library.name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    with tarfile.open(folder / library.archive) as archive:
        top = archive.getnames()[0].split("/")[0]
        for name in library.members:
            member = archive.extractfile(f"{top}/{name}")
            if member is None:
                raise FetchError(f"{library.archive} has no file {name}; the pinned archive is not the one expected.")
            (fresh / Path(name).name).write_bytes(member.read())
    fresh.rename(folder / library.name)


def provide(library: Library, folder: Path) -> None:
    archive = folder / library.archive
    if not fits(archive, library.sha256):
        archive.unlink(missing_ok=True)
        shutil.rmtree(folder / library.name, ignore_errors=True)
        library.download(folder)
        if not fits(archive, library.sha256):
            raise FetchError(f"{archive} does not have the pinned SHA-256. Remove it and run `./dev setup` again.")
    if not (folder / library.name).is_dir():
        unpack(library, folder)


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for library in (MONOCYPHER, LITTLEFS, NANOPB):
            provide(library, folder)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
