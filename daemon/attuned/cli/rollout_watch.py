"""`attune rollout status --watch`: live on a terminal, one line a change on a pipe, until the rollout's end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from attune_proto.v1 import rollouts_pb2
from rich.live import Live

from attuned.cli import output, rollout_json
from attuned.cli.client import Daemon
from attuned.cli.rollout_screens import change_line, rollout_screen


def watch(daemon: Daemon, number: int, zone: tzinfo, *, as_json: bool) -> rollouts_pb2.Rollout | None:
    """Shows a rollout (0: the newest) until its end, and returns it as it is then; None where Ctrl-C came first."""
    console, pages, last = output.console(), daemon.watch_rollout(number), None
    try:
        if console.is_terminal and not as_json:
            with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
                for last in pages:
                    live.update(rollout_screen(last, zone), refresh=True)
            return last
        return _print(pages, zone, as_json=as_json)
    except KeyboardInterrupt:
        return None


def _print(pages: Iterator[rollouts_pb2.Rollout], zone: tzinfo, *, as_json: bool) -> rollouts_pb2.Rollout | None:
    last = None
    for last in pages:
        if as_json:
            output.show_json_line(rollout_json.rollout(last, zone))
        else:
            print(change_line(last, zone), flush=True)
    return last
