"""The signing process: it alone holds the key that nodes go by, and signs nothing but updates.

    attune-signer create FOLDER            a first key, made at installation
    attune-signer rotate FOLDER            the next key; the old one signs who follows it
    attune-signer serve --key FILE --chain FILE --numbers FILE --socket PATH

FOLDER holds `signing-key` (secret: number and seed, hex digits) and `signing-chain` (public: first key, statements).
Under systemd the key is a credential: without --key it is `$CREDENTIALS_DIRECTORY/signing-key`. Requests come over a
Unix socket, one a connection: a byte that says what (1 sign, 2 keys), a length (4 bytes, little endian) and as many
bytes. The answer is a byte (0 done, 1 refused, 2 number passed), a length and the signature, the chain, a sentence, or
the highest number (4 bytes) that was signed for that audience: no node gets two different updates with one number, or a
lower one, whoever asks (`numbers.py`).
"""

import argparse
import errno
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from attune_service import journal, usage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from systemd.daemon import notify

from attuned.durable_files import sync_folder, write_durably
from attuned.errors import AttuneError
from attuned.updates.envelope import LARGEST, EnvelopeError, read_message
from attuned.updates.numbers import Numbers
from attuned.updates.statements import Chain, SigningKey, statement

PROGRAM = "attune-signer"

SIGN, KEYS = 1, 2
DONE, REFUSED, PASSED = 0, 1, 2
HEAD = struct.Struct("<BI")

KEY_FILE, NEXT_FILE, CHAIN_FILE = "signing-key", "signing-key.next", "signing-chain"
NUMBERS_FILE = "signed-numbers"

# What the unit has in the place of a key that is not there.
ABSENT = "missing"

# systemd's copy of the key (systemd.exec(5), LoadCredential=).
CREDENTIAL = Path(os.environ.get("CREDENTIALS_DIRECTORY", ".")) / KEY_FILE

# The message of the largest envelope is somewhat longer than what is sent of it; nothing else is as long.
LARGEST_REQUEST = LARGEST + 256

# Whoever has connected and says nothing must not keep the others waiting.
PATIENCE_S = 5.0


class SignerError(AttuneError):
    """A key or chain that cannot be used."""


class UnusableKeyError(SignerError):
    """Files that somebody has to mend first, so that a restart is of no use."""


def _key_text(key: SigningKey) -> bytes:
    return f"{key.number} {key.private.private_bytes_raw().hex()}\n".encode()


def read_key(path: Path, told: Path | None = None) -> SigningKey:
    """UnusableKeyError if the file holds no key. `told` is where people find it, if it is a copy."""
    shown = told or path
    try:
        text = path.read_text()
        if text.strip() in {"", ABSENT}:
            raise FileNotFoundError(errno.ENOENT, "it is not there, or empty")
        number, seed = text.split()
        return SigningKey(int(number), Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)))
    except OSError as error:
        raise UnusableKeyError(f"The signing key {shown} cannot be read ({error.strerror}): {_mend(shown)}.") from None
    except ValueError:
        raise UnusableKeyError(f"{shown} holds no signing key; restore it from a backup.") from None


def _mend(path: Path) -> str:
    """A new key is none that nodes go by."""
    if path.with_name(CHAIN_FILE).exists():
        return "restore it from a backup, or see to its owner and mode (`ls -la`)"
    return f"`attune-signer create {path.parent}` makes one, once"


def read_chain(path: Path) -> Chain:
    """UnusableKeyError if the file holds no chain."""
    try:
        return Chain.of_stored(path.read_bytes())
    except OSError as error:
        raise UnusableKeyError(
            f"The chain of signing keys {path} cannot be read ({error.strerror}): restore it from a backup, or see to "
            "its owner and mode (`ls -la`)."
        ) from None
    except EnvelopeError as error:
        raise UnusableKeyError(f"{path}: {error}") from None


def read_numbers(path: Path) -> Numbers:
    """SignerError if what was signed cannot be read or written: without it nothing is signed."""
    try:
        return Numbers(path)
    except OSError as error:
        passes = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind, advice = (SignerError, "make room on the disk") if passes else (UnusableKeyError, _OWNED)
        why = error.strerror or error
        raise kind(f"What was signed so far cannot be kept in {path} ({why}): {advice}.") from None


_OWNED = "it and its folder must belong to the user that signs (`ls -la`)"


def _fitting(key: SigningKey, chain: Chain) -> bool:
    return (key.number, key.public) == (chain.number, chain.last)


def create(folder: Path) -> None:
    """The first key and the chain that begins with it. SignerError if both are there already."""
    if (folder / CHAIN_FILE).exists():
        raise SignerError(f"{folder} has a signing key already; use `attune-signer rotate` for the next one.")
    if folder.exists() and not folder.is_dir():
        raise SignerError(f"{folder} is not a folder: name one for the signing key; it is made where there is none.")
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if new:
        # Others than who makes it read the chain there, whatever the umask.
        folder.chmod(0o755)
    # A key without a chain is an interrupted beginning and serves as it is.
    if not (folder / KEY_FILE).exists():
        write_durably(folder / KEY_FILE, _key_text(SigningKey(1, Ed25519PrivateKey.generate())), 0o600)
    key = read_key(folder / KEY_FILE)
    if key.number != 1:
        raise SignerError(f"The chain of signing key {key.number} is missing; restore it from a backup.")
    write_durably(folder / CHAIN_FILE, Chain(key.public).stored, 0o644)


def rotate(folder: Path) -> int:
    """Makes the next key, or ends a change that was interrupted; returns the number of the key from then on.

    The new key is on the disk before the old one names it, and the old one is gone only after that: no interruption can
    leave nodes with a key that nobody has.
    """
    key, chain = read_key(folder / KEY_FILE), read_chain(folder / CHAIN_FILE)
    coming = folder / NEXT_FILE
    if _fitting(key, chain):
        if not coming.exists():
            write_durably(coming, _key_text(SigningKey(key.number + 1, Ed25519PrivateKey.generate())), 0o600)
        chain = chain.followed_by(statement(key, read_key(coming).public))
        write_durably(folder / CHAIN_FILE, chain.stored, 0o644)
    if not coming.exists() or not _fitting(read_key(coming), chain):
        raise SignerError(f"{folder} holds no key that its chain names; restore both from one backup.")
    coming.rename(folder / KEY_FILE)
    sync_folder(folder)
    return chain.number


@dataclass(frozen=True)
class Desk:
    """What answers are made of: the key, the chain that ends with it, and the numbers that were signed."""

    key: SigningKey
    chain: Chain
    numbers: Numbers


def answer(desk: Desk, what: int, body: bytes) -> tuple[int, bytes]:
    """What is said to one request."""
    if what == KEYS and not body:
        return DONE, desk.chain.stored
    if what != SIGN:
        return REFUSED, b"The signer signs updates and tells its keys, and nothing else."
    try:
        # What is signed is what was read: no second reading of the bytes can differ from this one.
        update = read_message(body)
        passed = desk.numbers.take(update)
    except EnvelopeError as error:
        return REFUSED, str(error).encode()
    except OSError as error:
        why = error.strerror or error
        return REFUSED, f"The disk does not take what would be signed ({why}): make room on it.".encode()
    if passed:
        return PASSED, passed.to_bytes(4, "little")
    return DONE, desk.key.private.sign(update.message)


def read_exactly(receive: Callable[[int], bytes], size: int) -> bytes:
    """ConnectionError if the other side ends before."""
    data = b""
    while len(data) < size:
        more = receive(size - len(data))
        if not more:
            raise ConnectionError("The connection ended early.")
        data += more
    return data


def serve_one(desk: Desk, connection: socket.socket) -> None:
    """One request of one connection."""
    connection.settimeout(PATIENCE_S)
    what, size = HEAD.unpack(read_exactly(connection.recv, HEAD.size))
    if size > LARGEST_REQUEST:
        said = REFUSED, f"A request has at most {LARGEST_REQUEST} bytes.".encode()
    else:
        said = answer(desk, what, read_exactly(connection.recv, size))
    connection.sendall(HEAD.pack(said[0], len(said[1])) + said[1])


def serve(desk: Desk, path: Path) -> None:
    """Answers requests until the process is ended. SignerError if the key is not the chain's last, or somebody else
    answers there."""
    if not _fitting(desk.key, desk.chain):
        raise UnusableKeyError(
            "The signing key is not the last of its chain; run `attune-signer rotate` to end the change, or restore "
            "both from one backup."
        )
    _check_free(path)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.umask(0o117)
        listening.bind(str(path))
        os.umask(before)
        listening.listen()
        notify("READY=1")
        while True:
            with listening.accept()[0] as connection:
                try:
                    serve_one(desk, connection)
                except OSError:
                    continue


def _check_free(path: Path) -> None:
    """Two who sign would each know half of the numbers."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PATIENCE_S)
        if probe.connect_ex(str(path)) == 0:
            raise SignerError(f"Another signing process answers at {path}: stop that one.")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        journal.complain(PROGRAM, usage.sentence(message, self.prog))
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = _Parser(prog="attune-signer", description="Holds the key that signs updates for nodes.")
    commands = made.add_subparsers(dest="command", required=True)
    for name, told in (("create", "make the first signing key"), ("rotate", "make the next signing key")):
        one = commands.add_parser(name, help=told, description=f"{told.capitalize()}.")
        one.add_argument("folder", type=Path, help=f"where {KEY_FILE} and {CHAIN_FILE} lie")
    serving = commands.add_parser("serve", help="sign what the daemon asks for", description="Sign what is asked for.")
    serving.add_argument("--key", type=Path, default=CREDENTIAL, help="the secret key; else a credential")
    serving.add_argument("--chain", type=Path, required=True, help="the chain of keys, which ends with this one")
    serving.add_argument("--numbers", type=Path, help=f"what was signed; else {NUMBERS_FILE} beside the chain")
    serving.add_argument("--socket", type=Path, required=True, help="where the daemon asks")
    return made


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    return parser().parse_args(words)


def _trouble(asked: argparse.Namespace, error: OSError) -> str:
    what, place = ("socket", asked.socket.parent) if asked.command == "serve" else ("signing key", asked.folder)
    return f"The {what} cannot be made in {place} ({error.strerror or error}): this user has to be able to write there."


def main(words: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 somebody has to mend files before it serves."""
    asked = _arguments(words)
    try:
        if asked.command == "create":
            create(asked.folder)
        elif asked.command == "rotate":
            print(f"Updates are signed with key {rotate(asked.folder)} from now on; restart the signing service.")
        else:
            # People find it beside the chain, of which systemd makes no copy.
            key = read_key(asked.key, asked.chain.with_name(KEY_FILE) if asked.key == CREDENTIAL else None)
            numbers = asked.numbers or asked.chain.with_name(NUMBERS_FILE)
            serve(Desk(key, read_chain(asked.chain), read_numbers(numbers)), asked.socket)
    except AttuneError as error:
        journal.complain(PROGRAM, str(error))
        return 3 if asked.command == "serve" and isinstance(error, UnusableKeyError) else 1
    except OSError as error:
        journal.complain(PROGRAM, _trouble(asked, error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
