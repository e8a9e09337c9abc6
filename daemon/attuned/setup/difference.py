"""What a setup changes, in words: before it is written, a person reads this and says yes."""

from collections.abc import Iterator, Sequence

from attuned.config import MqttSettings, RoomSettings
from attuned.setup.wanted import Wanted

# Rooms that are named before the rest is only counted.
_NAMED = 5


def rows(before: Wanted, after: Wanted) -> Iterator[tuple[str, str]]:
    """(what, how) for everything that differs, without secrets."""
    values = (
        ("name", before.name, after.name),
        ("time zone", before.timezone, after.timezone),
        ("broker", _broker(before.broker), _broker(after.broker)),
        ("Bluetooth", before.radios.bluetooth, after.radios.bluetooth),
        ("serial lines", " ".join(before.radios.serial), " ".join(after.radios.serial)),
        ("TCP for nodes", " ".join(before.radios.listen), " ".join(after.radios.listen)),
        ("gateways at", before.tls, after.tls),
    )
    yield from ((what, f"{old or 'none'} → {new or 'none'}") for what, old, new in values if old != new)
    yield from _rooms(before.rooms, after.rooms)
    if after.password is not None:
        yield "password", "of the broker: new"
    if after.passphrase is not None:
        yield "backups", "a new passphrase, for those that are made from now on"


def _broker(broker: MqttSettings | None) -> str:
    if broker is None:
        return ""
    tls = f" with TLS by {broker.ca_file}" if broker.ca_file else ""
    return f"{broker.host}:{broker.port}{tls}{f' as {broker.user}' if broker.user else ''}"


def _rooms(before: Sequence[RoomSettings], after: Sequence[RoomSettings]) -> Iterator[tuple[str, str]]:
    old, new = ({room.id: room for room in rooms} for rooms in (before, after))
    for what, ids in (
        ("new rooms", [room for room in new if room not in old]),
        ("changed rooms", [room for room in new if room in old and new[room] != old[room]]),
        ("rooms gone", [room for room in old if room not in new]),
    ):
        if ids:
            more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
            yield what, f"{', '.join(ids[:_NAMED])}{more}"
