"""A wrong `attuned`, on a slow disk: it acknowledges windows before they are committed."""

import slow_disk
from attuned.nodes.commits import Commits

assert slow_disk.COMMIT_S > 0
_settle = Commits._settle


async def _commit(self: Commits) -> None:
    taken, self._waiting = self._waiting, []
    self._arrived.clear()
    self._urgent.clear()
    _settle(self, taken)
    await self._sink.write([window for _, window, _ in taken])
    self._idle.set()


Commits._commit = _commit  # type: ignore[method-assign]

if __name__ == "__main__":
    from attuned.app import run

    run()
