"""What the tests of the installed package have measured: lines of a file, which `make test-vm` begins and prints."""

from guest_python import ROOT

FILE = ROOT / "build" / "vm" / "figures.txt"


class Figures:
    """Lines of name, figure and limit, in the order in which test processes noted them."""

    def note(self, name: str, figure: str, limit: str = "") -> None:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        with FILE.open("a") as file:
            file.write(f"{name:<45}  {figure:>10}  {limit}".rstrip() + "\n")
