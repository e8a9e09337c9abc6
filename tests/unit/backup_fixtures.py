"""Fixtures of the tests of backups: what they are sealed with, and a machine that has something to back up."""

from pathlib import Path

import pytest
from backup_world import Machine, Sealer


@pytest.fixture(scope="module")
def sealer() -> Sealer:
    return Sealer.make()


@pytest.fixture
async def machine(tmp_path: Path, sealer: Sealer) -> Machine:
    found = Machine(tmp_path / "machine", sealer)
    found.configure()
    await found.fill()
    return found
