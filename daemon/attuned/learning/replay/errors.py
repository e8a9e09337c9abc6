"""What can be wrong with a replay, as two classes that the command line turns into exit codes."""

from attuned.errors import AttuneError


class ReplayError(AttuneError):
    """A replay could not be run; the message is one sentence that says what to do next (exit code 1)."""


class SpecError(ReplayError):
    """The spec, a recording or an option is wrong; the message names it and says what to write (exit code 2)."""
