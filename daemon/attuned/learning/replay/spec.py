"""The spec of a replay: which files, columns, nodes and splits a recording has (TOML, checked by pydantic)."""

import tomllib
from collections import Counter
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Annotated

from attune_core import sensor_byte
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.positive import Positive, parse_positive
from attuned.learning.replay.sentences import sentence
from attuned.learning.replay.times import check_format, instant_ms, zone

EVENTS = ("pir", "door", "event")
TRAIN = "train"
# What a node's tables hold (ATTUNE_MAX_SENSORS in the core).
MAX_SENSORS = 12

Name = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileEntry(Section):
    """One recorded file, or the stretch `from` <= time < `to` of it."""

    path: Name
    split: Name
    start: Annotated[str | date | datetime | None, Field(alias="from")] = None
    end: Annotated[str | date | datetime | None, Field(alias="to")] = None
    nodes: list[Name] | None = None

    def bounds_ms(self, local: tzinfo) -> tuple[int | None, int | None]:
        """`from` and `to` in UTC milliseconds, None where the file is taken to its end."""
        start, end = (moment if moment is None else instant_ms(moment, local) for moment in (self.start, self.end))
        return start, end


class TimeColumns(Section):
    """Where a row's time stands; several columns are joined by a space before `format` is applied."""

    column: Name | list[Name]
    format: Name

    @field_validator("column")
    @classmethod
    def _some(cls, column: str | list[str]) -> str | list[str]:
        if not column:
            raise ValueError('no column is named; write column = "date", or a list of columns')
        return column

    @field_validator("format")
    @classmethod
    def _readable(cls, form: str) -> str:
        check_format(form)
        return form

    @property
    def names(self) -> tuple[str, ...]:
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)


class Columns(Section):
    time: TimeColumns
    label: Name


class NodeEntry(Section):
    """A node: the room that it is in, and the column of each of its sensors by kind, such as `co2` or `co2+mean`."""

    id: Name
    room: Name
    sensors: dict[str, Name]

    @field_validator("sensors")
    @classmethod
    def _known(cls, sensors: dict[str, str]) -> dict[str, str]:
        if not 1 <= len(sensors) <= MAX_SENSORS:
            raise ValueError(f"{len(sensors)} sensors are named; write 1 to {MAX_SENSORS}")
        for kind in sensors:
            if kind == "clock":
                raise ValueError("clock is no column; leave it out and replay with --clock")
            _ = sensor_byte(kind)
        return sensors


class Spec(Section):
    """A whole spec. The order of `files` says in which order splits are reported."""

    name: Name
    timezone: Name = "UTC"
    window_s: Annotated[int, Field(ge=10, le=600)] = 60
    positive: Name = "> 0"
    files: Annotated[list[FileEntry], Field(min_length=1)]
    columns: Columns
    nodes: Annotated[list[NodeEntry], Field(min_length=1)]

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        zone(name)
        return name

    @field_validator("positive")
    @classmethod
    def _comparison(cls, text: str) -> str:
        parse_positive(text)
        return text

    @model_validator(mode="after")
    def _consistent(self) -> "Spec":
        self._check_nodes()
        for index, entry in enumerate(self.files):
            self._check_stretch(f"files[{index}]", entry)
            self._check_fed(f"files[{index}]", entry)
        self._check_feeding()
        return self

    def _check_nodes(self) -> None:
        twice = [node for node, count in Counter(node.id for node in self.nodes).items() if count > 1]
        if twice:
            raise ValueError(f"key nodes names the id {twice[0]!r} twice; give every node an id of its own")
        for index, node in enumerate(self.nodes):
            taught = [kind for kind, column in node.sensors.items() if column == self.columns.label]
            if taught:
                key = f"nodes[{index}].sensors.{taught[0]}"
                raise ValueError(f"key {key} is the label column, which would tell the answer; name a measured column")

    def _check_stretch(self, key: str, entry: FileEntry) -> None:
        for name, moment in (("from", entry.start), ("to", entry.end)):
            try:
                _ = moment if moment is None else instant_ms(moment, self.zone)
            except ValueError:
                wanted = 'write an ISO time such as "2015-02-05 00:00"'
                raise ValueError(f"key {key}.{name} is {moment!r}, which is no time; {wanted}") from None
        start, end = entry.bounds_ms(self.zone)
        if start is not None and end is not None and start >= end:
            raise ValueError(f"key {key}.to is not after {key}.from; write a later time")

    def _check_fed(self, key: str, entry: FileEntry) -> None:
        known = [node.id for node in self.nodes]
        for node in entry.nodes if entry.nodes is not None else known:
            if node not in known:
                raise ValueError(f"key {key}.nodes names {node!r}, which is no node; write one of {', '.join(known)}")
        if entry.nodes is not None and not entry.nodes:
            raise ValueError(f"key {key}.nodes is empty; name the nodes that this file feeds or leave the key out")

    def _check_feeding(self) -> None:
        for index, node in enumerate(self.nodes):
            if not any(entry.nodes is None or node.id in entry.nodes for entry in self.files):
                key = f"nodes[{index}].id"
                raise ValueError(f"key {key} is {node.id!r}, which no file feeds; add it to a file's nodes")
        if all(entry.split == TRAIN for entry in self.files):
            raise ValueError('key files has only the split "train"; give a file to be judged the split "test"')

    @property
    def zone(self) -> tzinfo:
        return zone(self.timezone)

    @property
    def label(self) -> Positive:
        return parse_positive(self.positive)

    def fed(self, entry: FileEntry) -> list[NodeEntry]:
        """The nodes that a file feeds."""
        return [node for node in self.nodes if entry.nodes is None or node.id in entry.nodes]


def load_spec(path: Path) -> Spec:
    """Read and check a spec; SpecError with one sentence that names the line or key and what to write instead."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SpecError(f"{path} does not exist; name the spec's TOML file.") from None
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}); name a TOML file that you may read.") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not UTF-8 text; save the spec as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path} is not valid TOML: {_lower(str(error))}; correct that line.") from None
    try:
        return Spec.model_validate(table)
    except ValidationError as error:
        raise SpecError(f"{path}: {sentence(error)}") from None


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
