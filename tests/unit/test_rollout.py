"""The state machine of rollouts: what it may touch, whatever happens and in whatever order."""

import json
from dataclasses import asdict, replace

import pytest
from attuned.errors import RequestError
from attuned.store.rollouts import _pair
from attuned.updates.delivery import Stage
from attuned.updates.rollout import RETRY_MS, TRIAL_MS, allowed, apply, commands, vanished
from attuned.updates.rollout_state import (
    HOUR_MS,
    Changed,
    Decide,
    Dropped,
    Judged,
    State,
    Step,
    Tick,
    Told,
    Want,
    Word,
    mark_of,
)
from attuned.updates.stages import Choices, Wish, make_rollout
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rollout_world import FINAL, FakeDeliveries

OLD, NEW = "factory", "ab" * 16
TOUCHED = {Step.UNDER_WAY, Step.COMMITTED, Step.FAILED, Step.LEAVING, Step.RETURNING, Step.RETURNED}


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
            self.hear()
            for node in vanished(self.rollout, self.world.of):
                self.rollout = apply(self.rollout, Dropped(self.now, node, "nothing was wished for"))
            for command in commands(self.rollout, self.world.of):
                if isinstance(command, Want):
                    self.world.wish(command.node, command.target)
                else:
                    self.world.say(command.node, commit=command.commit)
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


def under_way(driver: Driver) -> list[int]:
    return [i for i, node in enumerate(driver.nodes) if driver.step(node) is Step.UNDER_WAY]


class TestStages:
    def test_ever_further_away_from_the_canary(self) -> None:
        # Twelve rooms of two: rooms 0 to 2 on floor 0, 3 to 5 on floor 1, both in building 0; the rest in building 1.
        rollout = make_rollout(wishes(24), Choices(), 0)
        assert rollout.plan.stages == ("canary", "room r0", "floor 0", "building b0", "building b1")
        assert [len(rollout.members(i)) for i in range(5)] == [1, 1, 4, 6, 12]

    def test_what_has_no_floor_is_near_nothing(self) -> None:
        rollout = make_rollout([replace(w, floor="", building="") for w in wishes(6)], Choices(), 0)
        assert rollout.plan.stages == ("canary", "room r0", "everywhere else")

    def test_a_share_of_canaries(self) -> None:
        rollout = make_rollout(wishes(24), Choices(canary_share=0.1), 0)
        assert (rollout.plan.canary, rollout.plan.stages[1]) == (3, "room r1")

    @pytest.mark.parametrize(
        "choices",
        [
            Choices(canary=0),
            Choices(canary_share=1.5),
            Choices(success_share=0.9, error_share=0.2),
            Choices(error_share=0.0),
            Choices(wait_h=0),
            Choices(wait_h=3, deadline_h=2),
            Choices(deadline_h=float("nan")),
        ],
    )
    def test_what_cannot_be(self, choices: Choices) -> None:
        with pytest.raises(RequestError):
            make_rollout(wishes(3), choices, 0)


class TestOneWay:
    def test_stage_by_stage_to_the_end(self) -> None:
        driver = all_online(24)
        widths = []
        while driver.state() is State.RUNNING:
            widths.append(len(under_way(driver)))
            driver.take(*driver.nodes)
            driver.tick()
        assert widths == [1, 1, 4, 6, 12]
        assert driver.state() is State.DONE
        assert set(driver.world.running.values()) == {NEW}

    def test_slots_bound_how_many_try_at_a_time(self) -> None:
        driver = all_online(24, Choices(canary=24), slots=5)
        assert len(under_way(driver)) == 5
        driver.take(*driver.nodes)
        driver.tick()
        assert len(under_way(driver)) == 5

    def test_an_error_of_the_canary_stops_it(self) -> None:
        driver = all_online(24)
        driver.go_on(driver.nodes[0])
        driver.go_on(driver.nodes[0], fails=True)
        assert driver.state() is State.STOPPED
        assert driver.rollout.reason == "1 of 1 nodes went wrong"
        assert set(driver.world.running.values()) == {OLD}
        assert len(driver.world.calls) == 1

    def test_who_had_it_gets_back_what_it_ran(self) -> None:
        driver = all_online(24)
        driver.take(driver.nodes[0])
        driver.tick()
        driver.go_on(driver.nodes[1])
        driver.go_on(driver.nodes[1], fails=True)
        assert driver.state() is State.ROLLING_BACK
        assert driver.world.of(driver.nodes[0]).target == OLD  # type: ignore[union-attr]
        for _ in range(3):
            driver.go_on(driver.nodes[0])
        assert driver.state() is State.STOPPED
        assert set(driver.world.running.values()) == {OLD}

    def test_an_error_of_few_does_not(self) -> None:
        driver = all_online(10, Choices(canary=10))
        driver.go_on(*driver.nodes)
        driver.go_on(driver.nodes[0], fails=True)
        driver.take(*driver.nodes[1:])
        assert driver.state() is State.DONE
        assert [driver.step(node) for node in driver.nodes].count(Step.COMMITTED) == 9

    def test_a_trial_that_is_judged_badly_is_an_error(self) -> None:
        driver = all_online(1)
        for _ in range(2):
            driver.go_on(driver.nodes[0])
        driver.judge(driver.nodes[0], commit=False)
        driver.go_on(driver.nodes[0])
        assert (driver.step(driver.nodes[0]), driver.state()) == (Step.FAILED, State.STOPPED)


class TestOutOfReach:
    def test_four_of_five_gone_do_not_block_the_rest(self) -> None:
        driver = Driver(25, Choices())
        # Of 25 nodes every fifth is there, and the first is not.
        driver.world.online = set(driver.nodes[4::5])
        for _ in range(40):
            driver.tick(HOUR_MS)
            driver.take(*driver.nodes)
        assert driver.rollout.in_tail
        assert [node for node in driver.nodes if driver.world.running[node] == NEW] == driver.nodes[4::5]
        assert driver.state() is State.RUNNING
        driver.world.online = set(driver.nodes)
        driver.tick()
        driver.take(*driver.nodes)
        assert driver.state() is State.DONE
        assert set(driver.world.running.values()) == {NEW}

    def test_the_canary_is_replaced_and_not_skipped(self) -> None:
        driver = Driver(24, Choices())
        driver.world.online = {driver.nodes[7], driver.nodes[20]}
        driver.tick()
        assert not under_way(driver)
        driver.tick(5 * HOUR_MS)
        assert under_way(driver) == [7]

    def test_the_deadline_ends_it(self) -> None:
        driver = Driver(4, Choices(canary=4, wait_h=1, deadline_h=48))
        driver.world.online = set(driver.nodes[:2])
        driver.tick()
        driver.take(*driver.nodes)
        assert driver.state() is State.RUNNING
        driver.tick(48 * HOUR_MS)
        assert driver.state() is State.DONE
        assert [driver.step(node) for node in driver.nodes] == [Step.COMMITTED] * 2 + [Step.LEFT] * 2

    def test_the_deadline_does_not_wait_for_a_last_word(self) -> None:
        driver = all_online(1, Choices(deadline_h=48))
        for _ in range(2):
            driver.go_on(driver.nodes[0])
        driver.world.online = set()
        driver.tick(TRIAL_MS)
        assert driver.world.of(driver.nodes[0]).stage is Stage.ENDING  # type: ignore[union-attr]
        driver.tick(48 * HOUR_MS)
        assert driver.state() is State.DONE
        driver.world.online = set(driver.nodes)
        driver.go_on(driver.nodes[0])
        assert driver.step(driver.nodes[0]) is Step.LEFT

    def test_one_that_falls_silent_makes_room_and_is_tried_again(self) -> None:
        driver = all_online(2, Choices(canary=2), slots=1)
        assert under_way(driver) == [0]
        driver.world.online = {driver.nodes[1]}
        driver.tick(4 * HOUR_MS)
        driver.tick()
        assert under_way(driver) == [1]
        driver.take(driver.nodes[1])
        driver.world.online = set(driver.nodes)
        driver.tick()
        assert under_way(driver) == [0]

    def test_a_rollback_waits_for_who_is_away(self) -> None:
        driver = all_online(2, Choices(canary=2))
        driver.take(driver.nodes[0])
        driver.world.online = {driver.nodes[1]}
        driver.tell(Word.ROLL_BACK)
        assert driver.state() is State.ROLLING_BACK
        driver.world.online = set(driver.nodes)
        for _ in range(3):
            driver.go_on(*driver.nodes)
        assert driver.state() is State.STOPPED

    def test_a_rollback_that_a_node_refuses_is_tried_again(self) -> None:
        driver = all_online(1)
        node = driver.nodes[0]
        driver.take(node)
        assert driver.state() is State.DONE
        driver.tell(Word.ROLL_BACK)
        driver.go_on(node)
        driver.go_on(node, fails=True)
        assert (driver.state(), len(driver.world.calls)) == (State.ROLLING_BACK, 2)
        driver.tick(RETRY_MS)
        for _ in range(3):
            driver.go_on(node)
        assert (driver.state(), driver.world.running[node]) == (State.STOPPED, OLD)


class TestPeople:
    def test_a_pause_begins_nothing_and_takes_no_time(self) -> None:
        driver = all_online(24)
        driver.tell(Word.PAUSE)
        driver.take(driver.nodes[0])
        driver.tick(3 * HOUR_MS)
        assert (driver.step(driver.nodes[0]), under_way(driver)) == (Step.COMMITTED, [])
        ends = driver.rollout.ends_utc_ms
        driver.tell(Word.RESUME)
        assert driver.rollout.ends_utc_ms == ends + 3 * HOUR_MS
        driver.tick()
        assert under_way(driver) == [1]

    def test_nobody_is_too_late_because_of_a_pause(self) -> None:
        driver = all_online(24, Choices(deadline_h=48))
        driver.tell(Word.PAUSE)
        driver.take(driver.nodes[0])
        driver.tick(100 * HOUR_MS)
        assert driver.state() is State.PAUSED
        driver.tell(Word.RESUME)
        driver.tick()
        assert under_way(driver) == [1]

    def test_an_abort_ends_trials_and_leaves_what_is_committed(self) -> None:
        driver = all_online(4, Choices(canary=4))
        driver.take(driver.nodes[0])
        driver.go_on(driver.nodes[1])
        driver.go_on(driver.nodes[2])
        driver.go_on(driver.nodes[2])
        driver.tell(Word.ABORT)
        assert driver.state() is State.ABORTED
        driver.go_on(*driver.nodes)
        assert [driver.step(node) for node in driver.nodes] == [Step.COMMITTED] + [Step.LEFT] * 3
        assert [driver.world.running[node] for node in driver.nodes] == [NEW, OLD, OLD, OLD]

    def test_what_may_be_said_when(self) -> None:
        can = {state: [word.value for word in Word if allowed(state, word)] for state in State}
        assert can == {
            State.RUNNING: ["pause", "abort", "rollback"],
            State.PAUSED: ["resume", "abort", "rollback"],
            State.ROLLING_BACK: [],
            State.DONE: ["rollback"],
            State.STOPPED: [],
            State.ABORTED: ["rollback"],
        }

    def test_somebody_elses_update_is_left_alone(self) -> None:
        driver = all_online(2, Choices(canary=2))
        driver.world.wish(driver.nodes[0], "cd" * 16)
        driver.carry_out()
        assert driver.step(driver.nodes[0]) is Step.LEFT
        driver.take(driver.nodes[1])
        driver.world.wish(driver.nodes[1], "cd" * 16)
        driver.take(driver.nodes[1])
        driver.world.say(driver.nodes[1], commit=True)
        driver.go_on(driver.nodes[1])
        calls = len(driver.world.calls)
        driver.tell(Word.ROLL_BACK)
        assert len(driver.world.calls) == calls


class RolloutMachine(RuleBasedStateMachine):
    """Nodes come, go, take, refuse and fall silent, people say things, and time passes."""

    driver: Driver

    @initialize(
        count=st.integers(1, 9),
        canary=st.integers(1, 3),
        success=st.sampled_from([0.5, 0.8]),
        slots=st.integers(1, 4),
    )
    def begin(self, count: int, canary: int, success: float, slots: int) -> None:
        self.driver = Driver(count, Choices(canary, 0.0, success, 0.2, 4.0, 72.0), slots)
        self.touched_in_pause: set[str] = set()

    def node(self, index: int) -> str:
        return self.driver.nodes[index % len(self.driver.nodes)]

    @rule(index=st.integers(0, 8))
    def comes(self, index: int) -> None:
        self.driver.world.online.add(self.node(index))

    @rule()
    def all_come(self) -> None:
        self.driver.world.online.update(self.driver.nodes)

    @rule(index=st.integers(0, 8))
    def goes(self, index: int) -> None:
        self.driver.world.online.discard(self.node(index))

    @rule(minutes=st.sampled_from([1, 60, 300, 1400]))
    def waits(self, minutes: int) -> None:
        self.driver.tick(minutes * 60_000)

    @rule(index=st.integers(0, 8), fails=st.integers(0, 9), steps=st.integers(1, 3))
    def takes(self, index: int, fails: int, steps: int) -> None:
        for _ in range(steps):
            self.driver.go_on(self.node(index), fails=fails == 0)
        self.driver.world.now_utc_ms += 1

    @rule(index=st.integers(0, 8), rounds=st.integers(1, 3))
    def gets_it(self, index: int, rounds: int) -> None:
        for i in range(rounds):
            self.driver.tick(60_000)
            self.driver.take(self.node(index + i))

    @rule(index=st.integers(0, 8), commit=st.integers(0, 9))
    def is_judged(self, index: int, commit: int) -> None:
        self.driver.judge(self.node(index), commit=commit > 0)

    @precondition(lambda self: self.driver.rollout.state is not State.STOPPED)
    @rule(word=st.sampled_from(list(Word)), chance=st.integers(0, 3))
    def somebody_says(self, word: Word, chance: int) -> None:
        if chance and word in {Word.ABORT, Word.ROLL_BACK}:
            return
        before = {node for node in self.driver.nodes if self.driver.step(node) is not Step.QUEUED}
        self.driver.tell(word)
        if self.driver.state() is State.PAUSED:
            self.touched_in_pause = before

    def touched(self) -> list[str]:
        return [node for node in self.driver.nodes if self.driver.step(node) in TOUCHED]

    @invariant()
    def never_more_than_the_stage_allows(self) -> None:
        rollout = self.driver.rollout
        pairs = [rollout.pairs[node] for node in self.touched()]
        assert all(pair.stage <= rollout.stage for pair in pairs)
        if rollout.stage == 0 and rollout.state is State.RUNNING:
            first = [pair for pair in pairs if not pair.straggler]
            assert len(first) <= rollout.plan.canary

    @invariant()
    def stages_are_passed_and_stopped_by_their_shares(self) -> None:
        rollout = self.driver.rollout
        if rollout.state is not State.RUNNING:
            return
        for stage in range(min(rollout.stage + 1, len(rollout.plan.stages))):
            steps = [pair.step for pair in rollout.members(stage)]
            committed, failed = steps.count(Step.COMMITTED), steps.count(Step.FAILED)
            if stage < rollout.stage:
                assert committed or (stage and not failed)
                assert committed >= rollout.plan.success_share * (committed + failed) - 1e-9
            elif failed:
                assert failed < rollout.plan.error_share * len(steps)

    @invariant()
    def never_more_than_the_slots_try(self) -> None:
        trying = [
            d
            for d in self.driver.world.newest.values()
            if d.target == NEW and d.stage in {Stage.WAITING, Stage.SENDING, Stage.TRIAL}
        ]
        assert len(trying) <= self.driver.slots

    @invariant()
    def a_pause_begins_nothing(self) -> None:
        if self.driver.state() is State.PAUSED:
            assert set(self.touched()) <= self.touched_in_pause

    @invariant()
    def after_a_stop_nodes_are_back_or_on_their_way(self) -> None:
        rollout, world = self.driver.rollout, self.driver.world
        if rollout.state is State.STOPPED:
            assert set(world.running.values()) == {OLD}
        if rollout.state is State.ROLLING_BACK:
            for node in self.driver.nodes:
                delivery = world.of(node)
                back = delivery is not None and delivery.target == OLD
                leaving = delivery is not None and delivery.stage in {Stage.COMMITTING, Stage.ENDING}
                assert world.running[node] == OLD or back or leaving

    @invariant()
    def a_restart_changes_nothing(self) -> None:
        rollout, of = self.driver.rollout, self.driver.world.of
        pairs = {
            node: _pair(json.loads(json.dumps(asdict(pair))), pair.replaced) for node, pair in rollout.pairs.items()
        }
        again = replace(rollout, pairs=pairs)
        assert again == rollout
        assert commands(again, of) == commands(rollout, of)
        # All that could be done has been done: asked again, nothing new comes of it.
        assert not [c for c in commands(rollout, of) if not _is_done(c, self.driver.world)]

    def teardown(self) -> None:
        """Whatever has happened, when every node is there and willing, everything comes to an end."""
        if not hasattr(self, "driver"):
            return
        driver = self.driver
        driver.world.online = set(driver.nodes)
        if driver.state() is State.PAUSED:
            driver.tell(Word.RESUME)
        for _ in range(60):
            driver.tick(2 * HOUR_MS)
            driver.take(*driver.nodes)
        assert driver.state() in {State.DONE, State.STOPPED, State.ABORTED}
        assert all(delivery.stage in FINAL for delivery in driver.world.newest.values())
        for node in driver.nodes:
            assert driver.world.running[node] == (NEW if driver.step(node) is Step.COMMITTED else OLD)


def _is_done(command: Want | Decide, world: FakeDeliveries) -> bool:
    delivery = world.of(command.node)
    return isinstance(command, Want) and delivery is not None and delivery.target == command.target


TestRolloutMachine = RolloutMachine.TestCase
TestRolloutMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
