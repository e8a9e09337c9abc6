"""Write times and stretches of time, for people and for programs. Times come in as UTC milliseconds; 0 means none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def local(utc_ms: int, zone: tzinfo) -> datetime:
    """The time in a zone, exact to the millisecond."""
    return (_EPOCH + timedelta(milliseconds=utc_ms)).astimezone(zone)


def utc_ms(moment: datetime) -> int:
    """UTC milliseconds of a time that knows its zone."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def iso(utc_ms: int, zone: tzinfo) -> str | None:
    """ISO 8601 with milliseconds and the zone's offset; None if there is no time."""
    return local(utc_ms, zone).isoformat(timespec="milliseconds") if utc_ms else None


def short(utc_ms: int, now_utc_ms: int, zone: tzinfo) -> str:
    """As short as it can be told from now: `08:41`, `Fri 17:03`, `12 Nov` or `12 Nov 2025`."""
    if not utc_ms:
        return "-"
    then, now = local(utc_ms, zone), local(now_utc_ms, zone)
    days = (now.date() - then.date()).days
    if days == 0:
        return f"{then:%H:%M}"
    if 0 < days < 7:
        return f"{then:%a %H:%M}"
    return f"{then.day} {then:%b}" if then.year == now.year else f"{then.day} {then:%b %Y}"


def full(utc_ms: int, zone: tzinfo) -> str:
    """Day and minute: `Sat 21 Nov 2026, 09:14`."""
    then = local(utc_ms, zone)
    return f"{then:%a} {then.day} {then:%b %Y, %H:%M}"


def day_and_minute(utc_ms: int, now_utc_ms: int, zone: tzinfo) -> str:
    """To the minute, with the day unless it is today's: `08:41`, `20 Nov 17:03`, `20 Nov 2025 17:03`."""
    then, now = local(utc_ms, zone), local(now_utc_ms, zone)
    if then.date() == now.date():
        return f"{then:%H:%M}"
    return f"{then.day} {then:%b %H:%M}" if then.year == now.year else f"{then.day} {then:%b %Y %H:%M}"


def span(ms: int) -> str:
    """A stretch of time in one or two units: `45 s`, `33 min`, `3 h 20 min`, `2 d 4 h`."""
    seconds = max(ms, 0) // 1000
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _two(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit}" + (f" {small} {small_unit}" if small else "")
