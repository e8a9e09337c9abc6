"""The daemon's side of the signing process: it asks, and never holds a key."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from attuned.errors import AttuneError
from attuned.updates import signer
from attuned.updates.envelope import Update
from attuned.updates.statements import Chain


class SigningError(AttuneError):
    """The signing process refuses, or cannot be reached."""


@dataclass(frozen=True)
class Signer:
    """The signing process behind a Unix socket. SigningError where it does not do what it is asked."""

    socket: Path

    async def sign(self, update: Update) -> bytes:
        """The envelope of an update."""
        return update.envelope(await self._ask(signer.SIGN, update.message))

    async def keys(self) -> Chain:
        """The keys that nodes go by, the last of them the one that signs."""
        return Chain.of_stored(await self._ask(signer.KEYS, b""))

    async def _ask(self, what: int, body: bytes) -> bytes:
        try:
            async with asyncio.timeout(signer.PATIENCE_S):
                status, said = await self._exchange(signer.HEAD.pack(what, len(body)) + body)
        except (OSError, EOFError, TimeoutError) as error:
            raise SigningError(f"The signing process at {self.socket} does not answer ({error}); start it.") from None
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
