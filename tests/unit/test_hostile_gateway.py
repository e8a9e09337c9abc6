"""Ten thousand schedules of a hostile gateway, with those of test_hostile_gateway_more.py."""

import pytest
from hostile_schedules import run_all

QUICK, HALF = 1_000, 5_000


@pytest.mark.parametrize("tenth", range(10))
def test_schedules_of_a_hostile_gateway(tenth: int) -> None:
    run_all(range(tenth * QUICK // 10, (tenth + 1) * QUICK // 10))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(QUICK, HALF, QUICK))
def test_more_schedules_of_a_hostile_gateway(first: int) -> None:
    run_all(range(first, first + QUICK))
