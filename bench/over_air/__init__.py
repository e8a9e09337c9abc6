"""A site on the air in one process: nodes of the core, the gateway's radio, the daemon, and what goes between them."""

import sys
from pathlib import Path

# The virtual link and its nodes are the tests'.
_TESTS = Path(__file__).parents[2] / "tests"
sys.path += [str(_TESTS / name) for name in ("air", "e2e", "unit")]
