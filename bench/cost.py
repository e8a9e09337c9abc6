"""What window, heads and filter cost on a Cortex-M4F: instructions a call, bytes of state, bytes of code.

The image mcu_firmware/tests/cost counts under QEMU, where an instruction takes a nanosecond: steps of 40 instructions,
the same on every run. Shapes are features x classes; 24x2 is a full node, 5x3 the shape that TinyOL publishes. Code is
what the linker keeps of each file of the core in that image, which calls everything that a node calls.
"""

import csv
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Timer

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "build/mps2_an386/mcu_firmware/ports/mps2_an386/attune-cost.elf"
RESULTS = Path(__file__).parent / "results" / "cost.csv"
PARTS = ("window", "learner", "filter", "real")
LONGEST_S = 120.0

BUDGETS = {
    "ridge 24x2 learn": 12_000,
    "gnb 24x2 learn": 1_500,
    "ridge 24x2 state": 2_000,
    "gnb 24x2 state": 520,
    "ridge 5x3 learn": 5_000,
}
STEP_BUDGET = 6_000
CODE_BUDGET = 16 * 1024

PIECE = re.compile(r"^ \.(?:text|rodata)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) \S*libattune_core_f32\.a\((\w+)\.c\.obj\)$")


@dataclass
class Counted:
    """What the image says: figures by name, and of each head a digest of what it said and learned on a fixed stream."""

    figures: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    what: str
    unit: str
    measured: int
    budget: int | None = None


def count(image: Path) -> Counted:
    """Runs the image until it is done. AssertionError if it does not say that it is."""
    command = ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-nographic", "-monitor", "none"]
    command += ["-serial", "null", "-serial", "null", "-serial", "stdio", "-kernel", str(image)]
    counted = Counted()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        late = Timer(LONGEST_S, process.kill)
        late.start()
        try:
            assert process.stdout is not None
            ended = any(_take(line.split(), counted) for line in process.stdout)
        finally:
            late.cancel()
            process.kill()
    assert ended, f"{image.name} did not come to its end"
    return counted


def _take(words: list[str], counted: Counted) -> bool:
    """Takes a line of the image; true for the last one."""
    match words:
        case ["cost", *names, number]:
            counted.figures[" ".join(names)] = int(number)
        case ["digest", head, digest]:
            counted.digests[head] = digest
    return words == ["end"]


def code_sizes(linker_map: str) -> Counter[str]:
    """Bytes of flash by file of the core, as `learner/ridge_solve`; files of other folders are left out."""
    folders = {path.stem: path.parent.name for path in (ROOT / "mcu_firmware/core").glob("*/*.c")}
    # A long name stands on a line of its own.
    joined = re.sub(
        r"^( \.\S+)\n\s+", r"\1 ", linker_map.partition("Linker script and memory map")[2], flags=re.MULTILINE
    )
    sizes: Counter[str] = Counter()
    for line in joined.splitlines():
        if (piece := PIECE.match(line)) and folders[piece[2]] in PARTS:
            sizes[f"{folders[piece[2]]}/{piece[2]}"] += int(piece[1], 16)
    return sizes


def rows(counted: Counted, sizes: Counter[str]) -> Iterator[Row]:
    """The table: each figure, what one window takes with each head, and the code."""
    figures = counted.figures
    for what, measured in figures.items():
        if what not in ("nothing", "window features"):
            unit = "bytes" if what.endswith("state") else "instructions"
            yield Row(what, unit, measured, BUDGETS.get(what))
    for head in counted.digests:
        step = figures["window close"] + figures[f"{head} 24x2 predict"] + figures["filter step"]
        yield Row(f"window close + {head} predict + filter", "instructions", step, STEP_BUDGET)
    for name, size in sorted(sizes.items()):
        yield Row(name, "bytes of code", size)
    yield Row("window, heads, filter", "bytes of code", sizes.total(), CODE_BUDGET)


def show(table_rows: list[Row], features: int) -> None:
    table = Table(title=f"Cortex-M4F, float32; a window of {features} features")
    table.add_column("what")
    table.add_column("unit")
    for column in ("measured", "at most"):
        table.add_column(column, justify="right")
    for row in table_rows:
        table.add_row(row.what, row.unit, f"{row.measured:,}", "" if row.budget is None else f"{row.budget:,}")
    Console().print(table)


def write_csv(table_rows: list[Row]) -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*asdict(table_rows[0]), "commit"])
        writer.writeheader()
        writer.writerows({**asdict(row), "commit": commit.stdout.strip()} for row in table_rows)


def main() -> int:
    """Builds the image, prints the table and writes it to `results/`."""
    subprocess.run(["make", "--silent", "firmware"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    counted = count(IMAGE)
    table_rows = list(rows(counted, code_sizes(Path(f"{IMAGE}.map").read_text())))
    show(table_rows, counted.figures["window features"])
    write_csv(table_rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
