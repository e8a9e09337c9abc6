"""One recorded file: a table in text to arrays of times, readings and labels."""

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.positive import MISSING, Positive
from attuned.learning.replay.spec import EVENTS, FileEntry, NodeEntry, Spec
from attuned.learning.replay.times import LocalTimes, reader

DELIMITERS = ",;\t"
UNLABELLED = -1
# A node refuses readings beyond this (ATTUNE_SAMPLE_LIMIT in the core).
LARGEST = 1e9


@dataclass(frozen=True)
class Recording:
    """Rows of one file in the file's order.

    times_ms: int64 [n], UTC milliseconds, in any order and with repetitions.
    labels: int8 [n], 1 occupied, 0 free, UNLABELLED where the cell is empty.
    columns: float64 [n] by column name, NaN where the cell is empty.
    """

    times_ms: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int8]
    columns: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Table:
    """Rows as text, each with the line on which it ends, for messages."""

    path: Path
    header: tuple[str, ...]
    lines: list[int]
    rows: list[list[str]]

    def cells(self, column: str) -> list[str]:
        index = self.header.index(column)
        return [row[index] for row in self.rows]

    def wrong(self, row: int, column: str, problem: str) -> SpecError:
        return SpecError(f"{self.path}, line {self.lines[row]}, column {column!r}: {problem}.")


@dataclass(frozen=True)
class TimedTable:
    """The rows of a table that have a time: times_ms int64 [n], UTC milliseconds."""

    table: Table
    times_ms: npt.NDArray[np.int64]


def read_recording(path: Path, spec: Spec) -> TimedTable:
    """A whole file; SpecError names line and column of a time that cannot be read."""
    table = read_table(path)
    _require(table, (*spec.columns.time.names, spec.columns.label))
    return _timed(table, spec)


def recorded(file: TimedTable, spec: Spec, entry: FileEntry) -> Recording:
    """The stretch of a file that its entry names; SpecError names line and column of what cannot be read."""
    wanted = _wanted(spec.fed(entry))
    _require(file.table, wanted)
    inside = _inside(file.times_ms, entry.bounds_ms(spec.zone))
    if not inside.any():
        raise SpecError(_empty(file.table.path, entry))
    table = _choose(file.table, inside)
    columns = {name: _readings(table, name, event) for name, event in wanted.items()}
    return Recording(file.times_ms[inside], _labels(table, spec.columns.label, spec.label), columns)


def read_table(path: Path) -> Table:
    """A comma-separated file (semicolons and tabs are recognised) whose first line names its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=_delimiter(stream.readline()))
            stream.seek(0)
            numbered = [(reader.line_num, row) for row in reader if any(row)]
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not UTF-8 text; save the recording as UTF-8.") from None
    except csv.Error as error:
        remedy = "save the recording as comma-separated text"
        raise SpecError(f"{path}, line {reader.line_num}: {error}; {remedy}.") from None
    except OSError as error:
        raise SpecError(f"{path} cannot be read ({error.strerror}); name a file that you may read.") from None
    if len(numbered) < 2:
        raise SpecError(f"{path} has no rows; name a file with a header line and rows below it.")
    return _shaped(path, numbered)


def _delimiter(header: str) -> str:
    return max(DELIMITERS, key=header.count)


def _shaped(path: Path, numbered: list[tuple[int, list[str]]]) -> Table:
    """The table with a name for each cell: a header one cell short leaves out the index column, which comes first."""
    header = [name.strip() for name in numbered[0][1]]
    if len(numbered[1][1]) == len(header) + 1:
        header.insert(0, "")
    for line, row in numbered[1:]:
        if len(row) != len(header):
            found = f"{len(row)} cells where the header has {len(header)}"
            raise SpecError(f"{path}, line {line}: the row has {found}; complete or remove the row.")
    return Table(path, tuple(header), [line for line, _ in numbered[1:]], [row for _, row in numbered[1:]])


def _wanted(nodes: Iterable[NodeEntry]) -> dict[str, bool]:
    """The sensors' columns, each with whether it counts events."""
    wanted: dict[str, bool] = {}
    for node in nodes:
        for kind, column in node.sensors.items():
            wanted[column] = wanted.get(column, False) or kind in EVENTS
    return wanted


def _require(table: Table, names: Iterable[str]) -> None:
    for name in names:
        if name not in table.header:
            named = ", ".join(filter(None, table.header))
            raise SpecError(f"{table.path} has no column {name!r}; write one of {named}.")
        if table.header.count(name) > 1:
            raise SpecError(f"{table.path} has the column {name!r} twice; rename one of them in line 1.")


def _timed(table: Table, spec: Spec) -> TimedTable:
    names = spec.columns.time.names
    texts = [" ".join(cells).strip() for cells in zip(*(table.cells(name) for name in names), strict=True)]
    present = np.array([bool(text) for text in texts])
    table = _choose(table, present)
    moments = _moments(table, [text for text in texts if text], spec)
    return TimedTable(table, np.fromiter(LocalTimes(spec.zone).utc_ms(moments), np.int64))


def _moments(table: Table, texts: Sequence[str], spec: Spec) -> Iterable[datetime]:
    form = spec.columns.time.format
    read = reader(form)
    for row, text in enumerate(texts):
        try:
            yield read(text)
        except ValueError:
            wanted = f"which is not in the format {form!r}; correct columns.time.format in the spec or this row"
            raise table.wrong(row, "+".join(spec.columns.time.names), f"the time is {text!r}, {wanted}") from None


def _inside(times: npt.NDArray[np.int64], bounds: tuple[int | None, int | None]) -> npt.NDArray[np.bool_]:
    start, end = bounds
    inside = np.ones(len(times), dtype=bool)
    if start is not None:
        inside &= times >= start
    if end is not None:
        inside &= times < end
    return inside


def _choose(table: Table, chosen: npt.NDArray[np.bool_]) -> Table:
    kept = chosen.tolist()
    return Table(table.path, table.header, list(compress(table.lines, kept)), list(compress(table.rows, kept)))


def _empty(path: Path, entry: FileEntry) -> str:
    stretch = " and ".join(f"{key} {moment}" for key, moment in (("from", entry.start), ("to", entry.end)) if moment)
    if not stretch:
        return f"{path} has no row with a time; fill its time column."
    return f"{path} has no row {stretch}, so the split {entry.split!r} gets nothing; write other times for from and to."


def _readings(table: Table, column: str, event: bool) -> npt.NDArray[np.float64]:
    """A sensor's column as numbers; counts of events are at least 0."""
    cells = table.cells(column)
    values = _parsed(table, column, cells, _number)
    strange = (np.abs(values) > LARGEST) | ((values < 0) & event)
    if strange.any():
        row = int(np.argmax(strange))
        wanted = "a count of events, 0 or more" if event else "a number within +-1e9"
        raise table.wrong(row, column, f"the cell is {cells[row]!r}; write {wanted}, or leave it empty")
    return values


def _number(cell: str) -> float:
    return math.nan if cell.strip().lower() in MISSING else float(cell)


def _labels(table: Table, column: str, positive: Positive) -> npt.NDArray[np.int8]:
    def label(cell: str) -> float:
        said = positive.of(cell)
        return UNLABELLED if said is None else said

    return _parsed(table, column, table.cells(column), label).astype(np.int8)


def _parsed(table: Table, column: str, cells: Sequence[str], parse: Callable[[str], float]) -> npt.NDArray[np.float64]:
    values = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            values[row] = parse(cell)
        except ValueError:
            wanted = "write a number, leave the cell empty, or compare with a text in positive"
            if parse is _number:
                wanted = "write a number or leave the cell empty"
            raise table.wrong(row, column, f"{cell!r} is not a number; {wanted}") from None
    return values
