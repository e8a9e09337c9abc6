"""TCP ports of 127.0.0.1 for servers that are started here."""

import random
import socket

# Below the range from which Linux takes the ports of outgoing connections (32768 to 60999): none of those can come
# between the choice of a port and its use.
FIRST, LAST = 20_000, 32_767

_given: set[int] = set()
_draw = random.Random()


def free_port() -> int:
    """A port that nobody listens on and that this process has not been given before.

    Raises OSError after a thousand attempts.
    """
    for _ in range(1000):
        port = _draw.randint(FIRST, LAST)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise OSError(f"There is no free port between {FIRST} and {LAST} on this machine.")


def is_free(port: int) -> bool:
    """Nobody listens on the port now."""
    with socket.socket() as probe:
        # As servers do: connections that have ended a moment ago do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
