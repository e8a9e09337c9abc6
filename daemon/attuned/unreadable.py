"""Rows of the store that cannot be read, though SQLite finds nothing wrong with their file.

Nothing is looked at before something has failed: which row it was is found then, by reading every row of every table as
what it is meant to be.
"""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from attune_core import SKETCH_BINS
from pydantic import TypeAdapter, ValidationError

from attuned.drift.day import LEVELS
from attuned.drift.life import State as DriftState
from attuned.drift.rows import day_of
from attuned.errors import AttuneError, DamagedStoreError, UnusableStoreError
from attuned.gone import Forgotten
from attuned.labels.teaching import CLASSES
from attuned.learning.figures import CALIBRATION_BINS
from attuned.learning.releases import Release
from attuned.learning.retraining import REPORT
from attuned.nodes.facts import NodeFacts
from attuned.nodes.window import pack, unpack_all
from attuned.presence.model import RoomModel
from attuned.presence.timeline import Checkpoint
from attuned.store.audit import Selection
from attuned.store.days import DayRow
from attuned.store.trouble import one_line, opening_error, sqlite_code
from attuned.updates.delivery import Stage
from attuned.updates.rollout_state import Pair, Plan
from attuned.updates.rollout_state import State as RolloutState

log = logging.getLogger(__name__)

Row = Mapping[str, Any]

# Primary result codes of SQLite where a statement cannot do what it is to do with a row; 0 is of the module sqlite3.
_OF_ROWS = frozenset(
    {0, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT}
)

_KINDS: Mapping[str, type] = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}

# The last moment, hour and day that a date can name, those of the year 9999.
_LAST_DAY = (date.max - date(1970, 1, 1)).days
_HIGHEST = {"day": _LAST_DAY, "hour": 24 * _LAST_DAY, "id": 1 << 62}
_LAST_MS, _COUNT = 86_400_000 * _LAST_DAY, 1 << 32

_HEX = frozenset({"node", "schema", "hint", "running"})
_KEYS = {"public_key": (32,), "daemon_key": (0, 32), "psk": (32,), "advertising": (0, 32)}

# Whose the packed windows are: without a row of it they would be nobody's, and with a wrong one they are just that.
_OWNERS = "node_keys"

# More than one sentence should say.
_WORDS = 120


@dataclass(frozen=True)
class Position:
    """Where a rollout is, as it is stored."""

    stage: int
    started_utc_ms: int
    stage_utc_ms: int
    ends_utc_ms: int
    paused_utc_ms: int
    reason: str


def is_of_rows(error: Exception) -> bool:
    """Whether a row may be why something failed: none is why a disk is full, or a file of somebody else's."""
    if isinstance(error, UnusableStoreError):
        return False
    cause = error.__cause__
    return not isinstance(error, AttuneError) or (isinstance(cause, sqlite3.Error) and sqlite_code(cause) in _OF_ROWS)


def drop_unreadable(folder: Path) -> bool:
    """Takes the rows that cannot be read out of windows.db, which may lose them; whether there were any.

    Raises DamagedStoreError if attune.db has one, StoreError. Nobody may have the store open. Reads both files whole,
    which may take a minute.
    """
    precious, bulk = folder / "attune.db", folder / "windows.db"
    for table, found in _unreadable(precious):
        advice = (
            "nothing was changed; put a backup in its place with `attune restore FILE`, which keeps this file aside"
        )
        raise DamagedStoreError(precious, _said(table, found), advice)
    dropped = list(_unreadable(bulk))
    for table, found in dropped:
        _drop(bulk, table, found)
        log.error(
            "The store %s %s: %d such rows are dropped, and the rest goes on.", bulk, _said(table, found), len(found)
        )
    return bool(dropped)


def _said(table: str, found: Mapping[str, str]) -> str:
    return f"has a row in its table {table} that cannot be read ({next(iter(found.values()))})"


def _unreadable(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each table that has such rows: why each cannot be read, by its key. Raises StoreError."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            # A text that is no UTF-8 is one row's fault.
            connection.text_factory = lambda data: data.decode(errors="surrogateescape")
            names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
            for (table,) in connection.execute(names).fetchall():
                if table != _OWNERS and (found := _of_table(connection, table)):
                    yield table, found
    except sqlite3.Error as error:
        raise opening_error(path, error, precious=path.name == "attune.db") from error


def _of_table(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    kinds = {name: _KINDS[kind] for _, name, kind, *_ in columns}
    found = {}
    for key, *values in connection.execute(f"SELECT {_key(columns)}, * FROM {table}"):  # noqa: S608 (names of the schema)
        row = dict(zip(kinds, values, strict=True))
        try:
            for name, value in row.items():
                _check(name, value, kinds[name])
            _MEANT.get(table, dict)(row)
        except Exception as error:  # noqa: BLE001 (whatever a reader makes of a row that nobody wrote)
            found[key] = _words(error)
    return found


def _words(error: Exception) -> str:
    """What is wrong, in few words, and without what stands in the row: that may be of a person."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return one_line(f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip())[:_WORDS]
    if isinstance(error, LookupError):
        return "something is missing or unknown in it"
    return one_line(error)[:_WORDS]


def _key(columns: list[tuple[Any, ...]]) -> str:
    """An expression that is the same for no two rows, whatever is wrong with their keys."""
    return " || '/' || ".join(f"hex({name})" for _, name, _, _, _, place in columns if place) or "rowid"


def _check(name: str, value: object, kind: type) -> None:
    """Raises ValueError for what no column of that name and type holds."""
    if type(value) is not kind:
        raise ValueError(f"{name} is no {kind.__name__}")
    if isinstance(value, str):
        value.encode()
        if name in _HEX:
            bytes.fromhex(value)
        if name in _JSON:
            _JSON[name].validate_json(value, strict=True)
            _check_range(name, json.loads(value), _LAST_MS)
    _check_range(name, value, _LAST_MS if name.endswith("_ms") else _HIGHEST.get(name, _COUNT))
    if isinstance(value, bytes) and len(value) not in _KEYS.get(name, (len(value),)):
        raise ValueError(f"{name} has {len(value)} bytes")


def _check_range(name: str, value: object, highest: int) -> None:
    """Raises ValueError for numbers that nothing of that name can be, also within JSON."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _check_range(name, inner, highest)
    elif isinstance(value, int | float) and not abs(value) <= highest:
        raise ValueError(f"{name} is out of range")


def _drop(path: Path, table: str, keys: Mapping[str, str]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        wanted = "(SELECT value FROM json_each(?))"
        connection.execute(f"DELETE FROM {table} WHERE {_key(columns)} IN {wanted}", (json.dumps(list(keys)),))  # noqa: S608


def _release(row: Row) -> None:
    Release.model_validate_json(row["body"])
    REPORT.validate_json(row["report"])


def _records(data: bytes) -> None:
    windows = list(unpack_all(data))
    if b"".join(map(pack, windows)) != data:
        raise ValueError("it is cut off")
    _check_range("end_utc_ms", [window.end_utc_ms for window in windows], _LAST_MS)


def _day(row: Row) -> None:
    day = day_of(DayRow(**row))
    features, sensors = len(day.bins), len(day.missing)
    shapes = [each.shape for each in (day.bins, day.levels, day.missing, day.stuck, day.far)]
    if shapes != [(features, SKETCH_BINS), (features, len(LEVELS)), *[(sensors,)] * 3]:
        raise ValueError("its counts do not belong together")
    _NUMBER.validate_python(day.windows, strict=True), _SHARE.validate_python(day.evidence, strict=True)


def _accuracy(row: Row) -> None:
    if len(json.loads(row["gaps"])) != CALIBRATION_BINS:
        raise ValueError("gaps are not one a bin")


def _event(row: Row) -> None:
    date.fromisoformat(row["since"]), DriftState(row["state"])


_NUMBER, _SHARE = TypeAdapter(int), TypeAdapter(float)

# JSON in texts as what it is meant to be: names of columns that mean the same in every table.
_JSON: Mapping[str, TypeAdapter[Any]] = {
    "facts": TypeAdapter(NodeFacts),
    "model": TypeAdapter(RoomModel),
    "sensors": TypeAdapter(list[str]),
    "moved": TypeAdapter(list[tuple[str, str, float]]),
    "gaps": TypeAdapter(list[float]),
    "selection": TypeAdapter(Selection),
    "counts": TypeAdapter(dict[str, int]),
    "alerts": TypeAdapter(list[int]),
    "plan": TypeAdapter(Plan),
    "position": TypeAdapter(Position),
    "body": TypeAdapter(Pair),
    "beyond": TypeAdapter(list[int]),
    "checkpoint": TypeAdapter(Checkpoint),
    "statistics": TypeAdapter(dict[str, Any]),
    "forgotten": TypeAdapter(list[tuple[str, int]]),
}

# What else a row of a table has to be.
_MEANT: Mapping[str, Callable[[Row], object]] = {
    "nodes": lambda row: NodeFacts.from_json(row["facts"]).make_schema(),
    "labels": lambda row: CLASSES[row["class_name"]],
    "drift_events": _event,
    "accuracy_days": _accuracy,
    "releases": _release,
    "audit": lambda row: Forgotten(**{name: row[name] for name in Forgotten.model_fields}),
    "deliveries": lambda row: Stage(row["stage"]),
    "rollouts": lambda row: RolloutState(row["state"]),
    "node_days": _day,
    "judged_days": lambda row: date.fromisoformat(row["day"]),
    "inbox": lambda row: _records(row["record"]),
    "packed": lambda row: _records(row["records"]),
}
