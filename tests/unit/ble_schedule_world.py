"""What tests of the schedule share: a radio whose connections come and go as the schedule decides."""

from dataclasses import dataclass, field

from attune_gateway.ble.central import Advertisement
from attune_gateway.ble.schedule import (
    Schedule,
)
from attune_proto.v1.link_pb2 import NEED_AGE, Need, Wish

A, B, C, D = (bytes([letter]) * 8 for letter in b"ABCD")


def latest(_: float, ceiling: float) -> float:
    return ceiling


@dataclass
class Radio:
    """A schedule with a clock; what it decides happens at once."""

    slots: int = 1
    now_s: float = 1000.0
    schedule: Schedule = field(init=False)
    served: list[bytes] = field(default_factory=list)
    open: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.schedule = Schedule(self.slots, latest)
        self.schedule.attach()

    def hear(self, *hints: bytes, rssi_dbm: int = -60) -> None:
        for hint in hints:
            self.schedule.heard(Advertisement(hint, "F0:" + hint.hex(), rssi_dbm), self.now_s)

    def want(self, hint: bytes, need: Need.ValueType = NEED_AGE) -> None:
        self.schedule.wish([Wish(hint=hint, need=need)], self.now_s)

    def turn(self, *, fail: bool = False) -> list[bytes]:
        """Ends what has to end, connects whom it may, and returns who that was."""
        for hint in self.schedule.to_end(self.now_s):
            self.open.discard(hint)
            self.schedule.ended(hint, self.now_s)
        began = []
        while (node := self.schedule.to_connect(self.now_s)) is not None:
            self.schedule.connecting(node, self.now_s)
            began.append(node.hint)
            if fail:
                self.schedule.failed(node.hint, self.now_s)
                continue
            self.open.add(node.hint)
            self.schedule.connected(node.hint, self.now_s)
            self.schedule.active(node.hint, self.now_s, good=True)
        self.served += began
        return began

    def wait(self, seconds: float, *hints: bytes, busy: tuple[bytes, ...] = ()) -> list[bytes]:
        """Time passes; these are heard and those are busy all the while. Who was connected meanwhile."""
        began = []
        for _ in range(int(seconds / 0.5)):
            self.now_s += 0.5
            self.hear(*(hint for hint in hints if hint not in self.open))
            for hint in busy:
                if hint in self.open:
                    self.schedule.active(hint, self.now_s, good=True)
            began += self.turn()
        return began
