"""The daemon's configuration with what is wanted in it, and with everything else that stood there."""

from collections.abc import MutableMapping
from typing import Any

import tomlkit
from tomlkit import items
from tomlkit.exceptions import TOMLKitError

from attuned.config import TLS, MqttSettings, RoomSettings, Settings
from attuned.errors import ConfigError
from attuned.setup.tables import append_table, put, table, without_trailing
from attuned.setup.wanted import Wanted

_ROOM_KEYS = ("name", "floor", "building")


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
        _rooms(document, wanted.rooms)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"The configuration is of a form that the setup cannot change ({error}): give each table its own heading, "
            "such as [site]."
        ) from error


def _broker(document: tomlkit.TOMLDocument, before: MqttSettings | None, wanted: MqttSettings | None) -> None:
    if wanted is None:
        if "mqtt" in document:
            document.remove("mqtt")
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


def _rooms(document: tomlkit.TOMLDocument, wanted: tuple[RoomSettings, ...]) -> None:
    there = document.get("rooms")
    if there is None:
        if not wanted:
            return
        there = tomlkit.aot()
        document.append("rooms", there)
    elif not isinstance(there, items.AoT):
        raise ValueError("rooms are not in tables that begin with [[rooms]]")
    rooms = {room.id: room for room in wanted}
    for index in reversed(range(len(there))):
        if str(there[index]["id"]) not in rooms:
            _drop(there, index)
    for entry in there:
        _change(entry, rooms.pop(str(entry["id"])))
    for room in rooms.values():
        values = {"id": room.id} | {key: getattr(room, key) for key in _ROOM_KEYS if getattr(room, key)}
        append_table(there, values, "rooms", explain=not len(there))
    if not len(there):
        document.remove("rooms")


def _change(entry: MutableMapping[str, Any], room: RoomSettings) -> None:
    if not isinstance(entry, items.Table):
        raise TypeError("a room is no table")
    for key in _ROOM_KEYS:
        if entry.get(key, "") != getattr(room, key):
            put(entry, ("rooms", key), getattr(room, key), explain=False)


def _drop(rooms: items.AoT, index: int) -> None:
    """Takes a room out; comments behind it, which belong to what follows, stay if a room is before it."""
    trailing = without_trailing(rooms[index])
    rooms.pop(index)
    if index and any(isinstance(part, items.Comment) for _, part in trailing):
        before = rooms[index - 1]
        without_trailing(before)
        before.value.body.extend(trailing)
