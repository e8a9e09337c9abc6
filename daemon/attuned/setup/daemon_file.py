"""The daemon's configuration with what is wanted in it, and with everything else that stood there."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import tomlkit
from tomlkit import items
from tomlkit.exceptions import TOMLKitError

from attuned.config import TLS, MqttSettings, RoomSettings, Settings
from attuned.errors import ConfigError
from attuned.setup.tables import append_table, drop, put, remove, table
from attuned.setup.wanted import Wanted

_ROOM_KEYS = ("name", "floor", "building", "nodes")


def edited(text: str, before: Settings, wanted: Wanted) -> str:
    """The new text. ConfigError for a file of a form that this cannot change."""
    try:
        document = tomlkit.parse(text)
        site = table(document, "site")
        put(site, ("site", "name"), wanted.name)
        if wanted.timezone != before.site.timezone:
            put(site, ("site", "timezone"), wanted.timezone)
        _broker(document, before.mqtt, wanted.broker)
        _tls(document, before, wanted.tls)
        _rooms(document, before.rooms, wanted.rooms)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"The configuration is of a form that the setup cannot change ({error}): give each table its own heading, "
            "such as [site]."
        ) from error


def _broker(document: tomlkit.TOMLDocument, before: MqttSettings | None, wanted: MqttSettings | None) -> None:
    if wanted is None:
        if "mqtt" in document:
            remove(document, "mqtt")
        return
    old = before or MqttSettings()
    made = before is None
    target = table(document, "mqtt")
    for key in MqttSettings.model_fields:
        value = getattr(wanted, key)
        if value != getattr(old, key) or (made and key in {"host", "port"}):
            put(target, ("mqtt", key), value if value is None or isinstance(value, int) else str(value))


def _tls(document: tomlkit.TOMLDocument, before: Settings, wanted: str) -> None:
    """Sockets of this machine stay."""
    old = before.gateways.listen
    listen = [address for address in old if not address.startswith(TLS)] + ([wanted] if wanted else [])
    if listen == old:
        return
    target = table(document, "gateways")
    addresses = target.get("listen")
    if not isinstance(addresses, items.Array):
        put(target, ("gateways", "listen"), listen)
        return
    # Address by address, so that what people wrote between them stays.
    for index in reversed(range(len(addresses))):
        if str(addresses[index]).startswith(TLS):
            addresses.pop(index)
    if wanted:
        addresses.append(wanted)


def _rooms(document: tomlkit.TOMLDocument, before: Sequence[RoomSettings], wanted: Sequence[RoomSettings]) -> None:
    if not wanted:
        if before:
            remove(document, "rooms")
        return
    there = document.get("rooms")
    if there is None:
        there = tomlkit.aot()
        document.append("rooms", there)
    elif not isinstance(there, items.AoT):
        raise ValueError("rooms are not in tables that begin with [[rooms]]")
    old, new = ({room.id: room for room in rooms} for rooms in (before, wanted))
    gone = [index for index, entry in enumerate(there) if entry["id"] not in new]
    for entry in there:
        if room := new.pop(str(entry["id"]), None):
            _change(entry, old[room.id], room)
    for room in new.values():
        values = {"id": room.id} | {key: getattr(room, key) for key in _ROOM_KEYS if getattr(room, key)}
        append_table(there, values, "rooms", explain=not len(there))
    for index in reversed(gone):
        drop(there, index)


def _change(entry: MutableMapping[str, Any], old: RoomSettings, new: RoomSettings) -> None:
    if not isinstance(entry, items.Table):
        raise TypeError("a room is no table")
    for key in _ROOM_KEYS:
        if getattr(new, key) != getattr(old, key):
            put(entry, ("rooms", key), getattr(new, key), explain=False)
