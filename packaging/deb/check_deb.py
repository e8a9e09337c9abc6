"""Reads finished Debian packages, those for other machines as well, and says what would go wrong once installed.

    check_deb.py PACKAGE.deb...

Every compiled file is for the package's machine, and finds each library that it needs in the package or in a package
that this one depends on; no file lies where it has no business, belongs to anybody but root or may be written by
others, or has a time of its own; modules are for the Python that the package depends on, and programs run in the
environment that came with them; no installer and no path of the machine that built the package is in it; its copyright
file names each wheel that it holds; and it is no larger than it may be.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath

ENVIRONMENT = "usr/lib/attune"

LIMITS_MIB = {"attune": 60, "attune-gateway": 30, "attune-firmware": 5}
MACHINES = {"amd64": "Advanced Micro Devices X86-64", "arm64": "AArch64", "all": "ARM"}

# Debian's packages with the libraries that anything here may ask the system for.
LIBRARIES = {
    "ld-linux-aarch64.so.1": "libc6",
    "ld-linux-x86-64.so.2": "libc6",
    "libatomic.so.1": "libatomic1",
    "libc.so.6": "libc6",
    "libdl.so.2": "libc6",
    "libgcc_s.so.1": "libgcc-s1",
    "libm.so.6": "libc6",
    "libpthread.so.0": "libc6",
    "librt.so.1": "libc6",
    "libstdc++.so.6": "libstdc++6",
    "libsystemd.so.0": "libsystemd0",
    "libz.so.1": "zlib1g",
}

PLACES = re.compile(
    r"etc/attune/[a-z]+\.toml"
    r"|(usr/)?lib/(systemd/system/attune[a-z-]*\.(service|timer)|udev/rules\.d/60-attune-gateway\.rules)"
    r"|usr/bin/attune[a-z-]*"
    r"|usr/lib/attune/(pyvenv\.cfg|(bin|lib)/.+)"
    r"|usr/lib/(sysusers|tmpfiles)\.d/attune[a-z-]*\.conf"
    r"|usr/share/(attune/.+|(doc|lintian/overrides)/attune.*|man/man[158]/attune.+)"
    r"|usr/share/(bash-completion/completions/|zsh/vendor-completions/_|fish/vendor_completions\.d/)attune[a-z.-]*"
)

# The folder of debian/rules in the root that it builds in, and this one.
BUILD_PATHS = (b"/build/attune", str(Path(__file__).resolve().parents[2]).encode())

# A package is installed without a network, and installs nothing else.
FOREIGN_COMMANDS = re.compile(r"\b(pip|curl|wget|apt|apt-get)\b")


@dataclass(frozen=True)
class Compiled:
    """What the header and the dynamic section of an ELF file say."""

    machine: str
    needed: tuple[str, ...]
    search: tuple[str, ...]


@dataclass
class Package:
    """A package's control fields, its members by path, and its contents in a folder."""

    fields: dict[str, str]
    members: dict[str, tarfile.TarInfo]
    folder: Path
    scripts: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.fields["Package"]

    def files(self) -> Iterator[str]:
        return (path for path, member in self.members.items() if member.isfile())


def opened(deb: Path, work: Path) -> Package:
    """A package that is unpacked into a folder, without any of it being run."""
    control, data = work / "control", work / "data"
    subprocess.run(["dpkg-deb", "--raw-extract", str(deb), str(data)], check=True)
    (data / "DEBIAN").rename(control)
    with tempfile.TemporaryFile() as packed:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], check=True, stdout=packed)
        packed.seek(0)
        with tarfile.open(fileobj=packed) as archive:
            members = {member.name.removeprefix("./"): member for member in archive if member.name not in {".", "./"}}
    fields = dict(re.findall(r"^([A-Za-z-]+): *(.*)$", (control / "control").read_text(), re.MULTILINE))
    scripts = {path.name: path.read_text() for path in control.iterdir() if path.name[:3] in {"pre", "pos"}}
    return Package(fields, members, data, scripts)


def compiled_files(package: Package) -> dict[str, Compiled]:
    """The ELF files of a package, as readelf reads them."""
    paths = [path for path in package.files() if (package.folder / path).open("rb").read(4) == b"\x7fELF"]
    found = {}
    for path in paths:
        command = ["readelf", "--file-header", "--dynamic", "--wide", str(package.folder / path)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        machine = re.search(r"^ *Machine: *(.+)$", text, re.MULTILINE)
        needed = re.findall(r"\(NEEDED\).*\[(.+)\]", text)
        search = ":".join(re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.+)\]", text)).split(":")
        found[path] = Compiled(machine.group(1) if machine else "", tuple(needed), tuple(filter(None, search)))
    return found


def wrong_libraries(package: Package) -> Iterator[str]:
    machine = MACHINES[package.fields["Architecture"]]
    depended = set(re.findall(r"[a-z0-9.+-]+", re.sub(r"\([^)]*\)", "", package.fields.get("Depends", ""))))
    for path, compiled in compiled_files(package).items():
        if compiled.machine != machine:
            yield f"{path} is for {compiled.machine}"
        for library in compiled.needed:
            if not _within(package, path, compiled, library) and LIBRARIES.get(library) not in depended:
                yield f"{path} needs {library}, which is neither in the package nor in what it depends on"


def _within(package: Package, path: str, compiled: Compiled, library: str) -> bool:
    """Whether the dynamic linker finds a library in the package, by the search path of the file that needs it."""
    origin = f"/{PurePosixPath(path).parent}"
    for place in compiled.search:
        folder = place.replace("$ORIGIN", origin).replace("${ORIGIN}", origin)
        parts: list[str] = []
        for part in PurePosixPath(folder).parts[1:]:
            parts = parts[:-1] if part == ".." else [*parts, part]
        if "/".join([*parts, library]) in package.members:
            return True
    return False


def wrong_pythons(package: Package) -> Iterator[str]:
    """Modules for another Python than the one that the package depends on: they would not be found by it."""
    depended = re.findall(r"\bpython3\.(\d+)", package.fields.get("Depends", ""))
    for path in package.files():
        for version in re.findall(r"/python3\.(\d+)/|\.cpython-3(\d+)-", path):
            if ["".join(version)] != depended:
                yield f"{path} is not for the Python that the package depends on"
                break


def wrong_places(package: Package) -> Iterator[str]:
    for path, member in package.members.items():
        if not member.isdir() and not PLACES.fullmatch(path):
            yield f"{path} lies where the package has no business"
        if member.uid or member.gid:
            yield f"{path} belongs to {member.uid}:{member.gid} and not to root"
        if not member.issym() and member.mode & 0o7022:
            yield f"{path} has the mode {member.mode:o}"
        if member.issym() and member.linkname.startswith("/"):
            yield f"{path} links to {member.linkname}, an absolute path"
        if re.search(r"/(pip|ensurepip)(/|-[0-9])", path):
            yield f"{path} belongs to an installer"


def wrong_times(package: Package) -> Iterator[str]:
    """Two builds of one version are the same only if no file tells when it was made or checked out."""
    (common, _), *_ = Counter(member.mtime for member in package.members.values()).most_common(1)
    for path, member in package.members.items():
        if member.mtime != common:
            yield f"{path} has a time of its own"


def wrong_programs(package: Package) -> Iterator[str]:
    for path in package.files():
        content = (package.folder / path).read_bytes()
        executable = bool(package.members[path].mode & 0o111)
        if executable and PurePosixPath(path).parent != PurePosixPath(ENVIRONMENT, "bin"):
            yield f"{path} can be executed"
        if executable and content[:2] == b"#!" and not content.startswith(f"#!/{ENVIRONMENT}/bin/python ".encode()):
            yield f"{path} runs in another environment: {content.splitlines()[0].decode(errors='replace')}"
        if any(place in content for place in BUILD_PATHS):
            yield f"{path} names the folder in which it was built"


def wrong_size(package: Package, deb: Path) -> Iterator[str]:
    mib = deb.stat().st_size / 2**20
    if mib > LIMITS_MIB[package.name]:
        yield f"it has {mib:.1f} MiB, and at most {LIMITS_MIB[package.name]} are allowed"


def wrong_scripts(package: Package) -> Iterator[str]:
    for name, text in package.scripts.items():
        code = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)
        for command in FOREIGN_COMMANDS.findall(re.sub(r'"[^"]*"', "", code)):
            yield f"its {name} runs {command}"


def faults(deb: Path) -> list[str]:
    """All that is wrong with a package, a sentence each."""
    with tempfile.TemporaryDirectory() as work:
        package = opened(deb, Path(work))
        checks = (
            wrong_libraries,
            wrong_pythons,
            wrong_places,
            wrong_times,
            wrong_programs,
            wrong_scripts,
            unnamed_works,
        )
        found = [fault for check in checks for fault in check(package)]
        return found + list(wrong_size(package, deb))


def unnamed_works(package: Package) -> Iterator[str]:
    """Each wheel that is really in the package stands in its copyright file, with its version."""
    named = (package.folder / f"usr/share/doc/{package.name}/copyright").read_text()
    for path in package.files():
        if path.endswith(".dist-info/METADATA") and not PurePosixPath(path).parent.name.startswith("attune-"):
            metadata = HeaderParser().parsestr((package.folder / path).read_text())
            if f"Comment: {metadata['Name']} {metadata['Version']}." not in named:
                yield f"its copyright file does not name {metadata['Name']} {metadata['Version']}"


def main(debs: list[Path]) -> int:
    wrong = [f"{deb.name}: {fault}" for deb in debs for fault in faults(deb)]
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
