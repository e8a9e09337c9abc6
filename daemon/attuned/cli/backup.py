"""`attune backup`: a sealed copy of the whole site, made beside the running daemon."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attuned.cli import output
from attuned.cli.ending import as_ctrl_c
from attuned.cli.errors import CliError
from attuned.cli.options import Json

if TYPE_CHECKING:
    from attuned.backup.keeping import Kept
    from attuned.backup.making import Made

CONFIG = "/etc/attune/attuned.toml"
SIGNER = "/var/lib/attune-signer"
BACKUPS = "/var/backups/attune"

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="The daemon's configuration.")]
Signer = Annotated[
    Path, typer.Option("--signer-state", metavar="FOLDER", help="Where the signing process keeps numbers.")
]
_To = Annotated[Path, typer.Option("--to", metavar="PATH", help="A folder, or a new file that ends in .backup.")]
_Without = Annotated[
    bool, typer.Option("--without-windows", help="Leave out what nodes measured and what rooms were: much smaller.")
]
_List = Annotated[bool, typer.Option("--list", help="Only show which backups there are.")]


def backup(
    *,
    to: _To = Path(BACKUPS),
    without_windows: _Without = False,
    list_only: _List = False,
    config: Config = Path(CONFIG),
    signer: Signer = Path(SIGNER),
    as_json: Json = False,
) -> None:
    """Make a sealed copy of everything: only the passphrase of `attune setup` opens it."""
    # SQLite and cryptography are for these commands alone.
    from attuned import backup_key
    from attuned.backup.keeping import kept_in
    from attuned.backup.making import make
    from attuned.backup.places import Places
    from attuned.errors import AttuneError

    try:
        if list_only:
            _show_list(to, kept_in(to), as_json=as_json)
            return
        key = backup_key.load(config.with_name(backup_key.KEY_FILE.name))
        with as_ctrl_c():
            made = make(Places.of(config, signer), key, to, windows=not without_windows)
    except AttuneError as error:
        raise CliError(str(error)) from error
    if as_json:
        output.show_json(_made_json(made))
    else:
        output.show(_made_text(made))
    if made.damaged:
        raise CliError(f"All but what nodes measured is in this backup. {made.damaged}")


def _show_list(folder: Path, backups: list[Kept], *, as_json: bool) -> None:
    if as_json:
        output.show_json({"backups": [_kept_json(each) for each in backups]})
        return
    if not backups:
        output.show(f"There is no backup in {folder}: `attune backup` makes one.")
        return
    for each in backups:
        output.show(f"{each.made.astimezone():%Y-%m-%d %H:%M}  {size_text(each.size):>9}  {each.path}")
    if newest := newest_of(backups):
        output.show(f"The newest is {age_text(newest.header.made_utc_ms)} old.")
    if backups[0] is not newest:
        output.show("What is dated later than now was made while the clock was wrong.")


def newest_of(backups: list[Kept]) -> Kept | None:
    """The first of those that a wrong clock has not dated later than now."""
    return next((each for each in backups if each.header.made_utc_ms <= time.time_ns() // 1_000_000), None)


def _kept_json(each: Kept) -> dict[str, Any]:
    return {
        "path": str(each.path),
        "made": each.made.isoformat(timespec="seconds"),
        "bytes": each.size,
        "version": each.header.version,
    }


def _made_json(made: Made) -> dict[str, Any]:
    return {
        "path": str(made.path),
        "bytes": made.size,
        "seconds": round(made.seconds, 3),
        "dropped": [str(path) for path in made.dropped],
        "windows_left_out": made.damaged or None,
    }


def _made_text(made: Made) -> str:
    before = f"The one before is {age_text(made.older_utc_ms)} old" if made.older_utc_ms else "It is the first one here"
    dropped = f", and {len(made.dropped)} that no day or week needs any more went" if made.dropped else ""
    return f"{made.path}: {size_text(made.size)} in {made.seconds:.1f} s. {before}{dropped}."


def size_text(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def age_text(utc_ms: int) -> str:
    """How long ago something was."""
    minutes = max(0, int(time.time() - utc_ms / 1000)) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
