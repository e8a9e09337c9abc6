"""Looks at the machine for `attune doctor`. What cannot be seen is said to be unknown, never guessed."""

import json
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attuned.doctor.machine import Disk, Place, Unit

# A machine that hangs shall not hold its doctor.
COMMAND_S = 10.0

# How far the clock may have been set back since a backup that still counts as made now.
SLACK_S = 3600.0

# Lines of a unit's journal among which its process's last one is looked for: systemd adds some of its own.
_LINES = "200"

# Which start of a unit an entry belongs to, and the priorities of errors (systemd.journal-fields(7)).
_LIFE = "_SYSTEMD_INVOCATION_ID"
_ERRORS = frozenset("0123")

# What must stay gone, as it was before it was damaged (gone.py).
_GONE = "gone*.damaged"

STATE = Path("/var/lib")
BACKUPS = Path("/var/backups/attune")


def under_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def unit(name: str) -> Unit:
    """How systemd sees a unit."""
    shown = dict(
        line.partition("=")[::2]
        for line in _output(
            "systemctl", "show", name, "-p", "LoadState,UnitFileState,ActiveState,Result,NRestarts,StatusText"
        ).splitlines()
    )
    restarts = shown.get("NRestarts", "")
    return Unit(
        name=name,
        load=shown.get("LoadState", ""),
        enabled=shown.get("UnitFileState") == "enabled",
        active=shown.get("ActiveState", "unknown"),
        result=shown.get("Result", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        words=last_words(name),
        status=shown.get("StatusText", ""),
    )


def last_words(name: str) -> str | None:
    """What a unit's process has said last in its newest life, errors before all else; None if it may not be read."""
    try:
        done = _run("journalctl", "-u", name, "-n", _LINES, "-o", "json", "--no-pager", "-q")
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = [entry for line in done.stdout.splitlines() if (entry := _entry(line))]
    if said:
        newest = [entry for entry in said if entry.get(_LIFE) == said[-1].get(_LIFE)]
        errors = [entry for entry in newest if entry.get("PRIORITY") in _ERRORS]
        return " ".join((errors or newest)[-1]["MESSAGE"].split())
    return None if done.returncode or os.geteuid() else ""


def _entry(line: str) -> dict[str, Any]:
    """An entry of the journal with words in it; empty if systemd itself has written it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    own = isinstance(entry, dict) and entry.get("_PID") != "1"
    return entry if own and isinstance(entry.get("MESSAGE"), str) and entry["MESSAGE"].strip() else {}


def clock_synchronised() -> bool | None:
    """Whether the kernel's clock is kept by NTP; None if that cannot be told."""
    said = _output("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip()
    return {"yes": True, "no": False}.get(said)


def disk(path: Path) -> Disk | None:
    """None if there is no such folder."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return Disk(
        path=str(path),
        free=found.f_bavail * found.f_frsize,
        size=found.f_blocks * found.f_frsize,
        inodes_free=found.f_favail,
        inodes=found.f_files,
    )


def places(etc: Path, store: Path, state: Path = STATE, backups: Path = BACKUPS) -> tuple[list[Place], bool]:
    """Files and folders with owner and mode, and whether all of them could be seen."""
    wanted = [
        (etc, "root", 0o755, True),
        (etc / "attuned.toml", "root", 0o644, False),
        (etc / "gateway.toml", "root", 0o644, False),
        (etc / "backup-key.toml", "root", 0o600, False),
        (etc / "signing" / "signing-key", "root", 0o600, False),
        (etc / "secrets", "root", 0o700, True),
        *((path, "root", 0o600, False) for path in _entries(etc / "secrets")),
        (store, "attuned", 0o700, True),
        (state / "attune-signer", "attune-signer", 0o700, False),
        (state / "attune-gateway", "attune-gateway", 0o700, False),
        (backups, "root", 0o700, False),
    ]
    found, whole = [], os.access(etc / "secrets", os.R_OK) or not (etc / "secrets").exists()
    for path, owner, mode, needed in wanted:
        try:
            found.append(_place(path, owner, mode, needed=needed))
        except PermissionError:
            whole = False
    return found, whole


def _place(path: Path, owner: str, mode: int, *, needed: bool) -> Place:
    try:
        status = path.stat()
    except FileNotFoundError:
        return Place(str(path), owner, mode, None, 0, needed)
    return Place(str(path), owner, mode, _user(status.st_uid), stat.S_IMODE(status.st_mode), needed)


def newest_age_s(folder: Path) -> tuple[float | None, bool]:
    """Age of the newest backup of a folder in seconds, and whether the folder can be read.

    None if there is no backup. What a wrong clock has dated later than now counts only where there is no other; its age
    is negative then.
    """
    try:
        times = [path.stat().st_mtime for path in folder.iterdir() if path.match("attune-*.backup")]
    except FileNotFoundError:
        return None, True
    except OSError:
        return None, False
    ages = [time.time() - made for made in times]
    young = min((max(age, 0.0) for age in ages if age >= -SLACK_S), default=None)
    return young if young is not None else max(ages, default=None), True


def set_aside(store: Path) -> list[str]:
    """Damaged files that the daemon has kept; none where the folder may not be read."""
    return [str(path) for path in _entries(store) if path.match(_GONE) or _is_aside(path)]


def _is_aside(path: Path) -> bool:
    return "-damaged-" in path.name and path.suffix == ".db"


def before_restores(*folders: Path) -> list[str]:
    """What restores have set aside of these folders."""
    found = [path for folder in folders for path in _entries(folder.parent) if path.match(f"{folder.name}.before-*")]
    return [str(path) for path in found if path.is_dir()]


def unit_started_utc_ms(name: str) -> int | None:
    """The end of the second in which a unit had started; None if it does not run, or that cannot be told."""
    said = _output("systemctl", "show", name, "-p", "ActiveEnterTimestamp", "--value", "--timestamp=unix").strip()
    return 1000 * int(said[1:]) + 999 if said[:1] == "@" and said[1:].isdigit() else None


def changed_since(path: Path, utc_ms: int | None) -> bool:
    """Whether a file was written later; not, where one of both is not known."""
    try:
        return utc_ms is not None and path.stat().st_mtime * 1000 > utc_ms
    except OSError:
        return False


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError:
        return


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _output(*command: str) -> str:
    """What a command prints; nothing if it cannot be run."""
    try:
        return _run(*command).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=COMMAND_S,
        env=os.environ | {"LC_ALL": "C"},
    )
