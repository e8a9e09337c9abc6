"""What a gateway that does what it likes makes of frames, by a seed; for one process and for real links."""

import random
from collections.abc import Sequence

from attuned.nodes.frames import call

# Everything that the in-process schedules know, and what is added where frames of many nodes pass.
MEDDLING = ("drop", "hold", "repeat", "flip", "splice", "old", "call", "cut")
ON_LINKS = (*MEDDLING, "forge", "flood", "reflect")

# Frames that are remembered to be said again: sessions long gone among them.
MEMORY = 2_000


class Hostile:
    """Drops, delays, repeats, changes about, flips, splices and makes up frames; remembers all that it has seen.

    `seen` may be shared by several: then what one node said is said again for another.
    """

    def __init__(
        self, draw: random.Random, hint: bytes, kinds: Sequence[str] = MEDDLING, seen: list[bytes] | None = None
    ) -> None:
        self._draw = draw
        self._hint = hint
        self._seen: list[bytes] = [] if seen is None else seen
        self._held: list[bytes] = []
        self.what = draw.sample(list(kinds), draw.randint(1, 5))

    def __call__(self, frames: Sequence[bytes], _: random.Random) -> list[bytes]:
        out: list[bytes] = []
        for frame in frames:
            self._remember(frame)
            out += self._meddled(frame) if self._draw.random() < 0.4 else [frame]
        if self._held and self._draw.random() < 0.3:
            out += self._held
            self._held = []
            self._draw.shuffle(out)
        return out

    def _remember(self, frame: bytes) -> None:
        if len(self._seen) < MEMORY:
            self._seen.append(frame)
        else:
            self._seen[self._draw.randrange(MEMORY)] = frame

    def _meddled(self, frame: bytes) -> list[bytes]:
        what, place = self._draw.choice(self.what), self._draw.randrange(len(frame))
        if what == "hold":
            self._held.append(frame)
        flipped = bytes([frame[place] ^ 1 << self._draw.randrange(8)])
        made: dict[str, list[bytes]] = {
            "drop": [],
            "hold": [],
            "repeat": [frame] * 3,
            "flip": [frame[:place] + flipped + frame[place + 1 :]],
            "splice": [frame[:place] + self._draw.choice(self._seen)[place:]],
            "old": [frame, self._draw.choice(self._seen)],
            "call": [frame, call(self._hint, commission=self._draw.random() < 0.5)],
            "cut": [frame[:place]],
        }
        return made[what] if what in made else self._made_up(what, frame)

    def _made_up(self, what: str, frame: bytes) -> list[bytes]:
        """What takes more than the frame that came."""
        if what == "forge":
            return [frame, bytes([self._draw.randrange(1, 6)]) + self._hint + self._draw.randbytes(60)]
        if what == "reflect":
            return [frame, self._draw.choice(self._seen)[:1] + self._hint + self._draw.choice(self._seen)[5:]]
        return [*self._draw.choices(self._seen, k=30), frame]
