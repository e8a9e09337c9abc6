"""Settings of a gateway, from a TOML file or from the command line."""

import re
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails

from attune_gateway.errors import GatewayError
from attune_gateway.trouble import user

DAEMON = "unix:/run/attune/gateway.sock"

# The settings of the installed gateway.
FILE = Path("/etc/attune/gateway.toml")

# What `enroll` writes unless it is told another folder.
STATE = Path("/var/lib/attune-gateway")

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>[0-9]{1,5})")

# An adapter of BlueZ, or a transport as Bumble names it.
_RADIO = re.compile(r"hci[0-9]+|(usb|pyusb|serial|hci-socket|vhci|unix|(tcp|ws|unix)-(client|server)):\S+")

# Before the address of a daemon on another machine.
TLS = "tls://"

# The longest path that the kernel takes for a Unix socket.
_SOCKET_PATH_MAX = 107

_EXPECTED = {
    "name": "1 to 64 letters, digits, dots, dashes or underscores",
    "daemon": f'a socket of this machine such as "{DAEMON}", or beside state an address such as "tls://attune.lan:7443"',
    "state": 'the folder of `attune-gateway enroll`, such as "/var/lib/attune-gateway"',
    "idle_s": "a whole number of seconds from 60 to 86400",
    "tcp": "a table of settings",
    "tcp.listen": 'a list of addresses such as ["0.0.0.0:7011", "[::]:7011"]',
    "tcp.listen[]": 'an address such as "0.0.0.0:7011" or "[::]:7011"',
    "tcp.max_connections": "a whole number from 1 to 20000",
    "serial": "a list of tables, each begun by [[serial]]",
    "serial[]": "a table of settings, begun by [[serial]]",
    "serial[].device": 'a path such as "/dev/ttyACM0", or "socket://HOST:PORT" of a serial server',
    "serial[].baud": "a whole number from 1200 to 4000000",
    "ble": "a table of settings",
    "ble.radio": 'an adapter of BlueZ such as "hci0", or a controller such as "usb:0" or "serial:/dev/ttyUSB0,115200"',
    "ble.connections": "a whole number from 1 to 64",
}

_FLAGS = {
    "name": "--name",
    "daemon": "--daemon",
    "state": "--state",
    "tcp.listen[]": "--listen",
    "serial[].device": "--serial",
    "ble.radio": "--ble",
}


class ConfigError(GatewayError):
    """Settings that cannot be used: a sentence a line, each with source, key and what is expected."""

    exit_code = 2


class HostPort(NamedTuple):
    """An address to listen on or to connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_host_port(text: object) -> HostPort:
    """Reads HOST:PORT or [IPV6]:PORT; raises ValueError."""
    match = _HOST_PORT.fullmatch(text) if isinstance(text, str) else None
    if match is None or int(match["port"]) > 65535:
        raise ValueError("no address with a port")
    return HostPort(match["v6"] or match["host"], int(match["port"]))


def _daemon(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError("no text")
    if text.startswith("unix:/"):
        if len(text.removeprefix("unix:")) > _SOCKET_PATH_MAX:
            raise ValueError("path too long for a socket")
    elif not text.startswith(TLS):
        raise ValueError("nothing goes to another machine in the clear")
    else:
        parse_host_port(text.removeprefix(TLS))
    return text


def _device(text: object) -> str:
    if isinstance(text, str) and text.startswith("socket://"):
        parse_host_port(text.removeprefix("socket://"))
    elif not isinstance(text, str) or not text.startswith("/"):
        raise ValueError("no device")
    return text


def _radio(text: object) -> str:
    if not isinstance(text, str) or not _RADIO.fullmatch(text):
        raise ValueError("no radio")
    return text


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TcpSettings(_Table):
    """Where nodes dial in. A connection costs a file descriptor and at most some 100 KB."""

    listen: tuple[Annotated[HostPort, PlainValidator(parse_host_port)], ...] = ()
    max_connections: int = Field(default=4096, ge=1, le=20_000, strict=True)


class SerialSettings(_Table):
    """A device, or `socket://HOST:PORT`, which has no baud rate."""

    device: Annotated[str, PlainValidator(_device)]
    baud: int = Field(default=115_200, ge=1200, le=4_000_000, strict=True)


class BleSettings(_Table):
    """A radio. connections: that its controller is asked for at a time; if it holds fewer, those have to do."""

    radio: Annotated[str, PlainValidator(_radio)]
    connections: int = Field(default=8, ge=1, le=64, strict=True)


class Settings(_Table):
    """All that a gateway must know.

    state: the folder with its enrolment, for a daemon on another machine; name and daemon are in it, and daemon only
    stands beside it where that has moved. idle_s: a link without a good frame for so long is closed; the longest window
    is 600 s, so that a node may well be silent for ten minutes.
    """

    name: str = Field(default_factory=socket.gethostname, pattern=r"^[A-Za-z0-9._-]{1,64}$", strict=True)
    daemon: Annotated[str, PlainValidator(_daemon)] = DAEMON
    state: Path | None = None
    idle_s: int = Field(default=1500, ge=60, le=86_400, strict=True)
    tcp: TcpSettings = TcpSettings()
    serial: tuple[SerialSettings, ...] = ()
    ble: BleSettings | None = None


def load(path: Path) -> Settings:
    """Reads a TOML file; raises ConfigError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        advice = f"let {user()} read it" if isinstance(error, PermissionError) else "name a file with --config"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {advice}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}; correct that line.") from error
    return _settings(str(path), values)


def from_flags(
    name: str | None,
    daemon: str | None,
    listen: list[str],
    serial: list[str],
    *,
    state: str | None = None,
    ble: str | None = None,
) -> Settings:
    """Takes the settings of the command line; raises ConfigError."""
    values: dict[str, Any] = {"tcp": {"listen": listen}, "serial": [{"device": device} for device in serial]}
    given = {"name": name, "daemon": daemon, "state": state}
    values |= {key: value for key, value in given.items() if value is not None}
    if ble is not None:
        values["ble"] = {"radio": ble}
    return _settings("command line", values, _FLAGS)


def _settings(source: str, values: dict[str, Any], flags: dict[str, str] | None = None) -> Settings:
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        lines = [f"{source}: {_sentence(details, flags or {})}" for details in error.errors()]
        raise ConfigError("\n".join(lines)) from None
    if not settings.tcp.listen and not settings.serial and settings.ble is None:
        where = "give --listen, --serial or --ble" if flags else "set tcp.listen or add a [[serial]] or [ble] table"
        raise ConfigError(f"{source}: there is nothing to take frames from; {where}.")
    _check_daemon(source, settings)
    return settings


def _check_daemon(source: str, settings: Settings) -> None:
    given, elsewhere = settings.model_fields_set, settings.daemon.startswith(TLS)
    if settings.state is None and elsewhere:
        raise ConfigError(
            f"{source}: a daemon on another machine needs the folder of `attune-gateway enroll` as state."
        )
    if settings.state is not None and "name" in given:
        raise ConfigError(f"{source}: the name of an enrolled gateway is the one of its invitation; leave name out.")
    if settings.state is not None and "daemon" in given and not elsewhere:
        raise ConfigError(f"{source}: state is for a daemon on another machine; leave state or daemon out.")


def _sentence(details: ErrorDetails, flags: dict[str, str]) -> str:
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"]).removeprefix(".")
    kind = re.sub(r"\[[0-9]+\]", "[]", key)
    shown = flags.get(kind, key)
    if details["type"] == "extra_forbidden":
        table = kind.rpartition(".")[0]
        known = [name.rpartition(".")[2] for name in _EXPECTED if name.rpartition(".")[0] == table and name[-1] != "]"]
        return f"{shown} is not a setting; write one of {', '.join(known)}."
    if details["type"] == "missing":
        return f"{shown} is missing; it must be {_EXPECTED[kind]}."
    return f"{shown} must be {_EXPECTED[kind]}, not {details['input']!r}."
