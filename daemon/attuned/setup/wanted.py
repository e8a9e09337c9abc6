"""What a configuration shall say, whoever has said so: a person at the keyboard, or a file of answers."""

from dataclasses import dataclass, replace
from pathlib import Path

import attune_gateway.config as gateway_config

from attuned.config import TLS, MqttSettings, RoomSettings, Settings

# What an installation is called until somebody has run the setup.
UNNAMED = "site"


@dataclass(frozen=True)
class Radios:
    """Where this machine's gateway takes nodes from: HOST:PORT addresses, serial devices, a Bluetooth radio or ""."""

    listen: tuple[str, ...]
    serial: tuple[str, ...]
    bluetooth: str


@dataclass(frozen=True)
class Wanted:
    """Everything that the setup asks. What it does not ask stays in the files as it is.

    password is the broker's, None for the one that is kept; tls is where gateways of other machines attach, such as
    "tls://0.0.0.0:7443", or ""; passphrase is that of backups, None for the one that is kept.
    """

    name: str
    timezone: str
    rooms: tuple[RoomSettings, ...]
    broker: MqttSettings | None
    tls: str
    radios: Radios
    password: str | None = None
    passphrase: str | None = None

    def with_rooms(self, given: tuple[RoomSettings, ...]) -> "Wanted":
        """With these rooms beside the others; where one is there already, what the table says of it counts."""
        rooms = {room.id: room for room in self.rooms}
        for room in given:
            told = {name: getattr(room, name) for name in room.model_fields_set}
            rooms[room.id] = rooms[room.id].model_copy(update=told) if room.id in rooms else room
        return replace(self, rooms=tuple(rooms.values()))

    def without_rooms(self, gone: frozenset[str]) -> "Wanted":
        return replace(self, rooms=tuple(room for room in self.rooms if room.id not in gone))


def configured(settings: Settings, gateway: gateway_config.Settings) -> Wanted:
    """What the files say now."""
    return Wanted(
        name=settings.site.name,
        timezone=settings.site.timezone,
        rooms=tuple(settings.rooms),
        broker=settings.mqtt,
        tls=next((address for address in settings.gateways.listen if address.startswith(TLS)), ""),
        radios=radios_of(gateway),
    )


def radios_of(gateway: gateway_config.Settings) -> Radios:
    """Where a gateway takes nodes from."""
    return Radios(
        listen=tuple(str(address) for address in gateway.tcp.listen),
        serial=tuple(port.device for port in gateway.serial),
        bluetooth=gateway.ble.radio if gateway.ble else "",
    )


def as_settings(wanted: Wanted, before: Settings) -> Settings:
    """The daemon's settings with everything that is wanted, and the rest as before. Pydantic's ValidationError."""
    listen = [address for address in before.gateways.listen if not address.startswith(TLS)]
    values = before.model_dump(exclude_none=True)
    values["site"] |= {"name": wanted.name, "timezone": wanted.timezone}
    values["gateways"]["listen"] = [*listen, wanted.tls] if wanted.tls else listen
    values["rooms"] = [room.model_dump() for room in wanted.rooms]
    values["mqtt"] = wanted.broker.model_dump(exclude_none=True) if wanted.broker else None
    return Settings.model_validate(values)


def password_path(etc: Path) -> Path:
    """Where the broker's password lies, for root alone."""
    return etc / "secrets" / "mqtt-password"
