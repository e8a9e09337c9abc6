"""What debian/copyright says of wheels that the test makes up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = "usr/lib/attune/lib/python3.11/site-packages"

MIT = "MIT License\n\nCopyright (c) 2020 Ada Lovelace\n\nPermission is granted.\n"
APACHE = "Apache License\nVersion 2.0\nMany words.\nEND OF TERMS AND CONDITIONS\nCopyright [yyyy] [name]\n"


def wheel(package: Path, name: str, metadata: str, licence: str | None = MIT) -> Path:
    """The information of a wheel as it lies in a package that is laid out."""
    information = package / SITE / f"{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}\n")
    (information / "RECORD").write_text(f"{name}/__init__.py,,\n../../bin/{name},,\n{name}-1.0.dist-info/RECORD,,\n")
    if licence is not None:
        (information / "LICENSE").write_text(licence)
    return information


def written(package: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "packaging/debian/copyright.py"
    command = [sys.executable, str(script), str(package)]
    return subprocess.run(command, cwd=package.parent, check=False, capture_output=True, text=True)


def paragraphs(text: str) -> list[dict[str, str]]:
    """Paragraphs as the format has them: fields, whose further lines begin with a space."""
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if line.startswith(" "):
                fields[name] += "\n" + line[1:]
            else:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        found.append(fields)
    return found


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "THIRD_PARTY_NOTICES.md").write_text("| package | licence |\n|---|---|\n| one, two | ISC |\n")
    (tmp_path / "package" / SITE).mkdir(parents=True)
    return tmp_path / "package"


def test_each_wheel_has_a_paragraph_of_its_own(package: Path) -> None:
    wheel(package, "alpha", "License-Expression: MIT")
    wheel(package, "two", "License: see the file")
    header, own, alpha, two = paragraphs(written(package).stdout)
    assert header["Format"].startswith("https://www.debian.org/doc/packaging-manuals/copyright-format/")
    assert (own["Files"], own["License"].splitlines()[0]) == ("*", "Apache-2.0")
    assert alpha["Comment"] == "alpha 1.0."
    assert alpha["Copyright"] == "2020 Ada Lovelace"
    assert alpha["License"].splitlines() == ["MIT", *(line or "." for line in MIT.strip().splitlines())]
    at = "usr/lib/attune/lib/python*/site-packages"
    assert alpha["Files"].splitlines() == [f"{at}/alpha-1.0.dist-info/*", f"{at}/alpha/*"]
    assert two["License"].splitlines()[0] == "ISC"


def test_what_is_linked_into_a_wheel_is_named(package: Path) -> None:
    information = wheel(package, "alpha", "License-Expression: MIT")
    parts = [
        {"name": "inner", "version": "2", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
        {"name": "other", "version": "3", "licenses": [{"license": {"id": "Zlib"}}], "scope": "required"},
        {"name": "tool", "version": "4", "licenses": [{"license": {"id": "GPL-3.0"}}], "scope": "excluded"},
    ]
    (information / "sboms").mkdir()
    (information / "sboms" / "alpha.json").write_text(json.dumps({"components": parts}))
    said = paragraphs(written(package).stdout)[-1]["Comment"]
    assert said == "alpha 1.0. Linked into it: inner 2 (MIT OR Apache-2.0), other 3 (Zlib)."


def test_texts_that_each_system_has_are_pointed_to(package: Path) -> None:
    wheel(package, "alpha", "License-Expression: Apache-2.0\nAuthor: Grace Hopper", APACHE)
    last = paragraphs(written(package).stdout)[-1]
    assert "Many words" not in last["License"]
    assert "/usr/share/common-licenses/Apache-2.0" in last["License"]
    assert last["Copyright"] == "Grace Hopper"


def test_a_wheel_without_a_licence_ends_the_build(package: Path) -> None:
    wheel(package, "unknown", "License: mine")
    done = written(package)
    assert done.returncode == 1
    assert "add its licence to THIRD_PARTY_NOTICES.md" in done.stderr
