"""Print what signed updates cost a board: instructions, stack and RAM as the image counts them, flash by the map.

    update_report.py attune-cost-update.elf

As session_report.py. The exit code is 1 where the budget of instructions or of stack is exceeded.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware_report import FLASH_SECTIONS, ReportError, measure, read_pieces
from session_report import MOST_STACK, figures

KINDS = ("head", "calibration", "normaliser", "model")

# A signature check of Monocypher is 1.6 million; what else there is must not be felt.
MOST_INSTRUCTIONS = 2_500_000


@dataclass(frozen=True)
class Flash:
    """Bytes of flash: of the folder update, and of its SHA-512 alone."""

    update: int
    sha512: int


def flash_of(image: Path) -> Flash:
    """From the map beside the image."""
    text = Path(f"{image}.map").read_text()
    hashing = (piece for piece in read_pieces(text) if "(sha512.c" in piece.origin and piece.output in FLASH_SECTIONS)
    return Flash(measure(text).flash["update"], sum(piece.size for piece in hashing))


def lines(said: Mapping[str, int], flash: Flash) -> Iterator[str]:
    """The report."""
    for kind in KINDS:
        yield f"{kind}: verified in {said[f'{kind} verify']:,} instructions, applied in {said[f'{kind} apply']:,}"
    yield f"two changes of the signing key followed in {said['chain follow']:,} instructions"
    yield f"stack: {said['stack']:,} bytes of at most {MOST_STACK:,}"
    yield f"updates: {flash.update:,} bytes of flash, {flash.sha512:,} of them SHA-512"
    yield f"RAM while one is applied: {said['held scratch']:,} bytes of scratch and {said['held image']:,} of image"


def is_within(said: Mapping[str, int]) -> bool:
    """Whether the budgets are kept."""
    most = max(said[f"{kind} verify"] + said[f"{kind} apply"] for kind in KINDS)
    return most <= MOST_INSTRUCTIONS and said["stack"] <= MOST_STACK


def main(image: Path) -> int:
    try:
        said = figures(image)
        report = list(lines(said, flash_of(image)))
    except (OSError, ReportError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(report))
    return 0 if is_within(said) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
