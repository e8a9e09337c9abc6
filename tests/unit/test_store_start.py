"""A daemon that is started on a store that cannot be used: its exit code, its sentence, and that it changed nothing."""

import contextlib
import errno
import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from attuned.config import Settings
from attuned.errors import DamagedStoreError, StoreError, UnusableStoreError
from attuned.opening import opened
from attuned.site import Site
from attuned.store import copies, trouble
from attuned.store.site import SiteStore
from daemon_world import NOON, A, FakeClock, opened_site, site_settings, trusted, window
from damaged_store import (
    empty,
    folder_instead,
    link,
    missing,
    newer,
    no_header,
    no_middle,
    no_schema,
    overwrite,
    text,
    truncated,
    used_store,
)

CONFIGURATION = """
site = {{ name = "hq" }}
store = {{ path = "{folder}/store" }}
gateways = {{ listen = ["unix:{folder}/gateway.sock"] }}
api = {{ socket = "{folder}/api.sock" }}
"""


def start(folder: Path, become: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the daemon on the store in a folder; it has to end by itself. `become` is what it does first."""
    configuration = folder / "attuned.toml"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    command = [sys.executable, "-c", f"from attuned.app import run; {become}run()", "--config", str(configuration)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def contents(folder: Path) -> dict[str, str]:
    """A digest of each file that holds something; locks and SQLite's index of its log hold nothing."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".lock")
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files if not p.name.endswith("-shm")}


DAMAGE: list[tuple[Callable[[Path], None], str]] = [
    (no_header, "is damaged (file is not a database): nothing was changed; put a backup in its place"),
    (no_schema, "is damaged (database disk image is malformed): nothing was changed"),
    (no_middle, "is damaged ("),
    (truncated, "is damaged (database disk image is malformed): nothing was changed"),
    (empty, "is empty, though daemon.key beside it says that this site has nodes and labels"),
    (missing, "is missing, though daemon.key beside it says that this site has nodes and labels"),
    (text, "is damaged (file is not a database): nothing was changed"),
    (folder_instead, "is no file: move it away, and restore a backup."),
    (link, "put the file itself there, or name its folder"),
    (newer, "was written by a newer version of Attune: install that version."),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE, ids=[damage.__name__ for damage, _ in DAMAGE])
async def test_a_precious_file_that_cannot_be_used_stops_the_daemon(
    tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    store = await used_store(tmp_path)
    damage(store / "attune.db")
    before = contents(store)
    for _ in range(2):  # as systemd would, if it did not know the exit code
        found = await refusal(store)
        assert found.startswith(f"The store {store}/attune.db ")
        assert sentence in found
        assert "\n" not in found
        assert contents(store) == before


async def refusal(store: Path) -> str:
    """Why a site does not open on a store, which no restart changes."""
    with pytest.raises(UnusableStoreError) as refused:
        await opened(lambda: Site(settings_of(store), FakeClock(), None))
    return str(refused.value)


def settings_of(store: Path) -> Settings:
    return site_settings(store, {"r": [A]})


@pytest.mark.parametrize("damage", [no_header, missing])
async def test_the_daemon_ends_with_the_sentence_alone(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    store = await used_store(tmp_path)
    damage(store / "attune.db")
    before = contents(store)
    done = start(tmp_path)
    assert (done.returncode, done.stdout, contents(store)) == (3, "", before)
    assert done.stderr.startswith(f"The store {store}/attune.db ")
    assert len(done.stderr.splitlines()) == 1


async def test_nodes_are_not_given_up_for_a_key_that_is_missing(tmp_path: Path) -> None:
    """With a new one the daemon would start, and none of its nodes would ever talk to it again."""
    store = await used_store(tmp_path)
    site = SiteStore(store)
    await site.open()
    await site.keys.trust(trusted(A, bytes(32)))
    await site.close()
    (store / "daemon.key").unlink()
    before = contents(store)
    assert await refusal(store) == (
        f"The key {store}/daemon.key is missing, and the site's nodes talk to nobody without it: "
        "put a backup in its place with `attune restore FILE`."
    )
    assert contents(store) == before


BULK = [no_header, no_schema, truncated, text]


@pytest.mark.parametrize("damage", BULK)
async def test_windows_that_cannot_be_read_are_set_aside(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    store = await used_store(tmp_path)
    damage(store / "windows.db")
    bytes_before = (store / "windows.db").read_bytes()
    site = await opened(lambda: Site(settings_of(store), FakeClock(), None))
    (aside,) = copies.aside(store / "windows.db")
    assert aside.read_bytes() == bytes_before
    assert f"it is now {aside} and a new one is begun: rooms and labels go on" in caplog.text
    assert "restart the daemon" not in caplog.text
    assert len(await site.site_store.facts()) == 500
    await site.window_store.commit([window(1, NOON)], [])
    assert await site.window_store.windows_between([A], 0, 2 * NOON) == [window(1, NOON)]
    assert site.bulk_check.trouble.startswith(f"{aside.name} was damaged and set aside")
    await site.close()
    # A disk that does it again is not helped: nothing is removed, and nothing is added.
    damage(store / "windows.db")
    before = contents(store)
    assert f"is damaged again, and {aside} is still there" in await refusal(store)
    assert contents(store) == before


@pytest.mark.parametrize("damage", [newer, folder_instead, link])
async def test_windows_that_are_of_somebody_else_stay_where_they_are(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    store = await used_store(tmp_path)
    damage(store / "windows.db")
    before = contents(store)
    assert f"The store {store}/windows.db " in await refusal(store)
    assert contents(store) == before


@pytest.mark.parametrize("change", [missing, empty])
async def test_a_site_without_windows_begins_a_new_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    store = await used_store(tmp_path)
    change(store / "windows.db")
    site = await opened(lambda: Site(settings_of(store), FakeClock(), None))
    assert await site.window_store.windows_between([A], 0, 2 * NOON) == []
    await site.close()


async def test_a_first_start_that_was_cut_off_is_no_damage(tmp_path: Path) -> None:
    """The file is made before anything is written into it."""
    (tmp_path / "attune.db").touch()
    site = await opened(lambda: Site(settings_of(tmp_path), FakeClock(), None))
    await site.close()


async def test_a_damaged_log_is_taken_up_to_its_damage(tmp_path: Path) -> None:
    """SQLite cannot tell it from one that a power cut has torn: what comes before is there, and the file is sound."""
    store = SiteStore(tmp_path)
    await store.open()
    for number in range(40):
        await store.save_facts({f"{number:016x}": "x" * 3000})
    copy = tmp_path / "copy"
    copy.mkdir()
    for end in ("", "-wal"):
        shutil.copy(tmp_path / f"attune.db{end}", copy / f"attune.db{end}")
    await store.close()
    log = copy / "attune.db-wal"
    overwrite(log, log.stat().st_size // 2, b"\xa5" * 4096)
    again = SiteStore(copy)
    await again.open()
    found = sorted(int(node, 16) for node in await again.facts())
    assert found == list(range(len(found)))
    assert 0 < len(found) < 40
    await again.close()


# Whose it is.

root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@root_alone
@pytest.mark.parametrize("foreign", ["store", "store/attune.db", "store/windows.db", "store/daemon.key"])
async def test_a_folder_of_somebody_else_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, foreign: str
) -> None:
    store = await used_store(tmp_path)
    os.chown(tmp_path / foreign, 65534, 65534)
    before = contents(store)
    found = await refusal(store)
    assert f"{tmp_path / foreign} belongs to nobody, and the daemon runs as root: " in found
    assert f"`chown -R root:root {store}`" in found
    assert contents(store) == before


@root_alone
async def test_a_disk_of_its_own_has_a_folder_of_root(tmp_path: Path) -> None:
    store = await used_store(tmp_path)
    (store / "lost+found").mkdir()
    os.chown(store / "lost+found", 65534, 65534)
    site = await opened(lambda: Site(settings_of(store), FakeClock(), None))
    await site.close()


@root_alone
async def test_a_user_who_may_not_read_the_store_is_told_so(tmp_path: Path) -> None:
    store = await used_store(tmp_path)
    os.chown(store, 65534, 65534)
    with contextlib.suppress(PermissionError):
        for parent in [tmp_path, *tmp_path.parents[:3]]:
            parent.chmod(parent.stat().st_mode | 0o055)
    done = start(tmp_path, become="import os; os.setgid(65534); os.setuid(65534); ")
    assert done.returncode == 3
    assert "attune.db belongs to root, and the daemon runs as nobody: `chown -R nobody:" in done.stderr


@root_alone
@pytest.mark.parametrize(("part", "mode", "needed"), [("", 0o500, "0700"), ("attune.db", 0o400, "0600")])
async def test_a_mode_that_keeps_its_owner_out_is_named_with_the_command_that_mends_it(
    tmp_path: Path, part: str, mode: int, needed: str
) -> None:
    store = await used_store(tmp_path)
    for path in (store, *store.iterdir()):
        os.chown(path, 65534, 65534)
    (store / part).chmod(mode)
    with contextlib.suppress(PermissionError):
        for parent in [tmp_path, *tmp_path.parents[:3]]:
            parent.chmod(parent.stat().st_mode | 0o055)
    done = start(tmp_path, become="import os; os.setgid(65534); os.setuid(65534); ")
    assert (done.returncode, done.stderr.strip()) == (
        3,
        f"{store / part} has the mode {mode:04o}, and the daemon writes there: `chmod {needed} {store / part}`.",
    )


async def test_a_store_that_is_in_use_may_be_free_later(tmp_path: Path) -> None:
    store = await used_store(tmp_path)
    site = await opened_site(store, FakeClock(), {"r": [A]})
    with pytest.raises(StoreError, match=r"is in use by another daemon: stop that one first\.$") as refused:
        await opened(lambda: Site(settings_of(store), FakeClock(), None))
    assert not isinstance(refused.value, UnusableStoreError)
    await site.close()


async def test_a_socket_that_somebody_listens_on_is_not_taken_away(tmp_path: Path) -> None:
    await used_store(tmp_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "api.sock"))
        other.listen()
        done = start(tmp_path)
        assert done.returncode == 1
        assert f"Cannot listen on unix:{tmp_path}/api.sock" in done.stderr
        assert "another" in done.stderr
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / "api.sock"))


# What SQLite and the system say.


def sqlite_error(code: int, words: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


ERRORS: list[tuple[sqlite3.Error | OSError, type[StoreError], str]] = [
    (sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full"), StoreError, "make room on the disk."),
    (sqlite_error(sqlite3.SQLITE_IOERR_WRITE, "disk I/O error"), StoreError, "check the disk (`dmesg`), or make room"),
    (sqlite_error(sqlite3.SQLITE_CORRUPT_VTAB, "malformed"), DamagedStoreError, "`attune restore FILE`"),
    (sqlite_error(sqlite3.SQLITE_NOTADB, "file is not a database"), DamagedStoreError, "`attune restore FILE`"),
    (sqlite_error(sqlite3.SQLITE_BUSY, "database is locked"), StoreError, "end that one."),
    (sqlite_error(sqlite3.SQLITE_READONLY, "attempt to write"), StoreError, "see why its disk is read-only"),
    (sqlite_error(sqlite3.SQLITE_CANTOPEN, "unable"), UnusableStoreError, "give its folder and files to the user"),
    (OSError(errno.ENOSPC, "No space left on device"), StoreError, "make room on the disk."),
    (OSError(errno.EROFS, "Read-only file system"), StoreError, "see why its disk is read-only"),
    (OSError(errno.EACCES, "Permission denied"), UnusableStoreError, "give its folder and files to the user"),
    (OSError(errno.EISDIR, "Is a directory"), UnusableStoreError, "see `ls -la"),
]


@pytest.mark.parametrize(("error", "kind", "advice"), ERRORS)
def test_each_error_of_opening_says_what_to_do(
    tmp_path: Path, error: sqlite3.Error | OSError, kind: type[StoreError], advice: str
) -> None:
    found = trouble.opening_error(tmp_path / "attune.db", error, precious=True)
    assert type(found) is kind
    assert advice in str(found)
    assert str(found).startswith(f"The store {tmp_path}/attune.db ")
    assert str(found).endswith(".")


# A read-only disk and a full one, in a name space of the test's own.

MOUNT = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]


def mounted(folder: Path, mount: str) -> subprocess.CompletedProcess[str]:
    """The daemon, started where `mount`, with the store's folder as $0, has mounted something."""
    trial = subprocess.run([*MOUNT, mount, str(folder / "store"), "true"], capture_output=True, text=True, check=False)
    if trial.returncode:
        pytest.skip(f"This machine lets nobody mount a file system of his own: {trial.stderr.strip()}")
    configuration = folder / "attuned.toml"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    command = [sys.executable, "-c", "from attuned.app import run; run()", "--config", str(configuration)]
    return subprocess.run(
        [*MOUNT, f'{mount} && exec "$@"', str(folder / "store"), *command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


async def test_a_disk_that_cannot_be_written_may_be_mended(tmp_path: Path) -> None:
    await used_store(tmp_path)
    done = mounted(tmp_path, 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"')
    assert done.returncode == 1
    assert "see why its disk is read-only (`dmesg`), or whether" in done.stderr


@pytest.mark.parametrize("size", ["64k", "160k"])
async def test_a_disk_without_room_may_have_some_later(tmp_path: Path, size: str) -> None:
    """64 KB hold no file of the store, 160 KB a part of what the first start writes."""
    (tmp_path / "store").mkdir()
    done = mounted(tmp_path, f'mount -t tmpfs -o size={size} tmpfs "$0"')
    assert done.returncode == 1
    assert "make room on the disk" in done.stderr or "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
