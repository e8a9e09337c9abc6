"""Feeds the nodes of a running stage with the building's samples, in step with the site's clock."""

from __future__ import annotations

import threading
import time

import numpy as np

from attuned.demo.building import Building
from attuned.demo.stage import WINDOW_S, Stage

# The feed keeps time in steps that take about this long in real time.
BEAT_S = 0.02


class Feed:
    """Moves the building on a thread of its own, and remembers who was where.

    The building's present is when the site's clock starts. `truth[utc_ms]` tells, for each end of a minute that has
    passed since, which rooms were occupied for most of it.
    """

    def __init__(self, stage: Stage, building: Building) -> None:
        self._stage = stage
        self._building = building
        self._first_ms = building.tick_ms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._occupied_steps = dict.fromkeys((room.id for room in building.rooms), 0)
        self.truth: dict[int, frozenset[str]] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def steady(self, room: str, minutes: int) -> bool | None:
        """Whether a room was occupied in each of the last minutes; None if that changed, or they are not past yet."""
        newest = sorted(self.truth)[-minutes:]
        found = {room in self.truth[utc_ms] for utc_ms in newest}
        return found.pop() if len(found) == 1 and len(newest) == minutes else None

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
        except BrokenPipeError:
            return  # the nodes have ended; the stage tells why

    def _step(self) -> None:
        start_ms, step_s = self._building.tick_ms - self._first_ms, self._building.step_s
        samples = self._building.advance(step_s)
        samples["tick_ms"] -= np.uint64(self._first_ms)
        self._observe()
        pending = [(int(tick), int(node), int(sensor), float(value)) for node, tick, sensor, value in samples.tolist()]
        beats = max(1, round(step_s / self._stage.rate / BEAT_S))
        for beat in range(1, beats + 1):
            now_ms = start_ms + step_s * 1000 * beat // beats
            due = [sample for sample in pending if sample[0] <= now_ms]
            pending = pending[len(due) :]
            self._wait_until(now_ms)
            lines = [f"{node} {tick} {sensor} {value:.6g}\n" for tick, node, sensor, value in due]
            self._stage.feed.write(("".join(lines) + f"@{now_ms}\n").encode())
            self._stage.feed.flush()

    def _wait_until(self, tick_ms: int) -> None:
        due_ms = self._stage.real_start_ms + tick_ms / self._stage.rate
        self._stop.wait(max(0.0, due_ms / 1000 - time.time()))

    def _observe(self) -> None:
        building = self._building
        for room in building.rooms:
            self._occupied_steps[room.id] += building.occupied(room.id)
        if building.utc_ms % (WINDOW_S * 1000) == 0:
            half = WINDOW_S // building.step_s / 2
            self.truth[building.utc_ms] = frozenset(
                room for room, steps in self._occupied_steps.items() if steps >= half
            )
            self._occupied_steps = dict.fromkeys(self._occupied_steps, 0)
