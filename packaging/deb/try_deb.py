"""Installs packages in a small system of their release, removes and purges them, and looks for what stays behind.

    try_deb.py RELEASE PACKAGE.deb...

piuparts does it, as root, to each package alone; its log lies beside the package.
"""

import subprocess
import sys
from pathlib import Path

from archives import debian_archives
from build_root import CACHE, run_as_root

# systemd comes with any machine that the packages are for, and leaves folders of its own behind.
_BASE = ("systemd", "systemd-sysv")


def base(release: str) -> Path:
    """A packed small system of a release, made once."""
    packed = CACHE / f"{release}-base.tar.gz"
    if not packed.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(_BASE)}", release, str(packed)]
        run_as_root([*command, *debian_archives(release)])
    return packed


def main(release: str, debs: list[str]) -> int:
    common = [f"--basetgz={base(release)}", f"--distribution={release}", "--keep-sources-list"]
    # There is no earlier version that apt could fetch.
    common.append("--no-upgrade-test")
    for deb in debs:
        log = Path(deb).with_suffix(".piuparts")
        with log.open("w") as out:
            done = subprocess.run(["piuparts", *common, deb], check=False, stdout=out, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            print("\n".join(line for line in log.read_text().splitlines() if "DEBUG" not in line), file=sys.stderr)
            return 1
        print(f"{Path(deb).name}: installed, removed and purged; nothing stayed behind")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
