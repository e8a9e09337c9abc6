"""Files that are no backups: each is refused with a sentence, and nothing changes."""

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from attuned.backup.manifest import MAGIC
from attuned.errors import RequestError, StoreError
from backup_world import Machine, Sealer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest_plugins = ["backup_fixtures"]


def refused(machine: Machine, data: bytes, begins: str = "") -> None:
    """The bytes are refused with a sentence, and nothing has changed."""
    path, before = machine.root / "hostile.backup", machine.fingerprint()
    path.write_bytes(data)
    with pytest.raises((RequestError, StoreError)) as caught:
        machine.restore(path)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert begins in str(caught.value)
    assert machine.fingerprint() == before
    assert list(machine.root.glob("*.restoring")) == []


def taken(machine: Machine) -> bytes:
    """A backup, which does not stay."""
    made = machine.back_up().path
    try:
        return made.read_bytes()
    finally:
        made.unlink()


def resealed(machine: Machine, change: Callable[[dict[str, Any]], object], more: bytes = b"") -> bytes:
    """A backup by somebody who has the key: with another manifest, and more at the end."""
    line, _, sealed = taken(machine).partition(b"\n")
    plain = gzip.decompress(pyrage.decrypt(sealed, [machine.sealer.private]))
    (length,) = struct.unpack_from(">I", plain)
    manifest = json.loads(plain[4 : 4 + length])
    change(manifest)
    text = json.dumps(manifest).encode()
    packed = gzip.compress(struct.pack(">I", len(text)) + text + plain[4 + length :] + more, 1)
    sealed_again: bytes = pyrage.encrypt(packed, [machine.sealer.key.public])
    return line + b"\n" + sealed_again


@pytest.mark.parametrize("what", ["a FIFO", "a folder", "a device", "nothing", "a link to a device"])
async def test_what_is_no_file(machine: Machine, what: str) -> None:
    """None of them is waited for."""
    path = machine.root / "odd.backup"
    if what == "a FIFO":
        os.mkfifo(path)
    elif what == "a folder":
        path.mkdir()
    elif what == "a link to a device":
        path.symlink_to("/dev/zero")
    before = machine.fingerprint()
    with pytest.raises(RequestError, match="name a backup") as caught:
        machine.restore(Path("/dev/zero") if what == "a device" else path)
    assert str(caught.value).endswith(".")
    assert machine.fingerprint() == before


@pytest.mark.parametrize("kind", ["tar", "zip", "sqlite", "text"])
async def test_files_of_others(machine: Machine, kind: str) -> None:
    """An archive with a path to the outside, a link and a device is no backup, whatever it holds."""
    buffer = io.BytesIO()
    if kind == "tar":
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, type_ in (("../../etc/passwd", tarfile.REGTYPE), ("a", tarfile.SYMTYPE), ("b", tarfile.CHRTYPE)):
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = type_, "/etc/shadow"
                archive.addfile(entry)
    elif kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive_:
            archive_.writestr("../x", "x")
    else:
        buffer.write(b"SQLite format 3\0" if kind == "sqlite" else b"attune-backup\n" * 100)
    refused(machine, buffer.getvalue(), "This is no backup of Attune")


async def test_one_of_another_site(machine: Machine, tmp_path: Path, sealer: Sealer) -> None:
    other = Machine(tmp_path / "other", sealer)
    other.configure(site="tower")
    await other.fill()
    made = other.back_up().path
    refused(machine, made.read_bytes(), "This is a backup of site tower, and site hall is here: take one of hall")
    # A machine that was never set up, or has no store yet, has nothing to lose.
    text = machine.places.config.read_text()
    machine.places.config.write_text(text.replace('name = "hall"', 'name = "site"'))
    assert machine.restore(made).manifest.site == "tower"


async def test_one_of_a_later_format(machine: Machine) -> None:
    whole = taken(machine)
    for number in (b"2", b"10"):
        refused(machine, whole.replace(b"attune-backup 1 ", b"attune-backup %s " % number), "made by a newer Attune")
    said = "says that Attune 0.1.0 made it, and holds what this one, 0.1.0, does not know"
    refused(machine, resealed(machine, lambda manifest: manifest.update(format=2)), said)


async def test_cut_off_anywhere(machine: Machine) -> None:
    whole = machine.back_up().path.read_bytes()
    for size in (0, 1, len(MAGIC), 300, len(whole) // 2, len(whole) - 70_000, len(whole) - 17, len(whole) - 1):
        refused(machine, whole[: max(size, 0)])
    refused(machine, whole + b"\0")


@pytest.mark.slow
async def test_a_bit_anywhere(machine: Machine) -> None:
    whole = machine.back_up().path.read_bytes()
    step = max(1, len(whole) // 40)
    for place in [*range(0, 40, 7), *range(400, len(whole), step), len(whole) - 1]:
        changed = bytearray(whole)
        changed[place] ^= 1
        refused(machine, bytes(changed))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=3000), begun=st.booleans())
def test_bytes_of_any_kind(machine: Machine, data: bytes, begun: bool) -> None:
    refused(machine, MAGIC + data if begun else data)


# SHA-256 of nothing, FIPS 180-4.
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def first(kind: str, **values: object) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest[kind][0].update(values)


def added(name: str, **values: object) -> Callable[[dict[str, Any]], object]:
    more = {"name": name, "mode": 0o644, "owner": "root", "group": "root", "size": 0, "sha256": EMPTY}
    return lambda manifest: manifest["files"].append(more | values)


HOSTILE = {
    "a path out of the folder": added("etc/../../../etc/shadow"),
    "an absolute path": added("/etc/shadow"),
    "a path with a dot": added("etc/./x"),
    "a name with a zero": added("etc/a\0b"),
    "another file of the state": added("state/attune.db-wal"),
    "too deep": added("etc/a/b/c/d"),
    "a folder nobody named": added("etc/a/b"),
    "a name twice": lambda manifest: manifest["files"].append(manifest["files"][0]),
    "a program that runs as root": first("files", mode=0o4755),
    "a file for everybody to write": first("files", mode=0o666),
    "more than any disk has": lambda manifest: manifest["files"][-1].update(size=2**52),
    "a configuration as large as a disk": first("files", size=2**40),
    "a negative size": first("files", size=-1),
    "another digest": first("files", sha256="0" * 64),
    "an owner that is none": first("files", owner="../root"),
    "no key of the daemon": lambda manifest: manifest.update(
        files=[each for each in manifest["files"] if each["name"] != "state/daemon.key"]
    ),
    "a field more": lambda manifest: manifest.update(run="/bin/sh"),
    "another format": lambda manifest: manifest.update(format=2),
    "a schema from later": lambda manifest: manifest["schemas"].update(attune=99),
    "another configuration": lambda manifest: manifest.update(config="other.toml"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_manifests_that_no_backup_has(machine: Machine, what: str) -> None:
    refused(machine, resealed(machine, HOSTILE[what]))


async def test_more_than_the_manifest_says(machine: Machine) -> None:
    refused(machine, resealed(machine, lambda _: None, b"more"))


async def test_a_bomb_costs_no_memory_and_no_disk(machine: Machine) -> None:
    """A gigabyte of zeros behind a header that asks for as much."""
    line = machine.back_up().path.read_bytes().partition(b"\n")[0] + b"\n"
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as bomb:
        bomb.write(struct.pack(">I", 2**32 - 1))
        for _ in range(64):
            bomb.write(bytes(1 << 20))
    refused(machine, line + pyrage.encrypt(packed.getvalue(), [machine.sealer.key.public]))


@pytest.mark.parametrize("n", [2**10, 2**30, -1, 2**17 + 1, "131072"])
async def test_a_header_that_asks_for_all_memory(machine: Machine, n: object) -> None:
    line, _, sealed = machine.back_up().path.read_bytes().partition(b"\n")
    header = json.loads(line.removeprefix(MAGIC))
    header["key"]["n"] = n
    refused(machine, MAGIC + json.dumps(header).encode() + b"\n" + sealed)
