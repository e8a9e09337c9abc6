"""What the maintainer scripts refuse, run with a disk and versions of the test's own."""

import subprocess
from pathlib import Path

import pytest

DEBIAN = Path(__file__).parents[2] / "packaging/debian"


def preinst(folder: Path, *arguments: str, free_kib: int = 10_000_000) -> subprocess.CompletedProcess[str]:
    """Runs the preinst of both packages, version 1.0 with an environment of 200,000 KiB, and so much room."""
    text = (DEBIAN / "attune.preinst").read_text()
    for token, value in {"VERSION": "1.0+deb12", "ENVIRONMENT_KIB": "200000", "PACKAGE": "attune"}.items():
        text = text.replace(f"#{token}#", value)
    script, df = folder / "preinst", folder / "df"
    script.write_text(text)
    df.write_text(f"#!/bin/sh\necho '   Avail'\necho '{free_kib}'\n")
    df.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(["sh", str(script), *arguments], check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    "arguments",
    [
        ["install"],
        ["install", "0.9+deb12", "1.0+deb12"],
        ["upgrade", "0.9+deb12", "1.0+deb12"],
        ["upgrade", "1.0+deb12", "1.0+deb12"],
        ["abort-upgrade", "2.0+deb12"],
    ],
    ids=" ".join,
)
def test_what_fits_is_installed(tmp_path: Path, arguments: list[str]) -> None:
    done = preinst(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("newer", ["1.0.1+deb12", "2.0+deb12", "1.0+deb13"])
@pytest.mark.parametrize("action", ["install", "upgrade"])
def test_a_downgrade_is_refused_with_one_sentence(tmp_path: Path, newer: str, action: str) -> None:
    done = preinst(tmp_path, action, newer, "1.0+deb12")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert newer in done.stderr
    assert "purge the package first" in done.stderr


# An environment of 200,000 KiB, and 64 MiB for what is kept.
@pytest.mark.parametrize(("free_kib", "taken"), [(265_536, True), (265_535, False), (65_535, False), (0, False)])
def test_a_full_disk_is_refused_before_anything_is_changed(tmp_path: Path, free_kib: int, taken: bool) -> None:
    done = preinst(tmp_path, "install", free_kib=free_kib)
    assert (done.returncode == 0) is taken
    if not taken:
        assert f"has {free_kib // 1024} MiB free and needs 259" in done.stderr
        assert done.stderr.endswith("Nothing was changed.\n")
