"""Fills a package with a virtual environment, from wheels alone. Run by debian/rules with the release's own Python.

    environment.py PACKAGE LOCK PROGRAM...

PACKAGE is the folder that becomes the package. The environment is made as it lies in an installed system, where its
interpreter is the distribution's; the machine that it is for may be another than this one. LOCK names what is
installed from wheels/, and built/ holds the wheels of this project and of what is published as source. PROGRAM is a
program of this project.
"""

import configparser
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HOME = Path("usr/lib/attune")
PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"

SHEBANG = f"#!/{HOME}/bin/python -I\n"
"""Isolated, so that no variable of whoever calls it, nor a package of theirs, comes before what was tested."""

# Of no use to a program that runs: tests, what other programs are compiled with, and programs of others.
LEFT_OUT = (
    *("**/tests", "**/*.pyi", "**/*.pxd", "**/*.pyx", "**/*.h", "**/*.c", "**/*.a"),
    *("bin", "examples", "share", "bumble/apps", "numpy/f2py"),
    # Where a wheel was taken from on the machine that built the package.
    *("*.dist-info/direct_url.json", "*.dist-info/REQUESTED"),
)

# The daemon's part of the project's own wheel, which a gateway alone has no libraries for.
DAEMON_ONLY = ("attuned", "attune_core")


def install(site: Path, lock: Path) -> None:
    """Installs what is locked, with its hashes, and the wheels that were built of the sources beside it."""
    (pip,) = Path("wheels/build").glob("pip-*.whl")
    command = [sys.executable, f"{pip}/pip", "install", "-qq", "--no-index", "--no-deps", "--no-compile"]
    command += ["--disable-pip-version-check", "--no-warn-script-location", f"--target={site}"]
    command += Path("wheels/pip-options").read_text().split()
    # First this project's programs: what finds a folder `bin` brings no programs of its own.
    subprocess.run([*command, *map(str, Path("built").glob("*.whl"))], check=True)
    subprocess.run([*command, "--find-links=wheels", "--require-hashes", f"--requirement={lock}"], check=True)


def prune(site: Path, without: tuple[str, ...]) -> None:
    for pattern in (*LEFT_OUT, *without):
        for path in sorted(site.glob(pattern), reverse=True):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in site.rglob("*"):
        if path.is_file():
            make_plain(path)


def make_plain(path: Path) -> None:
    """Nothing in here is called by its name: no module is a program, whatever its wheel says."""
    path.chmod(0o644)
    if path.suffix == ".py" and path.read_bytes().startswith(b"#!"):
        _, _, rest = path.read_bytes().partition(b"\n")
        path.write_bytes(b"#\n" + rest)


def add_interpreter(home: Path) -> None:
    """What `python -m venv` makes of a folder, with the distribution's interpreter by its exact name."""
    (home / "bin").mkdir(parents=True, exist_ok=True)
    (home / "bin" / "python").symlink_to(os.path.relpath(f"/usr/bin/{PYTHON}", f"/{HOME}/bin"))
    version = sysconfig.get_python_version()
    (home / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {version}\n")


def add_programs(package: Path, site: Path, programs: list[str]) -> None:
    """The named programs by their entry points, or as the wheel brought them, each with a link in /usr/bin."""
    points = configparser.ConfigParser()
    (listed,) = site.glob("attune-*.dist-info/entry_points.txt")
    points.read(listed)
    (package / "usr/bin").mkdir(parents=True, exist_ok=True)
    for name in programs:
        program = package / HOME / "bin" / name
        module, _, function = points["console_scripts"][name].partition(":")
        program.write_text(f"{SHEBANG}import sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n")
        program.chmod(0o755)
        (package / "usr/bin" / name).symlink_to(f"../lib/attune/bin/{name}")


def main(package: Path, lock: Path, programs: list[str]) -> None:
    site = package / HOME / "lib" / PYTHON / "site-packages"
    install(site, lock)
    add_interpreter(package / HOME)
    alone = "attuned" not in programs
    if not alone:
        # The demo runs the simulator, which lies beside the interpreter in any environment.
        shutil.copy(site / "bin" / "attune-sim", package / HOME / "bin")
    prune(site, DAEMON_ONLY if alone else ())
    add_programs(package, site, programs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
