"""Backups in a folder: which there are, and which of them stay."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attuned.backup.manifest import Header
from attuned.backup.sealing import header_of
from attuned.errors import RequestError

# How many days and weeks keep the newest backup of theirs: what is noticed within a week can be undone to the day.
DAYS, WEEKS = 7, 4

SUFFIX = ".backup"
_NAME = re.compile(rf"attune-\d{{8}}T\d{{6}}Z{re.escape(SUFFIX)}")


@dataclass(frozen=True)
class Kept:
    """A whole backup in a folder."""

    path: Path
    header: Header
    size: int

    @property
    def made(self) -> datetime:
        return datetime.fromtimestamp(self.header.made_utc_ms / 1000, UTC)


def name_of(made_utc_ms: int) -> str:
    return f"attune-{datetime.fromtimestamp(made_utc_ms / 1000, UTC):%Y%m%dT%H%M%SZ}{SUFFIX}"


def kept_in(folder: Path) -> list[Kept]:
    """The backups of a folder, the newest first; what only has such a name is left out. Raises RequestError."""
    try:
        paths = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file()]
    except OSError as error:
        raise RequestError(f"{folder} cannot be read ({error.strerror}): name a folder with backups.") from error
    found = []
    for path in paths:
        try:
            found.append(Kept(path, header_of(path), path.stat().st_size))
        except RequestError:
            continue
    return sorted(found, key=lambda each: each.header.made_utc_ms, reverse=True)


def to_drop(backups: list[Kept], now_utc_ms: int) -> list[Kept]:
    """Those that no day and no week needs: the newest of each of the last days and weeks that have one stay.

    What a wrong clock has dated later than now neither goes nor pushes others out.
    """
    backups = [each for each in backups if each.header.made_utc_ms <= now_utc_ms]
    stay: set[Path] = set()
    for count, period in ((DAYS, "%Y-%m-%d"), (WEEKS, "%G-%V")):
        newest: dict[str, Path] = {}
        for each in backups:
            newest.setdefault(f"{each.made:{period}}", each.path)
        stay.update(list(newest.values())[:count])
    return [each for each in backups if each.path not in stay]
