"""Time cells of a recording to UTC milliseconds, with the rules for local times that occur twice or never."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
# An afternoon whose day, month and hour cannot be taken for one another.
PROBE = datetime(2015, 12, 23, 16, 45, 59, tzinfo=UTC)
ISO_SHAPES = {
    "%Y-%m-%d %H:%M:%S": re.compile(r"\d{4}-\d\d-\d\d ([01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII),
    "%Y-%m-%d %H:%M": re.compile(r"\d{4}-\d\d-\d\d ([01]\d|2[0-3]):[0-5]\d", re.ASCII),
}
FORMAT_EXAMPLE = '"%Y-%m-%d %H:%M:%S"'


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name; ValueError with a sentence where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        wanted = 'an IANA name such as "Europe/Brussels" or "UTC"'
        raise ValueError(f"{name!r} is not a time zone; write {wanted}") from None


def check_format(form: str) -> None:
    """ValueError with a sentence where a strptime format is malformed or does not say day and hour."""
    try:
        parsed = datetime.strptime(PROBE.strftime(form), form)  # noqa: DTZ007 - only the digits are compared
    except ValueError as error:
        reason = str(error).split(" does not match")[0].replace("time data ", "its own output ")
        wanted = f"a strptime format such as {FORMAT_EXAMPLE}"
        raise ValueError(f"{form!r} cannot be read ({reason}); write {wanted}") from None
    if (parsed.date(), parsed.hour) != (PROBE.date(), PROBE.hour):
        raise ValueError(f"{form!r} leaves out the day or the hour; write a format such as {FORMAT_EXAMPLE}")


def reader(form: str) -> Callable[[str], datetime]:
    """What reads a time of a strptime format; it raises ValueError where a text is none."""

    def read(text: str) -> datetime:
        return datetime.strptime(text, form)  # noqa: DTZ007 - LocalTimes applies the recording's zone

    # Most recordings are written so, and reading an ISO time takes a tenth of the time.
    shape = ISO_SHAPES.get(form)
    return read if shape is None else lambda text: datetime.fromisoformat(text) if shape.fullmatch(text) else read(text)


def instant_ms(moment: str | date, local: tzinfo) -> int:
    """UTC milliseconds of an ISO time or a TOML date or time, local if it has no offset; ValueError if it is none."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return next(LocalTimes(local).utc_ms([moment]))


class LocalTimes:
    """Turns readings of a wall clock into UTC, in the order in which they were written down."""

    def __init__(self, local: tzinfo) -> None:
        self._local = local
        self._last: int | None = None
        self._steady: dict[date, int | None] = {}

    def utc_ms(self, moments: Iterable[datetime]) -> Iterator[int]:
        """UTC milliseconds of each moment; one with an offset of its own keeps it."""
        for moment in moments:
            self._last = self._resolve(moment)
            yield self._last

    def _resolve(self, moment: datetime) -> int:
        offset = moment.utcoffset()
        naive = (moment.replace(tzinfo=UTC) - EPOCH) // MILLISECOND
        if offset is not None:
            return naive - offset // MILLISECOND
        steady = self._offset_all_day(moment.date())
        if steady is not None:
            return naive - steady
        first, second = (naive - self._offset(moment, fold) for fold in (0, 1))
        # In an hour that occurs twice the second reading is later; where the clock skipped it is earlier, and wrong.
        last = self._last
        if second <= first or last is None:
            return first
        return min(first, second, key=lambda utc: abs(utc - last))

    def _offset_all_day(self, day: date) -> int | None:
        """The offset of a day on which the clock is not set, None on others; once a day, for long files' sake."""
        if day not in self._steady:
            ends = (datetime.combine(day, end) for end in (time.min, time.max))
            offsets = {self._offset(moment, fold) for moment in ends for fold in (0, 1)}
            self._steady[day] = offsets.pop() if len(offsets) == 1 else None
        return self._steady[day]

    def _offset(self, moment: datetime, fold: int) -> int:
        offset = moment.replace(tzinfo=self._local, fold=fold).utcoffset()
        return (offset or timedelta()) // MILLISECOND
