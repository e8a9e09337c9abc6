"""The watchdog of systemd (sd_notify(3), `WatchdogSec=`): fed by a loop that has just seen everything at work.

A turn of the loop reads the store on the store's own thread, if there is one, then looks at the tasks: none may have
ended, and none may be at one turn without a step for longer than it said (`turns`). Where that fails, systemd is told
nothing but the reason, and ends and restarts the process when its time is over: at once where a task still hangs after
further looks, since the store, which may be slow, has answered then.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from attune_service import turns
from attune_service.journal import HUNG, about

log = logging.getLogger(__name__)

# How often the loop looks, in seconds, unless systemd wants to hear more often.
LOOK_S = 10.0

# Of the time that systemd allows, the part between two looks: one may be missed, and another be slow.
PART = 4

# Looks in a row at which a task has to hang until that is certain: whoever was kept from working, as in a machine that
# stood still, works on after one.
CERTAIN = 3

# When a store that does not answer is spoken of where systemd sets no time, in seconds.
LATE_S = 60.0

_SILENT = "The store does not answer."


class Watchdog:
    """Looks at `tasks`, and reads the store with `read`; `status` is the line that `systemctl status` shows.

    `allowed_s` is the time after which systemd loses its patience, 0 where it has none.
    """

    def __init__(
        self,
        tasks: Collection[asyncio.Task[Any]],
        status: Callable[[], str],
        read: Callable[[], Awaitable[object]] | None = None,
        *,
        allowed_s: float | None = None,
    ) -> None:
        self._tasks = tasks
        self._status = status
        self._read = read
        self._allowed_s = allowed_by_systemd_s() if allowed_s is None else allowed_s
        self._widened_s = self._allowed_s
        self._every_s = min(LOOK_S, self._allowed_s / PART) if self._allowed_s else LOOK_S
        self._told = ""
        self._hung = 0

    async def run(self) -> None:
        """Looks and feeds, for ever."""
        while True:
            self._widen()
            unread = await self._reading()
            hangs = "" if unread else self._hanging()
            self._hung = self._hung + 1 if hangs else 0
            if trouble := unread or hangs:
                self._complain(trouble)
            else:
                self._told = ""
                tell(f"WATCHDOG=1\nSTATUS={self._status()}")
            if self._hung >= CERTAIN:
                tell("WATCHDOG=trigger")
            await asyncio.sleep(self._every_s)

    def _widen(self) -> None:
        """While the store is at work that is known to be long, it cannot be read: systemd is told how long."""
        wanted_s = max(self._allowed_s, turns.exclusive_s())
        if self._allowed_s and wanted_s != self._widened_s:
            tell(f"WATCHDOG_USEC={int(wanted_s * 1_000_000)}")
            self._widened_s = wanted_s

    async def _reading(self) -> str:
        """Reads the store, however long it takes; what is wrong with it."""
        if self._read is None:
            return ""
        # Who looks for the reason of a restart shall find it, so it is said before that comes.
        waits = asyncio.get_running_loop().call_later(self._widened_s / 2 or LATE_S, self._complain, _SILENT)
        try:
            await self._read()
        except Exception as error:  # noqa: BLE001 (whatever keeps it from being read, it was not read)
            return f"The store cannot be read ({error})."
        finally:
            waits.cancel()
        return ""

    def _hanging(self) -> str:
        if ended := [task.get_name() for task in self._tasks if task.done()]:
            return f"The task {ended[0]} has ended, which it never should."
        now_s = time.monotonic()
        if late := turns.late(now_s):
            stillest = max(late, key=lambda turn: turn.still_s(now_s))
            return f"The task {stillest.task} has made no step for {stillest.still_s(now_s):.0f} s."
        return ""

    def _complain(self, trouble: str) -> None:
        """Once, and where `systemctl status` shows it."""
        if not self._told:
            log.error("%s The watchdog is not fed until that is over.", trouble, extra=about(message=HUNG))
        self._told = trouble
        tell(f"STATUS={trouble}")


def tell(what: str) -> None:
    """Tells systemd lines of NAME=VALUE (sd_notify(3)), if it takes them at once.

    systemd's own function waits for as long as nobody reads the other end, and nobody else would be served meanwhile.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.setblocking(False)
        sender.sendto(what.encode(), "\0" + address[1:] if address.startswith("@") else address)


def allowed_by_systemd_s() -> float:
    """The time within which systemd wants to hear from this process (sd_watchdog_enabled(3)), or 0."""
    text, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not text.isdecimal() or (process and process != str(os.getpid())):
        return 0.0
    return int(text) / 1_000_000
