"""Handshakes with nodes, and the ciphers that they leave, on the library `noiseprotocol`; the only file that knows it.

The daemon answers: `Noise_KK` with nodes whose key it knows, `Noise_XXpsk0` once with a node whose secret somebody has
brought. Keys and random bytes are passed in, 32 bytes each, and nothing here does I/O. Handshake messages are those of
the Noise specification, revision 34; their payloads have at most PAYLOAD_LIMIT bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from noise.backends.default.keypairs import KeyPair25519
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseValueError

KEY_SIZE = 32
TAG_SIZE = 16
PAYLOAD_LIMIT = 64

_KK = b"Noise_KK_25519_ChaChaPoly_BLAKE2b"
_XXPSK0 = b"Noise_XXpsk0_25519_ChaChaPoly_BLAKE2b"

# What the messages of nodes have beside their payload: KK and XXpsk0 begin with a key, XXpsk0 ends with a sealed one.
_FIRST_SIZE = KEY_SIZE + TAG_SIZE
_LAST_SIZE = KEY_SIZE + 2 * TAG_SIZE


class HandshakeError(Exception):
    """A message that is no part of a handshake with us; the message is the reason."""


class Cipher:
    """One direction of a session: sealing or opening with an explicit counter, below 2**64, as nonce."""

    def __init__(self, state: Any) -> None:
        """`state` is a CipherState of the library that nobody else uses."""
        self._state = state

    def seal(self, counter: int, ad: bytes, text: bytes) -> bytes:
        """Ciphertext and tag. A counter serves once."""
        self._state.set_nonce(counter)
        return bytes(self._state.encrypt_with_ad(ad, text))

    def open(self, counter: int, ad: bytes, sealed: bytes) -> bytes | None:
        """The text; None unless key, counter, additional data and every byte are those of the sealing."""
        if len(sealed) < TAG_SIZE:
            return None
        self._state.set_nonce(counter)
        try:
            return bytes(self._state.decrypt_with_ad(ad, sealed))
        except InvalidTag:
            return None


@dataclass(frozen=True)
class SessionKeys:
    """What a handshake leaves."""

    send: Cipher
    receive: Cipher


@dataclass(frozen=True)
class Answer:
    """The daemon's answer to a KK handshake, the keys that it makes, and what the node's message said."""

    message: bytes
    keys: SessionKeys
    payload: bytes
    own: bytes
    """The public key of ours that the node knows."""


@dataclass(frozen=True)
class Commissioned:
    """A node whose key is known now; `payload` is what its last message said."""

    node: bytes
    keys: SessionKeys
    payload: bytes


def public_key(secret: bytes) -> bytes:
    """The public key of 32 random bytes."""
    return bytes(KeyPair25519.from_private_bytes(secret).public_bytes)


def answer_kk(
    message: bytes, *, own: Sequence[bytes], node: bytes, ephemeral: bytes, prologue: bytes, payload: bytes = b""
) -> Answer:
    """Answers a node with the public key `node`, by the first of our secret keys that it knows.

    HandshakeError if the message fits none. That an old message came again cannot be seen here: its sender
    cannot use the keys, so they may replace others only when a frame has come under them.
    """
    _check_size(message, _FIRST_SIZE)
    for secret in own:
        connection = _responder(_KK, secret, ephemeral, prologue, node=node)
        said = _read(connection, message)
        if said is not None:
            reply = _write(connection, payload)
            return Answer(reply, _keys(connection), said, public_key(secret))
    raise HandshakeError("a handshake with other keys than ours and the node's")


@dataclass(frozen=True)
class FirstHandshake:
    """An XXpsk0 handshake on its way. The library spoils its state with every message that does not open, so each step
    starts from the beginning: forged messages change nothing."""

    first: bytes
    prologue: bytes
    answer: bytes
    """What our message says."""
    psk: bytes = field(repr=False)
    own: bytes = field(repr=False)
    ephemeral: bytes = field(repr=False)

    @cached_property
    def payload(self) -> bytes:
        """What the node's first message said."""
        return self._begin()[1]

    @cached_property
    def message(self) -> bytes:
        """Our message, the second one."""
        return _write(self._begin()[0], self.answer)

    def finish(self, message: bytes) -> Commissioned:
        """Takes the node's last message. HandshakeError for any other."""
        _check_size(message, _LAST_SIZE)
        connection, _ = self._begin()
        _write(connection, self.answer)
        state = connection.noise_protocol.handshake_state
        payload = _read(connection, message)
        if payload is None:
            raise HandshakeError("an end of a handshake that does not follow from its beginning")
        return Commissioned(bytes(state.rs.public_bytes), _keys(connection), payload)

    def _begin(self) -> tuple[NoiseConnection, bytes]:
        connection = _responder(_XXPSK0, self.own, self.ephemeral, self.prologue, psk=self.psk)
        payload = _read(connection, self.first)
        if payload is None:
            raise HandshakeError("a handshake that begins with another secret")
        return connection, payload


def answer_xxpsk0(
    message: bytes, *, psks: Sequence[bytes], own: bytes, ephemeral: bytes, prologue: bytes, payload: bytes = b""
) -> FirstHandshake:
    """Begins to commission the node that knows one of the secrets. HandshakeError if it knows none of them."""
    _check_size(message, _FIRST_SIZE)
    for psk in psks:
        begun = FirstHandshake(message, prologue, payload, psk, own, ephemeral)
        try:
            begun.message  # noqa: B018  # opens the node's message
        except HandshakeError:
            continue
        return begun
    raise HandshakeError("a handshake with a secret that we have not been told")


def _check_size(message: bytes, around: int) -> None:
    if not around <= len(message) <= around + PAYLOAD_LIMIT:
        raise HandshakeError(f"a handshake message of {len(message)} bytes")


def _responder(
    name: bytes, own: bytes, ephemeral: bytes, prologue: bytes, *, node: bytes | None = None, psk: bytes | None = None
) -> NoiseConnection:
    connection = NoiseConnection.from_name(name)
    connection.set_as_responder()
    connection.set_prologue(prologue)
    connection.set_keypair_from_private_bytes(Keypair.STATIC, own)
    if node is not None:
        connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, node)
    if psk is not None:
        connection.set_psks(psk=psk)
    connection.start_handshake()
    # Setting it through the connection warns on every handshake that this is for tests.
    connection.noise_protocol.handshake_state.e = KeyPair25519.from_private_bytes(ephemeral)
    return connection


def _read(connection: NoiseConnection, message: bytes) -> bytes | None:
    """The payload; None if the message does not open, or holds a key that all secrets make zero (ValueError)."""
    try:
        return bytes(connection.read_message(message))
    except (InvalidTag, ValueError, NoiseValueError):
        return None


def _write(connection: NoiseConnection, payload: bytes) -> bytes:
    if len(payload) > PAYLOAD_LIMIT:
        raise ValueError(f"A handshake message carries at most {PAYLOAD_LIMIT} bytes, not {len(payload)}.")
    try:
        return bytes(connection.write_message(payload))
    except ValueError as error:
        raise HandshakeError("a handshake with a key that all secrets make zero") from error


def _keys(connection: NoiseConnection) -> SessionKeys:
    protocol = connection.noise_protocol
    return SessionKeys(Cipher(protocol.cipher_state_encrypt), Cipher(protocol.cipher_state_decrypt))
