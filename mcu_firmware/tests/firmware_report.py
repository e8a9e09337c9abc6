"""Print what a firmware takes of a board's memory, a line a module, from the linker's map of the image.

    firmware_report.py IMAGE.map [WIRED.map ALONE.map]

Sections that the linker threw away do not count. Flash is code, constants and the initial values of data; RAM is data,
zeroed variables, what is kept over resets, and the stack. Large variables are divided among the modules whose
structures they hold (ports/board/sizes.h). The regions of the linker script are the budgets; the exit code is 1 where
one is exceeded. The second map is that of the image without Bluetooth, which gets a line, and the third that of an
image with the default head alone, whose learning parts get one.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "core"
FLASH_SECTIONS = {".text", ".ARM.exidx", ".data"}
RAM_SECTIONS = {".stack", ".noinit", ".data", ".bss"}
SIZES_SECTION = ".attune.sizes"
LEARNING = ("window", "learner", "filter", "real")
LIBRARIES = {
    "libattune_ble.a": "ble",
    "libmonocypher.a": "monocypher",
    "liblittlefs.a": "littlefs",
    "libnanopb.a": "nanopb",
    "libattune_node_proto.a": "messages",
    "libc_nano.a": "libc",
    "libg_nano.a": "libc",
    "libc.a": "libc",
    "libm.a": "libc",
    "libgcc.a": "libc",
}

REGION = re.compile(r"^(FLASH|RAM)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)")
OUTPUT = re.compile(r"^(\.[\w.]+)(?:\s+0x[0-9a-f]+\s+0x([0-9a-f]+))?")
PIECE = re.compile(r"^ (\*fill\*|[.\w$]+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)(?: (\S.*))?$")


class ReportError(Exception):
    """The map cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Piece:
    """A stretch of an output section: its name in the object file, place, bytes, object file ("" for padding)."""

    output: str
    name: str
    address: int
    size: int
    origin: str


@dataclass
class Usage:
    """Bytes of flash and RAM by module, and the regions' sizes."""

    flash: Counter[str] = field(default_factory=Counter)
    ram: Counter[str] = field(default_factory=Counter)
    budget: dict[str, int] = field(default_factory=dict)

    def modules(self) -> list[str]:
        """Modules that take anything, the largest share of flash first."""
        names = [name for name in self.flash.keys() | self.ram.keys() if self.flash[name] or self.ram[name]]
        return sorted(names, key=lambda name: (-self.flash[name], -self.ram[name], name))


def joined_lines(text: str) -> Iterator[str]:
    """Lines of the map; a name too long for its column stands on a line of its own and is joined with the next."""
    held = ""
    for written in text.splitlines():
        line = f"{held} {written.strip()}" if held and written.startswith("  ") else written.rstrip()
        held = line if re.match(r"^ ?[.\w$]+$", line) else ""
        if not held:
            yield line


def read_regions(text: str) -> dict[str, int]:
    """Sizes in bytes of FLASH and RAM."""
    found = (REGION.match(line) for line in text.splitlines())
    return {match[1]: int(match[2], 16) for match in found if match}


def read_pieces(text: str) -> Iterator[Piece]:
    """Every stretch of every output section. Strings that were merged with others are written with the size that they
    had before; they end where the next piece begins."""
    pieces = list(written_pieces(text))
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        size = piece.size
        if following is not None and following.output == piece.output:
            size = min(size, following.address - piece.address)
        yield replace(piece, size=size)


def written_pieces(text: str) -> Iterator[Piece]:
    """The stretches as they are written, without those of size zero and those discarded."""
    _, _, memory_map = text.partition("Linker script and memory map")
    output = ""
    for line in joined_lines(memory_map):
        if match := OUTPUT.match(line):
            output = match[1]
        elif (match := PIECE.match(line)) and int(match[3], 16) > 0:
            yield Piece(output, match[1], int(match[2], 16), int(match[3], 16), match[4] or "")


def output_sizes(text: str) -> dict[str, int]:
    """What the linker itself says about the size of each output section."""
    _, _, memory_map = text.partition("Linker script and memory map")
    found = (OUTPUT.match(line) for line in joined_lines(memory_map))
    return {match[1]: int(match[2], 16) for match in found if match and match[2]}


def core_modules() -> dict[str, str]:
    """Folder under core/ by file name: an archive's members have lost their path."""
    return {path.name: path.parent.name for path in CORE.glob("*/*.c")}


def module_of(origin: str, core: dict[str, str]) -> str:
    """The module that an object file belongs to."""
    archive, _, member = origin.rpartition("/")[2].partition("(")
    if archive in LIBRARIES:
        return LIBRARIES[archive]
    if archive.startswith("libattune_core"):
        return core.get(member.removesuffix(".obj)").removesuffix(".o)"), "core")
    return "board" if "/board/" in origin else "port"


def measure(text: str) -> Usage:
    """Usage by module; ReportError if the pieces do not add up to what the linker says."""
    usage = Usage(budget=read_regions(text))
    if len(usage.budget) != 2:
        raise ReportError("The map names no regions FLASH and RAM: link with -Wl,-Map and the port's linker script.")
    core = core_modules()
    seen: Counter[str] = Counter()
    for piece in read_pieces(text):
        seen[piece.output] += piece.size
        add_piece(usage, piece, core)
    check_sums(seen, output_sizes(text), usage)
    return usage


def add_piece(usage: Usage, piece: Piece, core: dict[str, str]) -> None:
    if piece.output == SIZES_SECTION and piece.origin:
        share_out(usage, piece)
        return
    module = module_of(piece.origin, core) if piece.origin else "padding"
    if piece.output in FLASH_SECTIONS:
        usage.flash[module] += piece.size
    if piece.output in RAM_SECTIONS:
        usage.ram["stack" if piece.output == ".stack" else module] += piece.size


def share_out(usage: Usage, piece: Piece) -> None:
    """Moves the RAM of a module's structures from the module whose variable holds them."""
    holder, module = piece.name.removeprefix(f"{SIZES_SECTION}.").split(".")
    usage.ram[module] += piece.size
    usage.ram[holder] -= piece.size


def check_sums(seen: Counter[str], said: dict[str, int], usage: Usage) -> None:
    for section in sorted(FLASH_SECTIONS | RAM_SECTIONS):
        missing = said.get(section, 0) - seen[section]
        # The stack is made by the linker script and belongs to no object file.
        if section == ".stack":
            usage.ram["stack"] += missing
        elif missing != 0:
            raise ReportError(
                f"The map's pieces of {section} differ from its size by {missing} bytes: "
                "this linker writes its map in another way, and firmware_report.py must learn it."
            )


def table(usage: Usage) -> Iterator[str]:
    """The lines that people read."""
    flash, ram = usage.budget["FLASH"], usage.budget["RAM"]
    yield f"{'module':<12}{'flash':>8}{'RAM':>8}"
    for name in usage.modules():
        yield f"{name:<12}{usage.flash[name]:>8}{usage.ram[name]:>8}"
    yield f"{'total':<12}{usage.flash.total():>8}{usage.ram.total():>8}"
    yield f"{'budget':<12}{flash:>8}{ram:>8}"


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 3):
        print("Name one map file or three: firmware_report.py IMAGE.map [WIRED.map ALONE.map]", file=sys.stderr)
        return 2
    try:
        usage, *others = (measure(Path(name).read_text()) for name in arguments)
    except (OSError, ReportError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(table(usage)))
    if others:
        wired, alone = others
        print(f"without Bluetooth: {wired.flash.total()} bytes of flash, {wired.ram.total()} of RAM")
        print(f"window, default head and filter alone: {sum(alone.flash[name] for name in LEARNING)} bytes of flash")
    return 0 if within_budget(usage) else 1


def within_budget(usage: Usage) -> bool:
    return usage.flash.total() <= usage.budget["FLASH"] and usage.ram.total() <= usage.budget["RAM"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
