"""What can stop a command, with the exit code that says so."""

from __future__ import annotations


class CliError(Exception):
    """The command was refused or failed. The message is a sentence that says what to do next. Exit code 1."""

    exit_code = 1


class WrongUsageError(CliError):
    """The words on the command line cannot be read. Exit code 2."""

    exit_code = 2


class NotReachableError(CliError):
    """The daemon does not answer. Exit code 3."""

    exit_code = 3
