"""`attune replay` as a person meets it: answers, exit codes, one sentence for each mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from attuned.cli.app import run

SPEC = """
name = "made"
[[files]]
path = "train.csv"
split = "train"
[[files]]
path = "test.csv"
split = "test"
[columns]
time = { column = "date", format = "%Y-%m-%d %H:%M:%S" }
label = "L"
[[nodes]]
id = "n"
room = "r"
sensors = { temperature = "T" }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    for name, day in (("train.csv", 1), ("test.csv", 2)):
        rows = [
            f"2020-01-0{day} {hour:02}:{minute:02}:00,{20 + 4 * (hour % 2)}.{minute},{hour % 2}"
            for hour in range(4)
            for minute in range(60)
        ]
        (tmp_path / name).write_text("date,T,L\n" + "\n".join(rows) + "\n")
    path = tmp_path / "spec.toml"
    path.write_text(SPEC)
    return path


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    stdout: str
    stderr: str


Attune = Callable[..., Outcome]


@pytest.fixture
def attune_replay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Attune:
    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["attune", "replay", *map(str, arguments)])
        exit_code = run()
        said = capsys.readouterr()
        return Outcome(exit_code, said.out, said.err)

    return call


def test_json_is_one_object(attune_replay: Attune, spec: Path) -> None:
    result = attune_replay(spec, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert set(report) == {"name", "head", "mode", "labels", "splits", "us_per_window", "head_bytes", "peak_rss_mb"}
    assert (report["name"], report["head"], report["mode"], report["labels"]) == ("made", "mixture", "frozen", 240)
    assert report["splits"]["test"]["windows"] == 240
    assert report["splits"]["test"]["accuracy"] > 0.95
    assert report["us_per_window"] > 0
    assert report["head_bytes"] > 0
    assert report["peak_rss_mb"] > 1


def test_options_arrive(attune_replay: Attune, spec: Path) -> None:
    report = json.loads(attune_replay(spec, "--json", "--labels", 6, "--mode", "online", "--seed", 3).stdout)
    assert (report["labels"], report["mode"]) == (6, "online")
    late = json.loads(attune_replay(spec, "--json", "--train-days", 0, "--mode", "online", "--late", 4).stdout)
    assert late["splits"] == json.loads(attune_replay(spec, "--json", "--train-days", 0).stdout)["splits"]
    assert "made: mixture, with clock, online, labels 0.5 h late, 240 labelled windows" in (
        attune_replay(spec, "--clock", "--mode", "online", "--late", 0.5).stdout
    )
    assert json.loads(attune_replay(spec, "--json", "--train-days", 0).stdout)["labels"] == 0
    assert json.loads(attune_replay(spec, "--json", "--train-days", 0.0625).stdout)["labels"] == 90


def test_a_table_for_people(attune_replay: Attune, spec: Path) -> None:
    result = attune_replay(spec)
    assert result.exit_code == 0
    assert "made: mixture, frozen, 240 labelled windows" in result.stdout
    assert "Minutes a day falsely free or occupied" in result.stdout
    assert "10 min hold" in result.stdout
    assert "us a window" in result.stdout
    assert result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_long_names_are_cut_and_figures_are_not(attune_replay: Attune, spec: Path) -> None:
    spec.write_text(SPEC.replace('split = "test"', 'split = "the-second-day-of-january-in-the-year-2020"'))
    lines = attune_replay(spec).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    cut = [line for line in lines if line.startswith("the-second")]
    assert [line.split()[1] for line in cut] == ["240", "0.0"]
    assert not any("…" in line.split(maxsplit=1)[1] for line in cut)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--head", "forest"], "--head forest is no head; write one of gnb, "),
        (["--late", "24"], "--late needs labels that arrive while judging; add --mode online."),
        (["--late", "inf", "--mode", "online"], "--late inf is no lateness; write hours from 0 to 8,760."),
        (["--drop", "co2"], "--drop co2 names no sensor"),
        (["--drop", "temperature"], "without a sensor; drop fewer."),
    ],
)
def test_options_that_do_not_fit(attune_replay: Attune, spec: Path, arguments: list[str], said: str) -> None:
    result = attune_replay(spec, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    "arguments", [["--mode", "live"], ["--labels", "-1"], ["--train-days", "-1"], ["--seed", "x"], ["--late", "-1"]]
)
def test_options_that_cannot_be(attune_replay: Attune, spec: Path, arguments: list[str]) -> None:
    result = attune_replay(spec, *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_wrong_spec(attune_replay: Attune, spec: Path) -> None:
    spec.write_text(SPEC.replace("temperature", "temprature"))
    result = attune_replay(spec, "--json")
    assert result.exit_code == 2
    assert "key nodes[0].sensors: There is no sensor kind 'temprature'; write one of" in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_spec(attune_replay: Attune, tmp_path: Path) -> None:
    result = attune_replay(tmp_path / "none.toml")
    assert result.exit_code == 2
    assert "none.toml does not exist" in result.stderr


def test_a_broken_recording(attune_replay: Attune, spec: Path) -> None:
    recording = spec.parent / "test.csv"
    recording.write_text(recording.read_text().replace("24.5,", "warm,"))
    result = attune_replay(spec)
    assert result.exit_code == 2
    assert "test.csv, line 67, column 'T': 'warm' is not a number; write a number" in result.stderr


def test_the_command_is_loaded_without_numpy_and_sqlite() -> None:
    code = "import sys, attuned.cli.replay; sys.exit(bool({'numpy', 'sqlite3'} & set(sys.modules)))"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PYTHONPATH": "daemon"}, cwd=Path(__file__).parents[2]
    )


def test_a_loop_says_what_it_did(attune_replay: Attune, spec: Path) -> None:
    result = attune_replay(spec, "--loop", "--label-budget", 3, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    counts = ("labels_asked", "releases", "refused", "undecided", "drift_events", "negative_flips")
    assert all(isinstance(report[name], int) for name in counts)
    assert (report["mode"], report["labels_asked"]) == ("loop", 3)
    assert isinstance(report["happenings"], list)
    screen = attune_replay(spec, "--loop", "--label-budget", 0)
    assert "0 labels asked, 0 drift events" in " ".join(screen.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--label-budget", 3), "add --loop"),
        (("--loop", "--mode", "online"), "leave --mode out"),
        (("--loop", "--head", "gnb"), "leave --head gnb out"),
        (("--loop", "--late", 2), "--mode online"),
    ],
)
def test_what_does_not_go_with_a_loop(
    attune_replay: Attune, spec: Path, arguments: tuple[object, ...], remedy: str
) -> None:
    result = attune_replay(spec, *arguments)
    assert result.exit_code == 2
    assert remedy in result.stderr
