"""Who sits at the command line."""

from __future__ import annotations


def author() -> str:
    """The login name; a user without one signs with a number."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"
