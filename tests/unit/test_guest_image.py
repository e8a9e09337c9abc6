"""What a virtual machine's disks are made of; they themselves are made by `make test-vm`."""

import dataclasses
import io
import subprocess
import tarfile
from pathlib import Path

import guest_image
import guest_python
import pytest
from guest_image import ImageError, Recipe

RECIPE = Recipe(("bluez",), {"/etc/a": "b"}, 1024)


def test_the_digest_names_all_that_goes_in() -> None:
    changed = [
        dataclasses.replace(RECIPE, packages=("bluez", "python3")),
        dataclasses.replace(RECIPE, files={"/etc/a": "c"}),
        dataclasses.replace(RECIPE, files={"/etc/b": "b"}),
        dataclasses.replace(RECIPE, size_mib=2048),
    ]
    digests = {recipe.digest(["deb x"]) for recipe in [RECIPE, *changed]} | {RECIPE.digest(["deb y"])}
    assert len(digests) == 6
    assert RECIPE.digest(["deb x"]) == Recipe(("bluez",), {"/etc/a": "b"}, 1024).digest(["deb x"])


def test_files_belong_to_root() -> None:
    packed = guest_image._packed({"/etc/hosts": "127.0.0.1 guest\n", "/etc/empty": ""})
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        members = {member.name: member for member in archive}
        assert {name: (each.uid, each.mode) for name, each in members.items()} == {
            "./etc/hosts": (0, 0o644),
            "./etc/empty": (0, 0o644),
        }
        content = archive.extractfile("./etc/hosts")
        assert content is not None
        assert content.read() == b"127.0.0.1 guest\n"


def test_a_disk_holds_a_folder(tmp_path: Path) -> None:
    (tmp_path / "top" / "below").mkdir(parents=True)
    (tmp_path / "top" / "below" / "file").write_text("content")
    guest_image.make_disk(tmp_path / "top", tmp_path / "disk", "label")
    command = ["/usr/sbin/debugfs", "-R", "cat /below/file", str(tmp_path / "disk")]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"content"


def test_a_command_that_fails_or_is_missing() -> None:
    with pytest.raises(ImageError, match=r"^sh -c echo words >&2; exit 4 ended with 4: words$"):
        guest_image._run(["sh", "-c", "echo words >&2; exit 4"])
    with pytest.raises(ImageError, match=r"attune-has-no-such-command is missing; run `./dev test-vm`"):
        guest_image._run(["attune-has-no-such-command"])


def test_scripts_run_where_the_machine_has_them(tmp_path: Path) -> None:
    script, program = tmp_path / "script", tmp_path / "program"
    script.write_bytes(b"#!/somewhere/bin/python3\nprint(1)\n")
    script.chmod(0o755)
    program.write_bytes(b"\x7fELF\n")
    for each in (script, program):
        guest_python._readdress(each)
    assert script.read_bytes() == b"#!/opt/attune/venv/bin/python\nprint(1)\n"
    assert script.stat().st_mode & 0o777 == 0o755
    assert program.read_bytes() == b"\x7fELF\n"
