"""The bench of learners: inputs of peers, criteria, page and command, and a short run of its own."""

import csv
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from attuned.learning.replay.scores import Beliefs, score
from attuned.learning.replay.spec import load_spec
from attuned.learning.replay.streams import NodeStream, RoomStream

from bench import learners, run
from bench.ladder import last, page, shortcut, tables
from bench.ladder.criteria import Criterion, criteria
from bench.ladder.figures import Figures, figures
from bench.ladder.forgetting import Forgetting
from bench.ladder.inputs import clock, raw_values, slots
from bench.ladder.judged import Judged, Outcome, judge
from bench.ladder.rows import ROWS, SPECS, Line, Row, chosen
from bench.output import results

MINUTE = 60


def test_raw_values_are_means_of_levels_and_sums_of_events() -> None:
    room = RoomStream("r", (), np.array([60, 120, 180]), np.zeros(3, np.int8), np.zeros(3, np.int64))
    times = np.array([50_000, 70_000, 125_000])
    node = NodeStream("n", ("co2", "pir"), times, np.array([[400.0, 1.0], [500.0, 2.0], [np.nan, 3.0]]))
    found = raw_values(room, node, MINUTE)
    np.testing.assert_array_equal(found, [[450.0, 3.0], [np.nan, 3.0], [np.nan, np.nan]])


def test_slots_and_clock() -> None:
    # 1 March 2021 was a Monday; a window that ends at 6:00 UTC lies in its sixth hour. 28 February was a Sunday.
    monday_6 = 1614578400
    ends = np.array([monday_6, monday_6 - 86_400])
    assert slots(ends, MINUTE, UTC)[:, 0].tolist() == [5 + 24, 5]
    sine, cosine, workday = clock(ends, 2, UTC).T
    assert (sine[0], cosine[0]) == pytest.approx((1, 0), abs=0.005)
    assert workday.tolist() == [1, 0]


def test_figures_of_two_rooms() -> None:
    ends = np.arange(1, 11) * MINUTE
    truth = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 0], np.int8)
    late = np.array([0, 0, 0, 1, 1, 1, 1, 1, 0, 0])
    told, stretch = np.ones(10, bool), np.zeros(10, np.int64)
    rooms = [Beliefs(ends, truth, said.astype(float), told, stretch) for said in (late, truth)]
    found = figures(rooms, MINUTE)
    # The first room is wrong in 3 windows of 10: one falsely free, two falsely occupied; the second in none.
    assert found.accuracy == pytest.approx((0.7 + 1) / 2)
    assert (found.free_min, found.occupied_min) == pytest.approx((0.5 * 144, 1 * 144))
    # Delays of both rooms together: arrivals 1 and 0 minutes, departures 2 and 0.
    assert (found.arrival_median, found.departure_median) == (0.5, 1.0)
    assert (found.arrivals_missed, found.departures_missed) == (0, 0)


def test_the_worst_seed_is_the_worst_mean_over_rooms() -> None:
    ends, truth = np.array([60, 120]), np.array([0, 1], np.int8)
    right, half = truth.astype(float), np.zeros(2)
    group = Beliefs(ends, truth, right, np.ones(2, bool), np.zeros(2, np.int64))
    groups = {(0, "a"): group, (0, "b"): replace(group, probability=half), (1, "a"): group, (1, "b"): group}
    assert judge(groups, MINUTE, UTC).worst == 0.75


FINE = Figures(0.95, 0.9, 0.03, 0.04, 0.0, 5.0, 5.0, 6.0, 5.0, 0.0, 1.0, 0.0, 1.0, 2.0, 0.0)
LINE = Line("test", ("a",), "a", target=0.95)


def judged(**changed: float) -> Judged:
    return Judged(replace(FINE, **changed), {}, changed.get("accuracy", FINE.accuracy), None, None)


def outcome(attune: Judged, peer: Judged, softmax: Judged, row: Row | None = None) -> Outcome:
    row = row or Row("r", "candanedo", (LINE,))
    return Outcome(row, LINE, {"Attune": attune, "p": peer, "softmax": softmax}, "p", "p")


def met(outcomes: list[Outcome], forgotten: list[Forgetting] | None = None) -> list[bool | None]:
    return [one.met for one in criteria(outcomes, forgotten or [])]


def test_criteria_that_hold() -> None:
    below = judged(balanced_accuracy=0.8)
    assert met([outcome(judged(), judged(), below)]) == [True, True, True, True, True, True, None]


@pytest.mark.parametrize(
    ("attune", "broken"),
    [
        (judged(accuracy=0.949), [0]),
        (judged(balanced_accuracy=0.89), [1]),
        (judged(balanced_accuracy=0.879), [1, 2]),
        (judged(balanced_accuracy=0.8), [1, 2, 3]),
        (judged(ece=0.051), [4]),
        (judged(changes=7.6), [5]),
    ],
)
def test_criteria_that_are_broken(attune: Judged, broken: list[int]) -> None:
    found = met([outcome(attune, judged(), judged(balanced_accuracy=0.8))])
    assert [index for index, holds in enumerate(found) if holds is False] == broken


def test_rows_with_few_labels_need_no_calibration_and_demonstrations_count_nowhere() -> None:
    bad = judged(ece=0.2)
    few = Row("few", "candanedo", (LINE,), labels=10)
    shown = Row("shown", "candanedo", (LINE,), counted=False)
    assert met([outcome(bad, bad, judged(balanced_accuracy=0.8), few)])[4] is None
    assert met([outcome(bad, bad, bad, shown)]) == [None] * 7


def test_forgetting_is_judged_in_the_first_room_with_ridge() -> None:
    ends, truth = np.arange(1, 101) * MINUTE, np.arange(100) % 2
    told, stretch = np.ones(100, bool), np.zeros(100, np.int64)

    def scores(wrong: int) -> object:
        said = np.where(np.arange(100) < wrong, 1 - truth, truth).astype(float)
        return score([Beliefs(ends, truth.astype(np.int8), said, told, stretch)], MINUTE)

    def lost(head: str, room: str, wrong: int) -> Forgetting:
        return Forgetting(head, room, scores(0), scores(wrong), scores(50))  # type: ignore[arg-type]

    assert met([], [lost("ridge", "lecture-1", 1), lost("softmax", "lecture-1", 20)])[-1] is True
    assert met([], [lost("ridge", "lecture-1", 2), lost("ridge", "lecture-2", 0)])[-1] is False


def test_markdown_between_markers() -> None:
    text = "before\n<!-- t: written by the bench -->\nold\n<!-- end of t -->\nafter\n"
    content = page.markdown(("a", "b"), [["1", "2"]])
    assert content == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
    once = page.replaced(text, "t", content)
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "old" not in once
    assert page.replaced(once, "t", content) == once
    with pytest.raises(ValueError, match="once each"):
        page.replaced(text + text, "t", content)


def test_every_table_has_its_place_on_the_page() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for name in ("accuracy", "detail", "heads", "forgetting", "criteria", "choice", "cost", "speed"):
        assert page.replaced(text, name, "x")


def test_every_row_has_its_spec_and_rooms() -> None:
    for row in ROWS:
        spec = load_spec(row.path)
        assert {line.split for line in row.lines} <= {entry.split for entry in spec.files}
        assert {room for line in row.lines for room in line.rooms} <= {node.room for node in spec.nodes}
    assert [row.name for row in chosen(("shortcut",))] == ["planted shortcut, no clock", "planted shortcut, clock"]


def test_specs_of_one_recording_have_the_same_sensors() -> None:
    def sensors(name: str) -> list[dict[str, str]]:
        return [node.sensors for node in load_spec(SPECS / f"{name}.toml").nodes]

    assert sensors("candanedo-stream") == sensors("candanedo")
    assert sensors("robod-14-days") == sensors("robod-stream") == sensors("robod")
    assert sensors("robod-1-from-2") == sensors("robod-2-from-1") == sensors("robod")[:1]
    corner = {kind: column for kind, column in sensors("singh")[0].items() if not kind.startswith("light")}
    assert sensors("singh-one-node") == [corner]


def test_the_shortcut_is_made_the_same_every_time_and_its_hours_change() -> None:
    counts = shortcut.people(np.random.default_rng(shortcut.SEED)).reshape(shortcut.DAYS, -1)
    assert (counts == shortcut.people(np.random.default_rng(shortcut.SEED)).reshape(shortcut.DAYS, -1)).all()
    morning, evening = counts[:, 9 * 60 + 30 : 11 * 60] > 0, counts[:, 20 * 60 : 22 * 60] > 0
    weekday = np.array([shortcut.BEGIN.weekday() + day for day in range(shortcut.DAYS)]) % 7 < 5
    first = weekday & (np.arange(shortcut.DAYS) < shortcut.HOURS_CHANGE)
    assert morning[first].all()
    assert not evening[first].any()
    assert evening[weekday & ~first].all()
    assert not morning[weekday & ~first].any()
    assert not counts[~weekday].any()


def test_the_peers_of_a_whole_run_stand_beside_a_run_of_attune_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last, "PATH", tmp_path / "last.json")
    whole = outcome(judged(), judged(accuracy=0.7), judged())
    alone = replace(whole, figures={"Attune": judged(accuracy=0.5)}, chosen=None, oracle=None)
    assert last.beside(alone) == alone
    last.keep([whole])
    found = last.beside(alone)
    assert (found.chosen, found.oracle) == ("p", "p")
    assert found.figures == {"Attune": judged(accuracy=0.5), "p": judged(accuracy=0.7)}


def test_options_go_to_one_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--quick"]) == 2
    assert run.main(["replay_core", "--quick"]) == 2
    assert "options" in capsys.readouterr().err


def test_tables_of_criteria_say_what_was_not_measured() -> None:
    sheet = tables.criteria([Criterion("c", None, ""), Criterion("d", False, "x")])
    assert [row[1] for row in sheet.rows] == ["not measured", "no"]


@pytest.mark.slow
def test_a_short_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(learners, "forgotten", list)  # needs recordings
    assert run.main(["learners", "--quick", "--row", "shortcut, no clock"]) == 0
    printed = capsys.readouterr().out
    assert "planted shortcut, no clock, other hours" in printed
    assert "LDA, features" in (tmp_path / "learners.csv").read_text()
    with (tmp_path / "learners.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["seed"] == "mean"]
    attune = next(row for row in rows if row["who"] == "Attune")
    assert float(attune["accuracy"]) > 0.9
    assert float(attune["accuracy_low"]) <= float(attune["accuracy"]) <= float(attune["accuracy_high"])
    assert len([row for row in rows if "chosen" in row["role"]]) == 1
    assert {row["river"] for row in rows} != {""}
