"""The log: sentences on standard error, or, where that is systemd's journal, entries with fields to search by.

Fields are those of systemd.journal-fields(7), and ATTUNE_ROOM, ATTUNE_NODE, ATTUNE_GATEWAY and ATTUNE_RELEASE for what
a sentence speaks of (`about`). What stands in neither the sentence nor a field does not reach the journal.
"""

import faulthandler
import logging
import os
import sys
from collections.abc import Callable

from systemd.journal import send

# What happened, for those who wait for it (`journalctl MESSAGE_ID=...`, docs/operations.md). Each was made once by
# `systemd-id128 new` and stays what it is.
SITE_UP = "85f5af18e24f4b449cfeea850ada3111"
SITE_DOWN = "bb6520b176984f11bc9cd1c4509f7850"
CANNOT_START = "3b78496ab97b4828b2acc148ce39f3cc"
STORE_REFUSES = "d7fda64d44884d71bac087d50ea67d9b"
STORE_ACCEPTS = "495dec9fa18b4eb2a6265eb00c9989f0"
HUNG = "4935f78de93a42f487975d8ab62a3b05"
NODE_COMMISSIONED = "52f0337e3beb4f6d9986848a86190ba8"
GATEWAY_ATTACHED = "44c34a550e9244bcae1725068b7b4029"
GATEWAY_WENT = "b0602499d04a4dbc870f2732721f4728"
GATEWAY_REFUSED = "25e4591cb456453f99d39289ef835159"
GATEWAY_ENROLLED = "b0f0a0fc2e804a9694acacce809cf83c"
BROKER_LOST = "b6add50daac4440dbff1a0f21fe4c5c3"

# Beside the sentence of a record, by `about`.
_FIELDS = "journal_fields"

# Levels of Python and the priorities of RFC 5424, 6.2.1.
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7

Send = Callable[..., object]


def about(
    *, room: str = "", node: str = "", gateway: str = "", release: str = "", message: str = ""
) -> dict[str, dict[str, str]]:
    """`extra` of a log call: what its sentence speaks of, and which of the messages above it is."""
    named = {
        "ATTUNE_ROOM": room,
        "ATTUNE_NODE": node,
        "ATTUNE_GATEWAY": gateway,
        "ATTUNE_RELEASE": release,
        "MESSAGE_ID": message,
    }
    return {_FIELDS: {name: value for name, value in named.items() if value}}


class JournalHandler(logging.Handler):
    """Sends to the journal a record's sentence, who said it where, and what it is about; and nothing else of it."""

    def __init__(self, program: str, send: Send = send) -> None:
        super().__init__()
        self._program = program
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(
                self.format(record),
                PRIORITY=str(next((to for level, to in _PRIORITIES if record.levelno >= level), _DEBUG)),
                SYSLOG_IDENTIFIER=self._program,
                LOGGER=record.name,
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                **getattr(record, _FIELDS, {}),
            )
        except Exception:  # noqa: BLE001 (as logging's own handlers: who logs must not fail by it)
            self.handleError(record)


def is_journal() -> bool:
    """Whether standard error is the journal's own stream, and no terminal or file (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def begin(program: str, text: str) -> None:
    """Has the log written: to the journal where there is one, else as lines of this format on standard error.

    Where the process is ended by a signal such as that of the watchdog, what each thread was at is written after it:
    files, lines and functions, and nothing that variables hold.
    """
    faulthandler.enable(2)
    if is_journal():
        logging.basicConfig(level=logging.INFO, handlers=[JournalHandler(program)], format="%(message)s")
    else:
        logging.basicConfig(level=logging.INFO, format=text, stream=sys.stderr)


def complain(program: str, sentence: str) -> None:
    """Says on standard error, or in the journal as an error, why a program cannot start."""
    if is_journal():
        send(sentence, PRIORITY="3", SYSLOG_IDENTIFIER=program, MESSAGE_ID=CANNOT_START)
    else:
        print(sentence, file=sys.stderr)
