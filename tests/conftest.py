"""What all tests share: golden files, and a broker of their own."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from processes import Mosquitto

GOLDEN = Path(__file__).parent / "golden"

# A thread of numpy or scikit-learn that waits for a core that another worker has turns in a loop meanwhile. Each reads
# this when it is imported, which is after this file.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("attune", settings(), deadline=None)
settings.load_profile("attune")


# Where files lie in memory, and the bytes that have to be free there.
MEMORY, ENOUGH = Path("/dev/shm"), 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """With several workers temporary folders lie in memory: hundreds of stores would wait for one disk to sync.

    That they sync is seen by what they ask of the system (e2e/test_durable.py) and in machines that lose their power.
    """
    wanted = config.getoption("numprocesses") and "TMPDIR" not in os.environ
    if wanted and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """What thousands of tests consist of stays until the end: the collector of garbage need not look through it."""
    gc.enable()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files of tests/golden from this run")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with a file of tests/golden; ends of lines do not count blanks."""

    def check(name: str, text: str) -> None:
        lines = "".join(f"{line.rstrip()}\n" for line in text.splitlines())
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(lines, encoding="utf-8")
        assert path.exists(), f"{path} is missing; look at the screen, then run pytest with --update-golden."
        assert lines == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker on a free port that lets everybody in."""
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker
    broker.stop()
