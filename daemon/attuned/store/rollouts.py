"""Rollouts, their nodes, and who did what to them: tables of attune.db.

What people do to rollouts has a table of its own: an entry of the table `audit` is something to forget, and is carried
out again in a file that was restored.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from attuned.store.database import Database
from attuned.updates.delivery import Stage
from attuned.updates.rollout_state import Pair, Plan, Rollout, State, Step

_ACTIVE = (State.RUNNING.value, State.PAUSED.value, State.ROLLING_BACK.value)
_MOVING = (Step.UNDER_WAY.value, Step.LEAVING.value, Step.RETURNING.value)

_PAIR = "INSERT OR REPLACE INTO rollout_pairs VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Act:
    """Who did what to a rollout, and why. An `author` that is empty is the daemon."""

    utc_ms: int
    author: str
    what: str
    reason: str = ""


@dataclass(frozen=True)
class RolloutRow:
    """A rollout as it is stored, with who began it, and why."""

    rollout: Rollout
    author: str
    trigger: str


class RolloutStore:
    """Reads and writes rollouts; each call is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, row: RolloutRow, act: Act) -> RolloutRow:
        """Stores a new rollout under the next number."""

        def work(connection: sqlite3.Connection) -> RolloutRow:
            number = connection.execute("SELECT 1 + coalesce(max(number), 0) FROM rollouts").fetchone()[0]
            rollout = replace(row.rollout, number=number)
            plan = json.dumps(asdict(rollout.plan))
            connection.execute(
                "INSERT INTO rollouts VALUES (?, ?, ?, ?, ?, ?)",
                (number, rollout.state.value, row.author, row.trigger, plan, _position(rollout)),
            )
            _write_pairs(connection, rollout, rollout.pairs)
            _write_act(connection, number, act)
            return replace(row, rollout=rollout)

        return await self._database.run(work)

    async def save(self, rollout: Rollout, changed: Collection[str], act: Act | None = None) -> None:
        """Writes where a rollout is, and the nodes that changed; what has committed here is replaced elsewhere."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE rollouts SET state = ?, position = ? WHERE number = ?",
                (rollout.state.value, _position(rollout), rollout.number),
            )
            _write_pairs(connection, rollout, changed)
            for node in changed:
                if rollout.pairs[node].step is Step.COMMITTED:
                    connection.execute(
                        "UPDATE rollout_pairs SET replaced = 1 WHERE node = ? AND rollout < ? AND step = ?",
                        (node, rollout.number, Step.COMMITTED.value),
                    )
            if act is not None:
                _write_act(connection, rollout.number, act)

        await self._database.run(work)

    async def live(self) -> list[RolloutRow]:
        """Rollouts that are not at their end, or of which something is still to be done, by number."""
        where = "state IN (?, ?, ?) OR number IN (SELECT rollout FROM rollout_pairs WHERE step IN (?, ?, ?))"
        return await self._read(where, (*_ACTIVE, *_MOVING))

    async def newest(self, limit: int) -> list[RolloutRow]:
        """The newest rollouts first."""
        where = "number > (SELECT coalesce(max(number), 0) FROM rollouts) - ?"
        return list(reversed(await self._read(where, (limit,))))

    async def find(self, number: int) -> RolloutRow | None:
        return next(iter(await self._read("number = ?", (number,))), None)

    async def targets(self) -> set[tuple[str, str]]:
        """Every node and release that a rollout had."""
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT DISTINCT node, target FROM rollout_pairs").fetchall()
        )
        return set(rows)

    async def acts(self, number: int) -> list[Act]:
        """What was done to a rollout, in order."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT utc_ms, author, what, reason FROM rollout_acts WHERE rollout = ? ORDER BY number", (number,)
            ).fetchall()
        )
        return [Act(*row) for row in rows]

    async def _read(self, where: str, values: Sequence[int | str]) -> list[RolloutRow]:
        def work(connection: sqlite3.Connection) -> list[RolloutRow]:
            found = connection.execute(
                f"SELECT number, state, author, trigger, plan, position FROM rollouts WHERE {where} ORDER BY number",  # noqa: S608
                values,
            ).fetchall()
            return [_row(connection, row) for row in found]

        return await self._database.read(work)


def _position(rollout: Rollout) -> str:
    names = ("stage", "started_utc_ms", "stage_utc_ms", "ends_utc_ms", "paused_utc_ms", "reason")
    return json.dumps({name: getattr(rollout, name) for name in names})


def _write_pairs(connection: sqlite3.Connection, rollout: Rollout, nodes: Iterable[str]) -> None:
    places = {node: place for place, node in enumerate(rollout.pairs)}
    connection.executemany(
        _PAIR,
        [
            (rollout.number, node, places[node], pair.target, pair.step.value, pair.replaced, json.dumps(asdict(pair)))
            for node, pair in ((node, rollout.pairs[node]) for node in nodes)
        ],
    )


def _write_act(connection: sqlite3.Connection, rollout: int, act: Act) -> None:
    connection.execute(
        "INSERT INTO rollout_acts (rollout, utc_ms, author, what, reason) VALUES (?, ?, ?, ?, ?)",
        (rollout, act.utc_ms, act.author, act.what, act.reason),
    )


def _row(connection: sqlite3.Connection, found: Sequence[Any]) -> RolloutRow:
    number, state, author, trigger, plan, position = found
    rows = connection.execute(
        "SELECT node, replaced, body FROM rollout_pairs WHERE rollout = ? ORDER BY place", (number,)
    ).fetchall()
    pairs = {node: _pair(json.loads(body), bool(replaced)) for node, replaced, body in rows}
    values = json.loads(plan)
    made = Plan(**(values | {"stages": tuple(values["stages"])}))
    rollout = Rollout(number=number, plan=made, state=State(state), pairs=pairs, **json.loads(position))
    return RolloutRow(rollout, author, trigger)


def _pair(values: dict[str, Any], replaced: bool) -> Pair:
    parsed: dict[str, Any] = {
        "step": Step(values["step"]),
        "at": Stage(values["at"]) if values["at"] else None,
        "mark": tuple(values["mark"]),
        "last": tuple(values["last"]),
        "replaced": replaced,
    }
    return Pair(**(values | parsed))
