"""What is kept of nodes that are trusted, and of codes that wait for their node."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrustedNode:
    """A node that was commissioned. `room` is empty where the configuration names it; `name` is for people.

    `daemon_key` is the public key of ours that it used last; `stands_for` are the nodes whose place it took, newest
    first, with spaces between; `advertising` is the key of what it advertises, of its code, and empty for a node that
    was commissioned before that was kept.
    """

    node: str
    public_key: bytes
    daemon_key: bytes
    room: str
    name: str
    since_utc_ms: int
    stands_for: str = ""
    advertising: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class CodeRow:
    """A code that somebody has brought: hint in hex digits, secret, where its node will stand, and the key of what it
    advertises."""

    hint: str
    psk: bytes = field(repr=False)
    room: str
    name: str
    take_over: bool
    told_utc_ms: int
    advertising: bytes = field(default=b"", repr=False)
