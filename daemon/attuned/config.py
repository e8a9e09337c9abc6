"""The daemon's settings, read from TOML. Every error names the file, the key, and what is expected there."""

import os
import re
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from attuned.errors import ConfigError
from attuned.key_files import credential
from attuned.presence.costs import DEFAULT_COST_RATIO

# The longest path that the kernel takes for a Unix socket.
SOCKET_PATH_LIMIT = 107

# Before addresses on which gateways of other machines attach, with certificates on both sides.
TLS = "tls://"

_TLS_ADDRESS = re.compile(r"tls://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")


def _topic_level(text: str) -> str:
    """A room or site is one level of MQTT topics and one word on a command line."""
    if not re.fullmatch(r"[^\s/+#\x00-\x1f]{1,64}", text):
        raise ValueError("not one word")
    return text


def _node_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{16}", text):
        raise ValueError("not 16 hex digits")
    return text.lower()


def _gateway_address(text: str) -> str:
    """Nobody is let in who was not enrolled, or may not write to a socket of this machine."""
    if text.startswith("unix:/"):
        _socket_path(Path(text.removeprefix("unix:")))
    elif not (match := _TLS_ADDRESS.fullmatch(text)) or not 1 <= int(match[2]) <= 65534:
        raise ValueError("neither a socket of this machine nor an address for TLS")
    return text


def _socket_path(path: Path) -> Path:
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ValueError("longer than the kernel takes")
    return path


def _group(text: str) -> str:
    """As adduser takes it."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", text):
        raise ValueError("not the name of a group")
    return text


def _timezone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("not a time zone")
    return text


def _instant(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


TopicLevel = Annotated[str, AfterValidator(_topic_level)]
NodeId = Annotated[str, AfterValidator(_node_id)]
Group = Annotated[str, AfterValidator(_group)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(_Table):
    """The building, its time zone, the step of its rooms' histories, and what wrong states cost."""

    name: TopicLevel = Field(
        description='one word without / + #, a level of every MQTT topic, such as name = "townhall"'
    )
    timezone: Annotated[str, AfterValidator(_timezone)] = Field(
        "UTC", description='an IANA name, such as timezone = "Europe/Brussels"'
    )
    step_s: int = Field(
        60,
        ge=10,
        le=600,
        description="seconds from 10 to 600 that divide an hour, the step of rooms' histories, such as step_s = 60",
    )
    cost_ratio: float = Field(
        DEFAULT_COST_RATIO,
        ge=0.1,
        le=10,
        description="wrongly occupied rooms that are as bad as a wrongly free one, 0.1 to 10, such as cost_ratio = 2",
    )

    test_nodes: bool = Field(
        False, description="true to take nodes whose keys others may know, for tests, such as test_nodes = true"
    )

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class StoreSettings(_Table):
    """Where the store lies, and for how long it keeps windows, and the hours of rooms and what was said of them."""

    path: Path = Field(
        Path("/var/lib/attune"),
        description="a folder, in which attune.db is precious and windows.db may be lost, "
        'such as path = "/var/lib/attune"',
    )
    windows_days: int = Field(
        28,
        ge=1,
        le=3650,
        description="whole days from 1 to 3650 that unlabelled windows are kept, such as windows_days = 28",
    )
    history_years: int = Field(
        5,
        ge=1,
        le=100,
        description="whole years from 1 to 100 that the hours of rooms are kept, such as history_years = 5",
    )


class MqttSettings(_Table):
    """The broker. Without this table nothing is published."""

    host: str = Field("127.0.0.1", min_length=1, description='a host, such as host = "127.0.0.1"')
    port: int = Field(
        1883, ge=1, le=65535, description="a port from 1 to 65535, usually 8883 with a ca_file, such as port = 1883"
    )
    user: str | None = Field(None, description='a name, such as user = "attune"')
    password_file: Path | None = Field(
        None,
        description="a file whose first line is the password, "
        'such as password_file = "/etc/attune/secrets/mqtt-password"',
    )
    ca_file: Path | None = Field(
        None,
        description="a PEM file, with which the connection is encrypted, "
        'such as ca_file = "/etc/ssl/certs/ca-certificates.crt"',
    )

    @property
    def password(self) -> str | None:
        """The first line of the password file, or of its copy for this service. Raises ConfigError."""
        if self.password_file is None:
            return None
        try:
            return credential(self.password_file).read_text(encoding="utf-8").partition("\n")[0]
        except UnicodeDecodeError as error:
            raise ConfigError(f"The password file {self.password_file} is no text: write the password anew.") from error
        except OSError as error:
            raise ConfigError(
                f"The password file {self.password_file} cannot be read ({error.strerror}): `sudo attune setup` asks "
                "for the password and puts it where the service finds it."
            ) from error


class RetrainingSettings(_Table):
    """When a room is retrained by itself."""

    labels: int = Field(
        20, ge=0, le=1000, description="new labels of a room that are worth it, 0 for never, such as labels = 20"
    )
    days: int = Field(
        7, ge=0, le=365, description="days after which new labels are worth it, 0 for never, such as days = 7"
    )


class UpdateSettings(_Table):
    """Who signs updates for nodes. Without a signer nodes get none."""

    signer: Annotated[Path, AfterValidator(_socket_path)] | None = Field(
        None, description='the socket of attune-signer, such as signer = "/run/attune-signer/signer.sock"'
    )
    automatic: bool = Field(
        True, description="false to send nodes only what somebody asks for, such as automatic = false"
    )


class GatewaySettings(_Table):
    """Where gateways attach. On the port above that of `tls://`, of which there is at most one, invited ones enroll."""

    listen: list[Annotated[str, AfterValidator(_gateway_address)]] = Field(
        ["unix:/run/attune/gateway.sock"],
        min_length=1,
        description="a list of sockets of this machine, and at most one address for TLS, below port 65535, such as "
        'listen = ["unix:/run/attune/gateway.sock", "tls://0.0.0.0:7443"]',
    )
    group: Group | None = Field(
        None,
        description="a group that the daemon's user is in, whose members may be gateways of this machine, such as "
        'group = "attune-gateway"',
    )

    @property
    def tls_port(self) -> tuple[str, int] | None:
        """Host, as gRPC takes it, and port for gateways of other machines."""
        for address in self.listen:
            if address.startswith(TLS):
                host, _, port = address.removeprefix(TLS).rpartition(":")
                return host, int(port)
        return None


class ApiSettings(_Table):
    socket: Annotated[Path, AfterValidator(_socket_path)] = Field(
        Path("/run/attune/attune.sock"),
        description=f'a path of at most {SOCKET_PATH_LIMIT} bytes, such as socket = "/run/attune/attune.sock"',
    )
    group: Group | None = Field(
        None,
        description="a group that the daemon's user is in, whose members may use the command line, such as "
        'group = "attune"',
    )


class ClockSettings(_Table):
    """A clock of its own for demonstrations and tests; leave the table out to use the machine's."""

    start: Annotated[datetime, AfterValidator(_instant)] = Field(
        description="a time, such as start = 2026-03-02T07:00:00Z"
    )
    real_start: Annotated[datetime, AfterValidator(_instant)] | None = Field(
        None, description="the real time at which the clock shows start, such as real_start = 2026-11-21T10:00:00Z"
    )
    rate: float = Field(1.0, gt=0, le=10_000, description="how much faster than real time, such as rate = 60")


class RoomSettings(_Table):
    id: TopicLevel = Field(description='one word without / + #, a level of MQTT topics, such as id = "2.13"')
    name: str = Field("", description='a name for people, such as name = "Meeting room"')
    floor: str = Field("", description='a floor, to which a rollout goes before it goes further, such as floor = "2"')
    building: str = Field(
        "", description='a building, to which a rollout goes after the floor, such as building = "North wing"'
    )
    nodes: list[NodeId] = Field(
        [], description='a list of node ids of 16 hex digits, such as nodes = ["a1b2c3d4e5f60708"]'
    )


class NodeSettings(_Table):
    """What a node is told. Nodes that stand in no such table report every window."""

    id: NodeId = Field(description='16 hex digits, such as id = "a1b2c3d4e5f60708"')
    quiet: bool = Field(False, description="true for a node that reports changes and hourly, such as quiet = true")


class Settings(_Table):
    """The whole configuration of a daemon."""

    site: SiteSettings = Field(description='a table [site] with name = "townhall"')
    store: StoreSettings = Field(StoreSettings(), description="a table [store]")
    mqtt: MqttSettings | None = Field(None, description="a table [mqtt]")
    gateways: GatewaySettings = Field(GatewaySettings(), description="a table [gateways]")
    retraining: RetrainingSettings = Field(RetrainingSettings(), description="a table [retraining]")
    updates: UpdateSettings = Field(UpdateSettings(), description="a table [updates]")
    api: ApiSettings = Field(ApiSettings(), description="a table [api]")
    clock: ClockSettings | None = Field(None, description="a table [clock]")
    rooms: list[RoomSettings] = Field([], description="a table [[rooms]] for each room")
    nodes: list[NodeSettings] = Field([], description="a table [[nodes]] for each node that is told anything")

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if 3600 % self.site.step_s:
            raise ValueError(
                f"site.step_s is {self.site.step_s}; write a number of seconds that divides an hour, such as 60"
            )
        if self.mqtt is not None and self.mqtt.password_file is not None and self.mqtt.user is None:
            raise ValueError('mqtt.password_file stands without mqtt.user; write the user too, such as user = "attune"')
        if sum(address.startswith(TLS) for address in self.gateways.listen) > 1:
            raise ValueError(
                'gateways.listen has more than one address for TLS; write one, such as "tls://0.0.0.0:7443"'
            )
        seen: dict[str, str] = {}
        for room in self.rooms:
            for thing in (f"room {room.id}", *(f"node {node}" for node in room.nodes)):
                if thing in seen:
                    raise ValueError(f"{thing} stands in [[rooms]] twice; write it once")
                seen[thing] = room.id
        _told_once(self.nodes)
        return self

    @property
    def room_of(self) -> dict[str, str]:
        """The room of each assigned node."""
        return {node: room.id for room in self.rooms for node in room.nodes}

    @property
    def quiet_nodes(self) -> frozenset[str]:
        """Nodes that report changes and hourly."""
        return frozenset(node.id for node in self.nodes if node.quiet)


def _told_once(nodes: Sequence[NodeSettings]) -> None:
    """Raises ValueError for a node that has two tables."""
    ids = [node.id for node in nodes]
    for node in ids:
        if ids.count(node) > 1:
            raise ValueError(f"node {node} stands in [[nodes]] twice; write it once")


def load(path: Path) -> Settings:
    """Reads a configuration file. Raises ConfigError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        advice = f"`chmod a+r {path}`" if isinstance(error, PermissionError) else "name a configuration with --config"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {advice}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}; correct that line.") from error
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in sentences(error))) from error


def sentences(error: ValidationError) -> list[str]:
    """A sentence a mistake, with the key and what to write there."""
    return [_sentence(first["type"], first["loc"], first["msg"]) for first in error.errors()]


def _sentence(kind: str, place: tuple[int | str, ...], message: str) -> str:
    if not place:
        return f"{message.removeprefix('Value error, ')}."
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    if kind == "extra_forbidden":
        return f"key {key} is unknown; leave it out, or write one of {', '.join(_keys(place[:-1]))}."
    expected = _field_description(place)
    if kind == "missing":
        return f"key {key} is missing; write {expected}."
    return f"key {key} is not right; write {expected}."


def _keys(place: tuple[int | str, ...]) -> list[str]:
    return list(model_at(place).model_fields)


def _field_description(place: tuple[int | str, ...]) -> str:
    names = [part for part in place if isinstance(part, str)]
    model: type[BaseModel] = Settings
    description = ""
    for name in names:
        if name not in model.model_fields:
            break
        field = model.model_fields[name]
        description = field.description or description
        model = _table_in(field.annotation) or model
    return description


def model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    """The table that a key lies in, such as that of mqtt for ("mqtt", "port"), or that a table's name leads to."""
    model: type[BaseModel] = Settings
    for name in place:
        if isinstance(name, str) and name in model.model_fields:
            model = _table_in(model.model_fields[name].annotation) or model
    return model


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The table class in an annotation such as `Table`, `Table | None` or `list[Table]`."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is list or isinstance(annotation, UnionType):
        return next((table for part in get_args(annotation) if (table := _table_in(part))), None)
    return None
