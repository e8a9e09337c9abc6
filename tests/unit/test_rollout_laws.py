"""What holds of a rollout whatever its nodes and people do, and in whatever order."""

import json
from dataclasses import asdict, replace

from attuned.store.rollouts import _pair
from attuned.updates.delivery import Stage
from attuned.updates.rollout import commands
from attuned.updates.rollout_state import HOUR_MS, Decide, State, Step, Want, Word
from attuned.updates.stages import Choices
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rollout_driver import NEW, OLD, Driver
from rollout_world import FINAL, FakeDeliveries

TOUCHED = {Step.UNDER_WAY, Step.COMMITTED, Step.FAILED, Step.LEAVING, Step.RETURNING, Step.RETURNED}


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
