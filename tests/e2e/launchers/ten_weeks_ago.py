"""`attuned` as it was ten weeks ago, for what it gives gateways."""

from attuned.clock import SystemClock

TEN_WEEKS_MS = 70 * 86_400_000

_utc_ms = SystemClock.utc_ms
SystemClock.utc_ms = lambda self: _utc_ms(self) - TEN_WEEKS_MS  # type: ignore[method-assign]

if __name__ == "__main__":
    from attuned.app import run

    run()
