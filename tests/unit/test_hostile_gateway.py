"""Ten thousand schedules of a hostile gateway, with those of test_hostile_gateway_more.py."""

import pytest
from hostile_schedules import run_all

QUICK, HALF = 500, 5_000


@pytest.mark.parametrize("first", range(0, QUICK, 100))
def test_schedules_of_a_hostile_gateway(first: int) -> None:
    run_all(range(first, first + 100))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, HALF, 500))
def test_more_schedules_of_a_hostile_gateway(first: int) -> None:
    run_all(range(first, first + 500))
