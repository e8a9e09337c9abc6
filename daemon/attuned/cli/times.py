"""Read the stretch of time that a person types after `attune label add ROOM CLASS`.

One moment:  `now`, `-20m` (also `-90s`, `-2h`, `-1h30m`, `-1d`), `14:00`, `today 14:00`, `yesterday 14:00`,
             `2026-11-21 14:00`, `2026-11-21T14:00`, `2026-11-21T14:00+01:00`.
A stretch:   two moments, the second one also as `+20m` after the first; or `now` alone, which is the last ten minutes;
             or `-20m` alone, which is until now. A time of day without a day is today's, or the first moment's day
             where that names one. A moment of two words may be quoted or not. `9-11`, also `9:30-11`, is from one
             time of day to another.

All of it is read in the site's time zone against the daemon's clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from attuned.cli import clock
from attuned.cli.errors import CliError, WrongUsageError

NOW_ALONE = timedelta(minutes=10)

_FORMS = "write 14:00, -20m, now, yesterday 14:00 or 2026-11-21 14:00"
_DURATION = re.compile(r"([+-])((?:\d{1,5}[dhms])+)")
_PART = re.compile(r"(\d+)([dhms])")
_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_HOURS = re.compile(r"(\d{1,2}(?::\d{2})?)-(\d{1,2}(?::\d{2})?)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True)
class Interval:
    """A stretch of time, UTC milliseconds, from < to."""

    from_utc_ms: int
    to_utc_ms: int


def parse_interval(words: Sequence[str], now_utc_ms: int, zone: tzinfo) -> Interval:
    """Read a stretch of time that is over, in a zone, at a daemon's now.

    Raises WrongUsageError for words that are no times, CliError for times that are to come, do not exist, are ambiguous
    or stand in the wrong order.
    """
    reader = _Reader(" ".join(words).split(), clock.local(now_utc_ms, zone), zone)
    try:
        start, end = reader.interval()
    except OverflowError:
        raise WrongUsageError(f"`{' '.join(words)}` lies outside of the calendar; {_FORMS}.") from None
    if start >= end:
        raise CliError(_wrong_order(start.astimezone(zone), end.astimezone(zone)))
    return Interval(clock.utc_ms(start), clock.utc_ms(end))


def parse_moment(words: str, now_utc_ms: int, zone: tzinfo) -> int:
    """Read one moment that is past, or a day, which stands for its beginning; UTC milliseconds. Raises as above."""
    parts = words.split()
    if len(parts) == 1 and (parts[0] in {"today", "yesterday"} or _DATE.fullmatch(parts[0])):
        parts.append("00:00")
    reader = _Reader(parts, clock.local(now_utc_ms, zone), zone)
    try:
        return clock.utc_ms(reader.one())
    except OverflowError:
        raise WrongUsageError(f"`{words}` lies outside of the calendar; {_FORMS}.") from None


class _Reader:
    """Reads words from left to right. All moments inside are in UTC: differences of local times lie across a change."""

    def __init__(self, words: list[str], now: datetime, zone: tzinfo) -> None:
        self._words = [part for word in words for part in _two_times(word)]
        self._now = now
        self._zone = zone
        self._day: date | None = None
        self._start: datetime | None = None

    def interval(self) -> tuple[datetime, datetime]:
        if not self._words:
            raise WrongUsageError(f"Say when the room was so: {_FORMS}.")
        first, said = self._words[0], " ".join(self._words)
        self._start = start = self._moment()
        if self._words:
            end = self._moment()
            self._expect_no_more()
            return start, end
        now = self._now.astimezone(UTC)
        if first == "now":
            return now - NOW_ALONE, now
        if first.startswith("-"):
            return start, now
        raise WrongUsageError(f"Say until when, for instance `{said} now` or `{said} +20m`.")

    def one(self) -> datetime:
        if not self._words:
            raise WrongUsageError(f"Say a time: {_FORMS}.")
        moment = self._moment()
        self._expect_no_more()
        return moment

    def _expect_no_more(self) -> None:
        if self._words:
            raise WrongUsageError(
                f"`{' '.join(self._words)}` comes after the end of the time; write two times, no more."
            )

    def _moment(self) -> datetime:
        word = self._words.pop(0)
        if word == "now":
            return self._now.astimezone(UTC)
        if duration := _DURATION.fullmatch(word):
            return self._relative(duration[1], duration[2])
        said, moment = word, self._exact(word)
        if moment is None:
            self._day = self._day_named(word) or self._day
            if self._day_named(word):
                word = self._words.pop(0) if self._words else ""
                said = f"{said} {word}".strip()
            moment = self._at(self._day or self._now.date(), word, said)
        if moment > self._now:
            raise CliError(_to_come(said, self._now))
        return moment

    def _relative(self, sign: str, parts: str) -> datetime:
        length = sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in _PART.findall(parts)), timedelta())
        if sign == "-":
            return self._now.astimezone(UTC) - length
        if self._start is None:
            raise WrongUsageError(f"`+{parts}` can only be an end, as in `14:00 +{parts}`.")
        if self._start + length > self._now:
            raise CliError(_to_come(f"+{parts}", self._now))
        return self._start + length

    def _exact(self, word: str) -> datetime | None:
        """A date and a time joined by T, with an offset or without."""
        if "T" not in word:
            return None
        try:
            moment = datetime.fromisoformat(word)
        except ValueError:
            return None
        self._day = moment.date()
        return moment.astimezone(UTC) if moment.tzinfo else self._resolve(moment, word)

    def _day_named(self, word: str) -> date | None:
        if word in {"today", "yesterday"}:
            return self._now.date() - timedelta(days=word == "yesterday")
        if not _DATE.fullmatch(word):
            return None
        try:
            return date.fromisoformat(word)
        except ValueError:
            raise WrongUsageError(
                f"There is no day {word}; write it as year-month-day, for instance 2026-11-21."
            ) from None

    def _at(self, day: date, word: str, said: str) -> datetime:
        match = _TIME_OF_DAY.fullmatch(word)
        if match is None:
            raise WrongUsageError(_unreadable(word, said))
        hour, minute, second = (int(part or 0) for part in match.groups())
        if (hour, minute, second) == (24, 0, 0):
            return self._resolve(datetime.combine(day + timedelta(days=1), time()), said)
        if hour > 23 or minute > 59 or second > 59:
            raise WrongUsageError(f"There is no time {word}; hours go from 00 to 23 and minutes from 00 to 59.")
        return self._resolve(datetime.combine(day, time(hour, minute, second)), said)

    def _resolve(self, naive: datetime, said: str) -> datetime:
        """The moment in UTC that the site's clocks showed so; where they showed it twice, the only one that is past."""
        shown = {naive.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        real = sorted(m for m in shown if m.astimezone(self._zone).replace(tzinfo=None) == naive)
        if not real:
            raise CliError(f"The clocks were put forward over {said}, so that time did not exist; write another.")
        past = [m for m in real if m <= self._now]
        if len(past) < 2:
            return real[0]
        both = " or ".join(m.astimezone(self._zone).isoformat(timespec="minutes") for m in past)
        raise CliError(f"The clocks were put back over {said}, so that time came twice; write {both}.")


def _two_times(word: str) -> list[str]:
    """`9-11` as `9:00` and `11:00`; any other word as it is."""
    hours = _HOURS.fullmatch(word)
    return [part if ":" in part else f"{part}:00" for part in hours.groups()] if hours else [word]


def _to_come(said: str, now: datetime) -> str:
    hint = (
        f"for the day before write `yesterday {said}`" if _TIME_OF_DAY.fullmatch(said) else "name a time that is over"
    )
    return f"`{said}` is still to come: at the site it is {now:%H:%M} on {now:%Y-%m-%d}; {hint}."


def _wrong_order(start: datetime, end: datetime) -> str:
    form = "%Y-%m-%d %H:%M:%S"
    return (
        f"The end {end:{form}} does not lie after the beginning {start:{form}}; write the earlier time first, "
        "and the day of the end where it is another one."
    )


def _unreadable(word: str, said: str) -> str:
    if word.startswith("--"):
        return f"There is no option {word}; see `attune label add --help`."
    if not word:
        return f"Say the time of day after the day, for instance `{said} 14:00`."
    return f"`{word}` is not a time that can be read; {_FORMS}."
