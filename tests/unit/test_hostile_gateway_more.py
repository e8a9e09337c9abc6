"""The second half of the schedules of a hostile gateway, in a file of its own, so that another worker takes it."""

import pytest
from hostile_schedules import run_all
from test_hostile_gateway import HALF

STEP = 1_000


@pytest.mark.slow
@pytest.mark.parametrize("first", range(HALF, 2 * HALF, STEP))
def test_the_rest_of_the_schedules_of_a_hostile_gateway(first: int) -> None:
    run_all(range(first, first + STEP))
