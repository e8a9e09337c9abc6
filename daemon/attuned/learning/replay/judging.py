"""A room of a replay: what it has learned from the labels that have arrived, and what it says of its windows."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from attune_core import Filter

from attuned.learning.effective import DAY_S
from attuned.learning.record import RoomRecord, filtered, fused, joined, weighed
from attuned.learning.replay.nodes import NodeCode
from attuned.learning.rooms import learn_room
from attuned.presence.model import RoomModel

Reals = npt.NDArray[np.float64]


@dataclass
class RoomJudge:
    """Judges a room's windows by its model, and learns the model from what heads said that had not learned the labels.

    `sensors` are the sensor kinds of the room's nodes.
    """

    code: NodeCode
    window_s: int
    sensors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    model: RoomModel = field(default_factory=RoomModel)
    # What was learned from, with the time at which each label arrived, seconds since 1970.
    past: list[tuple[RoomRecord, npt.NDArray[np.int64]]] = field(default_factory=list)

    def study(self, record: RoomRecord) -> None:
        """Learns from windows whose labels are all there."""
        self.past.append((record, np.full(len(record.ends_s), np.iinfo(np.int64).min)))
        self.model = self._learned(0)

    def judge(self, record: RoomRecord) -> Reals:
        """Calibrated log-odds of occupied after each window [n]."""
        dwell_s = self.model.dwell_s
        steady = Filter(2, self.window_s, "float64", dwell_s)
        nats = fused(record, self.sensors, self.model, steady.limit)
        log_odds = filtered(
            record, nats, self.window_s, lambda nats, told: self.code.filter(nats, told, self.window_s, dwell_s)
        )
        calibration = self.model.calibration
        result: Reals = calibration.slope * log_odds + calibration.constant(steady.log_odds())
        return result

    def by_kind(self, record: RoomRecord) -> Reals:
        """The evidence of each window [n] in nats, its nodes weighed by their sensor kinds alone."""
        limit = Filter(2, self.window_s, "float64", self.model.dwell_s).limit
        result: Reals = weighed(record, self.sensors, RoomModel(), limit).sum(axis=1)
        return result

    def judge_online(self, record: RoomRecord, late_s: int) -> Reals:
        """The same, learning each midnight of UTC anew from the labels that have arrived by then."""
        self.past.append((record, record.ends_s + late_s))
        days = record.ends_s // DAY_S
        log_odds = np.empty(len(days))
        for day in np.unique(days):
            today = days == day
            until = int(np.flatnonzero(today)[-1]) + 1
            self.model = self._learned(int(day) * DAY_S)
            log_odds[today] = self.judge(record[:until])[today[:until]]
        return log_odds

    def _learned(self, now_s: int) -> RoomModel:
        known = [record.labelled_where(arrives_s <= now_s) for record, arrives_s in self.past]
        return learn_room(joined(known), self.sensors, self.window_s)
