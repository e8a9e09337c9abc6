"""Backups of a running site, and what a restore makes of them."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from attuned import gone
from attuned.backup import intent, making, restoring, sealing
from attuned.backup.making import make
from attuned.errors import ConfigError, RequestError, StoreError
from attuned.nodes import noise
from attuned.nodes.own_keys import OwnKeys
from attuned.store.audit import Selection
from attuned.store.gateways import GatewayRow, InvitationRow
from attuned.store.site import LabelRow
from attuned.updates import signer
from attuned.updates.numbers import _read
from backup_world import Machine, Sealer, signed
from daemon_world import MINUTE, NOON, A, B, errands
from damaged_store import missing, no_header

pytest_plugins = ["backup_fixtures"]


async def windows_of(machine: Machine) -> list[int]:
    site = await machine.open()
    found = await site.window_store.windows_between([A, B], 0, 2 * NOON)
    await site.close()
    return [each.end_utc_ms for each in found]


def newest(machine: Machine) -> str:
    return max(path.name for path in machine.backups.glob("attune-*.backup") if path.stat().st_size > 1000)


async def test_beside_a_running_daemon_as_of_one_moment(machine: Machine) -> None:
    site = await machine.open()
    made = machine.back_up()
    await site.site_store.add_label(LabelRow(0, "r", "free", 0, MINUTE, 1.0, "person", "bob", NOON))
    await site.close()
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.size == made.path.stat().st_size
    machine.end()
    machine.restore(made.path)
    restored = await machine.open()
    assert [row.author for row in await restored.site_store.words()] == ["ann"]
    assert len(await restored.window_store.windows_between([A], 0, 2 * NOON)) == 1441
    await restored.close()


async def test_nothing_in_it_can_be_read(machine: Machine) -> None:
    sealed = machine.back_up().path.read_bytes()
    for secret in (
        b"correct horse",
        b"hall",
        machine.sealer.key.recipient.encode(),
        A.encode(),
        (machine.places.state / "daemon.key").read_bytes(),
    ):
        assert secret not in sealed
    names = {path.name for path in machine.backups.iterdir()}
    assert names == {".attune-backup.lock", newest(machine)}


async def test_without_windows_what_has_come_is_known(machine: Machine) -> None:
    whole, small = machine.back_up(), None
    with closing(sqlite3.connect(machine.places.state / "windows.db")) as database:
        before = database.execute("SELECT count(*) FROM packed").fetchone()[0]
    assert before > 0
    small = make(machine.places, machine.sealer.key, machine.root / "small.backup", windows=False)
    assert small.size < whole.size / 2
    machine.end()
    assert not machine.restore(small.path).manifest.windows
    site = await machine.open()
    assert await site.window_store.windows_between([A, B], 0, 2 * NOON) == []
    (record,) = (await site.window_store.boots()).values()
    assert (record.windows, record.sequence.through) == (1441, 1441)
    await site.close()


async def test_the_keys_are_those_of_the_store(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's key is changed between the copies of the keys and of the store."""
    from attuned.backup import copying

    copy, changes = copying.copy_database, [True]

    def changing(path: Path, to: Path, *, windows: bool = True) -> None:
        copy(path, to, windows=windows)
        if path.name == "attune.db" and changes:
            changes.pop()
            own = OwnKeys(machine.places.state)
            own.open()
            own.announce()

    monkeypatch.setattr(copying, "copy_database", changing)
    made = machine.back_up()
    now = {name: (machine.places.state / name).read_bytes() for name in ("daemon.key", "daemon-next.key")}
    machine.end()
    machine.restore(made.path)
    assert {name: (machine.places.state / name).read_bytes() for name in now} == now


@pytest.mark.parametrize("free", [0, 1000])
async def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    first = machine.back_up().path
    written = 0

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            nonlocal written
            written += len(data)
            if written > free:
                raise OSError(28, "No space left on device")
            return len(data)

        def flush(self) -> None:
            return

    seal = sealing.seal
    monkeypatch.setattr(making, "seal", lambda out, *rest: seal(Full(out), *rest))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="The disk is full, and no backup was made"):
        make(machine.places, machine.sealer.key, machine.backups / "second.backup", backups=machine.backups)
    assert {path.name for path in machine.backups.iterdir()} == {first.name, ".attune-backup.lock"}


async def test_room_is_looked_for_before(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attuned.backup.making.shutil.disk_usage", lambda _: type("Usage", (), {"free": 100_000})())
    with pytest.raises(StoreError, match="The disk is full"):
        machine.back_up()


async def test_what_a_power_cut_left_goes_and_older_ones_stay(machine: Machine) -> None:
    first = machine.back_up().path.read_bytes()
    (machine.backups / ".attune-backup.part").write_bytes(b"half")
    left = machine.backups / ".attune-backup-abcd"
    left.mkdir()
    (left / "attune.db").write_bytes(b"in the clear")
    (machine.backups / "attune-20260101T000000Z.backup").write_bytes(b"somebody else's")
    made = make(machine.places, machine.sealer.key, machine.backups / "second.backup", backups=machine.backups)
    assert not left.exists()
    assert not (machine.backups / ".attune-backup.part").exists()
    assert (machine.backups / newest(machine)).read_bytes() == first
    assert made.older_utc_ms > 0
    assert (machine.backups / "attune-20260101T000000Z.backup").read_bytes() == b"somebody else's"


async def test_a_file_of_no_folder_makes_none(machine: Machine) -> None:
    """A disk that is not there is not taken for the name of a file, and no folder is made in its place."""
    for name in ("usb", "usb/today.backup", "backups/today"):
        with pytest.raises(RequestError, match="There is no folder"):
            make(machine.places, machine.sealer.key, machine.root / name, backups=machine.backups)
    assert not (machine.root / "usb").exists()


async def test_what_editors_leave_stops_no_backup(machine: Machine) -> None:
    for name in ("attuned.toml~", ".attuned.toml.swp", "#attuned.toml#"):
        (machine.places.etc / name).write_text("left")
    manifest = machine.restore(machine.back_up().path).manifest
    names = {file.name for file in manifest.files if file.name.startswith("etc/")}
    assert names == {"etc/attuned.toml", "etc/backup-key.toml", "etc/secrets/mqtt-password"}


async def test_a_list_of_what_is_gone_that_is_damaged_stops_no_backup(machine: Machine) -> None:
    site = await machine.open()
    await site.commissioning.remove(B)
    await site.close()
    machine.back_up()
    known = gone.read(machine.places.state / gone.FILE)
    beside = machine.backups / gone.FILE
    for damage in (b"", b"{", b"\0" * 100):
        beside.write_bytes(damage)
        make(
            machine.places, machine.sealer.key, machine.backups / "second.backup", backups=machine.backups
        ).path.unlink()
        assert gone.read(beside) == known
        assert damage in {path.read_bytes() for path in machine.backups.glob("gone*.damaged")}


async def test_nothing_else_goes_on_meanwhile(machine: Machine) -> None:
    made, before = machine.back_up(), machine.fingerprint()
    with intent.alone(machine.places.etc), pytest.raises(RequestError, match="is under way"):
        machine.back_up()
    with intent.alone(machine.places.etc, sharing=True), pytest.raises(RequestError, match="is under way"):
        machine.restore(made.path)
    with intent.alone(machine.places.etc, sharing=True), pytest.raises(RequestError, match="is under way"):
        restoring.finish(machine.places.config)
    assert machine.fingerprint() == before


async def test_a_link_in_the_configuration_is_refused(machine: Machine) -> None:
    (machine.places.etc / "shadow").symlink_to("/etc/shadow")
    with pytest.raises(StoreError, match="plain files"):
        machine.back_up()


async def test_two_at_once_are_refused(machine: Machine) -> None:
    machine.back_up()
    with making._alone(machine.backups), pytest.raises(RequestError, match="Another backup"):
        machine.back_up()


async def test_a_damaged_store_makes_none(machine: Machine) -> None:
    path = machine.places.state / "attune.db"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreError):
        machine.back_up()
    assert list(machine.backups.glob("attune-*")) == []


async def test_on_a_new_machine_everything_is_there(machine: Machine) -> None:
    before, made = machine.fingerprint(), machine.back_up()
    windows = await windows_of(machine)
    machine.end()
    restored = machine.restore(made.path)
    assert restored.aside == ()
    after = machine.fingerprint()
    same = ("etc/", "signer/", "state/daemon.key")
    assert {name: what for name, what in after.items() if name.startswith(same)} == {
        name: what for name, what in before.items() if name.startswith(same)
    }
    assert await windows_of(machine) == windows


async def test_what_was_there_lies_aside_whole(machine: Machine) -> None:
    made = machine.back_up()
    (machine.places.etc / "later.toml").write_text("")
    before = machine.fingerprint()
    restored = machine.restore(made.path)
    assert [path.name.partition(".before-")[0] for path in restored.aside] == ["etc", "state"]
    etc, state = restored.aside
    assert not (machine.places.etc / "later.toml").exists()
    for name in [path for path in machine.fingerprint() if not path.startswith("signer")]:
        live = machine.root / name
        live.unlink()
    etc.rename(machine.root / "etc-again")
    assert (machine.root / "etc-again" / "later.toml").exists()
    assert {path.name for path in state.iterdir() if path.suffix != ".lock"} >= {
        name.removeprefix("state/") for name in before if name.startswith("state/")
    }


async def test_labels_are_numbered_on(machine: Machine) -> None:
    """Nodes know labels by number: 2 was given after the backup, and what follows it after a restore of it."""
    made = machine.back_up()
    site = await machine.open()
    later = LabelRow(0, "r", "free", 0, MINUTE, 1.0, "person", "bob", NOON)
    assert (await site.site_store.add_label(later)).number == 2
    await site.close()
    machine.restore(made.path)
    site = await machine.open()
    assert (await site.site_store.add_label(replace(later, told_utc_ms=NOON + 5000))).number == 1_000_003
    await site.close()
    machine.restore(made.path)
    site = await machine.open()
    assert (await site.site_store.add_label(replace(later, told_utc_ms=NOON + 9000))).number == 2_000_004
    await site.close()


async def test_numbers_that_were_signed_since_stay(machine: Machine) -> None:
    made = machine.back_up()
    numbers = machine.places.signer / "signed-numbers"
    at_backup = numbers.read_bytes()
    now = signed(9, 3)
    numbers.write_bytes(now)
    machine.restore(made.path)
    assert _read(numbers.read_bytes()) == _read(now)
    numbers.write_bytes(signed(5))
    machine.restore(made.path)
    assert _read(numbers.read_bytes()) == _read(at_backup)


def change_key(machine: Machine) -> tuple[bytes, bytes]:
    """The daemon's key before, and the one that it has now."""
    old = (machine.places.state / "daemon.key").read_bytes()
    own = OwnKeys(machine.places.state)
    own.open()
    own.announce()
    new = own.secrets[1]
    own.retire()
    return old, new


async def test_a_key_that_nodes_were_told_since_stays(machine: Machine) -> None:
    made = machine.back_up()
    old, new = change_key(machine)
    site = await machine.open()
    await site.site_store.keys.trust(replace(site.trust.nodes[A], daemon_key=noise.public_key(new)))
    await site.close()
    machine.restore(made.path)
    assert (machine.places.state / "daemon.key").read_bytes() == old
    assert (machine.places.state / "daemon-next.key").read_bytes() == new


@pytest.mark.parametrize("spoil", [no_header, missing])
async def test_keys_stay_where_the_store_cannot_say_who_uses_them(
    machine: Machine, spoil: Callable[[Path], None]
) -> None:
    """It may be why there is a restore at all."""
    made = machine.back_up()
    old, new = change_key(machine)
    spoil(machine.places.state / "attune.db")
    machine.restore(made.path)
    assert (machine.places.state / "daemon.key").read_bytes() == old
    assert (machine.places.state / "daemon-next.key").read_bytes() == new


@pytest.mark.parametrize("cut_off", [False, True])
async def test_a_newer_key_that_signs_updates_stays(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, cut_off: bool
) -> None:
    """Also where the change of keys was cut off, and is ended afterwards."""
    folder = machine.places.etc / "signing"
    signer.create(folder)
    made = machine.back_up()
    if cut_off:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", failing(Path.rename, signer.KEY_FILE))
            with pytest.raises(OSError, match="cut off"):
                signer.rotate(folder)
    else:
        signer.rotate(folder)
    before = {path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()}
    assert len(before) == (3 if cut_off else 2)
    machine.restore(made.path)
    assert {path.name: (path.read_bytes(), path.stat().st_mode) for path in folder.iterdir()} == before
    assert signer.rotate(folder) == (2 if cut_off else 3)


def failing(rename: Callable[[Path, Path], Path], name: str) -> Callable[[Path, Path], Path]:
    def renamed(path: Path, to: Path) -> Path:
        if to.name == name:
            raise OSError("cut off")
        return rename(path, to)

    return renamed


async def test_another_machines_key_that_signs_updates_goes(machine: Machine) -> None:
    """One that was made when the package was installed; nodes have never heard of it."""
    folder = machine.places.etc / "signing"
    signer.create(folder)
    before, made = (folder / signer.KEY_FILE).read_bytes(), machine.back_up()
    shutil.rmtree(folder)
    signer.create(folder)
    signer.rotate(folder)
    machine.restore(made.path)
    assert (folder / signer.KEY_FILE).read_bytes() == before
    assert signer.read_chain(folder / signer.CHAIN_FILE).number == 1


async def test_a_fresh_installation_gives_no_key(machine: Machine) -> None:
    made = machine.back_up()
    machine.end()
    machine.configure()
    site = await machine.open()
    await site.close()
    machine.restore(made.path)
    assert not (machine.places.state / "daemon-next.key").exists()


async def test_invitations_count_no_more(machine: Machine) -> None:
    site = await machine.open()
    await site.site_store.gateways.invite(InvitationRow(b"token", "north", 2 * NOON), 0)
    await site.close()
    machine.restore(machine.back_up().path)
    site = await machine.open()
    assert site.gateways.invitations == {}
    await site.close()


@pytest.mark.parametrize("where", ["here", "beside", "in it"])
async def test_what_must_stay_gone_goes_again(machine: Machine, where: str) -> None:
    """The state's own file is there, or only the copy beside the backups, or only what the backup holds."""
    site = await machine.open()
    await site.site_store.gateways.enrol(InvitationRow(b"aa", "north", NOON), GatewayRow("north", "aa", NOON, 2 * NOON))
    await site.close()
    first = machine.back_up().path
    ends = await windows_of(machine)
    site = await machine.open()
    entry = await site.oblivion.forget(Selection(ends[10], ends[20], room="r", rooms=("r",), nodes=(A,)), "ann")
    await site.gateways.revoke("north")
    await site.commissioning.remove(B)
    await site.close()
    if where != "here":
        second = make(
            machine.places, machine.sealer.key, machine.backups / "second.backup", backups=machine.backups
        ).path
        machine.end()
        if where == "in it":
            (machine.backups / gone.FILE).unlink()
            first = second
    restored = machine.restore(first)
    assert [row.id for row in restored.gone.forgotten] == [entry.id]
    assert gone.read(machine.places.state / gone.FILE) == restored.gone
    site = await machine.open_plain()
    left = await site.window_store.windows_between([A], 0, 2 * NOON)
    assert [each.end_utc_ms for each in left] == ends[:11] + ends[21:]
    assert site.gateways.rows["north"].revoked_utc_ms > 0
    assert B not in site.trust.nodes
    await errands(site)
    await site.close()


async def test_a_running_daemon_is_left_alone(machine: Machine) -> None:
    made = machine.back_up()
    site = await machine.open()
    before = machine.fingerprint()
    with pytest.raises(RequestError, match="The daemon runs on"):
        machine.restore(made.path)
    assert machine.fingerprint() == before
    await site.close()
    assert list(machine.root.glob("*.restoring")) == []


async def test_another_passphrase_opens_nothing(machine: Machine, sealer: Sealer) -> None:
    made, before = machine.back_up(), machine.fingerprint()
    other = Machine(machine.root, Sealer(sealer.key, type(sealer.private).generate()))
    with pytest.raises(RequestError, match="That is not the passphrase of this backup"):
        other.restore(made.path)
    assert machine.fingerprint() == before


@pytest.mark.parametrize("name", ["attune", "windows"])
async def test_a_newer_one_is_refused(machine: Machine, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, before = machine.back_up(), machine.fingerprint()
    monkeypatch.setattr(f"attuned.backup.restoring.{name.upper()}_VERSION", 3)
    with pytest.raises(RequestError, match="made by a newer Attune"):
        machine.restore(made.path)
    assert machine.fingerprint() == before


async def test_a_key_is_needed_to_make_one(tmp_path: Path) -> None:
    from attuned import backup_key

    with pytest.raises(ConfigError, match="attune setup"):
        backup_key.load(tmp_path / "none.toml")
