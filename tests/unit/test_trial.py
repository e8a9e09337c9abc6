"""When a trial is over, and how."""

from dataclasses import replace

import pytest
from attuned.nodes.window import Window
from attuned.store.site import LabelRow
from attuned.updates.delivery import Delivery, Stage
from attuned.updates.rollout_state import HOUR_MS
from attuned.updates.trial import Seen, judge, most_differing
from attuned.updates.trial_evidence import TrialEvidence, expected_share
from daemon_world import MINUTE, NOON, A, FakeClock, window
from rollout_world import REPORT

# An hour of minutes with people there for half of it, and the models at odds in three.
SOUND = Seen(hours=1.0, windows=60, differing=3, busy=30, right=0, wrong=0)


def commits(seen: Seen, expected: float | None = 0.05) -> bool | None:
    judgement = judge(seen, expected)
    return judgement.commit if judgement else None


def test_an_hour_in_which_nothing_speaks_against_it() -> None:
    assert commits(SOUND) is True


@pytest.mark.parametrize(
    "seen",
    [
        replace(SOUND, windows=59),
        # A night: all models say free.
        replace(SOUND, hours=8.0, windows=480, differing=0, busy=0),
        replace(SOUND, hours=20.0, windows=0, differing=0, busy=0),
        # At odds in more than can be: the rest of the day may show that it was one meeting.
        replace(SOUND, differing=40),
    ],
)
def test_what_is_too_little(seen: Seen) -> None:
    assert commits(seen) is None


def test_a_weekend_is_decided_in_the_end() -> None:
    assert commits(replace(SOUND, hours=20.0, windows=1200, differing=0, busy=0)) is True


def test_a_quiet_node_speaks_hourly() -> None:
    assert commits(replace(SOUND, hours=6.0, windows=7, differing=0, busy=1)) is True
    assert commits(replace(SOUND, hours=5.0, windows=7, differing=0, busy=1)) is None


def test_far_more_differing_windows_than_the_gate_saw_end_it() -> None:
    # Of 5 % seen by the gate, three times as many and a tenth are still believed: 25 %.
    assert most_differing(0.05) == pytest.approx(0.25)
    assert commits(Seen(20.0, 1200, 300, 300, 0, 0)) is True
    assert commits(Seen(20.0, 1200, 301, 301, 0, 0)) is False
    assert (most_differing(None), most_differing(0.5)) == (0.5, 1.0)


def test_people_count_more_than_shares() -> None:
    assert commits(replace(SOUND, wrong=5, right=4)) is False
    assert commits(replace(SOUND, wrong=5, right=5)) is True
    assert commits(replace(SOUND, wrong=4, right=0)) is True
    assert commits(replace(SOUND, windows=20, wrong=5)) is None


class Kept:
    """Windows as the store has them."""

    def __init__(self, windows: list[Window]) -> None:
        self._windows = windows

    async def windows_between(self, nodes: object, from_utc_ms: int, to_utc_ms: int) -> list[Window]:
        return [w for w in self._windows if from_utc_ms < w.end_utc_ms <= to_utc_ms]


def told(number: int, name: str, minutes: tuple[int, int], weight: float = 1.0) -> LabelRow:
    first, last = (NOON + minute * MINUTE for minute in minutes)
    return LabelRow(number, "r", name, first, last, weight, "person", "ann", last)


# The committed release says free, free, occupied; the trial occupied, free, free. What came before does not count.
WINDOWS = [window(i + 2, NOON + (i + 1) * MINUTE, nats) for i, nats in enumerate((-1.0, -2.0, 1.0))]
TRIALS = (0x12, 0x01, 0x11)
DELIVERY = Delivery(A, "ab" * 16, 7, Stage.TRIAL, "", 3, 2, NOON, "factory")


def evidence(*labels: LabelRow) -> TrialEvidence:
    found = TrialEvidence(FakeClock(NOON + HOUR_MS), Kept([window(1, NOON), *WINDOWS]), lambda _: labels)
    found.weighed(window(1, NOON), 0x11)
    for each, trial in zip(WINDOWS, TRIALS, strict=True):
        found.weighed(each, trial)
    return found


async def test_what_was_seen() -> None:
    seen = await evidence().seen(DELIVERY, "r")
    assert seen == Seen(hours=1.0, windows=3, differing=2, busy=2, right=0, wrong=0)


async def test_labels_tell_who_was_right() -> None:
    seen = await evidence(told(1, "occupied", (0, 3))).seen(DELIVERY, "r")
    assert (seen.right, seen.wrong) == (1, 1)
    # The newer word counts where two speak, and no weak one.
    labels = told(1, "occupied", (0, 3)), told(2, "free", (0, 1)), told(3, "occupied", (0, 3), weight=0.3)
    seen = await evidence(*labels).seen(DELIVERY, "r")
    assert (seen.right, seen.wrong) == (0, 2)


async def test_what_is_forgotten_is_not_remembered() -> None:
    found = evidence(told(1, "occupied", (0, 3)))
    found.forget()
    seen = await found.seen(DELIVERY, "r")
    assert (seen.right, seen.wrong, seen.busy) == (0, 0, 1)


def test_what_the_gate_saw_differ() -> None:
    # 40 and 160 of 4,000 windows.
    assert expected_share(REPORT) == pytest.approx(0.05)
    assert expected_share(REPORT.replace("4000", "299")) is None
    assert expected_share("{}") is None
