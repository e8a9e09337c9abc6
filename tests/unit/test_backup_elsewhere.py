"""Backups where something is not as it usually is: several sites, a store that moved, damage, copies that were left."""

import os
import shutil
import signal
from pathlib import Path
from typing import IO

import pyrage
import pytest
from attuned import gone
from attuned.backup import making, sealing
from attuned.backup.making import make
from attuned.backup.manifest import Manifest
from attuned.backup.places import gone_beside
from attuned.cli.ending import as_ctrl_c
from attuned.errors import StoreError
from attuned.updates import signer
from backup_world import Machine
from daemon_world import NOON, A, B
from damaged_store import no_header, no_middle

pytest_plugins = ["backup_fixtures"]


async def remove(machine: Machine, node: str) -> None:
    site = await machine.open_plain()
    await site.commissioning.remove(node)
    await site.close()


async def trusted(machine: Machine) -> set[str]:
    site = await machine.open_plain()
    found = set(site.trust.nodes)
    await site.close()
    return found


# Several sites.


async def test_two_sites_with_one_folder_for_backups_know_nothing_of_each_other(machine: Machine) -> None:
    signer.create(machine.places.etc / "signing")
    other = machine.copy_to(machine.root / "other")
    text = other.places.config.read_text()
    other.places.config.write_text(text.replace(str(machine.places.state), str(other.places.state)))
    shutil.rmtree(other.places.etc / "signing")
    signer.create(other.places.etc / "signing")
    first = machine.back_up().path
    await remove(other, B)
    make(other.places, other.sealer.key, machine.backups / "other.backup", backups=machine.backups)
    assert len(list(machine.backups.glob("gone-*.json"))) == 1
    machine.restore(first)
    assert await trusted(machine) == {A, B}
    await remove(machine, A)
    make(machine.places, machine.sealer.key, machine.backups / "again.backup", backups=machine.backups)
    assert [row.node for row in gone.read(gone_beside(machine.backups, other.places.etc)).nodes] == [B]
    machine.restore(first)
    assert await trusted(machine) == {B}


async def test_what_another_site_forgot_here_is_not_forgotten_of_this_one(machine: Machine) -> None:
    signer.create(machine.places.etc / "signing")
    made = machine.back_up()
    shutil.rmtree(machine.places.etc / "signing")
    signer.create(machine.places.etc / "signing")
    (machine.places.state / "daemon.key").unlink()
    (machine.places.state / "attune.db").unlink()
    gone.write(machine.places.state / gone.FILE, gone.Gone(nodes=(gone.Removed(node=B, utc_ms=2 * NOON),)))
    machine.restore(made.path)
    assert await trusted(machine) == {A, B}


async def test_a_site_whose_signing_key_was_made_anew_forgets_nothing_that_is_gone(machine: Machine) -> None:
    signer.create(machine.places.etc / "signing")
    made = machine.back_up()
    shutil.rmtree(machine.places.etc / "signing")
    signer.create(machine.places.etc / "signing")
    await remove(machine, B)
    machine.restore(made.path)
    assert await trusted(machine) == {A}


# A store that moved.


async def test_a_store_that_moved_since_is_what_is_there(machine: Machine) -> None:
    made = machine.back_up()
    moved = machine.root / "disk" / "attune"
    moved.parent.mkdir()
    machine.places.state.rename(moved)
    text = machine.places.config.read_text()
    machine.places.config.write_text(text.replace(str(machine.places.state), str(moved)))
    gone.write(moved / gone.FILE, gone.Gone(nodes=(gone.Removed(node=B, utc_ms=2 * NOON),)))
    restored = machine.restore(made.path)
    assert moved in restored.aside
    assert await trusted(machine) == {A}


async def test_a_store_that_is_a_disk_is_told_with_what_helps(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, before = machine.back_up(), machine.fingerprint()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == machine.places.state)
    with pytest.raises(StoreError, match="unmount the disk, restore once more"):
        machine.restore(made.path)
    assert machine.fingerprint() == before


async def test_links_in_the_configuration_stop_no_restore(machine: Machine) -> None:
    """Editors lock files with links that lead nowhere; a pipe would be read for ever."""
    made = machine.back_up()
    (machine.places.etc / ".#attuned.toml").symlink_to("ann@hall.123")
    os.mkfifo(machine.places.etc / "pipe")
    machine.restore(made.path)
    assert sorted(path.name for path in machine.places.etc.iterdir()) == ["attuned.toml", "backup-key.toml", "secrets"]


# Damage.


async def test_windows_that_are_damaged_stop_no_backup_of_all_else(machine: Machine) -> None:
    no_middle(machine.places.state / "windows.db")
    made = machine.back_up()
    assert made.damaged.startswith(f"The store {machine.places.state}/windows.db is damaged (")
    assert not machine.restore(made.path).manifest.windows
    site = await machine.open_plain()
    assert [row.author for row in await site.site_store.words()] == ["ann"]
    await site.close()


async def test_a_site_that_is_damaged_has_no_backup(machine: Machine) -> None:
    no_header(machine.places.state / "attune.db")
    with pytest.raises(StoreError, match=r"attune\.db is damaged .*: nothing was changed; put a backup in its place"):
        machine.back_up()
    assert {path.name for path in machine.backups.iterdir()} == {".attune-backup.lock"}


# Copies that are not sealed.


async def test_copies_lie_where_the_timer_clears_them(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.back_up()
    (machine.root / "usb").mkdir()
    seen: list[Path] = []

    def seal(out: IO[bytes], manifest: Manifest, folder: Path, recipient: pyrage.x25519.Recipient) -> None:
        seen.append(folder)
        # The timer's turn, while this one is at work.
        making._clear(machine.backups)
        sealing.seal(out, manifest, folder, recipient)

    monkeypatch.setattr(making, "seal", seal)
    make(machine.places, machine.sealer.key, machine.root / "usb", backups=machine.backups)
    assert [folder.parent for folder in seen] == [machine.backups]
    assert not seen[0].exists()
    for folder in (machine.backups, machine.places.state):
        (folder / ".attune-backup-left").mkdir()
        (folder / ".attune-backup-left" / "attune.db").write_bytes(b"in the clear")
    make(machine.places, machine.sealer.key, machine.backups / "last.backup", backups=machine.backups)
    assert not list(machine.root.glob("*/.attune-backup-left"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_backup_that_is_ended_leaves_no_copy(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(making, "seal", lambda *_: signal.raise_signal(number))
    # Whoever runs the tests may have them ignore it.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(KeyboardInterrupt), as_ctrl_c():
            machine.back_up()
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert {path.name for path in machine.backups.iterdir()} == {".attune-backup.lock"}


async def test_a_backup_under_nohup_goes_on(machine: Machine) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_ctrl_c():
            signal.raise_signal(signal.SIGHUP)
            assert machine.back_up().path.exists()
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_numbers_that_were_signed_are_their_folders(machine: Machine) -> None:
    """Whoever restores is root."""
    if os.geteuid() != 0:
        pytest.skip("only root may give files away")
    made = machine.back_up()
    (machine.places.signer / "signed-numbers").unlink()
    os.chown(machine.places.signer, 65534, 65534)
    machine.restore(made.path)
    found = (machine.places.signer / "signed-numbers").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (65534, 65534, 0o600)
