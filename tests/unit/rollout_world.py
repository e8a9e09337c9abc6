"""Nodes that take releases, behind the interface of deliveries, and without anything of how deliveries are made."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from attuned.updates.delivery import Delivery, Stage
from gate_reports import better_report

# What the gate said of a release: 200 of 4,000 windows differ.
REPORT = better_report(negative=40, positive=160)

FINAL = {Stage.COMMITTED, Stage.ENDED, Stage.FAILED}


class Cut(BaseException):
    """The daemon was killed here."""


@dataclass
class FakeDeliveries:
    """What each node runs, and the newest delivery of each. What a node runs is its own digest: the release's id.

    `cut_after` durable changes of deliveries the daemon is killed: the change is there, and nobody hears of it.
    """

    running: dict[str, str]
    now_utc_ms: int = 1_000
    newest: dict[str, Delivery] = field(default_factory=dict)
    online: set[str] = field(default_factory=set)
    refused: dict[str, Exception] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    cut_after: int = -1
    _sequence: int = 0

    def __post_init__(self) -> None:
        self.listen: Callable[[Delivery], None] = lambda _: None

    def of(self, node: str) -> Delivery | None:
        return self.newest.get(node)

    async def want(self, node: str, target: str) -> None:
        self.wish(node, target)

    async def decide(self, node: str, *, commit: bool) -> None:
        self.say(node, commit=commit)

    def wish(self, node: str, target: str) -> None:
        if node in self.refused:
            raise self.refused[node]
        self.calls.append((node, target))
        self._keep(Delivery(node, target, 0, Stage.WAITING, "", 0, 0, self.now_utc_ms, self.running[node]))

    def say(self, node: str, *, commit: bool) -> None:
        delivery = self.newest.get(node)
        if delivery is None:
            return
        if delivery.stage is Stage.TRIAL:
            self._to(delivery, Stage.COMMITTING if commit else Stage.ENDING)
        elif delivery.stage in {Stage.WAITING, Stage.SENDING} and not commit:
            self._to(delivery, Stage.ENDED)

    def go_on(self, node: str, *, fails: bool = False) -> None:
        """A node within reach takes the next step of its own."""
        delivery = self.newest.get(node)
        if delivery is None or node not in self.online or delivery.stage in FINAL:
            return
        if fails and delivery.stage in {Stage.SENDING, Stage.TRIAL}:
            self._to(delivery, Stage.FAILED, "it started anew three times")
            return
        if delivery.stage is Stage.WAITING:
            same = self.running[node] == delivery.target
            self._sequence += 1
            self._to(replace(delivery, sequence=self._sequence), Stage.COMMITTED if same else Stage.SENDING)
        elif delivery.stage is Stage.SENDING:
            self._to(delivery, Stage.TRIAL)
        elif delivery.stage is Stage.COMMITTING:
            self.running[node] = delivery.target
            self._to(delivery, Stage.COMMITTED)
        elif delivery.stage is Stage.ENDING:
            self._to(delivery, Stage.ENDED)

    def weigh(self, node: str, windows: int, differing: int = 0) -> None:
        """Windows of a node's trial."""
        delivery = self.newest[node]
        self._keep(replace(delivery, windows=delivery.windows + windows, differing=delivery.differing + differing))

    def _to(self, delivery: Delivery, stage: Stage, reason: str = "") -> None:
        self._keep(replace(delivery, stage=stage, reason=reason, since_utc_ms=self.now_utc_ms))

    def _keep(self, delivery: Delivery) -> None:
        self.newest[delivery.node] = delivery
        if self.cut_after >= 0:
            self.cut_after -= 1
            if self.cut_after < 0:
                raise Cut
        self.listen(delivery)
