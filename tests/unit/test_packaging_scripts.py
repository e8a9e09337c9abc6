"""What the maintainer scripts refuse, delete and go on after, run with a machine of the test's own."""

import shutil
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
    # A purge deletes the backups, too.
    assert "copy /var/backups/attune elsewhere, purge the package" in done.stderr


# An environment of 200,000 KiB, and 64 MiB for what is kept.
@pytest.mark.parametrize(("free_kib", "taken"), [(265_536, True), (265_535, False), (65_535, False), (0, False)])
def test_a_full_disk_is_refused_before_anything_is_changed(tmp_path: Path, free_kib: int, taken: bool) -> None:
    done = preinst(tmp_path, "install", free_kib=free_kib)
    assert (done.returncode == 0) is taken
    if not taken:
        assert f"has {free_kib // 1024} MiB free and needs 259" in done.stderr
        assert done.stderr.endswith("Nothing was changed.\n")


# Programs of maintainer scripts that change nothing here: what they are asked for is written down.
_SHIM = '#!/bin/sh\necho "${0##*/} $*" >>"${0%/*}/called"\n'


def postrm(folder: Path, passwd: str, group: str) -> list[str]:
    """Purges attune on a machine with these accounts and groups; which of them are deleted."""
    for name in ("rm", "userdel", "groupdel", "deb-systemd-helper"):
        (folder / name).write_text(_SHIM)
    (folder / "passwd").write_text(passwd)
    (folder / "group").write_text(group)
    getent = '#!/bin/sh\n[ $# -gt 1 ] || exec /bin/cat "${0%/*}/$1"\nexec /bin/grep "^$2:" "${0%/*}/$1"\n'
    (folder / "getent").write_text(getent)
    for name in ("cut", "grep"):
        (folder / name).symlink_to(shutil.which(name) or name)
    for path in folder.iterdir():
        path.chmod(0o755)
    # Nothing but what lies in the folder is found, so that nothing of this machine can be removed.
    command = ["/bin/sh", str(DEBIAN / "attune.postrm"), "purge"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={"PATH": str(folder)})
    assert (done.returncode, done.stderr) == (0, "")
    called = (folder / "called").read_text().splitlines()
    assert any(line.startswith("rm -rf /etc/attune") for line in called)
    return [line for line in called if line.startswith(("userdel", "groupdel"))]


MADE = "attuned:x:990:990::/var/lib/attune:/usr/sbin/nologin\n"


@pytest.mark.parametrize(
    ("passwd", "group", "deleted"),
    [
        (MADE, "attuned:x:990:\nattune:x:991:ann\n", ["userdel attuned", "groupdel attuned", "groupdel attune"]),
        # A person's own account of that name, and one that has been given the group.
        ("attune:x:1000:1000::/home/attune:/bin/bash\n", "attune:x:1000:\n", []),
        ("attune:x:1000:1000::/home/attune:/bin/bash\n", "attune:x:991:\n", ["groupdel attune"]),
        ("ann:x:1001:991::/home/ann:/bin/bash\n", "attune:x:991:\n", []),
        ("", "", []),
    ],
)
def test_a_purge_deletes_no_account_of_a_person(tmp_path: Path, passwd: str, group: str, deleted: list[str]) -> None:
    assert postrm(tmp_path, passwd, group) == deleted


@pytest.mark.parametrize("fails", [False, True])
def test_a_signing_key_that_cannot_be_made_does_not_stop_the_site(tmp_path: Path, fails: bool) -> None:
    text = (DEBIAN / "attune.postinst").read_text().replace("#PACKAGE#", "attune")
    for place in ("/usr/lib/attune", "/usr/bin/attune-signer", "/etc/attune/signing"):
        text = text.replace(place, str(tmp_path / Path(place).name))
    (tmp_path / "postinst").write_text(text.replace("#DEBHELPER#", "echo services start"))
    (tmp_path / "attune" / "bin").mkdir(parents=True)
    signer, python = tmp_path / "attune-signer", tmp_path / "attune" / "bin" / "python"
    python.write_text("#!/bin/sh\n")
    signer.write_text(f'#!/bin/sh\n[ "$1" = create ] || exit 2\n{"echo The chain is missing. >&2; exit 1" * fails}\n')
    for path in (signer, python):
        path.chmod(0o755)
    done = subprocess.run(
        ["sh", str(tmp_path / "postinst"), "configure"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout) == (0, "services start\n")
    said = "The chain is missing.\nattune: until that is mended no node gets an update; everything else runs.\n"
    assert done.stderr == said * fails
