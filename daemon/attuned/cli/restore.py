"""`attune restore`: a backup in the place of what is there, on this machine or a new one."""

from __future__ import annotations

import getpass
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.backup import CONFIG, SIGNER, Config, Signer, age_text
from attuned.cli.errors import CliError
from attuned.cli.options import Json

if TYPE_CHECKING:
    from attuned.backup.restoring import Restored

# Those that write what is restored, in the order in which they start.
UNITS = ("attune-signer.service", "attuned.service")

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]
_Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Do not ask: its first line is the passphrase.")
]
_Stop = Annotated[bool, typer.Option("--stop", help="Stop the services before, and start them again after it.")]


def restore(
    file: _File,
    *,
    passphrase_file: _Passphrase = None,
    stop: _Stop = False,
    config: Config = Path(CONFIG),
    signer: Signer = Path(SIGNER),
    as_json: Json = False,
) -> None:
    """Put a backup in the place of what is there, which is set aside whole."""
    from attuned.backup.restoring import restore as put_back
    from attuned.backup.sealing import header_of
    from attuned.errors import AttuneError

    try:
        header = header_of(file)
        private = header.backup_key.open(_passphrase(passphrase_file))
        with _stopped(stop):
            restored = put_back(file, private, config, signer)
    except AttuneError as error:
        raise CliError(str(error)) from error
    if as_json:
        aside = [str(path) for path in restored.aside]
        output.show_json({"site": restored.manifest.site, "made_utc_ms": header.made_utc_ms, "set_aside": aside})
    else:
        output.show(_text(restored, stopped=stop))


def _passphrase(path: Path | None) -> str:
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise CliError(f"{path} cannot be read: name a file whose first line is the passphrase.") from error
    if not sys.stdin.isatty():
        raise CliError("Nobody is there to be asked for the passphrase: name a file with --passphrase-file.")
    return getpass.getpass("Passphrase of the backup: ")


@contextmanager
def _stopped(wanted: bool) -> Iterator[None]:
    """Services that ran go on in the end, whatever became of the restore."""
    running = [unit for unit in UNITS if wanted and _systemctl("is-active", "--quiet", unit)]
    for unit in reversed(running):
        if not _systemctl("stop", unit):
            raise CliError(f"{unit} cannot be stopped: run this as root.")
    try:
        yield
    finally:
        for unit in running:
            if not _systemctl("start", unit):
                output.complain(f"{unit} does not start: `systemctl status {unit}` says why.")


def _systemctl(*words: str) -> bool:
    try:
        return subprocess.run(["systemctl", *words], check=False, stdin=subprocess.DEVNULL).returncode == 0
    except FileNotFoundError as error:
        raise CliError("There is no systemd here: stop the daemon yourself, and leave --stop out.") from error


def _text(restored: Restored, *, stopped: bool) -> str:
    manifest = restored.manifest
    lines = [f"Site {manifest.site} is as it was {age_text(manifest.header.made_utc_ms)} ago."]
    if not manifest.windows:
        lines.append(
            "The backup was made without windows: what nodes measured and what rooms were before is not there."
        )
    lines += [f"What was there before lies in {path}: remove that when all is well." for path in restored.aside]
    if restored.gone.forgotten or restored.gone.gateways or restored.gone.nodes:
        lines.append("What was forgotten, revoked or removed since is taken out again when the daemon starts.")
    if not stopped:
        lines.append("Start the services: `systemctl start attune-signer attuned`.")
    return "\n".join(lines)
