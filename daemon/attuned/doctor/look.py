"""Looks at the machine for `attune doctor`. What cannot be seen is said to be unknown, never guessed."""

import json
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from attuned.doctor.machine import Disk, Place, Unit

# A machine that hangs shall not hold its doctor.
COMMAND_S = 10.0

# Lines of a unit's journal among which its process's last one is looked for: systemd adds some of its own.
_LINES = "30"

STATE = Path("/var/lib")
BACKUPS = Path("/var/backups/attune")


def under_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def unit(name: str) -> Unit:
    """How systemd sees a unit."""
    shown = dict(
        line.partition("=")[::2]
        for line in _output(
            "systemctl", "show", name, "-p", "LoadState,UnitFileState,ActiveState,Result,NRestarts"
        ).splitlines()
    )
    restarts = shown.get("NRestarts", "")
    return Unit(
        name=name,
        loaded=shown.get("LoadState") == "loaded",
        enabled=shown.get("UnitFileState") == "enabled",
        active=shown.get("ActiveState", "unknown"),
        result=shown.get("Result", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        words=last_words(name),
    )


def last_words(name: str) -> str | None:
    """The last line that a unit's process has written to the journal; None if it may not be read."""
    try:
        done = _run("journalctl", "-u", name, "-n", _LINES, "-o", "json", "--no-pager", "-q")
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = [text for line in done.stdout.splitlines() if (text := _message(line))]
    if said:
        return said[-1]
    return None if done.returncode or os.geteuid() else ""


def _message(line: str) -> str:
    """Of a journal entry, unless systemd itself has written it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    text = entry.get("MESSAGE") if isinstance(entry, dict) and entry.get("_PID") != "1" else ""
    return " ".join(text.split()) if isinstance(text, str) else ""


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
        (etc / "attuned.toml", "root", 0o644, True),
        (etc / "gateway.toml", "root", 0o644, False),
        (etc / "backup-key.toml", "root", 0o600, False),
        (etc / "signing" / "signing-key", "root", 0o600, False),
        (etc / "secrets", "root", 0o700, True),
        *((path, "root", 0o600, True) for path in _entries(etc / "secrets")),
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
    """Age of the newest file of a folder in seconds, None if there is none, and whether the folder can be read."""
    try:
        times = [path.stat().st_mtime for path in folder.iterdir() if path.is_file()]
    except FileNotFoundError:
        return None, True
    except OSError:
        return None, False
    return (max(time.time() - max(times), 0.0) if times else None), True


def set_aside(store: Path) -> list[str]:
    """Damaged files that the daemon has kept; none where the folder may not be read."""
    return sorted(path.name for path in _entries(store) if "-damaged-" in path.name and path.suffix == ".db")


def changed_since(paths: list[Path], utc_ms: int) -> list[str]:
    """Those of the files that were written later."""
    found = []
    for path in paths:
        try:
            if path.stat().st_mtime * 1000 > utc_ms:
                found.append(str(path))
        except OSError:
            continue
    return found


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
