"""Run every fuzz target, and print how much of what it aims at the inputs have reached.

    run.py FUZZ_BUILD COVERAGE_BUILD SECONDS

FUZZ_BUILD holds the targets as programs of libFuzzer, COVERAGE_BUILD the same built with gcc's --coverage and a replay
of inputs. What libFuzzer keeps is collected in FUZZ_BUILD/corpus, so that the next run goes on from there. A finding
ends this program with exit code 1, and its input lies in FUZZ_BUILD/findings.
"""

import json
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parent / "corpus"

AIMS = {
    "ble": tuple(
        f"ble/{name}.c"
        for name in (
            "hci",
            "setup",
            "advertise",
            "link",
            "parameters",
            "l2cap",
            "channels",
            "att",
            "att_find",
            "att_read",
            "gatt",
            "ble",
        )
    ),
    "deframer": ("framing/frame.c", "framing/crc16.c"),
    "envelope": tuple(
        f"update/{name}.c"
        for name in ("envelope", "model", "compact", "compact_ridge", "normaliser", "calibration", "transfer", "keys")
    ),
    "handshake": ("session/noise.c", "session/handshake.c", "session/hkdf.c", "session/aead.c"),
    "message": (
        "node/link.c",
        "node/learn.c",
        "node/update.c",
        "node/trial.c",
        "node/release.c",
        "learner/label_log.c",
    ),
    "part": ("framing/part.c",),
    "sealed": ("session/sealed.c", "session/aead.c"),
    "store": (
        "store/files.c",
        "store/identity.c",
        "store/slots.c",
        "store/incoming.c",
        "store/labels.c",
        "store/reports.c",
    ),
}
LEAST_COVERAGE = 0.8


def program(build: Path, name: str) -> Path:
    return build / "mcu_firmware" / "tests" / f"fuzz_{name}"


def fuzz(build: Path, name: str, seconds: int) -> bool:
    """True if nothing was found."""
    corpus, findings = build / "corpus" / name, build / "findings" / name
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        program(build, name),
        f"-max_total_time={seconds}",
        "-verbosity=0",
        "-print_final_stats=1",
    ]
    done = subprocess.run(
        [*command, f"-artifact_prefix={findings}/", corpus, GOLDEN / name], check=False, capture_output=True, text=True
    )
    units = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    print(f"{name}: {units[0] if units else 'no'} inputs in {seconds} s, {len(list(corpus.iterdir()))} kept")
    if done.returncode != 0:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def notes_of(build: Path, aim: str) -> Path:
    """What gcc notes of a source file: of the core's, or of the Bluetooth host's."""
    library = "attune_core_f32.dir/core/" if not aim.startswith("ble/") else "attune_ble.dir/"
    return next(build.rglob(f"{library}{aim.removeprefix('ble/')}.gcno"))


def covered(build: Path, name: str, inputs: Path) -> dict[str, tuple[int, int]]:
    """Lines reached and lines there are, by file that the target aims at."""
    for counts in build.rglob("*.gcda"):
        counts.unlink()
    for folder in (inputs, GOLDEN / name):
        subprocess.run([program(build, name), folder], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for aim in AIMS[name]:
        listing = subprocess.run(
            ["gcov", "--stdout", "--json-format", notes_of(build, aim)], check=True, capture_output=True
        )
        lines = [
            line for file in json.loads(listing.stdout)["files"] if file["file"].endswith(aim) for line in file["lines"]
        ]
        found[aim] = (sum(line["count"] > 0 for line in lines), len(lines))
    return found


def report(name: str, files: dict[str, tuple[int, int]]) -> bool:
    """Prints what was reached; True if that is enough."""
    reached = sum(reached for reached, _ in files.values())
    lines = sum(lines for _, lines in files.values())
    print(f"{name}: {reached} of {lines} lines, {reached / lines:.0%}")
    for aim, numbers in files.items():
        print(f"  {aim}: {numbers[0]} of {numbers[1]}")
    return reached >= LEAST_COVERAGE * lines


def main(fuzz_build: Path, coverage_build: Path, seconds: int) -> int:
    good = True
    for name in AIMS:
        good &= fuzz(fuzz_build, name, seconds)
        good &= report(name, covered(coverage_build, name, fuzz_build / "corpus" / name))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
