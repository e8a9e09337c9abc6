"""What all tests share: golden files, and a broker of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from processes import Mosquitto

GOLDEN = Path(__file__).parent / "golden"

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("attune", settings(), deadline=None)
settings.load_profile("attune")


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
