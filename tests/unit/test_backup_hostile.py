"""Files that are no backups, and restores that fail or die at any step: what was there is there, or all of the new."""

import contextlib
import gzip
import io
import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest
from attuned.backup import restoring, swapping
from attuned.backup.making import make
from attuned.backup.manifest import MAGIC
from attuned.errors import RequestError, StoreError
from backup_world import Machine, Sealer
from daemon_world import NOON, A
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def sealer() -> Sealer:
    return Sealer.make()


@pytest.fixture
async def machine(tmp_path: Path, sealer: Sealer) -> Machine:
    found = Machine(tmp_path / "machine", sealer)
    found.configure()
    await found.fill()
    return found


def refused(machine: Machine, data: bytes) -> None:
    """The bytes are refused with a sentence, and nothing has changed."""
    path, before = machine.root / "hostile.backup", machine.fingerprint()
    path.write_bytes(data)
    with pytest.raises((RequestError, StoreError)) as caught:
        machine.restore(path)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)
    assert machine.fingerprint() == before
    assert list(machine.root.glob("*.restoring")) == []


def resealed(machine: Machine, change: Callable[[dict[str, Any]], object], more: bytes = b"") -> bytes:
    """A backup by somebody who has the key: with another manifest, and more at the end."""
    whole = machine.back_up().path.read_bytes()
    line, _, sealed = whole.partition(b"\n")
    plain = gzip.decompress(pyrage.decrypt(sealed, [machine.sealer.private]))
    (length,) = struct.unpack_from(">I", plain)
    manifest = json.loads(plain[4 : 4 + length])
    change(manifest)
    text = json.dumps(manifest).encode()
    packed = gzip.compress(struct.pack(">I", len(text)) + text + plain[4 + length :] + more, 1)
    sealed_again: bytes = pyrage.encrypt(packed, [machine.sealer.key.public])
    return line + b"\n" + sealed_again


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


class Steps:
    """Counts what is done to the disk, and does something else at one of the steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int = -1, instead: Callable[[], object] = print) -> None:
        self.done = 0
        self._at, self._instead = at, instead
        for owner, name in (
            (os, "fsync"),
            (os, "chown"),
            (os, "fchown"),
            (Path, "rename"),
            (Path, "mkdir"),
            (Path, "unlink"),
            (swapping, "exchange"),
            (restoring, "is_whole"),
            (restoring, "prepare_site"),
            (restoring, "add_numbers"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **more: Any) -> Any:
            self.done += 1
            if self.done == self._at:
                self._instead()
            return function(*words, **more)

        return counted


def ended_with(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fails() -> None:
    raise OSError(5, "Input/output error")


@dataclass
class Trial:
    """A machine that has gone on since its backup, again and again as it was then."""

    machine: Machine
    backup: Path

    def __post_init__(self) -> None:
        (self.machine.places.etc / "later.toml").write_text("later")
        self._kept = self.machine.root.with_name("kept")
        shutil.copytree(self.machine.root, self._kept)
        self.before = self.machine.fingerprint()
        with pytest.MonkeyPatch.context() as patch:
            steps = Steps(patch)
            self.machine.restore(self.backup)
        self.steps, self.after = steps.done, self.restored()

    def begin(self) -> None:
        shutil.rmtree(self.machine.root)
        shutil.copytree(self._kept, self.machine.root)

    def restored(self) -> dict[str, str]:
        """What a restore leaves, but for marks."""
        found = self.machine.fingerprint()
        return {name: what for name, what in found.items() if swapping.MARK not in name}

    async def starts(self) -> None:
        """The daemon does, with all that it had."""
        site = await self.machine.open()
        assert len(await site.window_store.windows_between([A], 0, 2 * NOON)) == 1441
        assert len(await site.site_store.words()) == 1
        await site.close()

    def aside(self) -> set[str]:
        """Folders beside the live ones."""
        return {path.name.partition(".")[2].partition("-")[0] for path in self.machine.root.glob("*.*")}


@pytest.mark.slow
async def test_a_restore_that_fails_at_any_step(machine: Machine) -> None:
    trial, ended = Trial(machine, machine.back_up().path), []
    for at in range(1, trial.steps + 1):
        trial.begin()
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(StoreError):
            Steps(patch, at, fails)
            machine.restore(trial.backup)
        ended.append(machine.fingerprint() == trial.before)
        if not ended[-1]:
            assert trial.restored() == trial.after, at
        else:
            assert "before" not in trial.aside(), at
        await trial.starts()
    # Once it counts, it counts: what fails afterwards undoes nothing.
    assert ended == sorted(ended, reverse=True)
    assert 0 < ended.count(False) < 12 < ended.count(True)


@pytest.mark.slow
async def test_a_restore_that_dies_at_any_step(machine: Machine) -> None:
    """The power goes: the daemon starts with the old state or with the new one, and the next restore ends well."""
    trial, ended = Trial(machine, machine.back_up().path), []
    for at in range(1, trial.steps + 1):
        trial.begin()
        child = os.fork()
        if child == 0:
            try:
                Steps(pytest.MonkeyPatch(), at, lambda: os._exit(9))
                machine.restore(trial.backup)
            finally:
                os._exit(8)
        assert ended_with(child) == 9
        state = {name: what for name, what in trial.restored().items() if name.startswith("state/")}
        old = {name: what for name, what in trial.before.items() if name.startswith("state/")}
        new = {name: what for name, what in trial.after.items() if name.startswith("state/")}
        assert state in (old, new), at
        ended.append(state == old)
        await trial.starts()
        machine.restore(trial.backup)
        assert {name for name in trial.restored() if not name.startswith("state/")} == {
            name for name in trial.after if not name.startswith("state/")
        }
        assert "restoring" not in trial.aside(), at
        await trial.starts()
    assert ended == sorted(ended, reverse=True)


@pytest.mark.slow
async def test_a_backup_that_dies_at_any_step_leaves_the_older_one(machine: Machine) -> None:
    first = machine.back_up().path
    before = first.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        steps = Steps(patch)
        make(machine.places, machine.sealer.key, machine.backups / "second", backups=machine.backups).path.unlink()
    for at in range(1, steps.done + 1):
        child = os.fork()
        if child == 0:
            try:
                Steps(pytest.MonkeyPatch(), at, lambda: os._exit(9))
                make(machine.places, machine.sealer.key, machine.backups / "second", backups=machine.backups)
            finally:
                os._exit(8)
        ended_with(child)
        assert first.read_bytes() == before
        second = machine.backups / "second"
        if second.exists():
            assert machine.restore(second).manifest.files
            second.unlink()
