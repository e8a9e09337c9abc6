"""`attune label ask`: the few questions whose answer teaches most, and the answers as labels."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import label, output
from attuned.cli.client import Daemon, connect, zone_of
from attuned.cli.errors import CliError
from attuned.cli.options import Json, Socket, socket_path
from attuned.cli.times import Interval, parse_interval, parse_moment

if TYPE_CHECKING:
    from datetime import tzinfo

    from attune_proto.v1 import admin_pb2

_Room = Annotated[str | None, typer.Option("--room", metavar="ROOM", help="Only about this room.")]
_Budget = Annotated[int, typer.Option("--budget", metavar="N", min=1, max=50, help="At most so many questions.")]
_Since = Annotated[str, typer.Option("--since", metavar="TIME", help="About the time since then, at most a day.")]

_WORDS = {"f": "free", "free": "free", "o": "occupied", "occupied": "occupied"}
_PROMPT = "f(ree), o(ccupied), s(kip), q(uit); with other times: f 14:00 14:20"


def ask_labels(
    ctx: typer.Context,
    *,
    room: _Room = None,
    budget: _Budget = 5,
    since: _Since = "-1h",
    as_json: Json = False,
    socket: Socket = None,
) -> None:
    """Ask what would teach the rooms most, and take the answers."""
    with connect(socket_path(ctx, socket)) as daemon:
        site = daemon.status()
        zone = zone_of(site)
        reply = daemon.ask_labels(room or "", budget, parse_moment(since, site.now_utc_ms, zone))
        if as_json:
            from attuned.cli import json_form

            output.show_json(json_form.questions(reply, zone))
            return
        _interview(daemon, reply, zone)


def _interview(daemon: Daemon, reply: admin_pb2.AskLabelsReply, zone: tzinfo) -> None:
    from attuned.cli.label_screens import question_screen

    if not reply.questions:
        print("There is nothing to ask: no room has measured anything since then that is not labelled.")
        return
    answered = 0
    for number, question in enumerate(reply.questions, start=1):
        output.show(question_screen(question, number, len(reply.questions), reply.now_utc_ms, zone))
        said = _answer(question, reply.now_utc_ms, zone)
        if said is None:
            break
        if said:
            class_name, time = said
            _tell(daemon, question.room, class_name, time)
            answered += 1
    print(f"{answered} of {len(reply.questions)} questions answered.")


def _answer(question: admin_pb2.Question, now_utc_ms: int, zone: tzinfo) -> tuple[str, Interval] | tuple[()] | None:
    """Class and time; nothing for what was skipped, None when it is enough. Asks again until it can be read."""
    while True:
        print(f"  {_PROMPT}: ", end="", flush=True)
        line = sys.stdin.readline()
        words = line.split()
        if not line or words[:1] in (["q"], ["quit"]):
            print()
            return None
        if words in (["s"], ["skip"]):
            return ()
        try:
            if words and words[0] in _WORDS:
                default = Interval(question.from_utc_ms, question.to_utc_ms)
                return _WORDS[words[0]], parse_interval(words[1:], now_utc_ms, zone) if words[1:] else default
            print("  That is no answer; say one of these.")
        except CliError as error:
            print(f"  {error}")


def _tell(daemon: Daemon, room: str, class_name: str, time: Interval) -> None:
    from attune_proto.v1 import admin_pb2

    request = admin_pb2.AddLabelRequest(
        room=room,
        class_name=class_name,
        from_utc_ms=time.from_utc_ms,
        to_utc_ms=time.to_utc_ms,
        source="person",
        author=label.author(),
    )
    try:
        print(f"  Label {daemon.add_label(request).label.number}.")
    except CliError as error:
        if error.exit_code != CliError.exit_code:
            raise
        print(f"  {error}")
