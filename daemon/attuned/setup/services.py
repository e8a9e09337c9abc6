"""Services that take a new configuration up by starting again."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from attuned.setup.files import Change

# A daemon with a large store takes a while to open it.
RESTART_S = 900.0

_UNITS = {"gateway.toml": "attune-gateway"}
# What the daemon has read when it started, and backups read each time.
_READ_LATER = frozenset({"backup-key.toml"})


def concerned(changes: Sequence[Change]) -> list[str]:
    """The units that have to start again, the daemon before its gateway."""
    units = {_UNITS.get(change.path.name, "attuned") for change in changes if change.path.name not in _READ_LATER}
    return sorted(units, key=lambda unit: unit != "attuned")


def under_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def restart(units: Sequence[str]) -> str:
    """What went wrong, in the words of systemctl; "" if they are up."""
    try:
        done = subprocess.run(
            ["systemctl", "restart", *units], capture_output=True, text=True, check=False, timeout=RESTART_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else " ".join(done.stderr.split())
