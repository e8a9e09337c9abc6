"""The protocol of a replay on small made recordings, with the numpy stand-in for the node's code."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from attuned.learning.replay.errors import SpecError
from attuned.learning.replay.labels import draw, first_days, label_count
from attuned.learning.replay.observed import observe
from attuned.learning.replay.report import as_json
from attuned.learning.replay.run import Effort, Options, Replay, Result, run
from attuned.learning.replay.scores import Beliefs
from attuned.learning.replay.spec import Spec
from attuned.learning.replay.streams import load_splits
from replay_standin import NumpyCode

START = datetime(2020, 1, 1, tzinfo=UTC)
Row = tuple[int, float | str, float | str, int | str]  # minute, temperature, motion, label

TWO_NODES: list[dict[str, object]] = [
    {"id": "a", "room": "r", "sensors": {"temperature+mean": "T"}},
    {"id": "b", "room": "r", "sensors": {"pir": "P"}},
]
ONE_NODE: list[dict[str, object]] = [{"id": "a", "room": "r", "sensors": {"temperature+mean": "T"}}]


def rows(minutes: range, seed: int = 0) -> list[Row]:
    """Half an hour free at 21 degC and still, half an hour occupied at 23 degC with motion, with noise."""
    chance = random.Random(seed)
    made: list[Row] = []
    for minute in minutes:
        busy = minute // 30 % 2
        made.append((minute, round(21 + 2 * busy + chance.gauss(0, 0.3), 3), busy * chance.randrange(4), busy))
    return made


def later(minutes: int, made: list[Row]) -> list[Row]:
    return [(row[0] + minutes, row[1], row[2], row[3]) for row in made]


def write(path: Path, made: list[Row]) -> None:
    lines = [f"{START + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S},{t},{p},{label}" for minute, t, p, label in made]
    path.write_text("date,T,P,L\n" + "\n".join(lines) + "\n")


def made_spec(files: list[dict[str, object]], nodes: list[dict[str, object]] = ONE_NODE, window_s: int = 60) -> Spec:
    columns = {"time": {"column": "date", "format": "%Y-%m-%d %H:%M:%S"}, "label": "L"}
    return Spec.model_validate(
        {"name": "made", "window_s": window_s, "files": files, "columns": columns, "nodes": nodes}
    )


class Bench:
    """A spec with a train and a test recording in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = rows(range(600))
        self.test = rows(range(6000, 6400), seed=1)
        self.files: list[dict[str, object]] = [
            {"path": "train.csv", "split": "train"},
            {"path": "test.csv", "split": "test"},
        ]
        self.nodes = ONE_NODE
        self.window_s = 60

    @property
    def spec(self) -> Spec:
        return made_spec(self.files, self.nodes, self.window_s)

    def write(self) -> None:
        write(self.folder / "train.csv", self.train)
        write(self.folder / "test.csv", self.test)

    def run(self, **options: object) -> Result:
        self.write()
        clock = itertools.count().__next__
        chosen = Options(**({"head": "gnb"} | options))  # type: ignore[arg-type]
        return run(self.spec, self.folder / "spec.toml", chosen, NumpyCode(), clock=clock)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_learns_what_is_easy(bench: Bench) -> None:
    result = bench.run()
    figures = result.splits["test"].overall
    assert result.labels == 600
    assert figures.windows == 400
    assert figures.accuracy is not None
    assert figures.accuracy > 0.95
    assert figures.unknown_share == 0.0
    assert result.splits["test"].rooms == {"r": figures}
    assert result.head_bytes == 24


def test_the_json_object_is_a_promise(bench: Bench) -> None:
    report = as_json(bench.run(), peak_mb=1.5)
    keys = ["name", "head", "mode", "labels", "splits", "us_per_window", "head_bytes", "peak_rss_mb"]
    figures = ["windows", "accuracy", "balanced_accuracy", "macro_f1", "brier", "ece", "unknown_share"]
    figures += ["changes_per_day", "true_changes_per_day", "false_free_min_per_day", "false_occupied_min_per_day"]
    figures += ["arrivals", "departures", "hold_timer"]
    steadiness = ["changes_per_day", "false_free_min_per_day", "false_occupied_min_per_day", "arrivals", "departures"]
    delays = ["changes", "missed", "median_s", "p90_s"]
    assert list(report) == keys
    assert list(report["splits"]) == ["test"]
    assert list(report["splits"]["test"]) == [*figures, "rooms"]
    assert list(report["splits"]["test"]["rooms"]["r"]) == figures
    assert list(report["splits"]["test"]["hold_timer"]) == steadiness
    for scores in (report["splits"]["test"], report["splits"]["test"]["hold_timer"]):
        assert list(scores["arrivals"]) == list(scores["departures"]) == delays
    assert (report["name"], report["head"], report["mode"], report["labels"]) == ("made", "gnb", "frozen", 600)


@pytest.mark.parametrize("mode", ["frozen", "online"])
@pytest.mark.parametrize("labels", [None, 20])
def test_order_of_rows_changes_nothing(bench: Bench, mode: str, labels: int | None) -> None:
    bench.nodes = TWO_NODES
    # Repeated times, with values that differ, are rows like any other.
    bench.train += [(minute, t, "", label) for minute, t, _, label in rows(range(100, 200), seed=5)]
    before = as_json(bench.run(mode=mode, labels=labels), 0)
    for made in (bench.train, bench.test):
        random.Random(3).shuffle(made)
    assert as_json(bench.run(mode=mode, labels=labels), 0) == before


def judged(bench: Bench, mode: str) -> Beliefs:
    bench.write()
    splits = {split.name: split for split in load_splits(bench.spec, bench.folder / "spec.toml")}
    replay = Replay(NumpyCode(), bench.spec, "gnb", Effort(lambda: 0.0))
    replay.learn(splits["train"])
    return replay.judge(splits["test"], mode)["r"]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["frozen", "online"])
@pytest.mark.parametrize("change", [lambda row: (row[0], 30.0, 9, row[3]), lambda row: (*row[:3], 1 - row[3])])
def test_the_future_changes_nothing_before_it(bench: Bench, mode: str, change: Callable[[Row], Row]) -> None:
    bench.nodes = TWO_NODES
    plain = judged(bench, mode)
    bench.test = bench.test[:250] + [change(row) for row in bench.test[250:]]
    changed = judged(bench, mode)
    assert changed.probability[:250].tolist() == plain.probability[:250].tolist()
    assert changed.told[:250].tolist() == plain.told[:250].tolist()
    # A frozen replay never looks at labels.
    matters = mode == "online" or change(bench.test[0])[1] == 30.0
    assert (changed.probability[250:] != plain.probability[250:]).any() == matters


def test_online_learns_a_window_after_it_was_judged(bench: Bench) -> None:
    bench.files = bench.files[1:]
    figures = bench.run(mode="online").splits["test"].overall
    # The recording begins with half an hour free: until the first occupied window was judged, nothing can be told.
    assert figures.unknown_share == 31 / 400
    assert bench.run(mode="frozen").splits["test"].overall.unknown_share == 1.0


def test_late_labels_teach_an_hour_later(bench: Bench) -> None:
    bench.files = bench.files[1:]
    # The first occupied window is number 30; its label arrives at the end of window 90, and is learned after that one.
    figures = bench.run(mode="online", late_h=1).splits["test"].overall
    assert figures.unknown_share == 91 / 400
    assert bench.run(mode="online", late_h=24).splits["test"].overall.unknown_share == 1.0


def test_labels_on_their_way_arrive_in_the_next_split(bench: Bench) -> None:
    bench.nodes = TWO_NODES
    write(bench.folder / "early.csv", rows(range(5953, 5998)))
    bench.files = [{"path": "early.csv", "split": "early"}, bench.files[1]]
    splits = bench.run(mode="online", late_h=0.5).splits
    assert splits["early"].overall.unknown_share == 1.0
    # 5953 to 5969 are free and 5970 to 5997 occupied, so both classes are known when the label of 5970 has arrived: at
    # 6000, after the first window of the next split was judged.
    assert splits["test"].overall.unknown_share == 1 / 400


def test_lateness_changes_nothing_where_all_labels_are_learned_before(bench: Bench) -> None:
    frozen = bench.run().splits["test"].overall
    late = bench.run(mode="online", late_h=24).splits["test"].overall
    assert (late.accuracy, late.brier, late.ece) == (frozen.accuracy, frozen.brier, frozen.ece)


def timetable(days: range, opens: int, seed: int) -> list[Row]:
    """A row every ten minutes; occupied for eight hours of each day, and one degree warmer then, with noise."""
    chance = random.Random(seed)
    made: list[Row] = []
    for minute in range(days.start * 1440, days.stop * 1440, 10):
        busy = int(opens <= minute % 1440 // 60 < opens + 8)
        made.append((minute, round(22 + busy + chance.gauss(0, 1), 3), 0, busy))
    return made


def test_with_a_clock_a_node_learns_the_timetable(bench: Bench) -> None:
    bench.window_s = 600
    bench.train = timetable(range(5), 8, seed=1)

    def balanced(opens: int, clock: bool) -> float:
        bench.test = timetable(range(7, 12), opens, seed=2)
        return bench.run(clock=clock).splits["test"].overall.balanced_accuracy or 0.0

    assert balanced(8, clock=True) > balanced(8, clock=False) + 0.05
    # The shortcut: when the habits of the room change, the timetable is worse than nothing.
    assert balanced(20, clock=True) < 0.5 < balanced(20, clock=False)


def test_no_days_no_knowledge(bench: Bench) -> None:
    result = bench.run(train_days=0)
    assert result.labels == 0
    assert result.splits["test"].overall.unknown_share == 1.0
    assert bench.run(labels=0).splits["test"].overall.unknown_share == 1.0


def test_a_day_is_24_hours_of_event_time_from_the_first_window(bench: Bench) -> None:
    bench.write()
    train = load_splits(bench.spec, bench.folder / "spec.toml")[0]
    # 100 minutes: the windows that end at minutes 0 to 99, for the first began at minute -1.
    kept = first_days(train, 100 / 1440, 60)
    assert kept is not None
    assert len(kept.rooms[0].ends_s) == 100
    assert len(kept.rooms[0].nodes[0].times_ms) == 100
    assert first_days(train, 0, 60) is None


def test_days_after_the_first_are_not_seen_at_all(bench: Bench) -> None:
    few = bench.run(train_days=100 / 1440)
    bench.train = bench.train[:100]
    assert as_json(bench.run(), 0)["splits"] == as_json(few, 0)["splits"]
    assert few.labels == 100


@pytest.mark.parametrize(("count", "occupied", "free"), [(1, 1, 0), (2, 1, 1), (20, 10, 10), (7, 4, 3)])
def test_drawn_labels_are_balanced(bench: Bench, count: int, occupied: int, free: int) -> None:
    bench.write()
    train = load_splits(bench.spec, bench.folder / "spec.toml")[0]
    labels = draw(train, count, seed=0).rooms[0].labels
    assert (np.sum(labels == 1), np.sum(labels == 0)) == (occupied, free)
    assert (labels[labels >= 0] == train.rooms[0].labels[labels >= 0]).all()


def test_a_draw_follows_its_seed_and_grows(bench: Bench) -> None:
    bench.write()
    train = load_splits(bench.spec, bench.folder / "spec.toml")[0]
    one, again, other = (draw(train, 20, seed).rooms[0].labels.tolist() for seed in (1, 1, 2))
    assert one == again
    assert one != other
    more = draw(train, 40, 1).rooms[0].labels
    assert all(label in (-1, larger) for label, larger in zip(one, more.tolist(), strict=True))


def test_a_class_that_runs_out_leaves_its_turns_to_the_other(bench: Bench) -> None:
    bench.train = [row for row in bench.train if row[3] == 0 or row[0] < 33]  # three occupied windows
    bench.write()
    train = load_splits(bench.spec, bench.folder / "spec.toml")[0]
    labels = draw(train, 20, seed=0).rooms[0].labels
    assert (np.sum(labels == 1), np.sum(labels == 0)) == (3, 17)
    assert label_count(draw(train, 10_000, seed=0)) == label_count(train)


def test_rooms_share_a_draw(bench: Bench) -> None:
    bench.nodes = [TWO_NODES[0], {**TWO_NODES[1], "room": "s"}]
    bench.write()
    drawn = draw(load_splits(bench.spec, bench.folder / "spec.toml")[0], 20, seed=0)
    assert [int(np.sum(room.labels >= 0)) for room in drawn.rooms] == [10, 10]


def test_windows_without_label_are_streamed_and_not_scored(bench: Bench) -> None:
    bench.nodes = TWO_NODES
    everything = judged(bench, "frozen")
    bench.test = [(*row[:3], "" if index % 3 else row[3]) for index, row in enumerate(bench.test)]
    some = judged(bench, "frozen")
    assert len(some.ends_s) == 134
    assert some.probability.tolist() == everything.probability[::3].tolist()


def test_a_gap_of_more_than_an_hour_starts_cold(bench: Bench) -> None:
    bench.nodes = TWO_NODES
    early, late = bench.test[:200], later(60, bench.test[200:])
    bench.test = late
    alone = judged(bench, "frozen")
    bench.test = early + late
    joined = judged(bench, "frozen")
    assert joined.probability[200:].tolist() == alone.probability.tolist()
    bench.test = early + later(-1, late)  # an hour and no more
    assert judged(bench, "frozen").probability[200:].tolist() != alone.probability.tolist()


def test_time_passes_in_windows_without_rows(bench: Bench) -> None:
    """A window without a row is a step of the filter, as one with a row in which nothing was measured is."""
    whole, hole = bench.test, range(60, 90)
    bench.test = [row for row in whole if row[0] - 6000 not in hole]
    missing = judged(bench, "frozen").probability
    bench.test = [(row[0], "", *row[2:]) if row[0] - 6000 in hole else row for row in whole]
    unmeasured = judged(bench, "frozen").probability
    assert missing.tolist() == [*unmeasured[:60].tolist(), *unmeasured[90:].tolist()]
    # Alone, the filter forgets: it goes back towards the share of time that rooms are in use.
    assert 0.2 < unmeasured[89] < unmeasured[59]


def test_a_node_sees_windows_that_end_nearest_to_their_rows(bench: Bench) -> None:
    # Rows at 12:00:29 and 12:00:30 belong to different windows, and a mean takes only its own rows.
    lines = ["2020-01-01 12:00:29,20,0,1", "2020-01-01 12:00:30,24,0,1", "2020-01-01 12:01:29,22,0,0"]
    (bench.folder / "test.csv").write_text("date,T,P,L\n" + "\n".join(lines) + "\n")
    bench.files = bench.files[1:]
    stream = load_splits(bench.spec, bench.folder / "spec.toml")[0].rooms[0].nodes[0]
    windows = observe(NumpyCode(), stream, 60)
    noon = 1_577_880_000
    assert windows.ends_s.tolist() == [noon, noon + 60]
    # (20 - 22) / 2 * 1024 and ((24 + 22) / 2 - 22) / 2 * 1024
    assert windows.features.tolist() == [[-1024], [512]]


def test_a_window_in_which_nothing_was_measured_is_unknown(bench: Bench) -> None:
    bench.test = [(row[0], "", *row[2:]) if 6100 <= row[0] < 6110 else row for row in bench.test]
    figures = bench.run().splits["test"].overall
    assert figures.windows == 400
    assert figures.unknown_share == 10 / 400


def test_the_hold_timer_hears_each_window_alone(bench: Bench) -> None:
    # Cold for two hours, with one warm window at minute 40: the timer holds from there for ten minutes.
    bench.test = [(minute, 23.0 if minute == 6040 else 21.0, 0, 0) for minute in range(6000, 6120)]
    beliefs = judged(bench, "frozen")
    assert beliefs.held is not None
    assert np.flatnonzero(beliefs.held).tolist() == list(range(40, 50))


def test_two_copies_of_a_node_count_as_one(bench: Bench) -> None:
    alone = judged(bench, "frozen")
    bench.nodes = [ONE_NODE[0], {**ONE_NODE[0], "id": "copy"}]
    assert judged(bench, "frozen").probability == pytest.approx(alone.probability)


def test_several_files_make_one_split_in_time_order(bench: Bench) -> None:
    whole = judged(bench, "frozen")
    late, bench.test = bench.test[200:], bench.test[:200]
    write(bench.folder / "late.csv", late)
    bench.files = [bench.files[0], {"path": "late.csv", "split": "test"}, bench.files[1]]
    parts = judged(bench, "frozen")
    assert parts.ends_s.tolist() == whole.ends_s.tolist()
    assert parts.probability.tolist() == whole.probability.tolist()


def test_a_file_of_several_splits_is_read_once(bench: Bench) -> None:
    apart = bench.run().splits["test"].rooms
    write(bench.folder / "both.csv", bench.train + bench.test)
    bench.files = [
        {"path": "both.csv", "split": "train", "to": "2020-01-03 00:00"},
        {"path": "both.csv", "split": "test", "from": "2020-01-03 00:00"},
    ]
    said: list[str] = []
    splits = load_splits(bench.spec, bench.folder / "spec.toml", progress=said.append)
    assert said == ["reading both.csv"]
    assert [split.name for split in splits] == ["train", "test"]
    assert bench.run().splits["test"].rooms == apart


def test_files_feed_the_nodes_that_they_name(bench: Bench) -> None:
    bench.nodes = [TWO_NODES[0], {**TWO_NODES[1], "room": "s"}]
    bench.files = [{**entry, "nodes": ["a"]} for entry in bench.files]
    bench.files.append({"path": "test.csv", "split": "elsewhere", "nodes": ["b"]})
    splits = bench.run().splits
    assert list(splits) == ["test", "elsewhere"]
    assert list(splits["test"].rooms) == ["r"]
    assert list(splits["elsewhere"].rooms) == ["s"]


def test_splits_are_judged_in_time_order_and_reported_in_the_spec_s(bench: Bench) -> None:
    write(bench.folder / "early.csv", rows(range(3000, 3400), seed=2))
    bench.files = [{"path": "test.csv", "split": "late"}, {"path": "early.csv", "split": "early"}]
    splits = bench.run(mode="online").splits
    assert list(splits) == ["late", "early"]
    assert splits["early"].overall.unknown_share == 31 / 400
    assert splits["late"].overall.unknown_share == 0.0


def test_dropping_a_sensor_is_not_having_it(bench: Bench) -> None:
    both: list[dict[str, object]] = [{"id": "a", "room": "r", "sensors": {"temperature+mean": "T", "pir": "P"}}]
    bare = as_json(bench.run(), 0)
    bench.nodes = both
    for name in ("pir", "P"):
        assert as_json(bench.run(drop=(name,)), 0) == bare
    bench.nodes = TWO_NODES
    assert as_json(bench.run(drop=("pir",)), 0)["splits"] == bare["splits"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"late_h": 24}, "--late needs labels that arrive while judging; add --mode online."),
        ({"mode": "online", "late_h": -1}, "--late -1 is no lateness; write hours from 0 to 8,760."),
        ({"mode": "online", "late_h": float("nan")}, "--late nan is no lateness; write hours from 0 to 8,760."),
        ({"train_days": float("nan")}, "--train-days nan is no number of days; write 0 or more."),
        ({"head": "forest"}, "--head forest is no head; write one of gnb."),
        ({"drop": ("co2",)}, "--drop co2 names no sensor; write one of P, T, pir, temperature."),
        ({"drop": ("pir", "T")}, "--drop pir --drop T leaves the room 'r' without a sensor; drop fewer."),
    ],
)
def test_options_that_do_not_fit(bench: Bench, options: dict[str, object], message: str) -> None:
    bench.nodes = TWO_NODES
    with pytest.raises(SpecError) as caught:
        bench.run(**options)
    assert str(caught.value) == message


def test_a_test_split_without_labels(bench: Bench) -> None:
    bench.test = [(*row[:3], "") for row in bench.test]
    with pytest.raises(SpecError, match=r"the split 'test' has no label to judge by; fill the label column"):
        bench.run()


def test_effort_is_the_time_in_the_node_s_code(bench: Bench) -> None:
    # The clock advances by one second a reading: four calls (observe and learn; observe and predict).
    assert bench.run().us_per_window == pytest.approx(4e6 / 1000)
