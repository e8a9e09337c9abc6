"""The manual pages, and completion for shells, made of the command lines and settings themselves.

    manual.py FOLDER

writes FOLDER/PROGRAM.SECTION in man(7), and FOLDER/completion/ with a file for bash, zsh and fish each.
"""

import argparse
import contextlib
import io
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_origin

import typer
from attune_gateway import config as gateway_config
from attune_gateway import main as gateway
from attuned import app, config
from attuned.cli import app as cli
from attuned.cli import completing
from attuned.cli.plain import usage_of
from attuned.updates import signer
from attuned.version import VERSION
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

USER, FORMAT, SYSTEM = 1, 5, 8

# Where each shell of Debian looks for what it loads at the first need.
COMPLETION = {"bash": "attune", "zsh": "_attune", "fish": "attune.fish"}

# What zsh loads as a function is called once as well, for the very line that made it load it.
_ZSH_FIRST = '[ "$funcstack[1]" = _attune ] && _attune_completion "$@"\n'

_EXIT_CODES = {
    "attune": ("done", "refused or failed", "wrong usage", "the daemon is not reachable"),
    "attuned": (
        "asked to end",
        "what may pass, such as a full disk",
        "its configuration cannot be used",
        "its store cannot be used",
    ),
    "attune-gateway": (
        "asked to end",
        "what may pass, such as an address that is taken",
        "its settings cannot be used",
    ),
    "attune-signer": ("done", "refused or failed", "wrong usage"),
}

_FIRST_DAY = {
    "sudo attune setup": "Name, rooms, broker, radios, and the passphrase for backups.",
    "sudo adduser $USER attune": "You may use the command line without sudo, from your next login on.",
    "attune node add CODE --room 2.13": "A node, with the code that is printed on it.",
    "sudo attune doctor": "Is everything well, and what is to be done?",
    "attune rooms": "Which rooms are in use?",
    "attune label add 2.13 free now": "Teach: the room has been empty for the last ten minutes.",
}

_DOCS = [
    ".SH FILES",
    ".TP",
    "\\fI/usr/share/doc/attune\\fR",
    "What people who look after a building read: operations.md.",
]

_SEE = {
    "attune": "attuned(8), attuned.toml(5)",
    "attuned": "attune(1), attuned.toml(5), attune-gateway(8), attune-signer(8)",
    "attune-gateway": "attuned(8), attune(1)",
    "attune-signer": "attuned(8), attune(1)",
    "attuned.toml": "attuned(8), attune(1)",
}


@dataclass(frozen=True)
class Entry:
    """A term, as roff, and what is said of it, as plain text."""

    term: str
    text: str


@dataclass(frozen=True)
class Part:
    """What a page says of one command: how it is called, what it does, and what it takes."""

    name: str
    synopsis: str
    text: str
    arguments: Sequence[Entry] = ()
    options: Sequence[Entry] = ()


def text(words: str) -> str:
    """Plain text as roff: nothing in it is a request, and what stands between backticks is bold."""
    made = (
        words.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti").replace("^", "\\(ha")
    )
    made = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", made)
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in made.splitlines())


def bold(words: str) -> str:
    return f"\\fB{text(words)}\\fR"


def italic(words: str) -> str:
    return f"\\fI{text(words)}\\fR"


def paragraphs(words: str) -> str:
    """Of a docstring."""
    found = [" ".join(part.split()) for part in re.split(r"\n\s*\n", words.strip())]
    return "\n.PP\n".join(text(part) for part in found if part)


# Command lines.


def of_typer(command: Any, name: str) -> Part:
    shown = [each for each in command.params if not each.hidden]
    options = [Entry(_option(each), each.help or "") for each in shown if each.param_type_name == "option"]
    arguments = [Entry(italic(usage_of(each)), each.help or "") for each in shown if each.param_type_name == "argument"]
    words = [entry.term for entry in arguments]
    if getattr(command, "commands", {}):
        words.append(f"{italic('COMMAND')} ...")
    options.append(Entry(bold("--help"), "Say what there is."))
    return Part(
        name, " ".join([f"{bold(name)} [{italic('OPTION')}]...", *words]), command.help or "", arguments, options
    )


def _option(parameter: Any) -> str:
    names = ", ".join(bold(name) for name in [*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {italic(str(parameter.metavar or parameter.name.upper()))}"


def parts_of_typer(command: Any, name: str) -> Iterator[Part]:
    """Of a command and of all below it."""
    yield of_typer(command, name)
    for below, inner in getattr(command, "commands", {}).items():
        yield from parts_of_typer(inner, f"{name} {below}")


def parts_of_argparse(parser: argparse.ArgumentParser) -> Iterator[Part]:
    arguments, options, below = [], [], []
    for action in parser._actions:  # noqa: SLF001 (argparse tells it nowhere else)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            below += list(action.choices.values())
        elif action.option_strings:
            names = ", ".join(map(bold, action.option_strings))
            wanted = "" if action.nargs == 0 else f" {italic(action.dest.upper())}"
            options.append(Entry(f"{names}{wanted}", action.help or ""))
        else:
            arguments.append(Entry(italic(action.dest.upper()), action.help or ""))
    words = [*(entry.term for entry in arguments), *([f"{italic('COMMAND')} ..."] if below else [])]
    synopsis = " ".join([f"{bold(parser.prog)} [{italic('OPTION')}]...", *words])
    yield Part(parser.prog, synopsis, parser.description or "", arguments, options)
    for inner in below:
        yield from parts_of_argparse(inner)


# Pages.


def page(name: str, section: int, summary: str, body: Sequence[str]) -> str:
    """`body` are lines of roff, from the synopsis on."""
    made = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC)
    head = f'.TH {text(name.upper())} {section} {made:%Y-%m-%d} "Attune {text(VERSION)}" Attune'
    brief = summary.strip().split("\n\n")[0].rstrip(".")
    # Paths and commands are copied from here: nothing is hyphenated, and no line is stretched.
    lines = [head, ".nh", ".ad l", ".SH NAME", f"{text(name)} \\- {text(' '.join(brief.split()))}", *body]
    return "\n".join(lines) + "\n"


def command_page(name: str, section: int, parts: Sequence[Part], more: Sequence[str] = ()) -> str:
    """The first part is the command itself; those below it have a heading each."""
    own, below = parts[0], parts[1:]
    body = [".SH SYNOPSIS", own.synopsis, ".SH DESCRIPTION", paragraphs(own.text), *_entries(own, ".SH")]
    if below:
        body.append(".SH COMMANDS")
    for part in below:
        body += [f'.SS "{text(part.name)}"', part.synopsis, ".PP", paragraphs(part.text), *_entries(part, "")]
    return page(name, section, own.text, [*body, *more])


def _entries(part: Part, heading: str) -> list[str]:
    lines = []
    for title, entries in (("ARGUMENTS", part.arguments), ("OPTIONS", part.options)):
        if entries and heading:
            lines.append(f"{heading} {title}")
        for entry in entries:
            lines += [".TP", entry.term, text(" ".join(entry.text.split())) or "\\&"]
    return lines


def _endings(program: str) -> list[str]:
    lines = [".SH EXIT STATUS"]
    for code, said in enumerate(_EXIT_CODES[program]):
        lines += [".TP", bold(str(code)), text(said)]
    return lines


def _see(*names: str) -> list[str]:
    shown = [re.sub(r"(\S+)\((\d)\)", lambda found: f"{bold(found[1])}({found[2]})", name) for name in names]
    return [".SH SEE ALSO", ", ".join(shown)]


def attune_pages() -> Iterator[tuple[str, str]]:
    """attune(1), and a page for each of its commands."""
    command = cli.whole()
    names = sorted(command.commands)
    listed = [".SH COMMANDS"]
    for name in names:
        listed += [
            ".TP",
            f"{bold(f'attune {name}')}, see \\fBattune\\-{text(name)}\\fR(1)",
            paragraphs(command.commands[name].help),
        ]
    first = [".SH EXAMPLES", "The first day of a site:"]
    for example, meaning in _FIRST_DAY.items():
        first += [".TP", bold(example), text(meaning)]
    environment = [".SH ENVIRONMENT", ".TP", bold("ATTUNE_SOCKET"), "The socket of the daemon, where none is named."]
    pages = [f"attune-{name}(1)" for name in names]
    more = [*listed, *first, *environment, *_DOCS, *_endings("attune"), *_see(*_SEE["attune"].split(", "), *pages)]
    yield "attune.1", command_page("attune", USER, [of_typer(command, "attune")], more)
    for name in names:
        parts = list(parts_of_typer(command.commands[name], f"attune {name}"))
        more = [*_endings("attune"), *_see("attune(1)")]
        yield f"attune-{name}.1", command_page(f"attune-{name}", USER, parts, more)


def program_pages() -> Iterator[tuple[str, str]]:
    """The pages of what systemd starts."""
    single = typer.Typer(add_completion=False)
    single.command()(app.main)
    files = [".SH FILES", ".TP", italic(str(app.DEFAULT_CONFIG)), "The configuration."]
    programs = {
        "attuned": ([of_typer(typer.main.get_command(single), "attuned")], files),
        "attune-gateway": (
            list(parts_of_typer(typer.main.get_command(gateway.app), "attune-gateway")),
            _gateway_settings(),
        ),
        "attune-signer": (list(parts_of_argparse(signer.parser())), []),
    }
    for name, (parts, more) in programs.items():
        ends = [*_endings(name), *_see(*_SEE[name].split(", "))]
        yield f"{name}.8", command_page(name, SYSTEM, parts, [*more, *ends])


# Settings.


def _gateway_settings() -> list[str]:
    lines = [".SH SETTINGS", "In a TOML file, each where it differs:"]
    for key, expected in gateway_config._EXPECTED.items():  # noqa: SLF001 (the words of its own error messages)
        lines += [".TP", bold(key.replace("[]", "")), text(expected)]
    return lines


def settings_page() -> str:
    """attuned.toml(5), from what the daemon says where a setting is wrong."""
    body = [
        ".SH DESCRIPTION",
        "The configuration of \\fBattuned\\fR(8), in TOML. Tables may be left out, but for \\fB[site]\\fR.",
    ]
    for name, field in config.Settings.model_fields.items():
        table = config._table_in(field.annotation)  # noqa: SLF001 (as its error messages find it)
        if table is None:
            continue
        many = get_origin(field.annotation) is list
        body += [
            f'.SH "{text(f"[[{name}]]" if many else f"[{name}]")}"',
            paragraphs(table.__doc__ or field.description or ""),
        ]
        body += _fields(table)
    return page(
        "attuned.toml", FORMAT, "configuration of Attune's daemon", [*body, *_see(*_SEE["attuned.toml"].split(", "))]
    )


def _fields(table: type[BaseModel]) -> list[str]:
    lines = []
    for name, field in table.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined, "", []) else f" [default: {_toml(field.default)}]"
        lines += [".TP", bold(name), text(f"{field.description}{default}")]
    return lines


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


# Completion.


def completion(shell: str) -> str:
    """The function of a shell that asks `attune` itself."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if completing.complete(f"source_{shell}"):
            raise SystemExit(f"The command line has no completion for {shell}: see what the library for it says.")
    return said.getvalue().strip() + "\n" + (_ZSH_FIRST if shell == "zsh" else "")


def write(folder: Path) -> None:
    """Everything, into a folder that is made where there is none."""
    (folder / "completion").mkdir(parents=True, exist_ok=True)
    for name, content in [*attune_pages(), *program_pages(), ("attuned.toml.5", settings_page())]:
        (folder / name).write_text(content, encoding="utf-8")
    for shell, name in COMPLETION.items():
        (folder / "completion" / name).write_text(completion(shell), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("Name the folder for the pages: manual.py FOLDER")
    write(Path(sys.argv[1]))
