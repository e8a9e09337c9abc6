"""What window, heads and filter cost on a Cortex-M4F: instructions a call, bytes of state, bytes of code.

The image mcu_firmware/tests/cost counts under QEMU, where an instruction takes a nanosecond: steps of 40 instructions,
the same on every run. Shapes are features x classes; 24x2 is a full node, 5x3 the shape that TinyOL publishes. Code is
what the linker keeps of each file of the core in that image, which calls everything that a node calls; the default
configuration alone is a second image, with no other head and room for two classes.
"""

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Timer

from attune_core import Head
from rich.console import Console
from rich.table import Table

from bench.ladder import page
from bench.output import results

ROOT = Path(__file__).resolve().parents[1]
IMAGE = ROOT / "build/mps2_an386/mcu_firmware/ports/mps2_an386/attune-cost.elf"
PARTS = ("window", "learner", "filter", "real", "drift")
DEFAULT = Head.factory_kind
LONGEST_S = 120.0

BUDGETS = {
    "ridge 24x2 learn": 12_000,
    "mixture 24x2 learn": 12_000,
    "gnb 24x2 learn": 1_500,
    "ridge 24x2 state": 2_000,
    "gnb 24x2 state": 520,
    "gnb 5x3 learn": 5_000,
    "ridge 5x3 learn": 5_000,
    "softmax 5x3 learn": 5_000,
    "mixture 5x3 learn": 5_000,
    "softmax 64-10 training": 8_136 // 2,
    "softmax 128-8 training": 12_968 // 2,
    "softmax 40-3 training": 1_688 // 2,
}
STEP_BUDGET = 6_000
CODE_BUDGET = 16 * 1024
ALONE_FLASH_BUDGET = 12 * 1024
ALONE_RAM_BUDGET = 5 * 1024
# With the drift sketch, the whole learning core.
CORE_RAM_BUDGET = 6 * 1024

PUBLISHED = {
    **{f"{head} 5x3 learn": "TinyOL: 11,000 cycles" for head in ("gnb", "ridge", "softmax", "prototype", "mixture")},
    "softmax 64-10 training": "AIfES: 8,136",
    "softmax 128-8 training": "AIfES: 12,968",
    "softmax 40-3 training": "AIfES: 1,688",
}
"""TinyOL (Ren et al. 2021): an update takes 173 us on a Cortex-M4 of 64 MHz. AIfES: bytes of the parameters and the
training memory of one dense layer with SGD."""

PIECE = re.compile(r"^ \.(?:text|rodata)\S*\s+0x[0-9a-f]+\s+0x([0-9a-f]+) \S*libattune_core_\w+\.a\((\w+)\.c\.obj\)$")


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
    published: str = ""


@dataclass(frozen=True)
class Measured:
    """An image's figures and bytes of code by file."""

    counted: Counted
    sizes: Counter[str]


def measure(image: Path) -> Measured:
    """Runs the image and reads the linker's map beside it."""
    return Measured(count(image), code_sizes(Path(f"{image}.map").read_text()))


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


def rows(whole: Measured, alone: Measured) -> Iterator[Row]:
    """The table: each figure, what one window takes with each head, and the code."""
    figures = whole.counted.figures
    for what, measured in figures.items():
        if not what.startswith(("nothing", "window features", "memory")):
            unit = "bytes" if what.endswith(("state", "training", "bytes")) else "instructions"
            yield Row(what, unit, measured, BUDGETS.get(what), PUBLISHED.get(what, ""))
    for head in whole.counted.digests:
        step = figures["window close"] + figures[f"{head} 24x2 predict"] + figures["filter step"]
        yield Row(f"window close + {head} predict + filter", "instructions", step, STEP_BUDGET)
    for name, size in sorted(whole.sizes.items()):
        yield Row(name, "bytes of code", size)
    yield Row("window, heads, filter", "bytes of code", without_drift(whole), CODE_BUDGET)
    yield Row(f"window, {DEFAULT}, filter alone", "bytes of code", without_drift(alone), ALONE_FLASH_BUDGET)
    held, stack, sketch = (alone.counted.figures[f"memory {what}"] for what in ("held", "stack", "sketch"))
    yield Row(f"window, {DEFAULT}, filter alone: held", "bytes of RAM", held)
    yield Row(f"window, {DEFAULT}, filter alone: held, and stack", "bytes of RAM", held + stack, ALONE_RAM_BUDGET)
    core = f"window, {DEFAULT}, filter, drift sketch alone"
    yield Row(core, "bytes of code", alone.sizes.total(), CODE_BUDGET)
    yield Row(f"{core}: held, and stack", "bytes of RAM", held + sketch + stack, CORE_RAM_BUDGET)


def without_drift(image: Measured) -> int:
    """Bytes of code of window, heads and filter."""
    return sum(size for name, size in image.sizes.items() if not name.startswith("drift/"))


def cells(row: Row) -> list[str]:
    budget = "" if row.budget is None else f"{row.budget:,}"
    return [row.what, row.unit, f"{row.measured:,}", budget, row.published]


HEADINGS = ("what", "unit", "measured", "at most", "published")


def show(table_rows: list[Row], features: int) -> None:
    table = Table(title=f"Cortex-M4F, float32; a window of {features} features")
    for column in HEADINGS:
        table.add_column(column, justify="right" if column in ("measured", "at most") else "left")
    for row in table_rows:
        table.add_row(*cells(row))
    Console(width=120).print(table)


def write_page(table_rows: list[Row]) -> None:
    """All but the single files, which say nothing to who reads what it costs."""
    told = [cells(row) for row in table_rows if "/" not in row.what]
    page.write({"cost": page.markdown(HEADINGS, told)})


def main(words: Sequence[str] = ()) -> int:
    """Builds the images, prints the table and writes it to `results/`, and to the page if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.run cost", description=__doc__)
    parser.add_argument("--page", action="store_true", help="write the table into docs/learning.md, too")
    asked = parser.parse_args(words)
    subprocess.run(["make", "--silent", "firmware"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    whole = measure(IMAGE)
    table_rows = list(rows(whole, measure(IMAGE.with_stem(f"{IMAGE.stem}-default"))))
    show(table_rows, whole.counted.figures["window features"])
    results.write("cost", map(asdict, table_rows), results.surroundings())
    if asked.page:
        write_page(table_rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
