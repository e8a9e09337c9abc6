"""Write what two fuzz targets begin with, from the golden vectors: `python tests/unit/fuzz_seeds.py`.

An input is a script of steps (mcu_firmware/tests/fuzz/script.h): operation, argument, length, and as many bytes.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
CORPUS = ROOT / "mcu_firmware" / "tests" / "fuzz" / "corpus"

# Most bytes of one step.
STEP = 255


def golden(stem: str) -> bytes:
    """The bytes of an annotated file: hex digits, comments after #."""
    lines = (VECTORS / f"{stem}.hex").read_text().splitlines()
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in lines))


def step(operation: int, argument: int = 0, data: bytes = b"") -> bytes:
    return bytes([operation, argument, len(data)]) + data


def told(text: bytes) -> bytes:
    """A message of the daemon in parts, the last of which sends it; then five minutes."""
    parts = [text[at : at + STEP] for at in range(0, len(text), STEP)] or [b""]
    return b"".join(step(0, 0, part) for part in parts[:-1]) + step(1, 0, parts[-1]) + step(2, 5)


def messages() -> Iterator[tuple[str, bytes]]:
    stems = sorted(path.stem for path in VECTORS.glob("DaemonMessage.*.hex"))
    for stem in stems:
        yield stem.partition(".")[2], told(golden(stem))
    yield "all", step(3, 1) + b"".join(told(golden(stem)) for stem in stems)
    yield "label-cut", told(golden("DaemonMessage.label")[:-3])
    yield "label-of-eight-windows", told(label(windows=8, features=12))
    yield "label-of-nine-windows", told(label(windows=9, features=12))
    yield "label-of-no-class", told(label(windows=1, features=12, class_index=99))
    yield "label-of-what-is-held", step(2, 6) + told(b"\x1a\x0b\x08\x09\x18\x01\x20\x80\x02\x28\x01\x30\xff\x7f")
    yield "report-ack-of-all", step(2, 9) + told(b"\x12\x02\x08\x15") + told(b"\x12\x04\x08\x14\x10\x03")
    yield "unlearn-what-is-known", told(b"\x32\x04\x08\x01\x10\x01") + told(b"\x32\x02\x08\x02")
    yield "nothing", step(1) + step(2, 2)


def label(windows: int, features: int, class_index: int = 1) -> bytes:
    """Label 9 with so many windows of boot 77 and features of two bytes, as protobuf."""
    text = bytes([0x08, 9, 0x18, class_index, 0x20, 0x80, 2])
    for seq in range(1, windows + 1):
        window = bytes([0x0D, 77, 0, 0, 0, 0x10, seq, 0x1A, 2 * features]) + bytes(range(2 * features))
        text += bytes([0x3A, len(window)]) + window
    return b"\x1a" + (bytes([len(text)]) if len(text) < 128 else bytes([len(text) % 128 + 128, len(text) // 128])) + text


def streams() -> Iterator[tuple[str, bytes]]:
    whole = sorted(path.stem for path in VECTORS.glob("*Message.*.hex"))
    for stem in whole:
        yield stem.replace(".", "-"), step(0, 0, golden(stem)[:STEP])
    long, short = golden("DaemonMessage.label"), golden("DaemonMessage.time")
    yield "one-after-the-other", b"".join(step(0, 0, golden(stem)[:STEP]) for stem in whole)
    yield "garbage-then-whole", step(3, 0, b"\x07garbage") + step(0, 0, short) + step(0, 0, short)
    yield "cut-then-whole", step(1, 0x85, long) + step(0, 0, short)
    yield "flipped-then-whole", step(1, 3, b"\x01" * 4 + long) + step(0, 0, short)
    yield "longest", step(0, 1, bytes(range(1, 256))[:254]) + step(0, 1, bytes(STEP))
    yield "too-long-then-whole", step(0, 7, bytes([7]) * STEP) + step(0, 0, short)
    yield "endless-garbage", b"".join(step(3, 0, b"\xff" * STEP) for _ in range(4)) + step(2) + step(0, 0, short)
    yield "zeros", step(2) * 4 + step(0, 0, bytes(40)) + step(2)


def main() -> None:
    for target, seeds in (("message", messages()), ("deframer", streams())):
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (CORPUS / target / name).write_bytes(data)


if __name__ == "__main__":
    main()
