"""windows.db is checked once after each start, beside everything else, and what was found is told."""

import asyncio
import contextlib
import logging
import sys
from pathlib import Path

from attuned.clock import Clock
from attuned.store import checking
from attuned.store.copies import aside
from attuned.store.trouble import damaged

log = logging.getLogger(__name__)

# The check begins when the rush of the start is over, and again so long after it was broken off, in real seconds. Where
# it fails, it is each time twice as long until the next one: it may read a gigabyte before it does.
WAIT_S = 15.0
LONGEST_S = 3600.0


class BulkCheck:
    """`checked_utc_ms` is when the check of this start was done, 0 until then."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._found = ""
        self._stopped = False
        self._process: asyncio.subprocess.Process | None = None
        self.checked_utc_ms = 0

    @property
    def trouble(self) -> str:
        """A sentence on what is wrong with windows.db, or was; empty if all is well as far as is known."""
        if self._found:
            return self._found
        old = aside(self._path)
        return (
            f"{old[0].name} was damaged and set aside: windows and history from before are in it alone; "
            f"remove {old[0]} when nobody needs them any more."
            if old
            else ""
        )

    async def run(self) -> None:
        """Checks the file once, and then waits for ever: no task may end."""
        await self.check()
        await asyncio.get_running_loop().create_future()

    async def check(self) -> None:
        """Checks the file once; tries again for as long as that is not possible."""
        wait_s = WAIT_S
        while not self.checked_utc_ms:
            await asyncio.sleep(wait_s)
            self._stopped = False
            code, answer = await self._answer()
            if code == 0:
                self._conclude(answer)
            elif self._stopped:
                wait_s = WAIT_S
            else:
                wait_s = min(2 * wait_s, LONGEST_S)
                why = answer or f"it ended with {code}"
                log.warning("windows.db could not be checked (%s); it is tried again in %.0f s.", why, wait_s)

    def stop(self) -> None:
        """Ends a check that is under way, which begins anew later: nobody may read what is to be forgotten."""
        self._stopped = True
        self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _conclude(self, answer: str) -> None:
        self.checked_utc_ms = self._clock.utc_ms()
        if answer == checking.OK:
            log.info("windows.db was checked and is well.")
            return
        self._found = str(damaged(self._path, answer, precious=False))
        log.error("%s", self._found)

    async def _answer(self) -> tuple[int, str]:
        """The exit code of the check, and what it said."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "attuned.store.checking", str(self._path)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            said, _ = await self._process.communicate()
        finally:
            self._kill()
            # On cancellation the process is not left behind.
            await asyncio.shield(self._process.wait())
        code = self._process.returncode
        return (-1 if code is None else code), said.decode(errors="replace").strip()
