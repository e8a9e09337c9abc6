"""What a backup says of itself: a line in the clear, and a list of what is sealed in it."""

import grp
import json
import pwd
import re
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from attuned.backup.places import SITE_DB, is_file_name, is_folder_name
from attuned.backup_key import Stretching, read_stretching
from attuned.errors import RequestError

MAGIC = b"attune-backup 1 "
_LATER = re.compile(rb"attune-backup ([2-9]|[1-9][0-9]{1,3}) ")

# Both are far larger than any that was made.
HEADER_LIMIT = 4096
MANIFEST_LIMIT = 1 << 20

# Bits that a restored file may have: nothing for others to write, and no program that runs as somebody else.
MODE_BITS = 0o775

_Owner = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,31}$")]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _mode(mode: int) -> int:
    if mode & ~MODE_BITS:
        raise ValueError("a mode that no file of ours has")
    return mode


def _key(values: Any) -> dict[str, Any]:
    return asdict(read_stretching(values))


class Header(_Row):
    """The first line: when and by which version it was made, and what a passphrase needs to become the key."""

    made_utc_ms: Annotated[int, Field(ge=0, lt=1 << 53)]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+~-]{1,40}$")]
    key: Annotated[dict[str, Any], AfterValidator(_key)]

    @property
    def stretching(self) -> Stretching:
        return read_stretching(self.key)

    def line(self) -> bytes:
        return MAGIC + json.dumps(self.model_dump()).encode() + b"\n"


def read_header(line: bytes) -> Header:
    """RequestError for a line that begins no backup."""
    if _LATER.match(line):
        raise RequestError("This backup was made by a newer Attune: install that version first.")
    if not line.startswith(MAGIC) or not line.endswith(b"\n"):
        raise RequestError("This is no backup of Attune, or only a part of its beginning: name a whole one.")
    try:
        return Header.model_validate_json(line.removeprefix(MAGIC))
    except ValueError as error:
        raise RequestError("The beginning of this backup is damaged: take another one.") from error


class Place(_Row):
    """A folder, or what a file has beside its content. Owner and group are names."""

    name: str
    mode: Annotated[int, AfterValidator(_mode)]
    owner: _Owner
    group: _Owner


class Folder(Place):
    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_folder_name(name):
            raise ValueError("not a folder of a backup")
        return name


class File(Place):
    size: Annotated[int, Field(ge=0, lt=1 << 53)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if not is_file_name(name):
            raise ValueError("not a file of a backup")
        return name


class Manifest(_Row):
    """The list. `schemas` are versions of the databases' tables, `windows` says whether windows.db is there in full."""

    format: Literal[1] = 1
    header: Header
    site: Annotated[str, Field(max_length=64)]
    config: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    schemas: dict[Literal["attune", "windows"], Annotated[int, Field(ge=1, lt=1 << 31)]]
    windows: bool
    folders: Annotated[tuple[Folder, ...], Field(max_length=100)]
    files: Annotated[tuple[File, ...], Field(max_length=1000)]

    @model_validator(mode="after")
    def _whole(self) -> "Manifest":
        names = [place.name for place in (*self.folders, *self.files)]
        if len(set(names)) != len(names):
            raise ValueError("a name stands there twice")
        parents = {name.rpartition("/")[0] for name in names} - {""}
        if not parents <= {folder.name for folder in self.folders}:
            raise ValueError("a file without its folder")
        needed = {f"state/{SITE_DB}", "state/daemon.key", f"etc/{self.config}"}
        if not needed <= set(names) or set(self.schemas) != {"attune", "windows"}:
            raise ValueError("something is missing")
        return self

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def place_of(name: str, path: Path) -> dict[str, Any]:
    """Mode and owners of something on this machine."""
    found = path.stat()
    return {
        "name": name,
        "mode": stat.S_IMODE(found.st_mode) & MODE_BITS,
        "owner": _name(pwd.getpwuid, found.st_uid),
        "group": _name(grp.getgrgid, found.st_gid),
    }


def _name(look: Any, number: int) -> str:
    try:
        return str(look(number)[0])
    except KeyError:
        return str(number)
