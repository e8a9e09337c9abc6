"""The machine that staff have: Debian with systemd and a broker, and none of this project but the package.

What its first disk has not (packages, node programs, probes) lies on a second, read-only one, the cargo.
"""

import dataclasses
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from guest_agent import Done, GuestError
from guest_image import Image, ImageError, Recipe, made, make_disk
from guest_machine import Machine
from guest_python import ROOT
from installation import program

# Debian 12 unless another release is asked for, with its number and its Python.
RELEASE = os.environ.get("ATTUNE_VM_RELEASE") or "bookworm"
NUMBER, PYTHON = {"bookworm": (12, "python3.11"), "trixie": (13, "python3.13")}[RELEASE]

CACHE = ROOT / "build" / "vm"
PACKAGES = ROOT / "build" / "deb"

CARGO = "/mnt/cargo"
"""Where the machine has the disk with packages and node programs."""

NEWER = ".1"
"""What the number of the package has at its end that an upgrade brings: the one that was built, but for its number."""

SERVICES = ("attuned", "attune-gateway", "attune-signer")
TIMERS = ("attune-backup.timer", "attune-retention.timer")

# Whose words say why something failed, with what they run on.
TOLD = ("attune*", "bluetooth", "dbus", "mosquitto", "node*")

# A program of Python takes ten times as long as on the machine outside, and the cores are somebody else's too.
PATIENCE_S = 240.0
INSTALL_S = 900.0

# What an installation is called until somebody names it.
SITE = "site"

ROOM = "2.13"
NODE = "00a1b2c3d4e50213"
SENSORS = ("temperature", "co2", "pir")

# What the site of the tests says beside the default: rooms, and steps that a test can wait for.
CONFIGURATION = f"""
[[rooms]]
id = "{ROOM}"
name = "Meeting room"
"""
STEP = "step_s = 10"

# What the doctor does not find well on a machine without a network.
NO_NTP = {"clock"}

# What a machine writes of its own accord, and what the tests and their node write.
NOT_OURS = (
    "/dev", "/home/ann", "/home/bob", "/mnt", "/proc", "/run", "/srv", "/sys", "/tmp", "/var/cache", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/mosquitto", "/var/lib/systemd/random-seed", "/var/log", "/var/tmp",
    f"/etc/systemd/system/multi-user.target.wants/node@{NODE}.service",
)  # fmt: skip

# A node program in the machine, in a room where people come and go: it dials in for as long as it is started.
_NODE_UNIT = f"""
[Service]
ExecStart={CARGO}/attune-node --gateway 127.0.0.1:7011 --id %i --sensors {",".join(SENSORS)} --window 10 \
--samples {CARGO}/samples --rate 1 --flash /srv/%i.flash --verbose
StandardOutput=file:/srv/%i.code
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

RECIPE = Recipe(
    # What the package depends on, for the machine has no network; the broker; and bluez, of which nothing runs yet.
    packages=(
        *("libatomic1", "libstdc++6", "libsystemd0", "mosquitto", "mosquitto-clients", "procps", PYTHON),
        "bluez",
    ),
    files={
        "/etc/fstab": f"/dev/vda / ext4 defaults 0 1\nLABEL=cargo {CARGO} ext4 ro,nofail 0 0\n",
        "/etc/systemd/system/node@.service": _NODE_UNIT,
    },
    release=RELEASE,
)


def package() -> Path:
    """The newest package for this release that was built for this machine. ImageError."""
    found = sorted(PACKAGES.glob(f"attune_*+deb{NUMBER}_amd64.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ImageError(f"There is no package in {PACKAGES}; run `./dev deb RELEASE={RELEASE}`.")
    return found[-1]


def version_of(deb: Path) -> str:
    return _run("dpkg-deb", "--field", str(deb), "Version").strip()


def bare_image() -> Image:
    """Without the package; from the cache where it is there."""
    return made(RECIPE, CACHE)


def cargo(folder: Path) -> Path:
    """A disk with the package, the one after it, node programs with samples, and probes."""
    disk, deb = folder / "cargo", package()
    disk.mkdir()
    shutil.copy(deb, disk / "attune.deb")
    _newer(deb, disk / "newer.deb")
    shutil.copy(program("attune-node"), disk)
    for script in (Path(__file__).parent / "inside").glob("probe_*.py"):
        shutil.copy(script, disk)
    (disk / "samples").write_text("".join(samples(hours=6)))
    make_disk(disk, folder / "cargo.img", "cargo")
    shutil.rmtree(disk)
    return folder / "cargo.img"


def samples(hours: int) -> list[str]:
    """Lines for a node program: a room that is in use for every other five minutes, at first in use."""
    draw, lines = random.Random(213), []
    for second in range(2, 3600 * hours, 2):
        full = second // 300 % 2 == 0
        values = [20 + 2 * full + draw.gauss(0, 0.1), 450 + 500 * full + draw.gauss(0, 20)]
        lines += [f"0 {1000 * second} {sensor} {value:.3f}\n" for sensor, value in enumerate(values)]
        if full:
            lines.append(f"0 {1000 * second} 2 1\n")
    return lines


def _newer(deb: Path, newer: Path) -> None:
    """The same package with a higher version; not compressed, for it is read by an emulated machine."""
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work) / "tree"
        _run("dpkg-deb", "--raw-extract", str(deb), str(tree))
        version = version_of(deb)
        for path in (tree / "DEBIAN").iterdir():
            text = path.read_bytes()
            if path.name in ("control", "preinst"):
                path.write_bytes(text.replace(version.encode(), (version + NEWER).encode()))
        _run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(newer))


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise ImageError(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr[-1000:]}")
    return done.stdout


@dataclasses.dataclass
class Installed:
    """What staff do on the machine, and what they see. ann is a member of the group attune, bob is not."""

    machine: Machine

    def sh(self, script: str, *, seconds: float = PATIENCE_S, check: bool = True) -> str:
        """What a shell of root says."""
        return self.machine.run("sh", "-c", script, seconds=seconds, check=check).stdout

    def everything(self) -> frozenset[str]:
        """Every file, folder, link, user and group of the machine, each in a line with owner and mode."""
        prune = " -o ".join(f"-path {path}" for path in NOT_OURS)
        files = self.sh(f"find / \\( {prune} \\) -prune -o -printf '%M %u %g %p\\n'").splitlines()
        # Backups of lists that others wrote before.
        kept = [line for line in files if not re.search(r" /etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$", line)]
        return frozenset([*kept, *self.sh("cat /etc/passwd /etc/group").splitlines()])

    def install(self, deb: str = "attune.deb", *, check: bool = True) -> Done:
        """With apt, which has no network here and no packages but those that are installed."""
        told = "DEBIAN_FRONTEND=noninteractive apt-get -qq --allow-downgrades -oDpkg::Use-Pty=0"
        return self.machine.run("sh", "-c", f"{told} install {CARGO}/{deb} </dev/null", seconds=INSTALL_S, check=check)

    def package(self) -> str:
        """The state and version that dpkg has it in, such as "ii  0.1.0"; empty where it knows nothing of it."""
        return self.sh("dpkg-query --show --showformat '${db:Status-Abbrev} ${Version}' attune", check=False).strip()

    def add_people(self) -> None:
        self.sh("for name in ann bob; do id $name >/dev/null 2>&1 || useradd --create-home $name; done")

    def configure(self, more: str = CONFIGURATION) -> None:
        """Adds rooms to the configuration that came with the package, as by hand, and restarts the daemon."""
        path = "/etc/attune/attuned.toml"
        self.machine.run("sed", "-i", f"/^\\[site\\]/a {STEP}", path)
        self.machine.run("sh", "-c", f"cat >> {path}", stdin=more.encode())
        self.machine.run("systemctl", "restart", "attuned", seconds=PATIENCE_S)

    def attune(self, *words: str, user: str = "ann", check: bool = True) -> Done:
        """The command line, as somebody who is logged in."""
        told = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "attune", *words]
        return self.machine.run(*told, environment={"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"},
                                seconds=PATIENCE_S, check=check)  # fmt: skip

    def json(self, *words: str) -> Any:
        return json.loads(self.attune(*words, "--json").stdout)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, as systemd knows them."""
        said = self.machine.run("systemctl", "show", unit, f"--property={','.join(properties)}").stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def main_pid(self, unit: str) -> int:
        return int(self.show(unit, "MainPID")["MainPID"])

    def active(self, *units: str) -> bool:
        said = self.machine.run("systemctl", "is-active", *units, check=False).stdout.split()
        return said == ["active"] * len(units)

    def wait_active(self, *units: str) -> None:
        self.until(lambda: self.active(*units), f"The start of {', '.join(units)}")

    def wait_replaced(self, unit: str, before: int) -> None:
        """Returns once another process than this one runs the unit."""
        self.until(lambda: self.main_pid(unit) not in (0, before) and self.active(unit), f"Another process of {unit}")

    def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        """Returns once the condition holds; a command that fails is one that does not hold yet. GuestError."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
                why = ""
            except (GuestError, ValueError, KeyError, LookupError) as error:
                why = f" {error}"
            if time.monotonic() > deadline:
                raise GuestError(f"{what} did not come within {seconds:g} s.{why}\n{self.journal()}")
            time.sleep(0.5)

    def journal(self, *units: str) -> str:
        """The last of what services have said in this boot."""
        chosen = [f"--unit={unit}" for unit in units or TOLD]
        return self.machine.run("journalctl", "--no-pager", "--boot", "--lines=80", *chosen, check=False).stdout

    def said(self, unit: str) -> str:
        """All that a unit has said in this boot, in one line."""
        return " ".join(self.sh(f"journalctl --boot --output=cat --unit={unit}").split())

    def troubles(self) -> dict[str, str]:
        """What the doctor does not find well; it has to end in the way that says whether there are problems."""
        run = self.attune("doctor", "--json", user="root", check=False)
        found = json.loads(run.stdout)
        assert run.exit_code == (1 if found["problems"] else 0), run.stderr
        return {each["check"]: each["found"] for each in found["findings"] if each["level"] != "ok"}

    def retained(self, topic: str, site: str = SITE) -> Any:
        """What the system's own broker keeps under a topic of the site. GuestError where there is nothing."""
        return json.loads(self.sh(f"mosquitto_sub -t 'attune/{site}/{topic}' -C 1 -W 5"))

    def state(self, room: str = ROOM, site: str = SITE) -> str:
        """Of a room, as the building's systems see it."""
        found: str = self.retained(f"rooms/{room}", site)["state"]
        return found

    def change(self, database: str, statements: str) -> None:
        """Has SQLite change attune.db or windows.db behind the daemon's back."""
        change = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 30).executescript(sys.argv[2])"
        self.machine.run("/usr/lib/attune/bin/python", "-c", change, f"/var/lib/attune/{database}", statements)

    def stored(self, store: str = "/var/lib/attune") -> Any:
        """What is in a store, as inside/probe_store.py prints it."""
        return json.loads(self.sh(f"/usr/lib/attune/bin/python {CARGO}/probe_store.py {store}"))

    def add_node(self, node: str = NODE, room: str = ROOM) -> None:
        """Starts a node program that outlives reboots, and commissions it by its code."""
        self.sh(f"systemctl enable --now node@{node}")
        self.commission(node, room)

    def commission(self, node: str, room: str) -> None:
        """Adds a node that is there by the code that it has printed."""
        self.until(lambda: "Code: " in self.sh(f"cat /srv/{node}.code"), "The node's code")
        code = self.sh(f"cat /srv/{node}.code").split("Code: ")[1].split()[0]
        self.attune("node", "add", code, "--room", room)

    def node(self, node: str = NODE) -> dict[str, Any]:
        """All that the daemon says of a node."""
        found: dict[str, Any] = self.json("nodes", node)["nodes"][0]
        return found

    def report_on(self, more: int = 2, node: str = NODE) -> None:
        """Returns once the daemon has so many more windows of the node."""
        before: list[int] = []

        def arrived() -> bool:
            windows = int(self.node(node)["windows"])
            before.append(windows)
            return windows >= before[0] + more

        self.until(arrived, f"{more} more windows of {node}")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Disks to boot from: `root` with the package installed and a node that reports; the machine is off.

    `bare`: all that was on it without the package, as `everything` has it.
    """

    root: Path
    cargo: Path
    bare: frozenset[str]


def boot(folder: Path, root: Path | None, disks: Sequence[Path], **more: Any) -> Machine:
    """A machine with a copy of this root disk, the bare one's where none is given; not running yet."""
    image = bare_image()
    return Machine(folder, image if root is None else dataclasses.replace(image, root=root), disks, **more)
