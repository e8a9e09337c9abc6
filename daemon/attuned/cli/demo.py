"""`attune demo`: a simulated building with all the real processes, live on the terminal.

With `--change` another story is told (demo_change.py).
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.ending import interrupt
from attuned.cli.errors import CliError, WrongUsageError

if TYPE_CHECKING:
    from datetime import tzinfo

    from attune_proto.v1 import admin_pb2
    from rich.console import RenderableType

    from attuned.cli.client import Daemon
    from attuned.demo.feed import Feed
    from attuned.demo.stage import Stage

SEED, ROOMS, NODES, RATE = 1, 12, 16, 60.0

# The label goes to a room that was believed wrongly for some minutes; if there is none for long, to the least sure.
LABEL_AFTER_MIN = 8
LABEL_AT_LAST_MIN = 20
LABEL_MIN = 6

# A room is believed wrongly when the truth has less than this probability.
WRONG = 0.4

# The port that MQTT tools take when none is named.
MQTT_PORT = 1883

# Real seconds between two looks at the rooms.
LOOK_S = 0.5

# Minutes after the label at which its effect is told.
EFFECT_MIN = 2


def demo(
    *,
    for_s: Annotated[float | None, typer.Option("--for", min=10, help="End by itself.", metavar="SECONDS")] = None,
    rate: Annotated[
        float, typer.Option(min=1, max=240, metavar="R", help="How much faster than real time it runs.")
    ] = RATE,
    rooms: Annotated[int, typer.Option(min=4, max=120, metavar="N", help="Rooms of the building.")] = ROOMS,
    nodes: Annotated[int, typer.Option(min=4, max=240, metavar="N", help="Nodes of the building.")] = NODES,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Another seed is another building.", show_default=False)
    ] = None,
    change: Annotated[
        bool, typer.Option("--change", help="Show instead how a room comes back after a sensor was covered.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary as the last line.")] = False,
) -> None:
    """Show a simulated building live: broker, daemon, gateway and nodes are the real ones."""
    # numpy is for this command alone.
    from attuned.demo.building import Building
    from attuned.demo.feed import Feed
    from attuned.demo.stage import Stage
    from attuned.errors import AttuneError

    signal.signal(signal.SIGTERM, interrupt)
    if change:
        if (for_s, rate, rooms, nodes) != (None, RATE, ROOMS, NODES):
            raise WrongUsageError("--change has a building and a pace of its own: only --seed and --json go with it.")
        _show_change(seed, as_json=as_json)
        return
    try:
        building = Building(SEED if seed is None else seed, rooms=rooms, nodes=nodes)
        stage = Stage(building, rate)
        try:
            stage.start()
            show = Show(stage, Feed(stage, building), for_s)
            show.run(live=not as_json and output.console().is_terminal)
            summary = show.summary()
        finally:
            stage.stop()
    except AttuneError as error:
        raise CliError(str(error)) from error
    if as_json:
        print(json.dumps(summary))
    else:
        _say_goodbye(summary)


def _show_change(seed: int | None, *, as_json: bool) -> None:
    from attuned.cli.demo_change import SEED, show_change
    from attuned.errors import AttuneError

    try:
        summary = show_change(SEED if seed is None else seed, quiet=as_json)
    except AttuneError as error:
        raise CliError(str(error)) from error
    if as_json:
        print(json.dumps(summary))


class Show:
    """The demonstration on a running stage: rooms as they are, one label in the middle, a summary at the end."""

    def __init__(self, stage: Stage, feed: Feed, for_s: float | None) -> None:
        self._stage = stage
        self._feed = feed
        self._for_s = for_s
        self._label: Taught | None = None
        self._status: admin_pb2.SiteStatus | None = None
        self._nodes_seen = 0
        self._judged = (0, 0, 0)

    def run(self, *, live: bool) -> None:
        """Until the time is over or Ctrl-C."""
        from attuned.cli.client import connect, zone_of

        with connect(str(self._stage.api_socket)) as daemon:
            self._feed.start()
            try:
                with _screen(live) as update:
                    started = time.monotonic()
                    while self._for_s is None or time.monotonic() - started < self._for_s:
                        self._look(daemon, zone_of(daemon.status()), update if live else None)
                        time.sleep(LOOK_S)
            except KeyboardInterrupt:
                pass
            finally:
                self._feed.stop()
                self._take_stock(daemon)

    def summary(self) -> dict[str, object]:
        """What was seen, and the accuracy of what was said at the time, minute by minute and room by room."""
        status, (points, right, right_free) = self._status, self._judged
        if status is None:
            raise CliError("The demonstration ended before anything was seen; let it run longer.")
        return {
            "nodes_seen": self._nodes_seen,
            "rooms": status.rooms,
            "rooms_with_state": status.rooms_with_state,
            "windows": status.windows,
            "windows_lost": status.windows_lost,
            "accuracy": round(right / points, 4) if points else None,
            "accuracy_always_free": round(right_free / points, 4) if points else None,
            "mqtt_messages": status.mqtt_messages,
            "simulated_minutes": self._minutes,
            "label": self._label.as_json() if self._label else None,
        }

    @property
    def _minutes(self) -> int:
        return len(self._feed.truth)

    def _look(self, daemon: Daemon, zone: tzinfo, update: Update | None) -> None:
        self._stage.check()
        reply = daemon.rooms(())
        if self._label is None and self._minutes >= LABEL_AFTER_MIN:
            self._label = self._teach(reply, zone)
        elif self._label is not None:
            self._label.follow(reply)
        if update is not None:
            update(self._picture(reply, zone))

    def _teach(self, reply: admin_pb2.ListRoomsReply, zone: tzinfo) -> Taught | None:
        """A person looks into the room that is most wrong, or at last least sure, and says so on the command line."""
        found = []
        for room in reply.rooms:
            occupied = self._feed.steady(room.room, LABEL_MIN)
            if occupied is not None and room.as_of_utc_ms:
                found.append((room.probability if occupied else 1 - room.probability, room, occupied))
        if not found:
            return None
        # Somebody who sits in a room stays for a while: there the effect is plainest.
        right, room, occupied = min(found, key=lambda one: (one[0] > WRONG, not one[2], one[0]))
        if (right > WRONG or not occupied) and self._minutes < LABEL_AT_LAST_MIN:
            return None
        return Taught(room, "occupied" if occupied else "free", str(self._stage.api_socket), zone)

    def _picture(self, reply: admin_pb2.ListRoomsReply, zone: tzinfo) -> RenderableType:
        from rich.text import Text

        from attuned.cli import clock
        from attuned.cli.tables import rooms_summary, rooms_table, stacked

        head = Text.assemble(
            ("Attune", "bold"), f"  a simulated building, {clock.full(reply.now_utc_ms, zone)}, ",
            f"{self._stage.rate:g} times real time",
        )  # fmt: skip
        label = self._label.text() if self._label else Text("Nobody has labelled anything yet.", style="dim")
        port = "" if self._stage.mqtt_port == MQTT_PORT else f"-p {self._stage.mqtt_port} "
        hint = Text(
            f"In another terminal: mosquitto_sub {port}-t 'attune/#' -v\n"
            f"or: attune --socket {self._stage.api_socket} rooms {reply.rooms[0].room}    Ctrl-C ends",
            style="dim",
        )
        # What matters most stands first: a low window cuts the rest.
        parts = [head, rooms_summary(reply), label, rooms_table(reply, zone), hint]
        return stacked(parts)

    def _take_stock(self, daemon: Daemon) -> None:
        self._status = daemon.status()
        self._nodes_seen = sum(node.windows > 0 for node in daemon.nodes(()).nodes)
        points = right = right_free = 0
        for room in (room.room for room in daemon.rooms(()).rooms):
            history = daemon.history(room, self._stage.plan.start_utc_ms, self._status.now_utc_ms)
            for point in history.points:
                occupied = self._feed.truth.get(point.utc_ms)
                if occupied is not None:
                    points += 1
                    right += point.said == (2 if room in occupied else 1)
                    right_free += room not in occupied
        self._judged = (points, right, right_free)


class Taught:
    """The label of the demonstration, and the room before and after it."""

    def __init__(self, room: admin_pb2.Room, class_name: str, socket: str, zone: tzinfo) -> None:
        self.room = room.room
        self.class_name = class_name
        self.before = room.probability
        self.after = math.nan
        self._from_utc_ms = room.as_of_utc_ms
        self._command = ["attune", "label", "add", room.room, class_name, f"-{LABEL_MIN}m", "now"]
        program = [sys.argv[0], "--socket", socket, *self._command[1:]]
        answer = subprocess.run(program, capture_output=True, text=True, check=False, timeout=30)
        self._answer = (answer.stdout or answer.stderr).strip().splitlines()

    def follow(self, reply: admin_pb2.ListRoomsReply) -> None:
        """Notes the room's chance of being occupied once windows after the label have come."""
        room = next(room for room in reply.rooms if room.room == self.room)
        if math.isnan(self.after) and room.as_of_utc_ms >= self._from_utc_ms + EFFECT_MIN * 60_000:
            self.after = room.probability

    def text(self) -> RenderableType:
        from rich.text import Text

        from attuned.cli import look

        effect = "" if math.isnan(self.after) else f" and {look.percent(self.after)} two minutes later"
        return Text.assemble(
            ("$ " + " ".join(self._command), "bold"), "\n" + "\n".join(self._answer), "\n",
            f"Chance of being occupied: {look.percent(self.before)} before{effect}.",
        )  # fmt: skip

    def as_json(self) -> dict[str, object]:
        return {
            "room": self.room,
            "class": self.class_name,
            "probability_before": round(self.before, 4),
            "probability_after": None if math.isnan(self.after) else round(self.after, 4),
            "answer": self._answer,
        }


if TYPE_CHECKING:
    from collections.abc import Callable

    Update = Callable[[RenderableType], None]


@contextmanager
def _screen(live: bool) -> Iterator[Update]:
    if not live:
        yield lambda _: None
        return
    from rich.live import Live

    with Live(console=output.console(), auto_refresh=False, screen=False, vertical_overflow="crop") as screen:
        yield lambda picture: screen.update(picture, refresh=True)


def _say_goodbye(summary: dict[str, object]) -> None:
    print(
        f"{summary['windows']} windows of {summary['nodes_seen']} nodes, {summary['windows_lost']} lost. "
        f"What was said was right in {summary['accuracy'] or 0:.1%} of the minutes; "
        f"always saying free would have been right in {summary['accuracy_always_free'] or 0:.1%}."
    )
