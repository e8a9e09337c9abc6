"""`attune rooms --watch`: live on a terminal, one line a change on a pipe."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from attune_proto.v1 import admin_pb2
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from attuned.cli import clock, json_form, look, output
from attuned.cli.client import Daemon, zone_of
from attuned.cli.errors import CliError, NotReachableError
from attuned.cli.rooms import screen

_TICK_S = 1.0  # how often the clock on the screen moves while nothing changes
_FRAME_S = 0.1  # changes that come closer together are shown together


def watch_rooms(daemon: Daemon, names: Sequence[str], as_json: bool) -> None:
    """Show rooms until Ctrl-C, which is the proper end. Raises NotReachableError when the daemon goes away."""
    console = output.console()
    try:
        zone = zone_of(daemon.status())
        if as_json or not console.is_terminal:
            _print_changes(daemon, names, zone, as_json)
        else:
            _show_live(daemon, names, zone, console)
    except KeyboardInterrupt:
        return


def _print_changes(daemon: Daemon, names: Sequence[str], zone: tzinfo, as_json: bool) -> None:
    for reply in daemon.watch(names):
        now = clock.iso(reply.now_utc_ms, zone)
        for room in reply.rooms:
            if as_json:
                output.show_json_line({"now": now} | json_form.room(room, zone))
            else:
                print(_line(room, now, zone), flush=True)
    raise _ended()


def _line(room: admin_pb2.Room, now: str | None, zone: tzinfo) -> str:
    chance = look.percent(room.probability) if room.as_of_utc_ms else "-"
    since = f"since {clock.local(room.since_utc_ms, zone).isoformat(timespec='seconds')}" if room.since_utc_ms else ""
    taught = "" if room.taught else look.NOT_TAUGHT
    return "\t".join((now or "", room.room, look.state_word(room.state), chance, since, taught)).rstrip()


def _show_live(daemon: Daemon, names: Sequence[str], zone: tzinfo, console: Console) -> None:
    changes = _Changes(daemon, names)
    reply = admin_pb2.ListRoomsReply()
    seen: dict[str, admin_pb2.Room] = {}
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            for change in changes.take():
                seen.update((room.room, room) for room in change.rooms)
            reply = admin_pb2.ListRoomsReply(rooms=seen.values(), now_utc_ms=daemon.status().now_utc_ms)
            live.update(_Live(screen(daemon, reply, bool(names), zone), reply.now_utc_ms, zone), refresh=True)


class _Changes:
    """Reads the stream on a thread of its own, so that the clock moves and Ctrl-C works while nothing changes."""

    def __init__(self, daemon: Daemon, names: Sequence[str]) -> None:
        self._arrived: queue.SimpleQueue[admin_pb2.ListRoomsReply | CliError] = queue.SimpleQueue()
        self._first = True
        threading.Thread(target=self._read, args=(daemon, names), name="watch", daemon=True).start()

    def take(self) -> list[admin_pb2.ListRoomsReply]:
        """What has changed; waits for a first reply, then at most a tick. Raises what ended the stream."""
        try:
            changes = [self._arrived.get(timeout=None if self._first else _TICK_S)]
        except queue.Empty:
            return []
        self._first = False
        threading.Event().wait(_FRAME_S)
        while not self._arrived.empty():
            changes.append(self._arrived.get())
        if (last := changes[-1]) and isinstance(last, CliError):
            raise last
        return [change for change in changes if isinstance(change, admin_pb2.ListRoomsReply)]

    def _read(self, daemon: Daemon, names: Sequence[str]) -> None:
        try:
            for reply in daemon.watch(names):
                self._arrived.put(reply)
            self._arrived.put(_ended())
        except CliError as error:
            self._arrived.put(error)


@dataclass(frozen=True)
class _Live:
    """A screen cut to the terminal's height, with the site's clock below it."""

    screen: RenderableType
    now_utc_ms: int
    zone: tzinfo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self.screen, options, pad=False)
        room = max(console.size.height - 3, 1)
        for line in lines[:room]:
            yield from line
            yield Segment.line()
        hidden = f"; {len(lines) - room} more lines need a taller window" if len(lines) > room else ""
        yield Text()
        footer = f"{clock.local(self.now_utc_ms, self.zone):%a %H:%M:%S}; Ctrl-C ends{hidden}"
        yield Text(footer, style="dim", no_wrap=True, overflow="ellipsis")


def _ended() -> CliError:
    return NotReachableError("The daemon ended the watch; see `systemctl status attuned`, then start the watch again.")
