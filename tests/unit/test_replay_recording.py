"""Recorded files: shapes that are data, and mistakes with the sentence that each gets."""

import math
from pathlib import Path

import numpy as np
import pytest
from attuned.learning.replay.data_folder import data_folder, find_recording
from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.recording import Recording, read_recording, recorded
from attuned.learning.replay.spec import Spec

NOON = 1_423_051_200_000  # 2015-02-04T12:00:00Z


def spec(**changes: object) -> Spec:
    table: dict[str, object] = {
        "name": "office",
        "files": [{"path": "office.csv", "split": "test"}],
        "columns": {"time": {"column": "date", "format": "%Y-%m-%d %H:%M:%S"}, "label": "L"},
        "nodes": [{"id": "n", "room": "r", "sensors": {"temperature": "T", "pir": "P"}}],
    }
    return Spec.model_validate(table | changes)


def read(folder: Path, content: str | bytes, **changes: object) -> Recording:
    path = folder / "office.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    wanted = spec(**changes)
    return recorded(read_recording(path, wanted), wanted, wanted.files[0])


PLAIN = "date,T,P,L\n2015-02-04 12:00:00,21.5,0,1\n2015-02-04 12:01:00,21.6,2,0\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.rstrip("\n"),
        PLAIN + "\n\n",
        '"date","T","P","L"\n"1","2015-02-04 12:00:00",21.5,0,1\n"2",2015-02-04 12:01:00,21.6,2,0\n',  # nameless index
        ",date,T,P,L\n0,2015-02-04 12:00:00,21.5,0,1\n1,2015-02-04 12:01:00,21.6,2,0\n",
        'L,P, T ,date,note\n1,0,21.5,2015-02-04 12:00:00,"a, b"\n0,2,21.6,2015-02-04 12:01:00,x\n',
    ],
)
def test_shapes_of_one_table(content: str, tmp_path: Path) -> None:
    recording = read(tmp_path, content)
    assert recording.times_ms.tolist() == [NOON, NOON + 60_000]
    assert recording.labels.tolist() == [1, 0]
    assert recording.columns["T"].tolist() == [21.5, 21.6]
    assert recording.columns["P"].tolist() == [0.0, 2.0]


def test_empty_cells_are_missing_and_rows_without_time_are_left_out(tmp_path: Path) -> None:
    content = "date,T,P,L\n2015-02-04 12:00:00,,1,\n,20,0,1\n2015-02-04 11:00:00,NaN,,1\n2015-02-04 11:00:00,NA,,0\n"
    recording = read(tmp_path, content)
    assert recording.times_ms.tolist() == [NOON, NOON - 3_600_000, NOON - 3_600_000]
    assert recording.labels.tolist() == [-1, 1, 0]
    assert np.isnan(recording.columns["T"]).all()
    assert recording.columns["P"][0] == 1
    assert math.isnan(recording.columns["P"][1])


def test_several_time_columns_and_offsets(tmp_path: Path) -> None:
    content = "day,clock,T,P,L\n2015/02/04,12:00:00 +0100,20,0,1\n2015/02/04,12:00:00 -0530,20,0,1\n"
    columns = {"time": {"column": ["day", "clock"], "format": "%Y/%m/%d %H:%M:%S %z"}, "label": "L"}
    recording = read(tmp_path, content, columns=columns, timezone="Asia/Singapore")
    assert recording.times_ms.tolist() == [NOON - 3_600_000, NOON + 19_800_000]


def test_local_times(tmp_path: Path) -> None:
    assert read(tmp_path, PLAIN, timezone="Asia/Singapore").times_ms.tolist()[0] == NOON - 8 * 3_600_000


def test_a_stretch_takes_its_beginning_and_leaves_its_end(tmp_path: Path) -> None:
    rows = "".join(f"2015-02-04 12:0{minute}:00,20,0,{minute % 2}\n" for minute in range(6))
    stretch = {"path": "office.csv", "split": "test", "from": "2015-02-04 12:02", "to": "2015-02-04 12:04"}
    recording = read(tmp_path, "date,T,P,L\n" + rows, files=[stretch])
    assert recording.times_ms.tolist() == [NOON + 120_000, NOON + 180_000]


def test_what_lies_outside_the_stretch_need_not_be_readable(tmp_path: Path) -> None:
    stretch = {"path": "office.csv", "split": "test", "to": "2015-02-04 12:01"}
    assert read(tmp_path, PLAIN.replace("21.6", "broken"), files=[stretch]).columns["T"].tolist() == [21.5]


MISTAKES: dict[str, tuple[str | bytes, dict[str, object], list[str]]] = {
    "no rows": ("date,T,P,L\n", {}, ["has no rows", "name a file"]),
    "empty": ("", {}, ["has no rows", "name a file"]),
    "no such sensor column": ("date,X,P,L\n2015-02-04 12:00:00,1,2,3\n", {}, ["no column 'T'", "write one of date, X"]),
    "no label column": ("date,T,P\n2015-02-04 12:00:00,1,2\n", {}, ["no column 'L'", "write one of date, T, P"]),
    "column twice": ("date,T,T,P,L\n2015-02-04 12:00:00,1,2,3,4\n", {}, ["the column 'T' twice", "rename", "line 1"]),
    "time format": (PLAIN.replace("2015-02-04 12:01:00", "4.2.2015"), {}, ["line 3", "'4.2.2015'", "time.format"]),
    "no number": (PLAIN.replace("21.6", "warm"), {}, ["line 3, column 'T'", "'warm'", "write a number"]),
    "not finite": (PLAIN.replace("21.6", "inf"), {}, ["line 3, column 'T'", "'inf'", "within +-1e9"]),
    "too large": (PLAIN.replace("21.6", "1.1e9"), {}, ["line 3, column 'T'", "'1.1e9'", "within +-1e9"]),
    "negative events": (PLAIN.replace(",2,", ",-2,"), {}, ["line 3, column 'P'", "'-2'", "0 or more"]),
    "label text": (PLAIN.replace(",1\n", ",yes\n"), {}, ["line 2, column 'L'", "'yes'", "compare with a text"]),
    "short row": (PLAIN + "2015-02-04 12:02:00,20\n", {}, ["line 4", "2 cells where the header has 4", "complete"]),
    "long row": (PLAIN + "2015-02-04 12:02:00,20,1,2,3\n", {}, ["line 4", "5 cells where the header has 4"]),
    "not text": (b"date,T,P,L\n\xff\xfe\n", {}, ["is not UTF-8 text", "save"]),
    "no times": ("date,T,P,L\n,1,2,1\n", {}, ["no row with a time", "fill"]),
    "empty stretch": (
        PLAIN,
        {"files": [{"path": "office.csv", "split": "later", "from": "2016-01-01"}]},
        ["no row from 2016-01-01", "split 'later'", "write other times"],
    ),
    "after a quoted line break": ('date,T,P,L\n"2015-02-04\n",1,2,1\n', {}, ["line 3", "'2015-02-04'"]),
    "huge cell": ("date,T,P,L\n" + "x" * 200_000 + ",1,2,3\n", {}, ["line 2", "save the recording as"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: str, tmp_path: Path) -> None:
    content, changes, said = MISTAKES[mistake]
    with pytest.raises(SpecError) as caught:
        read(tmp_path, content, **changes)
    message = str(caught.value)
    for part in (str(tmp_path / "office.csv"), *said):
        assert part in message
    assert message.endswith(".")
    assert "\n" not in message


def test_beside_the_spec_comes_before_the_data_folder(tmp_path: Path) -> None:
    beside, shared = tmp_path / "specs", tmp_path / "data"
    for folder in (beside, shared):
        folder.mkdir()
        (folder / "both.csv").touch()
    (shared / "shared.csv").touch()
    environment = {"ATTUNE_DATA": str(shared)}
    assert find_recording("both.csv", beside / "spec.toml", environment) == beside / "both.csv"
    assert find_recording("shared.csv", beside / "spec.toml", environment) == shared / "shared.csv"
    with pytest.raises(SpecError, match=r"spec.toml: the file 'none.csv' is not in .*specs nor in .*data; put"):
        find_recording("none.csv", beside / "spec.toml", environment)


def test_the_data_folder_lies_beside_the_repository(tmp_path: Path) -> None:
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "repository" / "bench" / "specs").mkdir(parents=True)
    assert data_folder(tmp_path / "repository" / "bench" / "specs", {}) == tmp_path / "shared" / "data"
