"""Where things live: imports point one way, and the map in docs/architecture.md has every package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAEMON = ROOT / "daemon" / "attuned"

# Each may import from its own layer and from those before it.
LAYERS = (
    {"nodes", "store", "gone"},
    {"presence", "labels", "drift", "learning", "updates", "bms", "gateways", "retention"},
    {"writing", "reactions", "forgetting", "site", "opening"},
    {"api"},
    {"app"},
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# What people work with, and the other program: nothing of the above knows of it.
BESIDE = {"setup", "doctor", "backup", "cli", "demo", "attune_gateway"}

# Rows of updates are the values that updates are made of.
VALUES = {"updates.delivery", "updates.rollout_state", "updates.envelope"}


def imported(path: Path) -> Iterator[str]:
    for found in ast.walk(ast.parse(path.read_text())):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom) and found.module == "attuned":
            yield from (f"attuned.{alias.name}" for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            yield found.module or ""


def modules(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("name", sorted(RANK))
def test_imports_point_one_way(name: str) -> None:
    place = DAEMON / name
    for path in modules(place) if place.is_dir() else [place.with_suffix(".py")]:
        for module in imported(path):
            target = module.removeprefix("attuned.")
            top, what = target.split(".")[0], f"{path.relative_to(ROOT)} imports {module}"
            assert top not in BESIDE, what
            if not (name == "store" and target in VALUES):
                assert RANK.get(top, 0) <= RANK[name], what


@pytest.mark.parametrize(
    ("folder", "strangers"),
    [
        ("gateway/attune_gateway", {"attuned"}),
        ("service/attune_service", {"attuned", "attune_gateway", "attune_core", "attune_proto"}),
    ],
)
def test_programs_know_each_other_by_the_contracts_alone(folder: str, strangers: set[str]) -> None:
    for path in modules(ROOT / folder):
        known = {module.split(".")[0] for module in imported(path)}
        assert not known & strangers, path.relative_to(ROOT)


def test_the_map_has_every_package() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    found = {path.parent.name for path in DAEMON.glob("*/__init__.py")}
    drawn = text.split("## Where things live")[1].split("\n## ")[0]
    assert {name for name in found if f"  {name}/" in drawn} == found
