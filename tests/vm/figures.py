"""What the tests of the installed package have measured: a table at the end of the run, and a file under build/."""

from pathlib import Path

from guest_python import ROOT

FILE = ROOT / "build" / "vm" / "figures.txt"


class Figures:
    """Lines of name, figure and limit, in the order in which they were noted."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str, str]] = []

    def note(self, name: str, figure: str, limit: str = "") -> None:
        self._lines.append((name, figure, limit))

    def text(self) -> str:
        """A table; empty where nothing was measured."""
        width = max((len(name) for name, _, _ in self._lines), default=0)
        rows = [f"{name:<{width}}  {figure:>12}  {limit}".rstrip() + "\n" for name, figure, limit in self._lines]
        return "".join(rows)

    def save(self, path: Path = FILE) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text())
