"""The two ends of a site under load: samples into the nodes, and what the broker hands out."""

import json
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import paho.mqtt.client as mqtt
from attuned.demo.stage import SITE, Stage
from paho.mqtt.enums import CallbackAPIVersion

from bench.load.fleet import SLOT_MS, Fleet, Traffic


class Drive:
    """Writes a feed into the nodes of a stage on a thread of its own, each slot when it is due."""

    def __init__(self, stage: Stage, traffic: Traffic) -> None:
        self._stage = stage
        self._traffic = traffic
        self._thread = threading.Thread(target=self._run, name="drive", daemon=True)
        self.written_s: list[float] = []

    def start(self) -> None:
        """The first slot is due now."""
        self._thread.start()

    def finish(self, timeout_s: float) -> None:
        """Waits until all is written."""
        self._thread.join(timeout_s)

    @property
    def late_s(self) -> float:
        """How far the feed is behind: the nodes did not take it in time."""
        slots = len(self.written_s)
        return self.written_s[-1] - self.written_s[0] - (slots - 1) * SLOT_MS / 1000 if slots else 0.0

    def _run(self) -> None:
        began = time.monotonic()
        for i, lines in enumerate(self._traffic.slots):
            ahead = began + i * SLOT_MS / 1000 - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            try:
                self._stage.feed.write(lines)
                self._stage.feed.flush()
            except (OSError, ValueError):
                return  # the run is over: the pipe is closed
            self.written_s.append(time.monotonic())


@dataclass
class Heard:
    """A message on a room's topic: when it came (monotonic seconds), of which room, with which state."""

    when_s: float
    room: str
    state: str


@dataclass
class Ear:
    """What a subscriber of the broker has heard."""

    heard: list[Heard] = field(default_factory=list)

    def take(self, _client: mqtt.Client, _context: object, message: mqtt.MQTTMessage) -> None:
        now = time.monotonic()
        self.heard.append(Heard(now, message.topic.rpartition("/")[2], json.loads(message.payload)["state"]))

    def changes(self) -> list[Heard]:
        """Messages that told of another state than the last one of their room."""
        states: dict[str, str] = {}
        found = []
        for one in self.heard:
            if states.get(one.room, one.state) != one.state:
                found.append(one)
            states[one.room] = one.state
        return found

    def delays_s(self, fleet: Fleet, traffic: Traffic, drive: Drive) -> list[float]:
        """From the sample that ended a window to the subscriber, for changes of rooms with one node.

        The window is taken to be the last one that ended before the message came.
        """
        alone = fleet.alone()
        written = {room: [drive.written_s[s] for s in traffic.slots_of(node)] for room, node in alone.items()}
        found = []
        for one in self.changes():
            ended = written.get(one.room, [])
            last = bisect_right(ended, one.when_s) - 1
            if last >= 0:
                found.append(one.when_s - ended[last])
        return found


@contextmanager
def listening(stage: Stage) -> Iterator[Ear]:
    """Subscribes to all rooms."""
    ear = Ear()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = ear.take
    client.connect("127.0.0.1", stage.mqtt_port)
    client.subscribe(f"attune/{SITE}/rooms/+")
    client.loop_start()
    try:
        yield ear
    finally:
        client.loop_stop()
        client.disconnect()
