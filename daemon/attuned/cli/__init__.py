"""The command line `attune`, which knows the daemon only through `attune_proto`."""

from __future__ import annotations


def main() -> None:
    """Run the command line on this process's arguments and leave with its exit code."""
    import os

    if instruction := os.environ.get("_ATTUNE_COMPLETE"):
        from attuned.cli.completing import complete

        raise SystemExit(complete(instruction))
    from attuned.cli.app import run

    raise SystemExit(run())
