"""Fuzz targets begin with what the golden vectors say now."""

import pytest
from fuzz_seeds import CORPUS, SEEDS


@pytest.mark.parametrize("target", SEEDS)
def test_seeds_are_those_of_the_golden_vectors(target: str) -> None:
    """Findings that were mended stay beside them."""
    kept = {path.name: path.read_bytes() for path in (CORPUS / target).iterdir()}
    old = [name for name, seed in SEEDS[target]() if kept.get(name) != seed]
    assert old == [], "Run `python tests/unit/fuzz_seeds.py` and commit what it writes."
