"""Putting a backup back: everything is looked at and made ready beside what is there, then takes its place."""

import contextlib
import errno
import fcntl
import grp
import io
import os
import pwd
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pyrage

from attuned import gone
from attuned.backup import intent
from attuned.backup.copying import is_whole
from attuned.backup.manifest import File, Manifest, Place
from attuned.backup.numbers import add_numbers, keep_newer_signing_key, keep_used_keys, prepare_site, shares_key
from attuned.backup.places import NUMBERS, SITE_DB, SMALL, WINDOWS_DB, Places, gone_beside, origin
from attuned.backup.sealing import Opened, opened
from attuned.backup.swapping import Slot
from attuned.config import load
from attuned.durable_files import sync_folder
from attuned.errors import ConfigError, RequestError, StoreError
from attuned.half_restored import path_of
from attuned.setup.wanted import UNNAMED
from attuned.store.migrations import ATTUNE_VERSION, WINDOWS_VERSION

_DATABASES = (SITE_DB, WINDOWS_DB)

# A record of 52 bytes a node.
_NUMBERS_LIMIT = 16 << 20


@dataclass(frozen=True)
class Restored:
    """What was put back, where configuration and state of before lie now, and what must stay gone.

    `gone_since`: whether the restored store does not know of all that.
    """

    manifest: Manifest
    aside: tuple[Path, ...]
    gone: gone.Gone
    gone_since: bool


def restore(path: Path, private: pyrage.x25519.Identity, config: Path, signer: Path) -> Restored:
    """Puts a backup in the place of what is there; `config` is the daemon's configuration, beside which all else lies.

    What an earlier restore has left half-way is ended first. Raises RequestError, StoreError, ConfigError: then what
    was there is there.
    """
    config = config.absolute()
    etc = Slot(config.parent)
    with _sentences(), intent.alone(etc.live), ExitStack() as held, opened(path, private) as backup:
        _finish(config)
        _check(backup.manifest, config)
        try:
            numbers = _unpack_configuration(backup, etc.prepare())
            places = Places(config, load(etc.beside / config.name).store.path, signer)
            state, here = Slot(places.state), _here(places)
            held.callback(_drop, state, config)
            for folder in {places.state, here.state}:
                _hold(held, folder)
            _unpack_state(backup, state.prepare())
            backup.end()
            known = gone.read(state.beside / gone.FILE)
            said = _gone_here(here, etc, state) | gone.read(gone_beside(path.parent, etc.beside)) | known
            _make_ready(backup.manifest, etc, state, here, said)
            _hold(held, state.beside)
            held.enter_context(intent.alone(etc.beside))
            aside = _take(etc, state, here, numbers)
        finally:
            _drop(etc, config)
        return Restored(backup.manifest, aside, said, said != known)


def finish(config: Path) -> tuple[Path, ...]:
    """Ends what a restore that was cut off has left: all of it is put in place, or what it had only prepared goes.

    Gives where what was there before lies now. Raises RequestError, StoreError.
    """
    config = config.absolute()
    with intent.alone(config.parent):
        try:
            return _finish(config)
        except OSError as error:
            where = error.filename or config.parent
            raise StoreError(
                f"The restore that was cut off cannot be ended: {where}: {error.strerror or error}. Run this as root."
            ) from error


def _finish(config: Path) -> tuple[Path, ...]:
    aside: tuple[Path, ...] = ()
    begun = intent.read(config.parent)
    if begun is not None:
        begun.carry_out()
        aside = begun.set_aside()
        intent.end(config.parent)
    Slot(config.parent).drop()
    with contextlib.suppress(ConfigError):
        Slot(load(config).store.path).drop()
    return aside


def _drop(slot: Slot, config: Path) -> None:
    """What was prepared goes, unless it is to be put in place later."""
    if not path_of(config.parent).exists():
        slot.drop()


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """What the disk and SQLite say, for people."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError("The disk is full, and nothing was changed: make room, and restore once more.") from error
        where = error.filename or "The backup"
        raise StoreError(f"Nothing was changed: {where}: {error.strerror or error}. Run this as root.") from error
    except sqlite3.Error as error:
        raise StoreError(f"The store of this backup cannot be used ({error}): take another backup.") from error


def _check(manifest: Manifest, config: Path) -> None:
    known = {"attune": ATTUNE_VERSION, "windows": WINDOWS_VERSION}
    if any(number > known[name] for name, number in manifest.schemas.items()):
        raise RequestError(
            f"This backup was made by a newer Attune ({manifest.header.version}): install that version first."
        )
    if manifest.config != config.name:
        raise RequestError(f"The configuration of this backup is {manifest.config}: name that with --config.")
    present = _present(config)
    if present not in ("", UNNAMED, manifest.site):
        raise RequestError(
            f"This is a backup of site {manifest.site}, and site {present} is here: take one of {present}, or give it "
            f"the name {manifest.site} with `attune setup` if it is to go, and restore once more."
        )


def _present(config: Path) -> str:
    """The site that is here; none where nothing was ever stored."""
    try:
        found = load(config)
    except ConfigError:
        return ""
    return found.site.name if (found.store.path / SITE_DB).exists() else ""


def _here(places: Places) -> Places:
    """What is there now, whose store may lie elsewhere than the backup's."""
    try:
        state = load(places.config).store.path
    except ConfigError:
        return places
    return places if state.resolve() == places.state.resolve() else replace(places, state=state)


def _gone_here(here: Places, etc: Slot, state: Slot) -> gone.Gone:
    """Nothing where another site was here: rooms of the same names are others."""
    origins = {origin(etc.live), origin(etc.beside)} - {b""}
    same = len(origins) < 2 or shares_key(here.state, state.beside)
    return gone.read(here.state / gone.FILE) if same else gone.Gone()


def _hold(held: ExitStack, folder: Path) -> None:
    """Keeps daemons away from a store until the end. RequestError if one has it."""
    if not folder.exists():
        return
    owner = folder.stat()
    for name in _DATABASES:
        path = (folder / name).with_suffix(".lock")
        lock = held.enter_context(path.open("ab"))
        os.fchown(lock.fileno(), owner.st_uid, owner.st_gid)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RequestError(f"The daemon runs on {folder}: stop it, and restore once more.") from error


def _unpack_configuration(backup: Opened, staged: Path) -> bytes:
    """Everything before the state; what was signed last, of the signing process."""
    numbers = b""
    for folder in backup.manifest.folders:
        if folder.name.startswith("etc/"):
            (staged / folder.name.removeprefix("etc/")).mkdir(mode=0o700)
    for entry in _area(backup, "etc/"):
        _check_small(entry.size, SMALL)
        with _new(staged / entry.name.removeprefix("etc/")) as out:
            backup.unpack(entry, out)
    for entry in _area(backup, "signer/"):
        _check_small(entry.size, _NUMBERS_LIMIT)
        buffer = io.BytesIO()
        backup.unpack(entry, buffer)
        numbers = buffer.getvalue()
    return numbers


def _unpack_state(backup: Opened, staged: Path) -> None:
    entries = _area(backup, "state/")
    if shutil.disk_usage(staged).free < sum(entry.size for entry in entries):
        raise OSError(errno.ENOSPC, "No space left on device")
    for entry in entries:
        with _new(staged / entry.name.removeprefix("state/")) as out:
            backup.unpack(entry, out)


def _area(backup: Opened, area: str) -> list[File]:
    """Files of one part. They come in the order in which they are asked for."""
    return [entry for entry in backup.manifest.files if entry.name.startswith(area)]


def _check_small(size: int, limit: int) -> None:
    if size > limit:
        raise RequestError("This backup holds what no backup of this version does: it is refused.")


def _new(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _make_ready(manifest: Manifest, etc: Slot, state: Slot, here: Places, said: gone.Gone) -> None:
    staged = state.beside
    for name in _DATABASES:
        if not is_whole(staged / name):
            raise RequestError(f"{name} of this backup is damaged: take another backup.")
    prepare_site(staged / SITE_DB, here.state / SITE_DB)
    keep_used_keys(here.state, staged)
    keep_newer_signing_key(here.etc, etc.beside)
    gone.write(staged / gone.FILE, said)
    for slot, area in ((etc, "etc"), (state, "state")):
        _give(manifest, slot.beside, area, slot.live)
        _sync(slot.beside)
        sync_folder(slot.live.parent)
    _make_signer(manifest, here.signer)


def _make_signer(manifest: Manifest, folder: Path) -> None:
    """A folder for the signing process where it has not run yet."""
    for place in manifest.folders:
        if place.name == "signer" and not folder.exists():
            owner = _ids(place, folder)
            folder.mkdir(mode=0o700, parents=True)
            os.chown(folder, *owner)


def _give(manifest: Manifest, folder: Path, area: str, live: Path) -> None:
    """Owners and modes; what the backup does not name, and users that there are not, are as the folder."""
    places = {place.name: place for place in (*manifest.folders, *manifest.files)}
    first = _ids(places[area], live)
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:
        place = places.get(area if path == folder else f"{area}/{path.relative_to(folder)}")
        owner, group = _ids(place, live, first) if place else first
        os.chown(path, owner, group)
        path.chmod(place.mode if place else 0o600)


def _ids(place: Place, live: Path, otherwise: tuple[int, int] | None = None) -> tuple[int, int]:
    try:
        return _number(place.owner, lambda: pwd.getpwnam(place.owner).pw_uid), _number(
            place.group, lambda: grp.getgrnam(place.group).gr_gid
        )
    except KeyError:
        if otherwise is not None:
            return otherwise
        if live.exists():
            return live.stat().st_uid, live.stat().st_gid
        raise RequestError(f"There is no user {place.owner} here: install Attune first, and restore then.") from None


def _number(name: str, look: Callable[[], int]) -> int:
    return int(name) if name.isdigit() else look()


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def _take(etc: Slot, state: Slot, here: Places, numbers: bytes) -> tuple[Path, ...]:
    """From the intent on, whoever comes ends it; only here, where nothing was cut off, it may be taken back."""
    add_numbers(here.signer / NUMBERS, numbers)
    slots = [slot for slot in (etc, state) if slot is state or not _same(etc.live, etc.beside)]
    begun = intent.Intent.of(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", slots)
    try:
        intent.write(here.etc, begun)
        begun.carry_out()
    except BaseException:
        begun.take_back()
        intent.end(here.etc)
        raise
    aside: tuple[Path, ...] = (here.state,) if here.state != state.live and here.state.exists() else ()
    # It counts already: what does not work here is done before the daemon starts.
    with contextlib.suppress(OSError):
        aside += begun.set_aside()
        intent.end(here.etc)
    return aside


def _same(first: Path, second: Path) -> bool:
    """Whether two folders hold the same."""
    return _content(first) == _content(second)


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Modes, and what files hold; links and pipes, of which no backup has any, are only there."""
    modes = {path: path.lstat().st_mode for path in folder.rglob("*")}
    return {
        str(path.relative_to(folder)): (mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
        for path, mode in modes.items()
    }
