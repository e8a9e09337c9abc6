"""Files that change together: all of them, or none; whole, whenever the power goes; with a copy of what was."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from attuned.durable_files import sync_folder
from attuned.errors import AttuneError, ConfigError

COPY = ".before-setup"
_DRAFT = ".setup-draft"


@dataclass(frozen=True)
class Change:
    """A file's new text. old is None for a file that is not there; secret ones are root's alone, and have no copy."""

    path: Path
    old: str | None
    new: str
    secret: bool = False
    # Raises ConfigError for a draft that its program would refuse.
    check: Callable[[Path], object] = lambda draft: None


def write(changes: Sequence[Change]) -> None:
    """Writes and checks all drafts, then puts them in their places. ConfigError, with everything as it was; also for a
    file that is no longer `old`."""
    done: list[Change] = []
    try:
        for change in changes:
            _check_unchanged(change)
        for change in changes:
            _write_draft(change)
            _check(change)
        with _undisturbed():
            for change in changes:
                done.append(change)
                _put_in_place(change)
    except OSError as error:
        _take_back(done)
        raise ConfigError(
            f"{error.filename or 'The configuration'} cannot be written ({error.strerror}): nothing was changed."
        ) from error
    finally:
        for change in changes:
            _draft(change.path).unlink(missing_ok=True)


def _check_unchanged(change: Change) -> None:
    """Somebody may have written the file while a person thought about the answers."""
    found = change.path.read_text(encoding="utf-8", errors="replace") if change.path.exists() else None
    if found != change.old:
        raise ConfigError(f"{change.path} was changed meanwhile: nothing was written; begin the setup again.")


def _draft(path: Path) -> Path:
    """Beside the file, so that it can take its place."""
    return path.with_name(path.name + _DRAFT)


def _write_draft(change: Change) -> None:
    """With owner and mode of the file, or what a new one has."""
    change.path.parent.mkdir(mode=0o700 if change.secret else 0o755, parents=True, exist_ok=True)
    draft = _draft(change.path)
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        if change.path.exists():
            found = change.path.stat()
            os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), found.st_mode & 0o777)
        elif not change.secret:
            os.fchmod(file.fileno(), 0o644)
        file.write(change.new)
        file.flush()
        os.fsync(file.fileno())


def _check(change: Change) -> None:
    """A refusal names the file and not the draft."""
    try:
        change.check(_draft(change.path))
    except AttuneError as error:
        raise ConfigError(str(error).replace(str(_draft(change.path)), str(change.path))) from error


def _put_in_place(change: Change) -> None:
    if change.old is not None and not change.secret:
        shutil.copy2(change.path, change.path.with_name(change.path.name + COPY))
    _draft(change.path).replace(change.path)
    sync_folder(change.path.parent)


def _take_back(changes: Sequence[Change]) -> None:
    for change in reversed(changes):
        if change.old is None:
            change.path.unlink(missing_ok=True)
        else:
            _write_draft(Change(change.path, None, change.old, change.secret))
            _draft(change.path).replace(change.path)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Between the first rename and the last Ctrl-C does nothing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
