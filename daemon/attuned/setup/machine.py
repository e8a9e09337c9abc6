"""What the machine has that a site could use: its time zone, radios, serial lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones


@dataclass(frozen=True)
class Machine:
    """Bluetooth adapters such as hci0, serial devices by their lasting names, an IANA time zone."""

    adapters: Sequence[str]
    serial: Sequence[str]
    timezone: str


def look(root: Path = Path("/")) -> Machine:
    """Looks at this machine; what cannot be read is not there."""
    adapters = sorted(path.name for path in _entries(root / "sys/class/bluetooth") if ":" not in path.name)
    serial = sorted(f"/dev/serial/by-id/{path.name}" for path in _entries(root / "dev/serial/by-id"))
    return Machine(adapters, serial, _timezone(root))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _timezone(root: Path) -> str:
    candidates = []
    try:
        candidates.append(str((root / "etc/localtime").readlink()).rpartition("zoneinfo/")[2])
    except OSError:
        pass
    try:
        candidates.append((root / "etc/timezone").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        pass
    known = available_timezones()
    return next((name.removeprefix("Etc/") for name in candidates if name in known), "UTC")
