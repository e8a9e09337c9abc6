"""`python -m attuned.cli`: the command line without its installed script."""

from __future__ import annotations

from attuned.cli import main

main()
