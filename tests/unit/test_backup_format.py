"""The format of backups, read by hand from what is published (age-encryption.org/v1), and by age itself where it is."""

import base64
import gzip
import hashlib
import hmac
import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from backup_world import WORDS, Machine, Sealer
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

pytest_plugins = ["backup_fixtures"]

# The payload comes in pieces of 64 KiB, each with a tag of 16 bytes.
PIECE = (1 << 16) + 16


@pytest.fixture
def backup(machine: Machine) -> Path:
    return machine.back_up().path


def unpadded(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)


def derived(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)


def x25519_stanza(lines: list[bytes]) -> tuple[bytes, bytes]:
    """Share and body of the one that is for a key; others only keep readers from relying on there being none."""
    bodies = {line: unpadded(b"".join(body(lines[at + 1 :]))) for at, line in enumerate(lines) if line[:2] == b"->"}
    ((line, wrapped),) = [(line, wrapped) for line, wrapped in bodies.items() if line.startswith(b"-> X25519 ")]
    return unpadded(line.split(b" ")[2]), wrapped


def body(lines: list[bytes]) -> Iterator[bytes]:
    """Lines of 64 letters up to a shorter one."""
    for line in lines:
        yield line
        if len(line) < 64:
            return


def file_key(header: bytes, secret: bytes) -> bytes:
    """Of a header for one X25519 key; its own authentication is checked."""
    intro, *lines, last = header.splitlines()
    assert intro == b"age-encryption.org/v1"
    share, wrapped = x25519_stanza(lines)
    private = X25519PrivateKey.from_private_bytes(secret)
    own = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    wrapping = derived(shared, share + own, b"age-encryption.org/v1/X25519")
    key = ChaCha20Poly1305(wrapping).decrypt(bytes(12), wrapped, None)
    mark, code = last.split(b" ")
    authenticated = header[: header.index(b"\n---") + 4]
    assert mark == b"---"
    assert hmac.digest(derived(key, b"", b"header"), authenticated, "sha256") == unpadded(code)
    return key


def opened_by_hand(sealed: bytes, secret: bytes) -> bytes:
    """What age has sealed, by its specification alone."""
    size = sealed.index(b"\n", sealed.index(b"\n--- ") + 1) + 1
    header, payload = sealed[:size], sealed[size:]
    cipher = ChaCha20Poly1305(derived(file_key(header, secret), payload[:16], b"payload"))
    pieces = [payload[at : at + PIECE] for at in range(16, len(payload), PIECE)]
    last = len(pieces) - 1
    return b"".join(
        cipher.decrypt(number.to_bytes(11, "big") + bytes([number == last]), piece, None)
        for number, piece in enumerate(pieces)
    )


def secret_of(line: bytes) -> bytes:
    """What the passphrase gives with the salt and costs of the first line."""
    magic, number, text = line.split(b" ", 2)
    assert (magic, number) == (b"attune-backup", b"1")
    key = json.loads(text)["key"]
    salt, costs = bytes.fromhex(key["salt"]), {name: key[name] for name in "nrp"}
    return hashlib.scrypt(WORDS.encode(), salt=salt, maxmem=1 << 28, dklen=32, **costs)


def check_content(plain: bytes, machine: Path) -> None:
    """A length, the list, and the files one after the other, to the last byte."""
    (length,) = struct.unpack_from(">I", plain)
    manifest, at = json.loads(plain[4 : 4 + length]), 4 + length
    for file in manifest["files"]:
        content = plain[at : at + file["size"]]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        if file["name"].endswith((".key", ".toml")):
            assert (machine / file["name"]).read_bytes() == content
        at += file["size"]
    assert at == len(plain)


def test_it_is_what_is_published(backup: Path) -> None:
    line, _, sealed = backup.read_bytes().partition(b"\n")
    packed = opened_by_hand(sealed, secret_of(line))
    check_content(gzip.decompress(packed), backup.parents[1])
    with pytest.raises(InvalidTag):
        opened_by_hand(sealed, bytes(31) + b"\1")
    with pytest.raises(InvalidTag):
        opened_by_hand(sealed[:-1] + bytes([sealed[-1] ^ 1]), secret_of(line))


@pytest.mark.skipif(not shutil.which("age"), reason="age is not installed")
def test_age_opens_it_as_the_page_says(backup: Path, sealer: Sealer, tmp_path: Path) -> None:
    """docs/operations.md: by hand, and without Attune."""
    (tmp_path / "key").write_text(str(sealer.private))
    command = f"tail -n +2 {backup} | age -d -i {tmp_path / 'key'} | gunzip"
    run = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    check_content(run.stdout, backup.parents[1])
