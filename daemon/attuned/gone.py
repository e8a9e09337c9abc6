"""What must stay gone though an older store comes back: what was forgotten, gateways revoked, nodes removed.

A small file beside the store, which holds nothing of what went. An entry is on the disk before what it names goes;
copies of the file lie beside backups, and a restore brings all of them together.
"""

import asyncio
import contextlib
import itertools
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from attuned.durable_files import write_durably
from attuned.errors import DamagedStoreError, StoreError, UnusableStoreError
from attuned.store.audit import RUNNING, AuditEntry, Selection, read_entries, write_entry
from attuned.store.database import Database

log = logging.getLogger(__name__)

FILE = "gone.json"

# Larger than any site will have, small enough to be read whole.
SIZE_LIMIT = 16 << 20

# What names, ids and times may be at most.
_Name = Annotated[str, Field(max_length=256)]
_Utc = Annotated[int, Field(ge=0, lt=1 << 53)]


def _selection(text: str) -> str:
    try:
        Selection.from_json(text)
    except ValueError as error:
        raise ValueError("no selection") from error
    return text


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Forgotten(_Row):
    """An entry of the audit; `selection` is JSON, as there."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{1,32}$")]
    utc_ms: _Utc
    author: _Name
    selection: Annotated[str, AfterValidator(_selection)]
    through_label: Annotated[int, Field(ge=0, lt=1 << 32)]

    @classmethod
    def of(cls, entry: AuditEntry) -> "Forgotten":
        return cls(
            id=entry.id,
            utc_ms=entry.utc_ms,
            author=entry.author,
            selection=entry.selection.to_json(),
            through_label=entry.through_label,
        )

    @property
    def through_said(self) -> int:
        """As in the selection."""
        return Selection.from_json(self.selection).through_said

    @property
    def entry(self) -> AuditEntry:
        return AuditEntry(
            self.id, self.utc_ms, self.author, Selection.from_json(self.selection), self.through_label, state=RUNNING
        )


class Revoked(_Row):
    """An enrolment of a gateway that counts no more."""

    name: _Name
    enrolment: Annotated[str, Field(pattern=r"^[0-9a-f]{0,64}$")]
    utc_ms: _Utc


class Removed(_Row):
    """A node that nobody trusts any more, unless it was added again afterwards."""

    node: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    utc_ms: _Utc


class Gone(_Row):
    """All of it; each list has what happened first at its beginning."""

    format: Literal[1] = 1
    forgotten: tuple[Forgotten, ...] = ()
    gateways: tuple[Revoked, ...] = ()
    nodes: tuple[Removed, ...] = ()

    def __or__(self, other: "Gone") -> "Gone":
        """What either says, once."""
        forgotten: dict[str, Forgotten] = {}
        for entry in (*self.forgotten, *other.forgotten):
            # While a forgetting is under way, more may be said that is to go.
            if entry.id not in forgotten or forgotten[entry.id].through_said < entry.through_said:
                forgotten[entry.id] = entry
        gateways = {(row.name, row.enrolment): row for row in (*self.gateways, *other.gateways)}
        nodes: dict[str, Removed] = {}
        for row in (*self.nodes, *other.nodes):
            if row.node not in nodes or nodes[row.node].utc_ms < row.utc_ms:
                nodes[row.node] = row
        return Gone(
            forgotten=tuple(sorted(forgotten.values(), key=lambda row: (row.utc_ms, row.id))),
            gateways=tuple(sorted(gateways.values(), key=lambda row: (row.utc_ms, row.name, row.enrolment))),
            nodes=tuple(sorted(nodes.values(), key=lambda row: (row.utc_ms, row.node))),
        )


def read(path: Path) -> Gone:
    """What a file says; nothing if there is none.

    Raises DamagedStoreError for one that is damaged, and another StoreError for one that cannot be read now.
    """
    try:
        if path.exists() and not path.is_file():
            raise ValueError("no plain file")
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
        if len(data) > SIZE_LIMIT:
            raise ValueError("too large")
        return Gone.model_validate_json(data)
    except FileNotFoundError:
        return Gone()
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValidationError, ValueError) as error:
        advice = "move it away, and put another copy of it in its place"
        raise DamagedStoreError(path, "is damaged and does not say what must stay gone", advice) from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    """It may be whole: without it what must stay gone would come back."""
    if isinstance(error, PermissionError):
        return UnusableStoreError(
            f"The store {path} cannot be read ({error.strerror}): give it to the user that runs the daemon "
            f"(`ls -la {path.parent}`) with the mode 0600."
        )
    return StoreError(f"The store {path} cannot be read ({error.strerror}): check the disk (`dmesg`).")


def set_aside(path: Path) -> Path:
    """Renames a damaged file, and gives its new name: none that is aside already is overwritten. Raises StoreError."""
    names = itertools.chain(
        [f"{path.stem}.damaged"], (f"{path.stem}-{number}.damaged" for number in itertools.count(2))
    )
    there = next(each for each in map(path.with_name, names) if not each.exists())
    try:
        path.replace(there)
    except OSError as error:
        raise StoreError(f"{path} cannot be set aside ({error.strerror}): check the disk (`dmesg`).") from error
    return there


def write(path: Path, gone: Gone) -> None:
    """Replaces the file; it is on the disk when this returns. Raises StoreError."""
    try:
        write_durably(path, gone.model_dump_json(indent=1).encode() + b"\n", 0o600)
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}): make room on the disk.") from error


@dataclass
class GoneBook:
    """The file of a running daemon."""

    path: Path
    now: Gone = field(default_factory=Gone)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self, site: Database) -> None:
        """Brings file and store together, before anything is read. Raises StoreError.

        What the store does not know of is marked there to be forgotten, is revoked, and is removed.
        """
        known = await site.read(_known)
        try:
            said = await asyncio.to_thread(read, self.path)
        except DamagedStoreError as error:
            there = set_aside(self.path)
            log.error("%s The daemon goes on with what its store says; the file is now %s.", error, there)
            said = Gone()
        self.now = said
        through = {row.id: row.through_said for row in known.forgotten}
        missing = [row for row in said.forgotten if row.id not in through or through[row.id] < row.through_said]
        await site.run(lambda connection: _carry_out(connection, said, missing))
        await self._keep(known)

    async def add(
        self,
        *,
        forgotten: Iterable[AuditEntry] = (),
        gateways: Iterable[Revoked] = (),
        nodes: Iterable[Removed] = (),
    ) -> None:
        """Writes down what is about to go. Raises StoreError: then it may not go."""
        more = Gone(forgotten=tuple(map(Forgotten.of, forgotten)), gateways=tuple(gateways), nodes=tuple(nodes))
        await self._keep(more)

    @contextlib.contextmanager
    def committing(self, what: str) -> Iterator[None]:
        """Round the commit that follows: who hears that it failed hears also that `what` is on the list all the same.

        It stays there: to take it off might fail as well, and what somebody wants gone had better go.
        """
        try:
            yield
        except StoreError as error:
            raise StoreError(
                f"{error} That {what} goes is written down in {self.path.name} all the same: ask again, or it happens "
                "when the daemon starts next."
            ) from error

    async def _keep(self, more: Gone) -> None:
        async with self._writing:
            gone = self.now | more
            if gone != self.now:
                await asyncio.to_thread(write, self.path, gone)
            self.now = gone


def _known(connection: sqlite3.Connection) -> Gone:
    revoked = connection.execute("SELECT name, enrolment, revoked_utc_ms FROM gateways WHERE revoked_utc_ms > 0")
    return Gone(
        forgotten=tuple(map(Forgotten.of, read_entries(connection))),
        gateways=tuple(Revoked(name=name, enrolment=each, utc_ms=utc_ms) for name, each, utc_ms in revoked),
    )


def _carry_out(connection: sqlite3.Connection, said: Gone, missing: Iterable[Forgotten]) -> None:
    """In a store from before; in one that knows all of it nothing changes."""
    for row in missing:
        write_entry(connection, row.entry)
    for gateway in said.gateways:
        connection.execute(
            "UPDATE gateways SET revoked_utc_ms = ? WHERE name = ? AND enrolment = ? AND revoked_utc_ms = 0",
            (gateway.utc_ms, gateway.name, gateway.enrolment),
        )
    for node in said.nodes:
        _remove(connection, node)


def _remove(connection: sqlite3.Connection, row: Removed) -> None:
    """As the command does, with the code by which the node could come back unasked."""
    gone = connection.execute("DELETE FROM trusted_nodes WHERE node = ? AND since_utc_ms <= ?", (row.node, row.utc_ms))
    if gone.rowcount:
        connection.execute("DELETE FROM deliveries WHERE node = ?", (row.node,))
        log.info("Node %s, which had been removed, is not trusted again.", row.node)
    connection.execute("DELETE FROM node_codes WHERE hint = ? AND told_utc_ms <= ?", (row.node[:8], row.utc_ms))
