"""Fuzz targets begin with what the golden vectors say now."""

import pytest
from fuzz_seeds import CORPUS, messages, streams, values


@pytest.mark.parametrize(
    ("target", "seeds"), [("message", dict(messages())), ("deframer", dict(streams())), ("part", dict(values()))]
)
def test_seeds_are_those_of_the_golden_vectors(target: str, seeds: dict[str, bytes]) -> None:
    """Findings that were mended stay beside them."""
    kept = {path.name: path.read_bytes() for path in (CORPUS / target).iterdir()}
    old = [name for name, seed in seeds.items() if kept.get(name) != seed]
    assert old == [], "Run `python tests/unit/fuzz_seeds.py` and commit what it writes."
