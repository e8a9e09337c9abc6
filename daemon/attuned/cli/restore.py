"""`attune restore`: a backup in the place of what is there, on this machine or a new one."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.backup import BACKUPS, CONFIG, SIGNER, Config, Signer, age_text, newest_of
from attuned.cli.ending import as_ctrl_c
from attuned.cli.errors import CliError
from attuned.cli.options import Json

if TYPE_CHECKING:
    import pyrage

    from attuned.backup.restoring import Restored

# Those that read or write what is restored. systemd knows in which order they stop and start.
UNITS = ("attune-signer.service", "attuned.service", "attune-gateway.service")

# How often a passphrase is asked for.
TRIES = 3

_File = Annotated[Path | None, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]
_Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Do not ask: its first line is the passphrase.")
]
_Finish = Annotated[
    bool, typer.Option("--finish", help="Only end a restore that was cut off, as happens before services start.")
]


def restore(
    file: _File = None,
    *,
    passphrase_file: _Passphrase = None,
    finish: _Finish = False,
    config: Config = Path(CONFIG),
    signer: Signer = Path(SIGNER),
    as_json: Json = False,
) -> None:
    """Put a backup in the place of what is there, which is set aside whole.

    The services stop meanwhile, and start again.
    """
    from attuned.backup import restoring
    from attuned.errors import AttuneError

    try:
        if finish:
            _show_finished(restoring.finish(config), as_json=as_json)
            return
        if file is None:
            raise CliError(_which())
        private = _opened(file, passphrase_file)
        with as_ctrl_c(), _stopped(config) as stopped:
            restored = restoring.restore(file, private, config, signer)
    except AttuneError as error:
        raise CliError(str(error)) from error
    if as_json:
        made, aside = restored.manifest.header.made_utc_ms, [str(path) for path in restored.aside]
        output.show_json({"site": restored.manifest.site, "made_utc_ms": made, "set_aside": aside})
    else:
        output.show(_text(restored, stopped=stopped))


def _which() -> str:
    """What to say to whoever names no backup."""
    from attuned.backup.keeping import kept_in
    from attuned.errors import RequestError

    try:
        newest = newest_of(kept_in(Path(BACKUPS)))
    except RequestError:
        return f"Name a backup; which are in {BACKUPS}, root may see."
    return f"Name a backup: the newest is {newest.path}." if newest else f"Name a backup: none is in {BACKUPS}."


def _show_finished(aside: tuple[Path, ...], *, as_json: bool) -> None:
    if as_json:
        output.show_json({"set_aside": [str(path) for path in aside]})
    elif aside:
        output.show("\n".join(["The restore that was cut off is done.", *_aside_text(aside)]))
    else:
        output.show("No restore is half-way.")


def _opened(backup: Path, passphrase_file: Path | None) -> pyrage.x25519.Identity:
    """The key that only the passphrase gives. RequestError, CliError if it is not given."""
    from attuned.backup.sealing import WrongPassphraseError, check, header_of
    from attuned.setup.answers import first_line

    stretching = header_of(backup).stretching

    def opening(words: str) -> pyrage.x25519.Identity:
        private = stretching.private(words)
        check(backup, private)
        return private

    words = first_line(passphrase_file)
    if words is not None:
        return opening(words)
    if not sys.stdin.isatty():
        raise CliError("Nobody is there to be asked for the passphrase: name a file with --passphrase-file.")
    for _ in range(TRIES - 1):
        try:
            return opening(_asked())
        except WrongPassphraseError as error:
            output.complain(str(error))
    return opening(_asked())


def _asked() -> str:
    try:
        return getpass.getpass("Passphrase of the backup: ")
    except EOFError as error:
        raise CliError("No passphrase was given, and nothing was changed: run this again.") from error


@contextmanager
def _stopped(config: Path) -> Iterator[bool]:
    """Whether services were stopped: those of this configuration, if it is theirs. What ran goes on in the end, and
    after a restore whatever starts with the machine, which may have failed for want of one."""
    from attuned.doctor.look import under_systemd

    if config.absolute() != Path(CONFIG) or not under_systemd():
        yield False
        return
    running = [unit for unit in UNITS if _systemctl("is-active", "--quiet", unit)]
    if not _systemctl("stop", *UNITS):
        raise CliError("The services cannot be stopped: run this as root.")
    try:
        yield True
    except BaseException:
        _start(running)
        raise
    _start([unit for unit in UNITS if unit in running or _systemctl("is-enabled", "--quiet", unit)])


def _start(units: list[str]) -> None:
    if units and not _systemctl("start", *units):
        output.complain("Not all services start: `attune doctor` says why.")


def _systemctl(*words: str) -> bool:
    """Whether it did as asked. It asks nobody, and what it says `_stopped` says in a sentence."""
    command = ["systemctl", "--no-ask-password", *words]
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def _text(restored: Restored, *, stopped: bool) -> str:
    manifest = restored.manifest
    made = datetime.fromtimestamp(manifest.header.made_utc_ms / 1000, UTC)
    age = age_text(manifest.header.made_utc_ms)
    lines = [f"Site {manifest.site} is as it was on {made:%Y-%m-%d at %H:%M} UTC, {age} ago."]
    if not manifest.windows:
        lines.append(
            "The backup was made without windows: what nodes measured and what rooms were before is not there."
        )
    if restored.gone_since:
        lines.append("What was forgotten, revoked or removed since is taken out again when the daemon starts.")
    lines += _aside_text(restored.aside)
    lines.append("The services run again: `attune doctor` says how all is." if stopped else "Now start the daemon.")
    return "\n".join(lines)


def _aside_text(aside: tuple[Path, ...]) -> list[str]:
    return [f"What was there before lies in {path}: remove that when all is well." for path in aside]
