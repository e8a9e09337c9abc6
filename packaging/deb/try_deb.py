"""Tries packages in small systems of their release: what they do there, and what they leave behind.

    try_deb.py RELEASE PACKAGE.deb...

As root. piuparts installs, removes and purges each package alone. autopkgtest runs debian/tests in a system that has
what the packages depend on, and no network. In another one like it `trials.sh` fills the disk at each stage of an
installation, and has `attune` and `attune-gateway` take over from one another.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from build_root import CACHE, Root, trying

HERE = Path(__file__).parent


def base(release: str) -> Path:
    """A packed small system of a release, made once."""
    packed = CACHE / f"{release}-base.tar.gz"
    if not packed.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = packed.with_name(f"new-{packed.name}")
        trying(release).make(fresh)
        fresh.rename(packed)
    return packed


def ready(release: str, debs: list[Path]) -> Root:
    """A small system of a release, with what packages depend on."""
    asked = ",".join(_field(deb, "Depends") for deb in debs)
    # Of alternatives the first; without versions.
    names = re.findall(r"(?:^|,)\s*([a-z0-9.+-]+)", asked)
    # The last two are what autopkgtest itself asks for.
    root = trying(release, *sorted({*names, "apt-utils", "dpkg-dev"}))
    root.provide()
    return root


def _field(deb: Path, name: str) -> str:
    command = ["dpkg-deb", "--field", str(deb), name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def try_piuparts(release: str, debs: list[Path]) -> None:
    # There is no earlier version that apt could fetch.
    options = [f"--basetgz={base(release)}", f"--distribution={release}", "--keep-sources-list", "--no-upgrade-test"]
    # The questions of other packages are read there before anything is installed; who reads them leaves the folder.
    options += ["--ignore=/var/cache/debconf/tmp.ci/"]
    for deb in debs:
        log = deb.with_suffix(".piuparts")
        with log.open("w") as out:
            done = subprocess.run(["piuparts", *options, deb], check=False, stdout=out, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            print("\n".join(line for line in log.read_text().splitlines() if "DEBUG" not in line), file=sys.stderr)
            raise SystemExit(f"{deb.name}: piuparts found something; all it said is in {log}")
        print(f"{deb.name}: installed, removed and purged; nothing stayed behind", flush=True)


def try_running(release: str, debs: list[Path]) -> None:
    """Programs as they are installed, without a network; then what may happen to the packages."""
    root = ready(release, debs)
    place, work = CACHE.parent / f"trying-{release}", CACHE.parent / f"trying-{release}.layer"
    shutil.rmtree(place, ignore_errors=True)
    (place / "source").mkdir(parents=True)
    shutil.copytree(HERE.parent / "debian", place / "source" / "debian")
    shutil.copy(HERE / "trials.sh", place)
    for deb in debs:
        shutil.copy(deb, place / f"{_field(deb, 'Package')}.deb")
    # Each alone: a gateway is in both packages.
    for test, package in (("daemon", "attune"), ("gateway", "attune-gateway")):
        told = ["autopkgtest", "--quiet", f"--test-name={test}", f"{place}/{package}.deb", f"{place}/source"]
        root.run_beside([*told, "--", "chroot", str(work / "merged")], place, work)
    root.run(["sh", "/build/trials.sh"], place, work)
    shutil.rmtree(place)


def main(release: str, debs: list[Path]) -> None:
    try_piuparts(release, debs)
    try_running(release, debs)


if __name__ == "__main__":
    main(sys.argv[1], [Path(name) for name in sys.argv[2:]])
