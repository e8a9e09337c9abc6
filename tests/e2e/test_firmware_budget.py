"""The firmware as it ships: its report against what the compiler's own tool says, and what must not be in it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from firmware_build import ROOT, firmware, section_sizes

REPORTED = {
    "instructions": r"KK handshake: ([\d,]+) instructions of at most 8,000,000\n",
    "stack": r"stack: ([\d,]+) bytes of at most 4,096\n",
    "flash": r"session and Monocypher: ([\d,]+) bytes of flash\n",
}


@pytest.mark.parametrize("name", ["attune-node", "attune-node-ble"])
def test_the_report_adds_up_to_the_image_and_keeps_the_budget(name: str) -> None:
    image = firmware() / f"{name}.elf"
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
    assert flash <= 96 * 1024
    assert ram <= 32 * 1024
    # The table of the documentation is that of the larger image.
    documented = (
        (ROOT / "docs" / "porting.md").read_text().partition("module  ")[2].partition("```")[0].splitlines()[1:]
    )
    assert {line.split()[0] for line in documented} == rows.keys() | {"total", "budget", "ble"}
    if name == "attune-node-ble":
        assert 0 < rows["ble"][0] <= 12_288
        assert 0 < rows["ble"][1] <= 3_072


def test_a_handshake_keeps_its_budget_and_the_report_says_so() -> None:
    image = firmware() / "attune-cost-session.elf"
    command = [sys.executable, str(ROOT / "mcu_firmware/tests/session_report.py"), str(image)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    number = {name: int(re.search(pattern, done.stdout)[1].replace(",", "")) for name, pattern in REPORTED.items()}  # type: ignore[index]
    # Five times X25519, of 1.2 million instructions each as measured alone: the ephemeral key and four shared secrets.
    assert 5 * 1_100_000 < number["instructions"] <= 8_000_000
    assert 1000 < number["stack"] <= 4096
    sizes = section_sizes(image)
    assert 8_000 < number["flash"] < sizes[".text"]


def test_an_update_keeps_its_budget_and_the_report_says_so() -> None:
    image = firmware() / "attune-cost-update.elf"
    command = [sys.executable, str(ROOT / "mcu_firmware/tests/update_report.py"), str(image)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    kinds = re.findall(r"^(\w+): verified in ([\d,]+) instructions, applied in ([\d,]+)$", done.stdout, re.MULTILINE)
    assert [kind for kind, _, _ in kinds] == ["head", "calibration", "normaliser", "model"]
    for _, verify, apply in kinds:
        # A signature check of Monocypher as measured alone, and hashing, which is little.
        assert 1_500_000 < int(verify.replace(",", "")) < 2_200_000
        assert int(apply.replace(",", "")) < 300_000
    stack, flash, sha512 = (
        int(number.replace(",", ""))
        for number in re.findall(r"^stack: ([\d,]+) |^updates: ([\d,]+) .* flash, ([\d,]+)", done.stdout, re.MULTILINE)
        for number in number
        if number
    )
    assert 1000 < stack <= 4096
    assert 1_000 < sha512 < 2_500 < flash < 8_000


def test_a_handshake_that_fails_is_no_figure(tmp_path: Path) -> None:
    """An image that says nothing of a session."""
    command = [sys.executable, str(ROOT / "mcu_firmware/tests/session_report.py"), str(tmp_path / "none.elf")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.elf came to no good end" in done.stderr


@pytest.mark.parametrize("name", ["attune-node", "attune-node-ble"])
def test_an_image_that_ships_has_no_heap_and_no_test_commands(name: str) -> None:
    listing = ["arm-none-eabi-nm", str(firmware() / f"{name}.elf")]
    names = set(subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split())
    assert "attune_node_init" in names
    assert not names & {"malloc", "_malloc_r", "_sbrk", "printf", "attune_test_fault", "attune_test_hang", "sqrtf"}
