"""Specs: what a good one means, and the sentence that each mistake gets."""

from pathlib import Path

import pytest
from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.positive import parse_positive
from attuned.learning.replay.spec import NodeEntry, load_spec
from pydantic import ValidationError

GOOD = """
name = "office"
timezone = "Europe/Brussels"
window_s = 60
positive = "> 0"

[[files]]
path = "train.csv"
split = "train"

[[files]]
path = "test.csv"
split = "test"
from = "2015-02-05 00:00"
to = 2015-02-07
nodes = ["office-1"]

[columns]
time = { column = ["day", "clock"], format = "%Y-%m-%d %H:%M:%S" }
label = "Occupancy"

[[nodes]]
id = "office-1"
room = "office"
sensors = { temperature = "T", co2 = "CO2" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_spec(tmp_path: Path) -> None:
    spec = load_spec(written(tmp_path, GOOD))
    assert spec.columns.time.names == ("day", "clock")
    # Midnight in Brussels in winter is 23:00 UTC of the day before: 1423090800 = 2015-02-04T23:00:00Z.
    assert spec.files[1].bounds_ms(spec.zone) == (1_423_090_800_000, 1_423_090_800_000 + 2 * 86_400_000)
    assert [node.id for node in spec.fed(spec.files[0])] == ["office-1"]


def test_defaults(tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(("timezone", "window_s", "positive"))]
    spec = load_spec(written(tmp_path, "\n".join(lines)))
    assert (spec.timezone, spec.window_s, spec.positive) == ("UTC", 60, "> 0")


SECOND_NODE = '\n[[nodes]]\nid = "{id}"\nroom = "office"\nsensors = {{ light = "L" }}\n'

# What is replaced, by what, and what the sentence must contain: the key or line, and what to write.
MISTAKES = {
    "not TOML": ("window_s = 60", "window_s = ", ["line 4", "correct"]),
    "no name": ('name = "office"', "", ["key name is missing", 'write a name in quotes, such as name = "office"']),
    "name empty": ('name = "office"', 'name = ""', ["key name is ''", "write a name"]),
    "unknown key": ("window_s = 60", "windows_s = 60", ["key windows_s is unknown", "write window_s"]),
    "unknown section": ("window_s = 60", "window_s = 60\nquux = 1", ["key quux is unknown", "write one of name"]),
    "key of a file": ('path = "test.csv"', 'path = "test.csv"\nform = 1', ["files[1].form is unknown", "write from"]),
    "key of columns": ('label = "Occ', 'date = "x"\nlabel = "Occ', ["columns.date is unknown", "time, label"]),
    "key of a node": ('room = "office"', 'rooms = "office"', ["key nodes[0].room is missing", 'room = "office"']),
    "zone": ("Europe/Brussels", "Europe/Brussel", ["key timezone", "IANA name"]),
    "window too short": ("window_s = 60", "window_s = 5", ["key window_s is 5", "10 to 600"]),
    "window too long": ("window_s = 60", "window_s = 601", ["key window_s is 601", "10 to 600"]),
    "window no number": ("window_s = 60", 'window_s = "60"', ["key window_s is '60'", "whole number"]),
    "window broken": ("window_s = 60", "window_s = 60.5", ["key window_s is 60.5", "whole number"]),
    "positive no relation": ('"> 0"', '"occupied"', ["key positive", 'write "> 0"']),
    "positive one equals": ('"> 0"', '"= 1"', ["key positive", 'write "> 0"']),
    "positive bare word": ('"> 0"', '"== yes"', ["key positive", '== "yes"']),
    "positive orders texts": ('"> 0"', "'> \"a\"'", ["key positive", "== or !="]),
    "positive not finite": ('"> 0"', '"> inf"', ["key positive", "write"]),
    "positive number": ('"> 0"', "1", ["key positive is 1", 'positive = "> 0"']),
    "no files": ("[[files]]", "[[others]]", ["key files is missing", "[[files]]"]),
    "file no path": ('path = "test.csv"', "", ["key files[1].path is missing", "write the file's path"]),
    "file no split": ('split = "test"', "", ["key files[1].split is missing", 'split = "train"']),
    "only train": ('split = "test"', 'split = "train"', ["key files", 'the split "test"']),
    "from no time": ("2015-02-05 00:00", "yesterday", ["key files[1].from is 'yesterday'", '"2015-02-05 00:00"']),
    "from number": ('"2015-02-05 00:00"', "20150205", ["key files[1].from is 20150205", "write an ISO time"]),
    "to before from": ("to = 2015-02-07", "to = 2015-02-05", ["files[1].to is not after files[1].from", "later"]),
    "nodes unknown": ('nodes = ["office-1"]', 'nodes = ["office-2"]', ["files[1].nodes", "'office-2'", "office-1"]),
    "nodes empty": ('nodes = ["office-1"]', "nodes = []", ["key files[1].nodes is empty", "leave the key out"]),
    "nodes text": ('nodes = ["office-1"]', 'nodes = "office-1"', ["key files[1].nodes is 'office-1'", "list of ids"]),
    "no columns": ("[columns]", "[column]", ["key columns is missing", "[columns]"]),
    "no label": ('label = "Occupancy"', "", ["key columns.label is missing", 'label = "Occupancy"']),
    "no time": ("time = {", "times = {", ["key columns.time is missing", "time = {"]),
    "time text": (GOOD.partition("[columns]\n")[2].splitlines()[0], 'time = "day"', ["key columns.time is 'day'"]),
    "no time column": ('["day", "clock"]', "[]", ["key columns.time.column", 'column = "date"']),
    "time column number": ('["day", "clock"]', "3", ["key columns.time.column is 3", 'column = "date"']),
    "format": ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %Q", ["key columns.time.format", "'Q' is a bad directive"]),
    "format without day": ("%Y-%m-%d %H:%M:%S", "%H:%M:%S", ["key columns.time.format", "leaves out the day"]),
    "id": ('id = "office-1"', "id = 1", ["key nodes[0].id is 1", 'id = "office-1"']),
    "no sensors": ('sensors = { temperature = "T", co2 = "CO2" }', "sensors = {}", ["nodes[0].sensors", "1 to 12"]),
    "kind": ("temperature =", "temprature =", ["key nodes[0].sensors", "'temprature'", "write one of temperature"]),
    "sensor's column": ('"CO2"', "7", ["key nodes[0].sensors.co2 is 7", "column in quotes"]),
    "label as sensor": ('"CO2"', '"Occupancy"', ["key nodes[0].sensors.co2", "label column", "measured"]),
    "id twice": ("[columns]", SECOND_NODE.format(id="office-1") + "[columns]", ["key nodes", "'office-1' twice"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, tmp_path: Path) -> None:
    right, wrong, said = MISTAKES[mistake]
    assert right in GOOD
    path = written(tmp_path, GOOD.replace(right, wrong))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    for part in said:
        assert part in message
    assert_one_sentence(message)


def assert_one_sentence(message: str) -> None:
    assert message.endswith(".")
    assert "\n" not in message
    assert "; " in message
    assert "pydantic" not in message


def test_a_node_that_no_file_feeds(tmp_path: Path) -> None:
    text = GOOD.replace('split = "train"', 'split = "train"\nnodes = ["office-1"]') + SECOND_NODE.format(id="office-2")
    with pytest.raises(SpecError, match=r"key nodes\[1\]\.id is 'office-2', which no file feeds; add it"):
        load_spec(written(tmp_path, text))


def test_more_sensors_than_a_node_holds(tmp_path: Path) -> None:
    sensors = ", ".join(f'x{index} = "c"' for index in range(13))
    text = GOOD.replace('temperature = "T", co2 = "CO2"', sensors)
    with pytest.raises(SpecError, match="13 sensors are named; write 1 to 12"):
        load_spec(written(tmp_path, text))


def test_files_that_are_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="does not exist; name"):
        load_spec(tmp_path / "none.toml")
    with pytest.raises(SpecError, match=r"cannot be read .* name a TOML file"):
        load_spec(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="is not UTF-8 text; save"):
        load_spec(binary)


@pytest.mark.parametrize(
    ("expression", "cell", "occupied"),
    [
        ("> 0", "0", False),
        ("> 0", "0.5", True),
        ("> 0", " 3 ", True),
        (">= 1", "1.0", True),
        ("== 1", "2", False),
        ("!= 0", "-1", True),
        ("< 1", "0", True),
        ("<=0", "0", True),
        ("> -0.5", "0", True),
        ("> 0", "", None),
        ("> 0", "NaN", None),
        ("> 0", "NA", None),
        ('== "yes"', "yes", True),
        ('== "yes"', " no", False),
        ("== 'in use'", "in use", True),
        ('!= "free"', "", None),
        ('!= "1"', "1", False),
    ],
)
def test_positive(expression: str, cell: str, occupied: bool | None) -> None:
    assert parse_positive(expression).of(cell) is occupied


@pytest.mark.parametrize("kind", ["co2+mean", "co2+spread", "co2+mean+spread"])
def test_a_level_may_have_more_features_or_fewer(kind: str) -> None:
    node = NodeEntry.model_validate({"id": "a", "room": "b", "sensors": {kind: "C"}})
    assert node.sensors == {kind: "C"}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("pir+mean", r"'pir\+mean' is no sensor; write pir"),
        ("co2+history", r"'co2\+history' is no sensor; write co2 for all that it gives, and after a level \+mean"),
        ("co2+slope", r"'co2\+slope' is no sensor; write co2"),
        ("co2+", r"'co2\+' is no sensor; write co2"),
        ("+mean", r"no sensor kind ''; write one of temperature"),
        ("clock", "clock is no column; leave it out and replay with --clock"),
    ],
)
def test_other_kinds_are_refused_with_what_to_write(kind: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        NodeEntry.model_validate({"id": "a", "room": "b", "sensors": {kind: "C"}})
