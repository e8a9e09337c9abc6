"""Writes a package's debian/copyright: a paragraph for each work that is really in it, of what its own wheel says.

    copyright.py PACKAGE > debian/PACKAGE.copyright

A wheel that does not say its licence in the standard's words has it in THIRD_PARTY_NOTICES.md, or the build ends.
"""

import json
import re
import sys
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

SITE = "usr/lib/attune/lib/python*/site-packages"

HEADER = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: attune
Comment:
 Beside Attune itself the package holds what it runs on, as wheels that others have built, or built of their sources.
"""

OWN = """\
Files: *
Copyright: 2026 The Attune authors
License: Apache-2.0
 On Debian systems the text of this licence lies in /usr/share/common-licenses/Apache-2.0.
"""

# Works in compiled files whose wheels do not say so.
WITHIN = {
    "cffi": "libffi (MIT).",
    "grpcio": "abseil-cpp (Apache-2.0), address_sorting (BSD-3-Clause), BoringSSL (Apache-2.0), c-ares (MIT), "
    "protobuf with upb and utf8_range (BSD-3-Clause), RE2 (BSD-3-Clause), xxHash (BSD-2-Clause), zlib (Zlib), "
    "and the certificates of Mozilla (MPL-2.0).",
    "libusb-package": "libusb-1.0.so of libusb (LGPL-2.1-or-later), whose licence lies in "
    "/usr/share/common-licenses/LGPL-2.1, and whose source is at https://libusb.info.",
    "openssl": "Apache-2.0",
}

# Texts that each Debian system has.
COMMON = {
    "Apache-2.0": r"Apache License\s+Version 2\.0.*?END OF TERMS AND CONDITIONS",
    "GPL-2": r"GNU GENERAL PUBLIC LICENSE\s+Version 2,.*?END OF TERMS AND CONDITIONS",
    "GPL-3": r"GNU GENERAL PUBLIC LICENSE\s+Version 3.*?END OF TERMS AND CONDITIONS",
    "LGPL-2.1": r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1.*?END OF TERMS AND CONDITIONS",
    "LGPL-3": r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3.*?Library\.",
}

# The node core's libraries, linked into the binding and the simulator, and into the images of the firmware.
CORE = (
    ("monocypher", "BSD-2-Clause or CC0-1.0", "LICENSE.txt"),
    ("littlefs", "BSD-3-Clause", "LICENSE.md"),
    ("nanopb", "Zlib", "LICENSE.txt"),
)


def paragraph(files: list[str], holders: list[str], licence: str, text: str, comment: str = "") -> str:
    """One work in the words of the machine-readable format: a dot stands for an empty line."""
    body = "".join(f" {line.rstrip() or '.'}\n" for line in text.strip().splitlines())
    said = f"Comment: {comment}\n" if comment else ""
    listed, owners = "\n ".join(files), "\n ".join(holders)
    return f"Files: {listed}\nCopyright: {owners}\n{said}License: {licence}\n{body}"


def holders_in(text: str) -> list[str]:
    line = r"^[\s*#/]*(?:Copyright|©)(?:\s*(?:\(c\)|©|:))*\s*(.*\d{4}.*)$"
    found = re.findall(line, text, re.MULTILINE | re.IGNORECASE)
    # Those of the licence's own text, and of its example, hold nothing of the work.
    own = [line for line in found if "[" not in line and "Free Software Foundation" not in line]
    return list(dict.fromkeys(line.strip(" .*") for line in own))


def shortened(text: str) -> str:
    for name, pattern in COMMON.items():
        text = re.sub(pattern, f"(On Debian systems: /usr/share/common-licenses/{name})", text, flags=re.DOTALL)
    return text


def noticed() -> dict[str, str]:
    """Licences by package, as THIRD_PARTY_NOTICES.md has them."""
    rows = re.findall(r"^\| ([a-z0-9, -]+) \| (.+) \|$", Path("THIRD_PARTY_NOTICES.md").read_text(), re.MULTILINE)
    return {name: licence for names, licence in rows for name in names.split(", ")}


def licence_of(name: str, metadata: Message) -> str:
    licence = metadata["License-Expression"] or noticed().get(name)
    if licence is None:
        raise SystemExit(f"The wheel of {name} has no License-Expression; add its licence to THIRD_PARTY_NOTICES.md.")
    return re.split(r", with|, |;|\(", licence)[0].strip()


def linked_into(information: Path) -> list[str]:
    """What a wheel's own list of parts says is linked into it, with licences."""
    parts = [
        part
        for listed in sorted(information.glob("sboms/*.json"))
        for part in json.loads(listed.read_text()).get("components", [])
        if part.get("scope") != "excluded"
    ]
    return [f"{part['name']} {part['version']} ({_part_licence(part)})" for part in parts]


def _part_licence(part: dict[str, Any]) -> str:
    for entry in part.get("licenses") or []:
        return str(entry.get("expression") or entry["license"].get("id") or entry["license"]["name"])
    return WITHIN[part["name"]]


def of_wheel(information: Path) -> str:
    metadata = HeaderParser().parsestr((information / "METADATA").read_text())
    name = metadata["Name"].lower().replace("_", "-").replace(".", "-")
    texts = [
        path.read_text(errors="replace")
        for path in sorted(information.rglob("*"))
        if path.is_file() and re.search("licen[sc]e|copying|notice", path.name, re.IGNORECASE)
    ]
    text = "\n".join(texts)
    author = metadata["Author"] or metadata["Author-email"] or f"the authors of {metadata['Name']}"
    also = [WITHIN[name]] if name in WITHIN else []
    if parts := linked_into(information):
        also.append(", ".join(parts) + ".")
    comment = f"{metadata['Name']} {metadata['Version']}."
    if also:
        comment += " Linked into it: " + " ".join(also)
    files = [f"{SITE}/{path}" for path in sorted(tops(information))]
    body = shortened(text) or "See the wheel's metadata."
    return paragraph(files, holders_in(text) or [author], licence_of(name, metadata), body, comment)


def tops(information: Path) -> set[str]:
    """The files and folders of a wheel, by their first parts; of a namespace that several share, by two."""
    found = set()
    for line in (information / "RECORD").read_text().splitlines():
        parts = line.split(",")[0].strip('"').split("/")
        if parts[0] in {"..", "bin", "share", "examples"}:
            continue
        found.add("/".join(parts[:2]) + "/*" if parts[0] == "google" else parts[0] + ("/*" if len(parts) > 1 else ""))
    return found


def of_core(places: list[str]) -> list[str]:
    texts = [(name, licence, Path("build/sources", name, file).read_text()) for name, licence, file in CORE]
    comment = "Attune's own node core (Apache-2.0), with " + ", ".join(name for name, *_ in texts) + " linked into it."
    holders = [holder for _, _, text in texts for holder in holders_in(text)]
    licences = " and ".join(f"({licence})" if " " in licence else licence for _, licence, _ in texts)
    body = "\n\n".join(f"{name}:\n{text}" for name, _, text in texts)
    return [paragraph(places, holders, f"Apache-2.0 and {licences}", body, comment)]


def main(package: Path) -> None:
    """Prints the file for a package that is laid out in a folder."""
    site = next(package.glob(SITE), None)
    found = [HEADER, OWN]
    if site is None:
        found += of_core(["usr/share/attune/firmware/*"])
    else:
        if (site / "attune_core").exists():
            found += of_core([f"{SITE}/attune_core/*", "usr/lib/attune/bin/attune-sim"])
        found += [of_wheel(each) for each in sorted(site.glob("*.dist-info")) if not each.name.startswith("attune-")]
    print("\n".join(found), end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
