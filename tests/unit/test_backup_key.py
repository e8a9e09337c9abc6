"""The key of backups: age's own format, from a passphrase; what would be guessed or take all memory is refused."""

import hashlib
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pyrage
import pytest
from attuned import backup_key
from attuned.backup_key import BackupKey
from attuned.errors import ConfigError, RequestError
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

WORDS = "seven lamps over the ford"


@pytest.fixture(scope="module")
def key() -> BackupKey:
    return backup_key.make(WORDS)


def test_keys_are_written_as_age_writes_them() -> None:
    """Against a key that the age implementation reads: its check sum is part of the letters."""
    # The secret of the X25519 vectors of age's test suite (c2sp.org/CCTV/age).
    secret = "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
    data = pyrage.x25519.Identity.from_str(secret)
    letters = secret.removeprefix("AGE-SECRET-KEY-1").lower()[:-6]
    number = 0
    for letter in letters:
        number = number * 32 + "qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(letter)
    raw = (number >> 4).to_bytes(32, "big")
    assert backup_key._bech32("age-secret-key-", raw).upper() == secret == str(data)


def test_the_secret_is_scrypt_of_the_passphrase(key: BackupKey) -> None:
    secret = hashlib.scrypt(WORDS.encode(), salt=bytes.fromhex(key.salt), n=2**17, r=8, p=1, maxmem=2**28, dklen=32)
    public = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert backup_key._bech32("age", public) == key.recipient


def test_only_the_passphrase_opens(key: BackupKey) -> None:
    sealed = pyrage.encrypt(b"what nobody reads", [key.public])
    assert pyrage.decrypt(sealed, [key.stretching.private(WORDS)]) == b"what nobody reads"
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [key.stretching.private(WORDS + " ")])


def test_letters_with_accents_are_the_same_from_every_keyboard() -> None:
    made = backup_key.make("cafe\u0301 sur la place")
    assert str(made.stretching.private("caf\u00e9 sur la place").to_public()) == made.recipient


@pytest.mark.parametrize("words", ["", "short", "eleven char", "aaaaaaaaaaaaaaaaaaaa", "abababababababab", "x y" * 500])
def test_what_would_be_guessed_is_refused(words: str) -> None:
    with pytest.raises(RequestError, match="characters"):
        backup_key.make(words)


def test_two_keys_of_the_same_words_differ(key: BackupKey) -> None:
    assert backup_key.make(WORDS).recipient != key.recipient


def test_the_file_is_read_again_and_is_for_its_owner_alone(key: BackupKey, tmp_path: Path) -> None:
    path = tmp_path / "backup-key.toml"
    key.save(path)
    assert backup_key.load(path) == key
    assert tomllib.loads(key.toml()) == asdict(key)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2**30},
        {"n": 2**10},
        {"n": 2**17 + 1},
        {"n": True},
        {"r": 8.0},
        {"r": 64},
        {"p": 2},
        {"salt": "00"},
        {"salt": "Z" * 32},
        {"recipient": "age1" + "q" * 58},
        {"recipient": "ssh-ed25519 AAAA"},
        {"recipient": 7},
    ],
)
def test_a_file_that_is_no_key_is_refused(key: BackupKey, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no "):
        backup_key.read(asdict(key) | change)


@pytest.mark.parametrize("text", ["", "recipient = 1", "\x00", "salt =", 'also = "this"'])
def test_a_file_of_something_else_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "backup-key.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="holds no key for backups"):
        backup_key.load(path)
    with pytest.raises(ConfigError, match="There is no key"):
        backup_key.load(tmp_path / "nothing.toml")


def test_a_changed_salt_opens_nothing(key: BackupKey) -> None:
    other = replace(key, salt="00" * 16).stretching.private(WORDS)
    assert str(other.to_public()) != key.recipient
