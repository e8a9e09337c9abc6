"""Being ended is like Ctrl-C, where what was begun has to be taken back."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# systemd and shutdowns send the one, a terminal or connection that goes away the other.
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """KeyboardInterrupt for signals that would end the process at once. What is ignored, as by nohup, stays so."""
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def interrupt(number: int, frame: FrameType | None) -> None:
    """A handler of signals."""
    raise KeyboardInterrupt
