"""The state machine of rollouts: what it may touch, whatever happens and in whatever order."""

from dataclasses import replace

import pytest
from attuned.errors import RequestError
from attuned.updates.delivery import Stage
from attuned.updates.rollout import RETRY_MS, TRIAL_MS, allowed
from attuned.updates.rollout_state import HOUR_MS, State, Step, Word
from attuned.updates.stages import Choices, make_rollout
from rollout_driver import NEW, OLD, Driver, all_online, wishes


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

    def test_a_rollback_says_of_whom_it_leaves_alone_why(self) -> None:
        driver = all_online(2, Choices(canary=2))
        driver.take(*driver.nodes)
        driver.world.wish(driver.nodes[0], "cd" * 16)
        driver.take(driver.nodes[0])
        driver.world.say(driver.nodes[0], commit=True)
        driver.go_on(driver.nodes[0])
        assert [driver.rollout.pairs[node].replaced for node in driver.nodes] == [True, False]
        driver.tell(Word.ROLL_BACK)
        left = driver.rollout.pairs[driver.nodes[0]]
        assert (left.step, left.reason) == (Step.LEFT, "it runs something newer")
        for _ in range(3):
            driver.go_on(*driver.nodes)
        assert (driver.state(), driver.step(driver.nodes[1])) == (State.STOPPED, Step.RETURNED)
        assert driver.world.running[driver.nodes[0]] == "cd" * 16
