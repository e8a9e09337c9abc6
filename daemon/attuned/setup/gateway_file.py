"""The configuration of this machine's gateway, with the radios that are wanted and everything else that stood there."""

import tomlkit
from tomlkit import items
from tomlkit.exceptions import TOMLKitError

from attuned.errors import ConfigError
from attuned.setup.tables import append_table, drop, put, remove, table
from attuned.setup.wanted import Radios


def edited(text: str, before: Radios, wanted: Radios) -> str:
    """The new text. ConfigError for a file of a form that this cannot change."""
    try:
        document = tomlkit.parse(text)
        if wanted.listen != before.listen:
            put(table(document, "tcp"), ("tcp", "listen"), list(wanted.listen), explain=False)
        if wanted.serial != before.serial:
            _serial(document, wanted.serial)
        if wanted.bluetooth and wanted.bluetooth != before.bluetooth:
            put(table(document, "ble"), ("ble", "radio"), wanted.bluetooth, explain=False)
        elif before.bluetooth and not wanted.bluetooth:
            remove(document, "ble")
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"The gateway's configuration is of a form that the setup cannot change ({error}): give each table its own "
            "heading, such as [tcp]."
        ) from error


def _serial(document: tomlkit.TOMLDocument, wanted: tuple[str, ...]) -> None:
    """Lines that stay keep what else is said of them."""
    if not wanted:
        remove(document, "serial")
        return
    there = document.get("serial")
    if there is None:
        there = tomlkit.aot()
        document.append("serial", there)
    elif not isinstance(there, items.AoT):
        raise ValueError("serial lines are not in tables that begin with [[serial]]")
    known = [str(entry["device"]) for entry in there]
    for device in wanted:
        if device not in known:
            append_table(there, {"device": device}, "serial", explain=False)
    for index in reversed(range(len(known))):
        if known[index] not in wanted:
            drop(there, index)
