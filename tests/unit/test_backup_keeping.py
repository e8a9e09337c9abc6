"""Which backups of a folder stay."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attuned.backup.keeping import DAYS, WEEKS, Kept, kept_in, name_of, to_drop
from attuned.backup.manifest import Header
from attuned.backup_key import Stretching
from attuned.errors import RequestError
from hypothesis import given
from hypothesis import strategies as st

# A Monday.
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def header(made: datetime) -> Header:
    return Header(made_utc_ms=int(made.timestamp() * 1000), version="0.1.0", key=asdict(Stretching("00" * 16)))


def kept(hours_ago: float) -> Kept:
    made = NOON - timedelta(hours=hours_ago)
    return Kept(Path(str(hours_ago)), header(made), 1)


def left(backups: list[Kept]) -> list[float]:
    dropped = to_drop(backups, int(NOON.timestamp() * 1000))
    return [float(each.path.name) for each in backups if each not in dropped]


def test_a_nightly_timer_leaves_seven_days_and_four_weeks() -> None:
    # At noon of sixty days, the newest on a Monday: seven days back to Tuesday, and the Sundays of the weeks before.
    backups = [kept(24 * day) for day in range(60)]
    assert left(backups) == [24.0 * day for day in (0, 1, 2, 3, 4, 5, 6, 8, 15)]


def test_of_a_day_the_newest_stays() -> None:
    assert left([kept(0), kept(1), kept(2), kept(13), kept(20)]) == [0.0, 13.0]


def test_a_timer_that_was_off_for_a_year_takes_nothing_with_it() -> None:
    backups = [kept(0), *(kept(24 * 365 + 24 * day) for day in range(6))]
    assert len(left(backups)) == 7


def test_a_clock_that_ran_ahead_costs_no_backup() -> None:
    """For ten days backups were dated a year ahead; the one that was just made stays, and so does what was before."""
    ahead = [kept(-24 * 365 - 24 * day) for day in range(10)]
    backups = [*reversed(ahead), kept(0), *(kept(24 * day) for day in range(20, 23))]
    assert set(left(backups)) == {float(each.path.name) for each in backups}


@given(st.lists(st.integers(0, 24 * 400), unique=True, max_size=80).map(sorted))
def test_the_newest_always_stays_and_never_more_than_days_and_weeks(hours: list[int]) -> None:
    backups = [kept(each) for each in hours]
    stay = left(backups)
    assert stay[:1] == [float(each) for each in hours[:1]]
    assert len(stay) <= DAYS + WEEKS
    # Dropping again drops nothing: what stays does so on its own account.
    assert left([each for each in backups if float(each.path.name) in stay]) == stay


def test_only_whole_backups_of_ours_are_listed(tmp_path: Path) -> None:
    good = tmp_path / name_of(header(NOON).made_utc_ms)
    good.write_bytes(header(NOON).line() + b"sealed")
    (tmp_path / "attune-20260101T000000Z.backup").write_bytes(b"no backup")
    (tmp_path / "attune-20260101T000001Z.backup").mkdir()
    (tmp_path / "holiday.backup").write_bytes(header(NOON).line())
    assert [each.path for each in kept_in(tmp_path)] == [good]
    assert kept_in(tmp_path)[0].made == NOON
    with pytest.raises(RequestError, match="name a folder"):
        kept_in(tmp_path / "none")
