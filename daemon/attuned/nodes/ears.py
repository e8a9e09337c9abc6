"""What one gateway's radio hears, as far as it is remembered. Times are of a clock that never goes back."""

from collections import OrderedDict
from dataclasses import dataclass, field

# A gateway says every 10 s what it goes on hearing: without a word for so long it has lost a node.
FRESH_MS = 60_000

# What was heard before that is kept for people, and then forgotten.
FORGET_MS = 300_000

# The hint of a node that a gateway goes on with while it hears it: an old one that somebody says again changes nothing.
SAME_HINT_MS = 15_000

# Hints that are kept of those that nobody knows.
STRANGERS = 512


@dataclass
class Heard:
    """What was said of a hint last; `failures` are attempts to connect since the last success."""

    hint: bytes
    rssi_dbm: int
    failures: int
    at_ms: int


@dataclass
class Ears:
    """Nodes of ours by their keys, and the rest by its hints."""

    ours: dict[bytes, Heard] = field(default_factory=dict)
    strange: OrderedDict[bytes, Heard] = field(default_factory=OrderedDict)

    def keep_ours(self, key: bytes, heard: Heard) -> None:
        before = self.ours.get(key)
        lasts = before is not None and before.hint != heard.hint and heard.at_ms - before.at_ms < SAME_HINT_MS
        if before is None or not lasts or before.failures > heard.failures:
            self.ours[key] = heard

    def keep_strange(self, heard: Heard) -> None:
        self.strange[heard.hint] = heard
        self.strange.move_to_end(heard.hint)
        if len(self.strange) > STRANGERS:
            self.strange.popitem(last=False)

    def forget(self, now_ms: int) -> None:
        for key in [key for key, heard in self.ours.items() if now_ms - heard.at_ms >= FORGET_MS]:
            del self.ours[key]
        while self.strange and now_ms - next(iter(self.strange.values())).at_ms >= FORGET_MS:
            self.strange.popitem(last=False)
