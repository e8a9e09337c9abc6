"""A rollout over nodes without a daemon: its state machine, driven as the daemon drives it."""

from attuned.updates.rollout import apply, commands, vanished
from attuned.updates.rollout_state import Changed, Dropped, Judged, State, Step, Tick, Told, Want, Word, mark_of
from attuned.updates.stages import Choices, Wish, make_rollout
from rollout_world import FakeDeliveries

OLD, NEW = "factory", "ab" * 16


def wishes(count: int, per_room: int = 2) -> list[Wish]:
    """Nodes in rooms of so many, three rooms a floor, two floors a building."""
    found = []
    for i in range(count):
        room = i // per_room
        found.append(Wish(f"{i:016x}", NEW, f"r{room}", str(room // 3), f"b{room // 6}"))
    return found


class Driver:
    """A rollout over nodes, driven as the daemon drives it."""

    def __init__(self, count: int, choices: Choices, slots: int = 100) -> None:
        self.world = FakeDeliveries({wish.node: OLD for wish in wishes(count)})
        self.rollout = make_rollout(wishes(count), choices, self.now)
        self.slots = slots

    @property
    def now(self) -> int:
        return self.world.now_utc_ms

    @property
    def nodes(self) -> list[str]:
        return list(self.rollout.pairs)

    def state(self) -> State:
        return self.rollout.state

    def step(self, node: str) -> Step:
        return self.rollout.pairs[node].step

    def tick(self, ms: int = 0) -> None:
        self.world.now_utc_ms += ms
        marks = {node: mark_of(self.world.of(node)) for node in sorted(self.world.online)}
        busy = sum(pair.occupies for pair in self.rollout.pairs.values())
        self.rollout = apply(self.rollout, Tick(self.now, marks, self.slots - busy))
        self.carry_out()

    def tell(self, word: Word) -> None:
        self.rollout = apply(self.rollout, Told(self.now, word))
        self.carry_out()

    def hear(self) -> None:
        for node in self.nodes:
            if delivery := self.world.of(node):
                self.rollout = apply(self.rollout, Changed(self.now, delivery, delivery.before))

    def carry_out(self) -> None:
        for _ in range(8):
            before = self.rollout
            self.hear()
            for node in vanished(self.rollout, self.world.of):
                self.rollout = apply(self.rollout, Dropped(self.now, node, "nothing was wished for"))
            wanted = commands(self.rollout, self.world.of)
            for command in wanted:
                if isinstance(command, Want):
                    self.world.wish(command.node, command.target)
                else:
                    self.world.say(command.node, commit=command.commit)
            if not wanted and self.rollout == before:
                break
        self.hear()

    def go_on(self, *nodes: str, fails: bool = False) -> None:
        for node in nodes:
            self.world.go_on(node, fails=fails)
        self.carry_out()

    def judge(self, *nodes: str, commit: bool = True) -> None:
        for node in nodes:
            self.rollout = apply(self.rollout, Judged(self.now, node, commit, "60 windows"))
        self.carry_out()

    def take(self, *nodes: str) -> None:
        """Nodes within reach take what is wished for them to its end."""
        for _ in range(2):
            self.go_on(*nodes)
        self.judge(*nodes)
        self.go_on(*nodes)


def all_online(count: int, choices: Choices | None = None, slots: int = 100) -> Driver:
    driver = Driver(count, choices or Choices(), slots)
    driver.world.online = set(driver.nodes)
    driver.tick()
    return driver
