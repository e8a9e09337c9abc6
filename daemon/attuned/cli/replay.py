"""`attune replay`: recorded sensor data through the node's own code, and how good it was."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attuned.cli import output
from attuned.cli.errors import CliError, WrongUsageError
from attuned.cli.options import Json

if TYPE_CHECKING:
    from attuned.learning.replay.run import Mode as ReplayMode
    from attuned.learning.replay.run import Options, Result


class Mode(StrEnum):
    FROZEN = "frozen"
    ONLINE = "online"


def replay(
    spec: Annotated[Path, typer.Argument(help="Spec in TOML: files, splits, columns, nodes.", metavar="SPEC")],
    *,
    head: Annotated[
        str | None, typer.Option(help="Learner of the nodes, if not that of the factory release.", metavar="NAME")
    ] = None,
    train_days: Annotated[
        float | None, typer.Option(min=0, help="See only the first days of the train split.", metavar="D")
    ] = None,
    labels: Annotated[
        int | None, typer.Option(min=0, help="Learn only so many windows, balanced over classes.", metavar="N")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="Leave out a sensor, by kind or column; may be repeated.", metavar="SENSOR")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Learn on the train split only, or go on learning.")] = Mode.FROZEN,
    late: Annotated[
        float,
        typer.Option(min=0, help="With --mode online: labels arrive so many hours after their windows.", metavar="H"),
    ] = 0.0,
    loop: Annotated[
        bool,
        typer.Option(
            "--loop", help="Run the whole loop: serve, ask, watch for drift, retrain, judge, take up what is better."
        ),
    ] = False,
    label_budget: Annotated[
        int | None,
        typer.Option(min=0, help="With --loop: ask for at most so many labelled windows; 5 a day.", metavar="N"),
    ] = None,
    clock: Annotated[
        bool,
        typer.Option(
            "--clock",
            help="Tell nodes the local time. Beware: they may learn the timetable instead of the room, look good here, "
            "and be wrong the day that habits change.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the draw that --labels makes.")] = 0,
    as_json: Json = False,
) -> None:
    """Replay recorded sensor data through the node's code and say how good it was."""
    # numpy and what stands on it cost half a second that no other command should pay.
    from attuned.learning.replay.errors import ReplayError, SpecError
    from attuned.learning.replay.run import Options

    if loop and mode is not Mode.FROZEN:
        raise WrongUsageError("--loop is a mode of its own; leave --mode out.")
    learning: ReplayMode = "loop" if loop else mode.value
    kind = Options.head if head is None else head
    options = Options(kind, train_days, labels, tuple(drop or ()), learning, seed, late, clock, label_budget)
    try:
        result = _run(spec, options)
    except SpecError as error:
        raise WrongUsageError(str(error)) from None
    except ReplayError as error:
        raise CliError(str(error)) from None
    _show(result, as_json)


def _run(path: Path, options: "Options") -> "Result":
    from attuned.learning.replay.core import CoreCode
    from attuned.learning.replay.run import run
    from attuned.learning.replay.spec import load_spec

    with _progress() as progress:
        return run(load_spec(path), path, options, CoreCode(), clock=time.perf_counter, progress=progress)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line on the terminal that says what is being done; nothing where standard error is no terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading the spec") as status:
        yield status.update


def _show(result: "Result", as_json: bool) -> None:
    from attuned.learning.replay import report

    peak_mb = report.peak_rss_mb()
    if as_json:
        output.show_json(report.as_json(result, peak_mb))
        return
    output.show(report.as_screen(result))
    output.show(report.cost_line(result, peak_mb))
