"""`attune demo --change`: a sensor is covered, and the room comes back; with the commands that people type."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from attuned.cli import clock, look
from attuned.cli.client import Daemon, connect
from attuned.cli.demo_telling import Telling, Waiting, command
from attuned.cli.errors import CliError
from attuned.demo.archive import write
from attuned.demo.feed import Feed
from attuned.demo.packet import ATT_WRITE, bytes_on_air
from attuned.demo.past import DAYS, FRIDAY_UTC_MS, Past
from attuned.demo.score import EMPTY, IN_USE, WRONG, Score, score, strip
from attuned.demo.stage import Stage
from attuned.demo.weather import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from attune_proto.v1 import admin_pb2, drift_pb2, rollouts_pb2
    from rich.console import RenderableType

SEED = 6
RATE = 600.0

# The day that is shown begins at this midnight, which is a Thursday's, and the site's clock starts half an hour later.
TODAY_UTC_MS = FRIDAY_UTC_MS + DAYS * DAY_MS
START_UTC_MS = TODAY_UTC_MS + HOUR_MS // 2

# A day is judged an hour after midnight; what has not come by these hours does not come.
DRIFT_BY_H, DELIVERED_BY_H, COMMITTED_BY_H = 2, 7, 11

# The hours that people can say of yesterday how they were, and what they remember: a quarter of an hour and more.
REMEMBERED_H = (7, 20)
REMEMBERED_MIN = 15

# The demonstration ends then; what the room was like from the commit until then is compared with other days.
NOON_H = 12

QUARTER_MS = HOUR_MS // 4

# Where strips of a morning begin, and what a mark of theirs stands for.
STRIP_H, MARK_MS = 6, HOUR_MS // 12

LOOK_S = 0.25


class Change:
    """The demonstration on a running stage."""

    def __init__(self, past: Past, stage: Stage, feed: Feed, daemon: Daemon, telling: Telling) -> None:
        self._past = past
        self._stage = stage
        self._feed = feed
        self._daemon = daemon
        self._telling = telling
        self._node = past.covered
        self._room = past.covered.room
        self._now: admin_pb2.ListRoomsReply = daemon.rooms((self._room,))
        self._event: drift_pb2.DriftEvent | None = None
        self._labels = 0
        self._bytes = 0
        self._committed_utc_ms = 0
        self._scores: dict[str, Score] = {}

    def run(self) -> dict[str, object]:
        """From the night to noon; what happened. Raises CliError where a step does not come."""
        self._feed.start()
        try:
            for _ in self._story():
                self._stage.check()
                self._now = self._daemon.rooms((self._room,))
                self._telling.show(self._picture())
                time.sleep(LOOK_S)
        finally:
            self._feed.stop()
        return self._summary()

    def _story(self) -> Generator[None, None, None]:
        yield from self._wait_for_drift()
        yield from self._say_how_yesterday_was()
        yield from self._retrain()
        yield from self._roll_out()
        yield from self._try_it()
        yield from self._live_until_noon()
        self._compare()

    @property
    def _now_utc_ms(self) -> int:
        return int(self._now.now_utc_ms)

    def _wait_for_drift(self) -> Generator[None, None, None]:
        while self._event is None:
            yield
            found = self._daemon.drift(node=self._node.node_id).events
            self._event = found[0] if found else None
            self._by(DRIFT_BY_H, "The covered sensor raised no drift event")
        self._tell("drift", "An hour after midnight yesterday is compared with the days before: a drift event.")
        yield from self._do("attune", "drift")
        yield from self._do("attune", "drift", "show", str(self._event.number))

    def _say_how_yesterday_was(self) -> Generator[None, None, None]:
        yesterday = TODAY_UTC_MS - DAY_MS
        first, last = (yesterday + hour * HOUR_MS for hour in REMEMBERED_H)
        stretches = self._past.stretches(self._room, first, last, REMEMBERED_MIN)
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(["class", "from", "to"])
        for one in stretches:
            times = (f"{clock.local(ms, self._past.zone):%Y-%m-%d %H:%M}" for ms in (one.from_utc_ms, one.to_utc_ms))
            writer.writerow([one.class_name, *times])
        file = self._stage.folder / "yesterday.csv"
        file.write_text(rows.getvalue())
        self._labels = len(stretches)
        self._tell("labels", "People write down how the room was yesterday.", *rows.getvalue().splitlines())
        yield from self._do("attune", "label", "import", str(file), "--room", self._room)

    def _retrain(self) -> Generator[None, None, None]:
        """A new release of the room, on a person's word where the gate has too little to go by."""
        answer = yield from self._retrained()
        self._tell("retrained", "The room is retrained; the daemon may have been at it since the labels came.")
        self._telling.tell_command(["attune", "retrain", self._room], answer)
        yield from self._do("attune", "release", "list", "--room", self._room, "--limit", "1")
        release = self._daemon.releases(self._room, 1).releases[0]
        if release.verdict == "worse":
            raise CliError("The gate refused the new release: it is worse on days that were held back.")
        if release.verdict != "better":
            self._tell("approved", "One day cannot tell whether it is better: a person gives a word for it.")
            yield from self._do("attune", "release", "approve", release.id[:8])

    def _retrained(self) -> Waiting:
        """The daemon may be at it already, of its own accord."""
        while True:
            try:
                return (yield from command(str(self._stage.api_socket), ["attune", "retrain", self._room]))
            except CliError as error:
                if "under way" not in str(error):
                    raise
            yield

    def _roll_out(self) -> Generator[None, None, None]:
        """The release goes to the node, in one packet."""
        self._tell("rollout", "The release goes out: signed for this node, and sent to it.")
        yield from self._do("attune", "rollout", "start", "--room", self._room)
        while not (pair := self._pair()).windows:
            yield
            self._by(DELIVERED_BY_H, f"The node did not take the update ({pair.what})")
        self._bytes = bytes_on_air(self._stage.store, self._node.node_id)
        self._tell(
            "trial",
            f"The update came in one packet of {self._bytes} bytes on the air; one Bluetooth write holds {ATT_WRITE}.",
            "The node tries it beside what it ran before: an hour at least, and until one of them has seen somebody.",
        )

    def _try_it(self) -> Generator[None, None, None]:
        while (pair := self._pair()).step != "committed":
            yield
            if pair.step not in ("queued", "under way"):
                raise CliError(f"The node does not run the new release: {pair.what}.")
            self._by(COMMITTED_BY_H, f"The node's trial was not decided ({pair.what})")
        self._committed_utc_ms = self._now_utc_ms
        self._tell(
            "committed",
            f"The trial is over after {pair.windows} windows, {pair.differing} of them different: "
            "the node runs the new release.",
        )
        yield from self._do("attune", "rollout", "status", str(self._daemon.rollout(0).number))

    def _pair(self) -> rollouts_pb2.RolloutNode:
        """How it is with the node in the newest rollout."""
        return next(node for node in self._daemon.rollout(0).nodes if node.node == self._node.node_id)

    def _by(self, hour: int, trouble: str) -> None:
        """Raises CliError once it is past an hour of the day."""
        if self._now_utc_ms > TODAY_UTC_MS + hour * HOUR_MS:
            raise CliError(f"{trouble} by {hour} o'clock; see another --seed, or a machine that does less beside.")

    def _live_until_noon(self) -> Generator[None, None, None]:
        while self._now_utc_ms < TODAY_UTC_MS + NOON_H * HOUR_MS:
            yield

    def _compare(self) -> None:
        """The same hours of the days before, of yesterday and of today, from when the node ran the new release."""
        begin_ms = -(-(self._committed_utc_ms - TODAY_UTC_MS) // QUARTER_MS) * QUARTER_MS
        days = {"before": range(DAYS - 1), "covered": range(DAYS - 1, DAYS), "after": range(DAYS, DAYS + 1)}
        for name, numbers in days.items():
            worked = [FRIDAY_UTC_MS + number * DAY_MS for number in numbers if self._past.day(number).weekday() < 5]
            self._scores[name] = sum((self._score(day + begin_ms, day + NOON_H * HOUR_MS) for day in worked), Score())
        words = ("working days before", "yesterday, with the tape", "today, with tape and new release")
        lines = [
            f"{name:34} {one.accuracy:4.0%} of the minutes right, {one.recognised:4.0%} of those in use recognised"
            for name, one in zip(words, self._scores.values(), strict=True)
        ]
        lines += ["", *self._strips()]
        hours = f"{clock.local(TODAY_UTC_MS + begin_ms, self._past.zone):%H:%M} to {NOON_H}:00"
        self._tell("compared", f"What was said of {self._room} at the time, against who was there, {hours}:", *lines)
        if self._scores["after"].accuracy <= self._scores["covered"].accuracy:
            raise CliError("The room has not come back: it was no better today than yesterday; see another --seed.")

    def _strips(self) -> list[str]:
        """Yesterday's and today's mornings, a mark for five minutes."""
        found = [f"{IN_USE} in use, {EMPTY} free, {WRONG} wrong; {STRIP_H} to {NOON_H} o'clock, five minutes a mark"]
        for name, midnight in (("yesterday", TODAY_UTC_MS - DAY_MS), ("today", TODAY_UTC_MS)):
            ends = range(midnight + STRIP_H * HOUR_MS, midnight + NOON_H * HOUR_MS + 1, MARK_MS)
            found.append(f"{name:10} {strip(self._room, self._said(ends[0], ends[-1]), self._truth, ends)}")
        return found

    @property
    def _truth(self) -> Mapping[int, frozenset[str]]:
        return self._past.truth | self._feed.truth

    def _said(self, from_utc_ms: int, to_utc_ms: int) -> list[tuple[int, int]]:
        points = self._daemon.history(self._room, from_utc_ms, to_utc_ms).points
        return [(point.utc_ms, point.said) for point in points]

    def _score(self, from_utc_ms: int, to_utc_ms: int) -> Score:
        return score(self._room, self._said(from_utc_ms, to_utc_ms), self._truth)

    def _do(self, *words: str) -> Generator[None, None, None]:
        answer = yield from command(str(self._stage.api_socket), words)
        self._telling.tell_command(words, answer)

    def _tell(self, name: str, *lines: str) -> None:
        self._telling.tell(name, self._now_utc_ms, *lines)

    def _picture(self) -> RenderableType:
        from rich.text import Text

        room = self._now.rooms[0]
        there = self._feed.steady(self._room, 1)
        truth = "" if there is None else f"; in truth {'somebody is there' if there else 'nobody is there'}"
        return Text.assemble(
            "\n",
            (f"{clock.full(self._now.now_utc_ms, self._past.zone)}  {self._telling.real_s:5.1f} s  ", "dim"),
            (room.name, "bold"), " ", look.state(room.state), f" {look.percent(room.probability)}{truth}\n",
            (f"live, {RATE:g} times real time; or: attune --socket {self._stage.api_socket} status", "dim"),
        )  # fmt: skip

    def _summary(self) -> dict[str, object]:
        event, zone = self._event, self._past.zone
        return {
            "room": self._room,
            "node": self._node.node_id,
            "event": event and {"number": event.number, "sensors": list(event.sensors), "cause": event.cause},
            "labels": self._labels,
            "update_bytes": self._bytes,
            "steps": {
                step.name: {"utc": clock.iso(step.utc_ms, zone), "real_s": round(step.real_s, 1)}
                for step in self._telling.steps.values()
            },
            "accuracy": {name: round(one.accuracy, 4) for name, one in self._scores.items()},
            "recognised": {name: round(one.recognised, 4) for name, one in self._scores.items()},
            "real_s": round(self._telling.real_s, 1),
        }


def show_change(seed: int, *, quiet: bool) -> dict[str, object]:
    """Simulates the past, then lives through the day after. Raises AttuneError, and CliError for what does not come."""
    past = Past(seed)
    telling = Telling(past.zone, quiet)
    with telling.screen():
        _live_through(past, telling)
        stage = Stage(past.onwards(), RATE, automatic=False)
        try:
            asyncio.run(write(past, stage.store, [past.day(number) for number in range(DAYS - 1)]))
            stage.start()
            telling.tell("live", START_UTC_MS, "From here on everything is live: broker, daemon, gateway, six nodes.")
            with connect(str(stage.api_socket)) as daemon:
                return Change(past, stage, Feed(stage, past.building), daemon, telling).run()
        finally:
            stage.stop()


def _live_through(past: Past, telling: Telling) -> None:
    from rich.text import Text

    for day in past.live(START_UTC_MS):
        telling.show(Text(f"Simulating the past: {day:%A} {day.day} {day:%B}  {telling.real_s:5.1f} s", style="dim"))
    windows = sum(len(node.windows) for node in past.nodes.values())
    telling.tell(
        "past",
        START_UTC_MS,
        f"Two weeks of a building of {len(past.nodes)} rooms with a node each, simulated in advance.",
        f"The nodes' code made {windows:,} windows of them; people gave {len(past.labels)} labels of ten minutes.",
        f"Yesterday at half past six in the morning, somebody taped over the light sensor in {past.covered.room}",
        f"(node {past.covered.node_id}).",
    )
