"""The Debian archives that this machine's own apt is configured with, so that no address stands in this project."""

import subprocess
from pathlib import Path

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class ArchiveError(Exception):
    """There is no archive to take packages from; the message says what to do next."""


def debian_archives(release: str) -> list[str]:
    """Lines for apt: the archives of this machine's release, or for another release what stands in their place.

    ArchiveError where there is none.
    """
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    lines = set()
    for line in _configured().splitlines():
        codename, uri, component = line.split()
        suite = codename.replace(codename.partition("-")[0], release)
        lines.add(f"deb {signed}{uri} {suite} {component}")
    if not lines:
        raise ArchiveError("This machine's apt knows no Debian archive; add one to its sources.")
    return sorted(lines)


def _configured() -> str:
    command = ["apt-get", "indextargets", "-oAPT::Get::IndexTargets=false", "--format"]
    command += ["$(CODENAME) $(REPO_URI) $(COMPONENT)", "Created-By: Packages", "Origin: Debian"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
