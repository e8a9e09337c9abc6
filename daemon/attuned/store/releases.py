"""Releases, and what the gate said of them: a table of attune.db."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields

from attuned.errors import NotFoundError, RequestError
from attuned.store.database import Database

CANDIDATE, DEPLOYED, REFUSED, SUPERSEDED = "candidate", "deployed", "refused", "superseded"
FORGOTTEN = "forgotten"

# Hex digits of an id below which too many releases could be meant.
LEAST_DIGITS = 4


@dataclass(frozen=True)
class ReleaseRow:
    """A release as it is stored; `body` changes only where its inputs are forgotten, `state` does.

    `state`: a `candidate` waits, a `deployed` one runs on its node, a `refused` one was worse, a `superseded` one has
    been followed by a newer one, inputs of a `forgotten` one were forgotten. `verdict`: better, worse, too little
    evidence. `running` is what a node that runs it says in its hello, `trigger` why it was built, `report` the gate's
    findings as JSON. `forgotten` names the blocks that were forgotten since, each with when (UTC in ms), as JSON; the
    body has lost them, and all that was learned. `approved_by` is who gave a word for it, at `approved_utc_ms`.
    """

    id: str
    room: str
    node: str
    made_utc_ms: int
    state: str
    verdict: str
    running: str
    through_label: int
    trigger: str
    report: str
    body: bytes
    forgotten: str = "[]"
    approved_by: str = ""
    approved_utc_ms: int = 0


_COLUMNS = ", ".join(field.name for field in fields(ReleaseRow))
_SELECT = f"SELECT {_COLUMNS} FROM releases"  # noqa: S608 (column names of this file)


class ReleaseStore:
    """Reads and adds releases; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, rows: Sequence[ReleaseRow]) -> list[ReleaseRow]:
        """Adds those that are new, all or none; a candidate supersedes the one before it. Returns the new ones."""

        def work(connection: sqlite3.Connection) -> list[ReleaseRow]:
            known = {row[0] for row in connection.execute("SELECT id FROM releases")}
            fresh = [row for row in rows if row.id not in known]
            for row in (row for row in fresh if row.state == CANDIDATE):
                connection.execute(
                    "UPDATE releases SET state = ? WHERE node = ? AND state = ?", (SUPERSEDED, row.node, CANDIDATE)
                )
            marks = ", ".join("?" * len(fields(ReleaseRow)))
            connection.executemany(f"INSERT INTO releases VALUES ({marks})", [astuple(row) for row in fresh])  # noqa: S608
            return fresh

        return await self._database.run(work)

    async def newest(self, room: str = "", limit: int = 100) -> list[ReleaseRow]:
        """Releases of a room, or of all; newest first."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"{_SELECT} WHERE room = ? OR ? = '' ORDER BY made_utc_ms DESC, node LIMIT ?", (room, room, limit)
            ).fetchall()
        )
        return [ReleaseRow(*row) for row in rows]

    async def candidates(self) -> list[ReleaseRow]:
        """Releases that wait, by room and node; their bodies are left out."""
        columns = ", ".join("x''" if field.name == "body" else field.name for field in fields(ReleaseRow))
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {columns} FROM releases WHERE state = ? ORDER BY room, node",  # noqa: S608 (names of this file)
                (CANDIDATE,),
            ).fetchall()
        )
        return [ReleaseRow(*row) for row in rows]

    async def states(self, ids: Collection[str]) -> dict[str, str]:
        """The states of releases by id; of those that are not there nothing."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT id, state FROM releases WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(ids)),),
            ).fetchall()
        )
        return dict(rows)

    async def of_digest(self, node: str, running: str) -> tuple[str, str] | None:
        """Id and state of the newest release with which a node would say in its hello that it runs this; or None."""
        found = await self._database.read(
            lambda connection: connection.execute(
                "SELECT id, state FROM releases WHERE node = ? AND running = ? ORDER BY made_utc_ms DESC LIMIT 1",
                (node, running),
            ).fetchone()
        )
        return (found[0], found[1]) if found else None

    async def find(self, digits: str) -> ReleaseRow:
        """The release whose id begins so.

        Raises RequestError for too few digits or more than one such release, NotFoundError where there is none.
        """
        if len(digits) < LEAST_DIGITS or not set(digits) <= set("0123456789abcdef"):
            raise RequestError(f"A release is named by {LEAST_DIGITS} or more hex digits of its id, not {digits!r}.")
        rows = await self._database.read(
            lambda connection: connection.execute(f"{_SELECT} WHERE id GLOB ? LIMIT 2", (digits + "*",)).fetchall()
        )
        if not rows:
            raise NotFoundError(f"There is no release {digits!r}: `attune release list` shows their ids.")
        if len(rows) > 1:
            raise RequestError(f"Several releases begin with {digits!r}: write more digits of the id.")
        return ReleaseRow(*rows[0])

    async def approve(self, release: str, author: str, now_utc_ms: int) -> bool:
        """Notes a person's word for a candidate; False if it is none any more."""

        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE releases SET approved_by = ?, approved_utc_ms = ? WHERE id = ? AND state = ?",
                (author, now_utc_ms, release, CANDIDATE),
            )
            return changed.rowcount == 1

        return await self._database.run(work)

    async def last(self) -> dict[str, tuple[int, int]]:
        """When each room got its newest release, and the highest label number of its releases."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT room, max(made_utc_ms), max(through_label) FROM releases GROUP BY room"
            ).fetchall()
        )
        return {room: (made, through) for room, made, through in rows}

    async def running(self, node: str, digest: str) -> ReleaseRow | None:
        """The newest release of a node that it names so when it runs it; None for one that is not known, or is gone."""
        row = await self._database.read(
            lambda connection: connection.execute(
                f"{_SELECT} WHERE node = ? AND running = ? AND forgotten = '[]' ORDER BY made_utc_ms DESC LIMIT 1",
                (node, digest),
            ).fetchone()
        )
        return ReleaseRow(*row) if row else None

    async def room_models(self, room: str = "") -> dict[str, str]:
        """How a room, or each, is to be judged by the newest release that a node of it runs, as JSON by room.

        Releases of which something was forgotten say nothing.
        """
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT room, json_extract(CAST(body AS TEXT), '$.model') FROM releases"
                " WHERE state = ? AND forgotten = '[]' AND (room = ? OR ? = '') ORDER BY made_utc_ms",
                (DEPLOYED, room, room),
            ).fetchall()
        )
        return dict(rows)

    async def note_running(self, node: str, running: str) -> bool:
        """A node has said what it runs: that release is deployed, and the one before it superseded.

        Whether that is news.
        """

        def work(connection: sqlite3.Connection) -> bool:
            found = connection.execute(
                "SELECT id FROM releases WHERE node = ? AND running = ? ORDER BY made_utc_ms DESC LIMIT 1",
                (node, running),
            ).fetchone()
            now = found[0] if found else ""
            before = connection.execute(
                "UPDATE releases SET state = ? WHERE node = ? AND state = ? AND id <> ?",
                (SUPERSEDED, node, DEPLOYED, now),
            )
            after = connection.execute(
                "UPDATE releases SET state = ? WHERE id = ? AND state <> ?", (DEPLOYED, now, DEPLOYED)
            )
            return bool(before.rowcount or after.rowcount)

        return await self._database.run(work)
