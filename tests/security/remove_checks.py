"""Take the check behind each claim of docs/security.md away, one at a time, and see that the claim's test fails.

    remove_checks.py [WORD]

With a word only the claims that hold it. Nothing is changed where it stands: C is built from a copy of the tree in
build/security, Python gets one changed module put before its own, and the two go on side by side. Exit code 1 if a test
passes without its check.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from removal import Removal
from removals import REMOVALS

ROOT = Path(__file__).parents[2]
COPY = ROOT / "build" / "security" / "tree"
C_BUILD = ROOT / "build" / "security" / "build"

# What a build of the C tests reads.
C_TREE = ("CMakeLists.txt", "cmake", "proto", "mcu_firmware", "packaging", "tests/vectors")

# A test that goes on for ever without its check would say so by this, in seconds.
PATIENCE_S = 600

# Found before all else, also by processes that a test starts.
SITECUSTOMIZE = """
import importlib.util, os, sys

class Changed:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == os.environ["CHANGED_MODULE"]:
            return importlib.util.spec_from_file_location(name, os.environ["CHANGED_FILE"])

sys.meta_path.insert(0, Changed)
"""


class RemovalError(Exception):
    """A check that cannot be removed, or a test that says nothing without that."""


def without_check(removal: Removal) -> str:
    """The file's text. RemovalError if the source has changed."""
    text = (ROOT / removal.file).read_text()
    if text.count(removal.right) != 1:
        raise RemovalError(f"{removal.file} has changed: give removals.py the lines that check that {removal.claim}.")
    return text.replace(removal.right, removal.wrong)


def run(command: Sequence[str | Path], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S, **more
    )


def pytest(tests: Sequence[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "--tb=no", *tests]
    return run(command, env={**os.environ, **environment})


def fails_in_python(removal: Removal, folder: Path) -> bool:
    module = Path(removal.file).relative_to(Path(removal.file).parts[0]).with_suffix("")
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    (folder / "changed.py").write_text(without_check(removal))
    environment = {
        "PYTHONPATH": str(folder),
        "CHANGED_MODULE": ".".join(module.parts),
        "CHANGED_FILE": str(folder / "changed.py"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder),
    }
    done = pytest([removal.test], environment)
    if done.returncode not in (0, 1) or (done.returncode == 1 and f"FAILED {removal.test}" not in done.stdout):
        raise RemovalError(f"{removal.test} cannot be run without its check:\n{done.stdout}{done.stderr}")
    return done.returncode == 1


def copy_tree() -> None:
    """Files that have not changed keep their times, so that a second run builds little; those that are gone go."""
    for path in [] if not COPY.exists() else sorted(COPY.rglob("*")):
        if path.is_file() and not (ROOT / path.relative_to(COPY)).exists():
            path.unlink()
    for name in C_TREE:
        for path in [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).rglob("*")):
            target = COPY / path.relative_to(ROOT)
            if path.is_file() and not (target.exists() and target.read_bytes() == path.read_bytes()):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    sources = COPY / "build" / "sources"
    if not sources.exists():
        shutil.copytree(ROOT / "build" / "sources", sources)


def cmake(*arguments: str) -> None:
    """RemovalError if it does not succeed."""
    done = run(["cmake", *arguments])
    if done.returncode != 0:
        raise RemovalError(f"The C tests cannot be built:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def configure() -> None:
    """Makes ready to build the copy."""
    arguments = ["-G", "Ninja", "-S", str(COPY), "-B", str(C_BUILD), "-DATTUNE_TESTS=ON"]
    cmake(*arguments, "-DCMAKE_BUILD_TYPE=Debug", f"-DPython_EXECUTABLE={sys.executable}")


def build(tests: Sequence[str]) -> None:
    """The named C tests, from the copy. RemovalError if it does not compile."""
    cmake("--build", str(C_BUILD), "--target", *tests, "--", "--quiet")


def c_program(removal: Removal) -> str:
    return Path(removal.test.partition("::")[0]).stem


def failed_in_c(program: str) -> set[str]:
    """The tests of a program that failed; the one that was running when it crashed, too."""
    done = run([C_BUILD / "mcu_firmware" / "tests" / program])
    output = done.stdout + done.stderr
    failed = set(re.findall(r"\[  FAILED  \] (\w+)", output))
    begun = re.findall(r"\[ RUN      \] (\w+)", output)
    ended = done.returncode == 0 or "test(s) run." in output
    return failed if ended else {*failed, *begun[-1:]}


@contextmanager
def changed_copy(removal: Removal) -> Iterator[None]:
    path = COPY / removal.file
    path.write_text(without_check(removal))
    try:
        yield
    finally:
        shutil.copyfile(ROOT / removal.file, path)


def fails_in_c(removal: Removal) -> bool:
    with changed_copy(removal):
        build([c_program(removal)])
        return removal.test.partition("::")[2] in failed_in_c(c_program(removal))


def expect_all_pass(removals: Sequence[Removal]) -> None:
    """With every check in its place. RemovalError if a test fails already."""
    programs = sorted({c_program(removal) for removal in removals if removal.is_c})
    if programs:
        copy_tree()
        configure()
        build(programs)
    failed = [name for program in programs for name in failed_in_c(program)]
    tests = sorted({removal.test for removal in removals if not removal.is_c})
    if failed or (tests and pytest(tests, {}).returncode != 0):
        raise RemovalError(f"Tests fail with their checks in place: {failed or tests}")


def fails(removal: Removal) -> bool:
    if removal.is_c:
        return fails_in_c(removal)
    with tempfile.TemporaryDirectory() as folder:
        return fails_in_python(removal, Path(folder))


def noticed_in(removals: Sequence[Removal]) -> int:
    """Takes the checks away, one after the other; how many tests noticed."""
    expect_all_pass(removals)
    noticed = 0
    for removal in removals:
        found = fails(removal)
        noticed += found
        print(f"{removal.claim}: check removed, {removal.test} {'fails' if found else 'PASSES'}", flush=True)
    return noticed


def main(words: Sequence[str]) -> int:
    chosen = [removal for removal in REMOVALS if all(word in removal.claim for word in words)]
    lanes = [[removal for removal in chosen if removal.is_c is in_c] for in_c in (True, False)]
    try:
        with ThreadPoolExecutor(len(lanes)) as pool:
            noticed = sum(pool.map(noticed_in, lanes))
    except RemovalError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{noticed} of {len(chosen)} removed checks were noticed.")
    return 0 if noticed == len(chosen) > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
