"""What reaches systemd's journal: the sentence, who said it, what it is about, and nothing else."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from attune_gateway import config
from attune_gateway import main as gateway
from attune_service import journal
from attune_service.journal import JournalHandler, about
from attuned.updates import signer

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
NODE = "a1b2c3d4e5f60708"

MESSAGES = {name: value for name, value in vars(journal).items() if re.fullmatch("[0-9a-f]{32}", str(value))}


class Entries:
    """In the place of the journal."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def send(self, message: str, **fields: Any) -> None:
        self.found.append({"MESSAGE": message, **fields})


@pytest.fixture
def entries() -> Entries:
    return Entries()


@pytest.fixture
def log(entries: Entries) -> Iterator[logging.Logger]:
    logger = logging.getLogger("attuned.test")
    handler = JournalHandler("attuned", entries.send)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.removeHandler(handler)


def test_an_entry_is_its_sentence_with_fields(log: logging.Logger, entries: Entries) -> None:
    extra = about(node=NODE, room="2.13", message=journal.NODE_COMMISSIONED)
    log.info("Node %s is commissioned.", NODE, extra=extra)
    (entry,) = entries.found
    assert entry.pop("CODE_LINE") > 0
    assert entry == {
        "MESSAGE": f"Node {NODE} is commissioned.",
        "MESSAGE_ID": journal.NODE_COMMISSIONED,
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "attuned",
        "LOGGER": "attuned.test",
        "CODE_FILE": __file__,
        "CODE_FUNC": "test_an_entry_is_its_sentence_with_fields",
        "ATTUNE_NODE": NODE,
        "ATTUNE_ROOM": "2.13",
    }


@pytest.mark.parametrize(("level", "priority"), [(10, "7"), (20, "6"), (25, "6"), (30, "4"), (40, "3"), (50, "2")])
def test_priorities_are_those_of_syslog(log: logging.Logger, entries: Entries, level: int, priority: str) -> None:
    log.log(level, "So it is.")
    assert entries.found[0]["PRIORITY"] == priority


def test_arguments_and_other_extras_stay_here(log: logging.Logger, entries: Entries) -> None:
    """What a sentence was made of might hold more than the sentence."""

    class Key:
        secret = "f00d" * 16

        def __str__(self) -> str:
            return "a key"

    key = Key()
    log.warning("There was %s.", key, extra={"payload": key.secret, **about(gateway="north", release="")})
    (entry,) = entries.found
    assert key.secret not in repr(entry)
    assert set(entry) - {"ATTUNE_GATEWAY"} == {
        "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "LOGGER", "CODE_FILE", "CODE_LINE", "CODE_FUNC",
    }  # fmt: skip


def test_lines_of_a_hostile_name_are_no_entries_of_their_own(log: logging.Logger, entries: Entries) -> None:
    log.warning("A gateway was refused: %s", "x\nPRIORITY=0\nMESSAGE=The site is on fire.")
    assert len(entries.found) == 1
    assert entries.found[0]["PRIORITY"] == "4"


def test_who_logs_does_not_fail_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(message: str, **fields: Any) -> None:
        raise OSError(90, "Message too long")

    logger = logging.getLogger("attuned.broken")
    logger.addHandler(JournalHandler("attuned", broken))
    logger.warning("So it is.")
    assert "Message too long" in capsys.readouterr().err


BEGUN = """
import logging, os, sys
from attune_service import journal
if sys.argv[1]:
    found = os.fstat(2)
    os.environ["JOURNAL_STREAM"] = eval(sys.argv[1])
journal.begin("attuned", "%(levelname)s %(name)s: %(message)s")
print(type(logging.getLogger().handlers[0]).__name__)
logging.getLogger("x").info("So it is.")
"""


@pytest.mark.parametrize(
    ("stream", "handler", "said"),
    [
        ("", "StreamHandler", "INFO x: So it is.\n"),
        ("f'{found.st_dev}:{found.st_ino}'", "JournalHandler", ""),
        # Inherited from a service, but written elsewhere since.
        ("f'{found.st_dev}:{found.st_ino + 1}'", "StreamHandler", "INFO x: So it is.\n"),
        ("'nonsense'", "StreamHandler", "INFO x: So it is.\n"),
    ],
)
def test_the_journal_is_taken_where_standard_error_is_one(stream: str, handler: str, said: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    command = [sys.executable, "-c", BEGUN, stream]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{handler}\n", said)


def gateway_of_another_address(folder: Path) -> int:
    with pytest.raises(typer.Exit) as ended:
        gateway._serve(config.from_flags(None, f"unix:{folder}/s", ["192.0.2.1:7011"], []))
    return ended.value.exit_code


def signer_without_key(folder: Path) -> int:
    return signer.main(
        ["serve", "--key", str(folder / "k"), "--chain", str(folder / "c"), "--socket", str(folder / "s")]
    )


@pytest.mark.parametrize(("start", "code"), [(gateway_of_another_address, 1), (signer_without_key, 3)])
def test_who_cannot_start_says_so_as_such(
    start: Callable[[Path], int], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the function that gives the journal an error with its id, and not by a line that is one among others."""
    said: list[str] = []
    monkeypatch.setattr(journal, "complain", lambda program, sentence: said.append(sentence))
    assert start(tmp_path) == code
    assert len(said) == 1
    assert said[0].endswith(".")


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_message_is_documented(name: str) -> None:
    assert f"`{MESSAGES[name]}`" in OPERATIONS


def test_messages_are_different_and_each_is_said_somewhere() -> None:
    assert len(set(MESSAGES.values())) == len(MESSAGES) >= 10
    said = "".join(
        path.read_text() for folder in ("daemon", "gateway", "service") for path in (ROOT / folder).rglob("*.py")
    )
    for name in MESSAGES:
        assert len(re.findall(rf"\b{name}\b", said)) >= 2, name
