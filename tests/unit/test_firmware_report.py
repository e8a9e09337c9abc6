"""The report on the firmware's memory, on a small map written by hand. Its sums are worked in the comments."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Flash: 0x10 vectors (port) + 0x20 filter + 4 libgcc + 2 padding + 0x0a "abc" of nanopb (0x14 before two strings became
# one) + 0x10 Monocypher + 8 data of the port = 0x58. RAM: 0x100 stack + 0x10 kept + 8 data + 0x80 zeroed = 0x198.
MAP = """\
Memory Configuration

Name             Origin             Length             Attributes
FLASH            0x00000000         0x00000100         xr
RAM              0x20000000         0x00000400         xrw
*default*        0x00000000         0xffffffff

Discarded input sections

 .text.unused   0x00000000       0x40 libattune_core_f32.a(gnb.c.obj)

Linker script and memory map

.text           0x00000000       0x50
 *(.vectors)
 .vectors       0x00000000       0x10 CMakeFiles/attune-node.dir/startup.c.obj
                0x00000000                vectors
 .text.attune_filter_with_a_long_name
                0x00000010       0x20 mcu_firmware/libattune_core_f32.a(filter.c.obj)
                0x00000010                attune_filter_with_a_long_name
 .text          0x00000030        0x4 /usr/lib/gcc/libgcc.a(_arm_muldf3.o)
 .text          0x00000034        0x0 /usr/lib/libc_nano.a(libc_a-memset.o)
 *fill*         0x00000034        0x2 \n\
 .rodata.first.str1.1
                0x00000036       0x14 libnanopb.a(pb_encode.c.obj)
                                 0x18 (size before relaxing)
 .rodata.second.str1.1
                0x00000040       0x14 libmonocypher.a(monocypher.c.obj)
 .rodata.sigma  0x00000040       0x10 libmonocypher.a(monocypher.c.obj)

.stack          0x20000000      0x100
                0x20000000                attune_stack_begin = .

.noinit         0x20000100       0x10
 .noinit        0x20000100       0x10 CMakeFiles/attune-node.dir/reset.c.obj

.data           0x20000110        0x8 load address 0x00000050
 .data.speed    0x20000110        0x8 CMakeFiles/attune-node.dir/uart.c.obj

.bss            0x20000118       0x80
 .bss.loop      0x20000118       0x60 CMakeFiles/attune-node.dir/main.c.obj
 .bss.state     0x20000178       0x20 CMakeFiles/attune-node.dir/__/board/loop.c.obj

.attune.sizes   0x00000000       0x50
 .attune.sizes.port.window
                0x00000000       0x30 CMakeFiles/attune-node.dir/__/board/sizes.c.obj
 .attune.sizes.board.node
                0x00000030       0x20 CMakeFiles/attune-node.dir/__/board/sizes.c.obj

.debug_info     0x00000000       0x99
 .debug_info    0x00000000       0x99 CMakeFiles/attune-node.dir/main.c.obj
"""


@pytest.fixture(scope="module")
def report() -> ModuleType:
    spec = importlib.util.spec_from_file_location("firmware_report", ROOT / "mcu_firmware/tests/firmware_report.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_each_module_gets_what_it_takes(report: ModuleType) -> None:
    usage = report.measure(MAP)
    flash = {"port": 0x18, "filter": 0x20, "libc": 4, "padding": 2, "nanopb": 0x0A, "monocypher": 0x10}
    # The port: 0x10 kept + 8 data + 0x60 of the loop, of which 0x30 are said to be another's. All of the board's are.
    ram = {"port": 0x48, "window": 0x30, "node": 0x20, "stack": 0x100}
    assert {name: size for name, size in usage.flash.items() if size} == flash
    assert {name: size for name, size in usage.ram.items() if size} == ram
    assert (usage.flash.total(), usage.ram.total()) == (0x58, 0x198)
    assert usage.budget == {"FLASH": 0x100, "RAM": 0x400}


def test_the_table_ends_with_total_and_budget(
    report: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "image.map").write_text(MAP)
    assert report.main([str(tmp_path / "image.map")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["module", "flash", "RAM"]
    assert lines[1] == ["filter", "32", "0"]
    assert lines[-2:] == [["total", "88", "408"], ["budget", "256", "1024"]]


def test_the_image_without_bluetooth_and_the_default_alone_get_a_line(
    report: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "image.map").write_text(MAP)
    assert report.main([str(tmp_path / "image.map")] * 3) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "without Bluetooth: 88 bytes of flash, 408 of RAM",
        "window, default head and filter alone: 32 bytes of flash",
    ]


def test_a_budget_that_is_exceeded_ends_with_1(report: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "image.map").write_text(MAP.replace("0x00000400         xrw", "0x00000197         xrw"))
    assert report.main([str(tmp_path / "image.map")]) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (MAP.replace(".bss.state ", "?bss.state "), "pieces of .bss differ from its size by 32 bytes"),
        ("int main(void) {}\n", "names no regions"),
    ],
)
def test_a_map_that_does_not_add_up_is_refused(
    report: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    (tmp_path / "image.map").write_text(text)
    assert report.main([str(tmp_path / "image.map")]) == 1
    assert sentence in capsys.readouterr().err


def test_it_is_called_with_a_file_or_three(
    report: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main([]) == 2
    assert report.main(["a.map", "b.map"]) == 2
    assert report.main([str(tmp_path / "none.map")]) == 1
    assert "none.map" in capsys.readouterr().err
