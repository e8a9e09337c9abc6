"""Print what a session costs a board: instructions, stack and RAM as the image counts them, flash by the linker's map.

    session_report.py attune-cost-session.elf

The image runs under QEMU, where an instruction takes a nanosecond; the map lies beside it. The exit code is 1 where the
budget of instructions or of stack is exceeded. The stack is the whole image's, from the reset on.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

from firmware_report import ReportError, measure

MOST_INSTRUCTIONS = 8_000_000
MOST_STACK = 4096
LONGEST_S = 60.0


def figures(image: Path) -> dict[str, int]:
    """What the image says until its "end"; ReportError if that does not come, or if a step of the image failed."""
    command = ["qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", "-nographic", "-monitor", "none"]
    command += ["-serial", "null", "-serial", "null", "-serial", "stdio", "-kernel", str(image)]
    said: dict[str, int] = {}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        late = Timer(LONGEST_S, process.kill)
        late.start()
        for line in process.stdout or ():
            words = line.split()
            if words == ["end"]:
                break
            said[" ".join(words[1:-1])] = int(words[-1])
        late.cancel()
        process.kill()
    if said.get("failures") != 0:
        raise ReportError(f"{image.name} came to no good end: it said {said}.")
    return said


def lines(said: dict[str, int], flash: int) -> Iterator[str]:
    """The report; where there are budgets they stand beside the figures."""
    yield f"KK handshake: {said['handshake']:,} instructions of at most {MOST_INSTRUCTIONS:,}"
    yield f"stack: {said['stack']:,} bytes of at most {MOST_STACK:,}"
    yield f"report of 71 bytes: sealed in {said['report seal']:,} instructions, opened in {said['report open']:,}"
    yield f"session and Monocypher: {flash:,} bytes of flash"
    yield f"RAM: {said['held sessions']} bytes, and {said['held handshake']} during a handshake"


def main(image: Path) -> int:
    try:
        said = figures(image)
        usage = measure(Path(f"{image}.map").read_text())
    except (OSError, ReportError) as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(lines(said, usage.flash["session"] + usage.flash["monocypher"])))
    return 0 if said["handshake"] <= MOST_INSTRUCTIONS and said["stack"] <= MOST_STACK else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
