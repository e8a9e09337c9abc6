"""Wrong words on a command line, as one sentence that says where to read on.

Imports little, since commands of people come up with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import typer

# What the libraries say, and how people say it.
_WORDS = {
    r"Got unexpected extra argument\(s\) \((.*)\)": r"Nothing is expected where `\1` stands",
    r"unrecognized arguments: (.*)": r"Nothing is expected where `\1` stands",
    r"argument \S+: invalid choice: '(.*)' \(choose from (.*)\)": r"`\1` is none of \2",
    r"the following arguments are required: (.*)": r"Missing argument \1",
    r"\. Did you mean": "; did you mean",
    r" \(Possible options: (.*)\)": r"; did you mean \1",
    r"Value error, ": "",
    r"Input should be a valid integer.*": "write a whole number",
    r"Input should be a valid number.*": "write a number",
    r"Input should be greater than or equal to (\S+)": r"write \1 or more",
    r"Input should be less than or equal to (\S+)": r"write \1 or less",
}


def sentence(message: str, command: str) -> str:
    """What a library says is wrong, in words for people, and the help of the command that it is wrong for."""
    said = " ".join(message.split())
    for theirs, ours in _WORDS.items():
        said = re.sub(theirs, ours, said)
    return f"{said[:1].upper()}{said[1:].rstrip('.?')}; see `{command} --help`."


def of_typer(error: typer.TyperException, program: str) -> str:
    """The sentence for what typer raises."""
    context = getattr(error, "ctx", None)
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return sentence(message, context.command_path if context else program)


def run(app: typer.Typer, program: str) -> NoReturn:
    """Runs this process's arguments and ends it; exit code 2 for wrong ones."""
    import typer

    from attune_service.journal import complain

    try:
        code = app(prog_name=program, standalone_mode=False)
    except typer.TyperException as error:
        complain(program, of_typer(error, program))
        code = error.exit_code
    except typer.Abort:
        code = 1
    raise SystemExit(code)
