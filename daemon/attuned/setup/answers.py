"""A file of answers, for a setup that nobody attends. What it does not answer stays as it is."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from attuned.config import TLS, MqttSettings, RoomSettings
from attuned.errors import ConfigError
from attuned.setup import broker as brokers
from attuned.setup import room_table
from attuned.setup.wanted import Wanted


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerAnswers(_Table):
    """password_file is read once; the password gets a place that root alone may read."""

    host: str | None = None
    port: int | None = None
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


class RadioAnswers(_Table):
    """An empty list or text is none of them."""

    listen: tuple[str, ...] | None = None
    serial: tuple[str, ...] | None = None
    bluetooth: str | None = None


class Answers(_Table):
    """Rooms are added, or changed where they are there already; only those in remove_rooms go."""

    name: str | None = None
    timezone: str | None = None
    rooms_file: Path | None = None
    rooms: tuple[RoomSettings, ...] = ()
    remove_rooms: tuple[str, ...] = ()
    broker: BrokerAnswers | Literal[False] | None = None
    gateway_port: int | None = Field(None, ge=0, le=65534)
    radios: RadioAnswers = RadioAnswers()
    passphrase_file: Path | None = None


def load(path: Path) -> Answers:
    """Reads a file of answers. ConfigError names the file and the key."""
    try:
        return Answers.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a file of answers.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}; correct that line.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "it"
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{path}: {key} is no answer; correct its name, or leave it out.") from error
        raise ConfigError(f"{path}: {key} cannot be used ({first['msg'].lower()}); correct it.") from error


def applied(answers: Answers, wanted: Wanted) -> Wanted:
    """What is wanted once the answers are taken in. ConfigError for files that they name and that cannot be used."""
    radios = {name: value for name, value in answers.radios.model_dump().items() if value is not None}
    wanted = replace(
        wanted,
        name=answers.name or wanted.name,
        timezone=answers.timezone or wanted.timezone,
        radios=replace(wanted.radios, **radios),
        passphrase=first_line(answers.passphrase_file),
    )
    if answers.gateway_port is not None:
        wanted = replace(wanted, tls=tls_address(wanted.tls, answers.gateway_port))
    if answers.broker is not None:
        wanted = _with_broker(answers.broker, wanted)
    return _with_rooms(answers, wanted)


def tls_address(before: str, port: int) -> str:
    """Where gateways of other machines attach; 0 is nowhere. What was said of the address stays."""
    host = before.removeprefix(TLS).rpartition(":")[0] or "0.0.0.0"  # noqa: S104 (gateways are elsewhere; they show certificates)
    return f"{TLS}{host}:{port}" if port else ""


def _with_broker(answers: BrokerAnswers | Literal[False], wanted: Wanted) -> Wanted:
    if answers is False:
        return replace(wanted, broker=None)
    given = answers.model_dump(exclude={"password_file"}, exclude_none=True)
    try:
        old = wanted.broker.model_dump(exclude_none=True) if wanted.broker else {}
        broker = MqttSettings.model_validate(old | given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"broker.{first['loc'][0]} cannot be used ({first['msg'].lower()}): correct it.") from error
    if answers.ca_file is not None:
        try:
            brokers.check_seen(answers.ca_file)
        except ValueError as error:
            raise ConfigError(f"broker.ca_file cannot be used: {error}") from error
    return replace(wanted, broker=broker, password=first_line(answers.password_file))


def _with_rooms(answers: Answers, wanted: Wanted) -> Wanted:
    given = list(answers.rooms)
    if answers.rooms_file is not None:
        table = room_table.read(room_table.decoded(_bytes(answers.rooms_file)))
        if table.bad:
            lines = [f"{answers.rooms_file}, line {row.line}: {row.reason}." for row in table.bad]
            raise ConfigError("\n".join(lines))
        given += table.rooms
    known = {room.id for room in wanted.rooms} | {room.id for room in given}
    if unknown := sorted(set(answers.remove_rooms) - known):
        raise ConfigError(f"remove_rooms names {unknown[0]}, which is not configured: leave it out.")
    return wanted.with_rooms(tuple(given)).without_rooms(frozenset(answers.remove_rooms))


def first_line(path: Path | None) -> str | None:
    """A secret, which is the first line of a file; None for none. Raises ConfigError."""
    if path is None:
        return None
    try:
        line = _bytes(path).decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8: write it anew.") from error
    if not line:
        raise ConfigError(f"{path} has nothing in its first line: write it there.")
    return line


def _bytes(path: Path) -> bytes:
    try:
        return room_table.file_bytes(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): name another file.") from error
