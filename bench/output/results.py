"""Figures as CSV in bench/results, each line with what it was measured with."""

import csv
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results"


def write(name: str, rows: Iterable[Mapping[str, object]], measured_with: Mapping[str, object]) -> None:
    """Writes NAME.csv: each row's figures, of the same names in all, then what they were measured with."""
    lines = [{**row, **measured_with} for row in rows]
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def surroundings(*packages: str) -> dict[str, str]:
    """What figures depend on: the commit, Python, the versions of these packages, the machine."""
    return {
        "commit": commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "machine": platform.machine(),
    }


def commit() -> str:
    """The commit that is checked out, `-dirty` behind it where files differ from it; empty outside a repository."""
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip()
