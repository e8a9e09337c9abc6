"""Ports for servers that are started here: none twice, none that somebody listens on."""

import socket

from attuned.demo.ports import FIRST, LAST, free_port, is_free


def test_no_port_is_given_twice() -> None:
    ports = [free_port() for _ in range(300)]
    assert len(set(ports)) == len(ports)
    assert all(FIRST <= port <= LAST for port in ports)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)
