"""One sentence for the first thing that pydantic finds wrong in a spec."""

from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

# What to write for a key, by its last part; the names are those of the TOML file.
EXPECTED = {
    "name": 'a name in quotes, such as name = "office"',
    "timezone": 'an IANA name in quotes, such as timezone = "Europe/Brussels"',
    "window_s": "a whole number of seconds from 10 to 600, such as window_s = 60",
    "positive": 'a comparison in quotes, such as positive = "> 0"',
    "files": 'one [[files]] table a file, with path = "recording.csv" and split = "test"',
    "path": 'the file\'s path in quotes, such as path = "candanedo/datatest.txt"',
    "split": 'split = "train", or any other word for a test split',
    "from": 'an ISO time in quotes, such as from = "2015-02-05 00:00"',
    "to": 'an ISO time in quotes, such as to = "2015-02-07 00:00"',
    "columns": 'a [columns] table with time = { column = "date", format = "%Y-%m-%d %H:%M" } and label = "Occupancy"',
    "time": 'time = { column = "date", format = "%Y-%m-%d %H:%M:%S" }',
    "column": 'a column name or a list of them, such as column = "date"',
    "format": 'a strptime format in quotes, such as format = "%Y-%m-%d %H:%M:%S"',
    "label": 'the name of the label column, such as label = "Occupancy"',
    "nodes": 'one [[nodes]] table a node with id, room and sensors; in a file a list of ids: nodes = ["office-1"]',
    "id": 'an id in quotes, such as id = "office-1"',
    "room": 'a room in quotes, such as room = "office"',
    "sensors": 'sensors = { temperature = "Temperature", co2 = "CO2" }, each kind with the name of its column',
}
KEYS = {
    (): ("name", "timezone", "window_s", "positive", "files", "columns", "nodes"),
    ("files",): ("path", "split", "from", "to", "nodes"),
    ("columns",): ("time", "label"),
    ("columns", "time"): ("column", "format"),
    ("nodes",): ("id", "room", "sensors"),
}


def sentence(error: ValidationError) -> str:
    """The first error as one sentence that names the key and says what to write instead."""
    first = error.errors()[0]
    place = _place(first["loc"])
    if first["type"] == "extra_forbidden":
        return _unknown(place)
    if first["type"] == "missing":
        return f"key {_path(place)} is missing; write {_expected(place)}."
    if first["type"] == "value_error":
        said = str(first["ctx"]["error"]).removesuffix(".")
        return f"{said}." if not place else f"key {_path(place)}: {said}."
    return f"key {_path(place)} is {_shown(first)}; write {_expected(place)}."


def _place(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The key's path; below a key of several types pydantic adds the name of the type, which is no key."""
    leaves = [index for index, part in enumerate(loc) if part in ("from", "to", "column")]
    return loc[: leaves[0] + 1] if leaves else loc


def _path(place: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _names(place: tuple[int | str, ...]) -> tuple[str, ...]:
    return tuple(part for part in place if isinstance(part, str))


def _expected(place: tuple[int | str, ...]) -> str:
    names = _names(place)
    if "sensors" in names[:-1]:
        return f'the name of the sensor\'s column in quotes, such as {names[-1]} = "Temperature"'
    return EXPECTED[names[-1]]


def _shown(first: ErrorDetails) -> str:
    value = first["input"]
    shown = repr(value)
    return shown if len(shown) <= 60 else f"a {type(value).__name__}"


def _unknown(place: tuple[int | str, ...]) -> str:
    names = _names(place)
    allowed = KEYS[names[:-1]]
    close = get_close_matches(names[-1], allowed, n=1)
    hint = f"write {close[0]}" if close else f"leave it out or write one of {', '.join(allowed)}"
    return f"key {_path(place)} is unknown; {hint}."
