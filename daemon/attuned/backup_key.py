"""The key that backups are sealed to: of a passphrase, so that sealing needs nobody and opening only those words.

The secret is scrypt (RFC 7914) of the passphrase, taken as an X25519 key of the age format
(https://age-encryption.org/v1). Salt and costs stand here and at the beginning of each backup, the public key stands
here alone: who has it can make files that open with the passphrase. So this file is for root.
"""

import hashlib
import json
import re
import secrets
import tomllib
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyrage

from attuned.errors import ConfigError, RequestError
from attuned.key_files import write_key

KEY_FILE = Path("/etc/attune/backup-key.toml")

# A guess costs 128 MiB and most of a second; below this length that would not be enough.
PASSPHRASE_LENGTH = 12
DIFFERENT_CHARACTERS = 6
# Longer ones are files that somebody named by mistake.
PASSPHRASE_LIMIT = 1024

SALT_SIZE = 16
# Costs of scrypt: memory is 128 * n * r bytes. Files may say no more than this, or opening one could take all memory.
N, R, P = 2**17, 8, 1
_N_LIMIT = 2**19

_SECRET_SIZE = 32
_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")


@dataclass(frozen=True)
class Stretching:
    """How a passphrase becomes a secret: `salt` is 16 bytes in hex, n, r, p are the costs of scrypt."""

    salt: str
    n: int = N
    r: int = R
    p: int = P

    def private(self, passphrase: str) -> pyrage.x25519.Identity:
        """The key of these words; whether they are the right ones shows only where it opens something."""
        secret = hashlib.scrypt(
            _normal(passphrase).encode(),
            salt=bytes.fromhex(self.salt),
            n=self.n,
            r=self.r,
            p=self.p,
            # What the computation needs (RFC 7914, section 2), and OpenSSL's own.
            maxmem=128 * self.r * (self.n + self.p + 2),
            dklen=_SECRET_SIZE,
        )
        return pyrage.x25519.Identity.from_str(_bech32("age-secret-key-", secret).upper())


@dataclass(frozen=True)
class BackupKey:
    """`recipient` is the public key (`age1...`); the others are as in Stretching."""

    recipient: str
    salt: str
    n: int = N
    r: int = R
    p: int = P

    def toml(self) -> str:
        """The text of the key's file."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in asdict(self).items()]
        return "\n".join(
            ["# Backups are sealed to this key; the passphrase that it was made from opens them.", *lines, ""]
        )

    def save(self, path: Path = KEY_FILE) -> None:
        """Replaces the file, for its owner alone; it is on the disk when this returns. Raises StoreError."""
        write_key(path, self.toml().encode())

    @property
    def stretching(self) -> Stretching:
        return Stretching(self.salt, self.n, self.r, self.p)

    @property
    def public(self) -> pyrage.x25519.Recipient:
        """What age seals to."""
        return pyrage.x25519.Recipient.from_str(self.recipient)


def make(passphrase: str) -> BackupKey:
    """A new key. Raises RequestError for a passphrase that others could guess."""
    words = _normal(passphrase)
    if len(words) < PASSPHRASE_LENGTH or len(set(words)) < DIFFERENT_CHARACTERS:
        raise RequestError(
            f"That passphrase could be guessed: take at least {PASSPHRASE_LENGTH} characters, such as four words that "
            "do not belong together."
        )
    if len(words) > PASSPHRASE_LIMIT:
        raise RequestError(f"A passphrase has at most {PASSPHRASE_LIMIT} characters: take a shorter one.")
    stretching = Stretching(secrets.token_hex(SALT_SIZE))
    return BackupKey(str(stretching.private(words).to_public()), stretching.salt)


def load(path: Path = KEY_FILE) -> BackupKey:
    """Reads the key's file. Raises ConfigError."""
    try:
        return read(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no key for backups ({path}): `sudo attune setup` asks for a passphrase and makes one."
        ) from error
    except OSError as error:
        raise ConfigError(f"The key for backups {path} cannot be read ({error.strerror}): run this as root.") from error
    except ValueError as error:
        raise ConfigError(f"{path} holds no key for backups: make a new one with `sudo attune setup`.") from error


def read(values: Any) -> BackupKey:
    """A key from what a file says. Raises ValueError for anything but a key whose costs this machine can pay."""
    try:
        key = BackupKey(**values)
    except TypeError as error:
        raise ValueError("not the fields of a key") from error
    if not (isinstance(key.recipient, str) and _RECIPIENT.fullmatch(key.recipient)):
        raise ValueError("no recipient of age")
    _check(key.stretching)
    try:
        _ = key.public
    except pyrage.RecipientError as error:
        raise ValueError("no recipient of age") from error
    return key


def read_stretching(values: Any) -> Stretching:
    """Salt and costs from what a file says. Raises ValueError as `read` does."""
    try:
        found = Stretching(**values)
    except TypeError as error:
        raise ValueError("not salt and costs of scrypt") from error
    _check(found)
    return found


def _check(found: Stretching) -> None:
    if not (isinstance(found.salt, str) and re.fullmatch(rf"[0-9a-f]{{{2 * SALT_SIZE}}}", found.salt)):
        raise ValueError("no salt")
    if any(type(cost) is not int for cost in (found.n, found.r, found.p)) or (found.r, found.p) != (R, P):
        raise ValueError("no costs of scrypt")
    if not N <= found.n <= _N_LIMIT or found.n & (found.n - 1):
        raise ValueError("no costs of scrypt")


def _normal(passphrase: str) -> str:
    """The same characters from every keyboard."""
    return unicodedata.normalize("NFC", passphrase)


_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def _bech32(prefix: str, data: bytes) -> str:
    """Bech32 of BIP 173, in which age writes keys."""
    number = int.from_bytes(data, "big") << (-8 * len(data) % 5)
    count = (8 * len(data) + 4) // 5
    values = [number >> 5 * place & 31 for place in reversed(range(count))]
    spread = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    check = _polymod([*spread, *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> 5 * place & 31 for place in reversed(range(6))]
    return prefix + "1" + "".join(_LETTERS[value] for value in values)


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, term in enumerate(_GENERATOR):
            check ^= term if top >> place & 1 else 0
    return check
