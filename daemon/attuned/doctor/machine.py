"""Checks of the machine that a site runs on. Pure: facts in, findings out."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from attuned.doctor.finding import Finding, ok, problem, warning

_GIB, _MIB = 1 << 30, 1 << 20

# A site of a thousand nodes writes some 150 MB a week; copies before an upgrade, and SQLite's own work, need the rest.
LITTLE_FREE, TOO_LITTLE_FREE = _GIB, 100 * _MIB
FEW_INODES, TOO_FEW_INODES = 10_000, 500

_NOT_YOURS = "its journal is not yours to read: run `sudo attune doctor`"
_SILENT = "it has said nothing"

# Restarts since the machine started that somebody should look into.
MANY_RESTARTS = 5

_HOUR_S, _DAY_S = 3_600, 86_400
# One night may be missed; after a week the copy is no help.
OLD_BACKUP_S, TOO_OLD_BACKUP_S = 2 * _DAY_S, 8 * _DAY_S


@dataclass(frozen=True)
class Unit:
    """A service as systemd shows it. load: whether its file could be read, such as "loaded", "not-found" or "masked"
    (LoadState of org.freedesktop.systemd1(5)), "" if systemd does not say; words: the last line of its process in the
    journal, None if it may not be read; status: the line that it has `systemctl status` show."""

    name: str
    load: str
    enabled: bool
    active: str
    result: str
    restarts: int
    words: str | None
    status: str = ""


@dataclass(frozen=True)
class Disk:
    """Where the store lies; bytes and inodes. inodes is 0 for a file system that has no limit."""

    path: str
    free: int
    size: int
    inodes_free: int
    inodes: int


@dataclass(frozen=True)
class Place:
    """A file or folder, whose owner and mode it shall have at most, and what was found; owner None: it is not there."""

    path: str
    wanted_owner: str
    wanted_mode: int
    owner: str | None
    mode: int
    needed: bool = True


def check_unit(unit: Unit, *, needed: bool = True) -> Finding:
    """A service runs; where it does not, its own last words say why."""
    check = unit.name
    if unit.load == "not-found" and not needed:
        return ok(check, "is not here")
    if finding := _check_load(unit, needed=needed):
        return finding
    if unit.active == "active":
        return _check_running(unit)
    last = unit.words if unit.words is not None else _NOT_YOURS
    if unit.active == "failed" or unit.result not in {"", "success"}:
        found = f"has failed ({unit.result}): {last or _SILENT}"
        return problem(check, found, f"Mend that, then `sudo systemctl restart {check}`.")
    if unit.active in {"activating", "reloading"}:
        return warning(check, f"is starting: {last or _SILENT}", f"See `systemctl status {check}`.")
    return _check_stopped(unit, needed=needed)


def _check_load(unit: Unit, *, needed: bool) -> Finding | None:
    """What keeps systemd from starting a unit at all; None if nothing does."""
    level = problem if needed else warning
    if unit.load == "not-found":
        return level(unit.name, "is not installed", "Install its package: `sudo apt install ./attune_*.deb`.")
    if unit.load == "masked":
        found = "is masked, so that nothing can start it"
        return level(
            unit.name, found, f"`sudo systemctl unmask {unit.name}`, then `sudo systemctl restart {unit.name}`."
        )
    if unit.load != "loaded":
        found = f"cannot be read by systemd ({unit.load or 'it does not answer'})"
        return level(unit.name, found, f"See `systemctl status {unit.name}`.")
    return None


def _check_running(unit: Unit) -> Finding:
    if lacking := _lacking(unit.status):
        return warning(unit.name, lacking.rstrip("."), f"See `journalctl -u {unit.name}`.")
    if unit.restarts < MANY_RESTARTS:
        return ok(unit.name, "runs")
    found = f"runs, and was restarted {unit.restarts} times; its last words: {unit.words or _NOT_YOURS}"
    return warning(unit.name, found, f"See `sudo journalctl -u {unit.name}`.")


def _lacking(status: str) -> str:
    """What a gateway waits for stands behind its first sentence, and what hangs in the place of that.

    The daemon's own troubles are asked of itself.
    """
    first, _, rest = status.partition(". ")
    if first.startswith("Gateway "):
        return rest
    return "" if first.startswith("Site ") else status


def _check_stopped(unit: Unit, *, needed: bool) -> Finding:
    if not needed and not unit.enabled:
        return ok(unit.name, "is switched off")
    return (problem if needed else warning)(unit.name, "does not run", f"`sudo systemctl enable --now {unit.name}`.")


def check_timer(unit: Unit, task: Unit) -> Finding:
    """A timer waits for its time, and what it started the last time did its work."""
    for one in (unit, task):
        if finding := _check_load(one, needed=False):
            return finding
    if task.result not in {"", "success"}:
        last = task.words if task.words is not None else _NOT_YOURS
        found = f"failed the last time ({task.result}): {last or _SILENT}"
        return warning(task.name, found, f"Mend that, then `sudo systemctl start {task.name}`.")
    if unit.active == "active":
        return ok(unit.name, "waits for its time")
    return warning(unit.name, "does not run", f"`sudo systemctl enable --now {unit.name}`.")


def check_clock(synchronised: bool | None) -> Finding:
    """All times of a site are those of its machine."""
    if synchronised is None:
        return warning("clock", "whether it is kept by NTP cannot be told", "See `timedatectl`.")
    if synchronised:
        return ok("clock", "is kept by NTP")
    return warning(
        "clock", "is not kept by NTP", "`sudo timedatectl set-ntp true`, and let this machine reach a server."
    )


def check_disk(disk: Disk | None) -> Finding:
    """There is room for what nodes report."""
    if disk is None:
        return problem(
            "disk", "the store's folder is not there", "Start the daemon once: `sudo systemctl start attuned`."
        )
    found = f"{_size(disk.free)} free of {_size(disk.size)} for {disk.path}"
    advice = "Make room, or shorten windows_days in /etc/attune/attuned.toml."
    if disk.free < TOO_LITTLE_FREE:
        return problem("disk", found, advice)
    few = disk.inodes and disk.inodes_free < FEW_INODES
    if disk.inodes and disk.inodes_free < TOO_FEW_INODES:
        return problem("disk", f"{disk.inodes_free:,} inodes left for {disk.path}", "Remove files that nobody needs.")
    if few:
        return warning("disk", f"{disk.inodes_free:,} inodes left for {disk.path}", "Remove files that nobody needs.")
    return warning("disk", found, advice) if disk.free < LITTLE_FREE else ok("disk", found)


def check_places(places: Sequence[Place]) -> Iterator[Finding]:
    """Owners and modes: secrets are nobody else's, and what a service writes is its own. One line if all is well."""
    wrong = [finding for place in places if (finding := _check_place(place))]
    yield from wrong or [ok("files", "owners and modes are as they should be")]


def _check_place(place: Place) -> Finding | None:
    if place.owner is None:
        if not place.needed:
            return None
        owner, mode = place.wanted_owner, place.wanted_mode
        made = f"`sudo install -d -o {owner} -g {owner} -m {mode:04o} {place.path}` makes it."
        return problem("files", f"{place.path} is missing", made)
    if place.owner != place.wanted_owner:
        found = f"{place.path} belongs to {place.owner} and not to {place.wanted_owner}"
        whole = " -R" * bool(place.wanted_mode & stat.S_IXUSR)
        return problem("files", found, f"`sudo chown{whole} {place.wanted_owner}: {place.path}`.")
    if more := place.mode & ~place.wanted_mode:
        found = f"{place.path} has mode {place.mode:04o}, which lets others {'write' if more & 0o022 else 'read'} it"
        return problem("files", found, f"`sudo chmod {place.wanted_mode:04o} {place.path}`.")
    return None


def check_configuration(name: str, error: str | None, unit: str) -> Finding:
    """Empty if the file can be used, else the sentences of the unit's program that reads it; None if there is none."""
    if error is None:
        return problem(name, "is not there", "`sudo attune setup` writes it.")
    if not error:
        return ok(name, "is valid")
    found = " ".join(error.split()).rstrip(".")
    return problem(name, found, f"Correct the file, then `sudo systemctl restart {unit}`.")


def not_taken_up(path: Path, unit: str) -> Finding:
    """A file of the configuration is newer than the start of who reads it."""
    found = f"{path} changed after {unit} started"
    return warning("configuration", found, f"`sudo systemctl restart {unit}` takes it up.")


def check_restore(*, half: bool, aside: Sequence[str]) -> Finding | None:
    """Whether one was cut off, and what those before have set aside."""
    if half:
        return problem("restore", "one was cut off half-way", "`sudo attune restore --finish` ends it.")
    if not aside:
        return None
    found = f"{' and '.join(aside)} {'are' if len(aside) > 1 else 'is'} still there from before a restore"
    advice = f"What you forget stays in there. When all is well: `sudo rm -r {' '.join(aside)}`."
    return warning("restore", found, advice)


def check_backup(*, key: bool, age_s: float | None, readable: bool) -> Finding:
    """There is a copy that is young enough to be of use.

    age_s is None if there is none, and negative if all are dated later than now.
    """
    if not key:
        return warning("backup", "none are made", "`sudo attune setup` asks for their passphrase.")
    if not readable:
        return warning("backup", "its folder is not yours to read", "Run `sudo attune doctor`.")
    advice = "`sudo attune backup` makes one; see `systemctl status attune-backup`."
    if age_s is None:
        return warning("backup", "there is none yet", advice)
    if age_s < 0:
        found = f"all are dated later than now, by {_age(-age_s)} at least: the clock was wrong"
        return warning("backup", found, advice)
    found = f"the newest is {_age(age_s)} old"
    if age_s > TOO_OLD_BACKUP_S:
        return problem("backup", found, advice)
    return warning("backup", found, advice) if age_s > OLD_BACKUP_S else ok("backup", found)


def check_set_aside(files: Sequence[str]) -> Iterator[Finding]:
    """Damaged files of the store that were kept: windows and history, or what must stay gone (gone.py)."""
    lists = [file for file in files if file.endswith(".damaged")]
    if windows := [file for file in files if file not in lists]:
        found = f"{_kept_aside(windows)}: windows and history of before are in it alone"
        yield warning("store", found, f"Once nobody needs them: `sudo rm {' '.join(windows)}`.")
    if lists:
        found = f"{_kept_aside(lists)}: what must stay gone if a backup is restored may stand in it alone"
        copy = f"another copy in the place of {Path(lists[0]).with_name('gone.json')}, with its owner"
        advice = (
            f"Make a backup, stop the daemon, put {copy}, such as the one beside the backups, and start it again. "
            f"Then `sudo rm {' '.join(lists)}`."
        )
        yield warning("store", found, advice)


def _kept_aside(files: Sequence[str]) -> str:
    return f"{' and '.join(files)} {'were' if len(files) > 1 else 'was'} damaged and kept aside"


def _size(number: int) -> str:
    return f"{number / _GIB:.1f} GB" if number >= _GIB else f"{number / _MIB:.0f} MB"


def _age(seconds: float) -> str:
    if seconds >= 2 * _DAY_S:
        return f"{seconds / _DAY_S:.0f} days"
    return f"{seconds / _HOUR_S:.0f} h" if seconds >= _HOUR_S else f"{seconds / 60:.0f} min"
