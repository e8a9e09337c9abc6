"""Ports for gateways of other machines: two in a row."""

import contextlib
import socket


def two_free_ports() -> int:
    """The lower of two neighbouring ports of 127.0.0.1 on which nobody listens."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first, contextlib.suppress(OSError):
            port: int = first.getsockname()[1]
            with socket.create_server(("127.0.0.1", port + 1)):
                return port
