"""The daemon's side of the signing process: it asks, and never holds a key."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from attuned.errors import AttuneError
from attuned.updates import signer
from attuned.updates.envelope import Update
from attuned.updates.statements import Chain


class SigningError(AttuneError):
    """The signing process refuses, or cannot be reached."""


class NumberPassedError(SigningError):
    """Another update of this audience was signed with this number before, or with a higher one."""

    def __init__(self, highest: int) -> None:
        super().__init__(f"The signing process has signed number {highest} for this node: it signs higher ones alone.")
        self.highest = highest


@dataclass(frozen=True)
class Signer:
    """The signing process behind a Unix socket. SigningError where it does not do what it is asked."""

    socket: Path

    async def sign(self, update: Update, key: bytes) -> bytes:
        """The envelope of an update, signed with this public key: another one since may not be meant by its number.

        NumberPassedError where its number was used before.
        """
        signature = await self._ask(signer.SIGN, update.message)
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, update.message)
        except InvalidSignature:
            raise SigningError("The signing process has a newer key: it is asked for its keys again.") from None
        return update.envelope(signature)

    async def keys(self) -> Chain:
        """The keys that nodes go by, the last of them the one that signs."""
        return Chain.of_stored(await self._ask(signer.KEYS, b""))

    async def _ask(self, what: int, body: bytes) -> bytes:
        try:
            async with asyncio.timeout(signer.PATIENCE_S):
                status, said = await self._exchange(signer.HEAD.pack(what, len(body)) + body)
        except (OSError, EOFError, TimeoutError) as error:
            why = getattr(error, "strerror", "") or "it is silent"
            raise SigningError(
                f"The signing process at {self.socket} does not answer ({why}): see `systemctl status "
                "attune-signer`, and start it."
            ) from None
        if status == signer.PASSED:
            raise NumberPassedError(int.from_bytes(said[:4], "little"))
        if status != signer.DONE:
            raise SigningError(f"The signing process refuses: {said.decode(errors='replace')}")
        return said

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        try:
            writer.write(request)
            await writer.drain()
            status, size = signer.HEAD.unpack(await reader.readexactly(signer.HEAD.size))
            return status, await reader.readexactly(min(size, 2**20))
        finally:
            writer.close()
