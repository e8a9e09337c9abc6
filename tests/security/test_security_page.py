"""docs/security.md: every test that it names is there, and every check that can be taken away is one of its claims."""

import re
from pathlib import Path

import pytest
from removal import Removal
from removals import REMOVALS
from remove_checks import main, without_check

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.(?:py|c))::(?:\w+::)?(\w+)`", PAGE)))
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")]


def test_there_are_claims_to_look_for() -> None:
    assert len(NAMED) > 40


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_named_test_is_there(path: str, name: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".c"):
        assert re.search(rf"cmocka_unit_test(_setup)?\({name}\b", text), f"{path} does not run {name}"
    else:
        assert re.search(rf"^( {{4}})?(async )?def {name}\(", text, re.MULTILINE), f"{path} has no {name}"


def test_every_claim_names_a_test_and_a_place() -> None:
    claims = [row for row in ROWS if len(row) == 3 and row[0] not in ("claim", "target", "---")]
    claims = [row for row in claims if "::" in row[2] or "/" in row[1]]
    assert len(claims) > 40
    assert [row[0] for row in claims if not re.fullmatch(r"`[\w/]+\.(py|c)(::\w+){1,2}`", row[2].rstrip(" |"))] == []


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.claim)
def test_every_check_that_is_taken_away_stands_behind_a_claim(removal: Removal) -> None:
    assert without_check(removal)
    assert [row[0] for row in ROWS if row[0].startswith(removal.claim) and removal.test in row[2]]


@pytest.mark.slow
def test_tests_fail_without_the_checks_that_they_stand_for() -> None:
    assert main([]) == 0
