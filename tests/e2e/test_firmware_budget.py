"""The firmware as it ships: its report against what the compiler's own tool says, and what must not be in it."""

import subprocess
import sys

from firmware_build import ROOT, firmware, section_sizes


def test_the_report_adds_up_to_the_image_and_keeps_the_budget() -> None:
    image = firmware() / "attune-node.elf"
    command = [sys.executable, str(ROOT / "mcu_firmware/tests/firmware_report.py"), f"{image}.map"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = {line.split()[0]: [int(word) for word in line.split()[1:]] for line in done.stdout.splitlines()[1:]}
    sizes = section_sizes(image)
    flash = sizes[".text"] + sizes[".ARM.exidx"] + sizes[".data"]
    ram = sizes[".stack"] + sizes[".noinit"] + sizes[".data"] + sizes[".bss"]
    assert rows.pop("total") == [flash, ram]
    assert rows.pop("budget") == [96 * 1024, 32 * 1024]
    assert [sum(column) for column in zip(*rows.values(), strict=True)] == [flash, ram]
    core = {"real", "window", "learner", "filter", "framing", "session", "node"}
    assert core | {"port", "board", "messages", "monocypher", "nanopb", "libc", "stack"} <= rows.keys()
    documented = (
        (ROOT / "docs" / "porting.md").read_text().partition("module  ")[2].partition("```")[0].splitlines()[1:]
    )
    assert {line.split()[0] for line in documented} == rows.keys() | {"total", "budget"}
    assert flash <= 96 * 1024
    assert ram <= 32 * 1024


def test_the_image_that_ships_has_no_heap_and_no_test_commands() -> None:
    listing = ["arm-none-eabi-nm", str(firmware() / "attune-node.elf")]
    names = set(subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split())
    assert "attune_node_init" in names
    assert not names & {"malloc", "_malloc_r", "_sbrk", "printf", "attune_test_fault", "attune_test_hang", "sqrtf"}
