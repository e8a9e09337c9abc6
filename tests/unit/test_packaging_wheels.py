"""What the packages are made of: which wheels, for which machine, and from which archives."""

import re
import sys
from pathlib import Path

import archives
import build_root
import pytest
import wheels
from wheels import SOURCE_ONLY, Target, asked_for, locked, needed

LOCK = """\
# made by a program
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via beta
Beta_two==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
beta-two==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
gamma==3.0 ; sys_platform == 'win32' \\
    --hash=sha256:ee
"""

TARGETS = [Target(python, machine) for python in build_root.PYTHONS.values() for machine in ("x86_64", "aarch64")]


def test_entries_of_a_lock_file_come_whole() -> None:
    assert locked(LOCK, {"beta-two"}) == "".join(LOCK.splitlines(keepends=True)[5:9])
    assert locked(LOCK, {"alpha", "gamma"}).count("--hash") == 3
    assert locked(LOCK, {"delta"}) == ""


def test_a_target_gets_its_own_entries_without_markers() -> None:
    names = {"alpha", "beta-two", "gamma"}
    old, new = locked(LOCK, names, Target("3.11", "x86_64")), locked(LOCK, names, Target("3.13", "x86_64"))
    assert re.findall(r"sha256:(..)", old) == ["aa", "bb", "cc"]
    assert re.findall(r"sha256:(..)", new) == ["aa", "bb", "dd"]
    assert ";" not in old + new


def test_what_packages_need_is_in_the_lock_file() -> None:
    found = needed(["attune", "pytest"])
    assert {"bleak", "dbus-fast", "bumble", "pydantic-core", "pluggy"} <= found
    assert not {"scikit-learn", "ruff", "mypy"} & found
    entries = locked((wheels.ROOT / "requirements.lock").read_text(), found)
    pinned = {line.partition("==")[0] for line in entries.splitlines() if line[0].isalpha()}
    assert pinned == found - {"attune"}


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_each_need_is_locked_once_for_each_target(target: Target) -> None:
    names = needed(asked_for(), target)
    entries = locked((wheels.ROOT / "requirements.lock").read_text(), names, target)
    pinned = [line.partition("==")[0] for line in entries.splitlines() if line[0].isalpha()]
    assert sorted(pinned) == sorted(names)


def test_a_gateway_alone_needs_what_its_own_modules_import_and_no_numbers() -> None:
    imported = set()
    for module in (wheels.ROOT / "gateway/attune_gateway").rglob("*.py"):
        imported |= set(re.findall(r"^\s*(?:import|from) (\w+)", module.read_text(), re.MULTILINE))
    foreign = imported - sys.stdlib_module_names - {"attune_gateway", "attune_proto", "attune_service"}
    names = {
        "google": "protobuf",
        "grpc": "grpcio",
        "serial": "pyserial",
        "systemd": "systemd-python",
        "pydantic_core": "pydantic",
    }
    # bleak brings the D-Bus of this very version.
    assert {names.get(name, name) for name in foreign} - {"dbus_fast"} == set(asked_for("gateway"))
    assert set(asked_for("gateway")) <= set(asked_for())
    assert not {"numpy", "sqlite-utils", "pyrage"} & needed(asked_for("gateway"))


def test_what_has_no_wheel_is_known() -> None:
    assert set(asked_for()) >= SOURCE_ONLY


def test_archives_are_those_of_this_machine_for_the_release_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    known = "bookworm b main\nbookworm-security a main\nbookworm b main\n"
    monkeypatch.setattr(archives, "_configured", lambda: known)
    monkeypatch.setattr(archives, "_KEYRING", Path("/nowhere"))
    assert archives.debian_archives("bookworm") == ["deb a bookworm-security main", "deb b bookworm main"]
    assert archives.debian_archives("trixie") == ["deb a trixie-security main", "deb b trixie main"]
    monkeypatch.setattr(archives, "_configured", lambda: "")
    with pytest.raises(archives.ArchiveError, match="knows no Debian archive"):
        archives.debian_archives("trixie")
