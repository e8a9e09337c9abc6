"""The node's handshakes and sealed frames (core/session), as it runs them.

Keys, hints, ephemeral secrets and the clock come from the caller. What the core refuses is a `SessionError`.
"""

import weakref
from enum import IntEnum
from typing import NamedTuple

from attune_core.library import Library, Memory, library

KEY_SIZE = 32
HINT_SIZE = 4
LARGEST_PAYLOAD = 64

_LARGEST_MESSAGE = 160
_HANDSHAKE_HEADER = 6
_AROUND = 25


class Pattern(IntEnum):
    """Handshake patterns; the numbers are the core's."""

    KK = 0
    XXPSK0 = 1


class SessionError(ValueError):
    """A message or a call that the core refuses; nothing has changed."""


class SessionKeys(NamedTuple):
    """What a handshake leaves: a key for each direction, and the other side's public key."""

    send: bytes
    receive: bytes
    remote: bytes


_HANDSHAKE_ERRORS = {
    1: "This is not what comes next in the handshake.",
    2: "The message or its payload has an impossible size.",
    3: "The message is not what the other side wrote for this handshake.",
}
_SEALED_ERRORS = {
    1: "This is no sealed frame.",
    2: "The frame's counter has been passed.",
    3: "The frame was not sealed with a key of these sessions.",
}


def _check(result: int, errors: dict[int, str]) -> None:
    if result != 0:
        raise SessionError(errors[result])


def _expect(name: str, value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"The {name} has {size} bytes, not {len(value)}.")
    return bytes(value)


def _keys(secret: bytes, ephemeral: bytes, other: bytes) -> tuple[bytes, ...]:
    named = {"secret key": secret, "ephemeral secret": ephemeral, "other side's key": other}
    return tuple(_expect(name, key, KEY_SIZE) for name, key in named.items())


class _Handshake:
    """What both kinds of handshake do; `_prefix` is that of the core's functions."""

    _prefix: str

    def __init__(self, structure: str) -> None:
        self._core = library()
        self._memory: Memory = self._core.new(structure)

    def _call(self, name: str, *arguments: object) -> int:
        return int(getattr(self._core.lib, f"core_{self._prefix}_{name}")(self._memory.pointer, *arguments))

    def read(self, message: bytes) -> bytes:
        """The payload of the other side's next message. SessionError."""
        payload, size = self._core.ffi.new(f"uint8_t[{LARGEST_PAYLOAD}]"), self._core.ffi.new("size_t *")
        _check(self._call("read", message, len(message), payload, size), _HANDSHAKE_ERRORS)
        return bytes(payload[0 : size[0]])

    def finish(self) -> SessionKeys:
        """After the last message: the keys. The handshake is gone. SessionError."""
        keys = [self._core.ffi.new(f"uint8_t[{KEY_SIZE}]") for _ in range(3)]
        _check(self._call("finish", *keys), _HANDSHAKE_ERRORS)
        return SessionKeys(*map(bytes, keys))


class NoiseHandshake(_Handshake):
    """One side of a handshake, as messages of the Noise specification."""

    _prefix = "noise"

    def __init__(
        self, pattern: Pattern, *, initiator: bool, secret: bytes, ephemeral: bytes, other: bytes, prologue: bytes = b""
    ) -> None:
        """`other` is the other side's public key (KK) or the shared secret (XXpsk0). ValueError for keys of other sizes
        than 32 bytes."""
        super().__init__("noise")
        keys = _keys(secret, ephemeral, other)
        self._core.lib.core_noise_begin(self._memory.pointer, pattern, initiator, *keys, prologue, len(prologue))

    def write(self, payload: bytes = b"") -> bytes:
        """Our next message. SessionError."""
        message, size = self._core.ffi.new(f"uint8_t[{_LARGEST_MESSAGE}]"), self._core.ffi.new("size_t *")
        _check(self._call("write", payload, len(payload), message, len(message), size), _HANDSHAKE_ERRORS)
        return bytes(message[0 : size[0]])


class NodeHandshake(_Handshake):
    """A node's side of a handshake, in frames."""

    _prefix = "handshake"

    def __init__(self, pattern: Pattern, hint: bytes, *, secret: bytes, ephemeral: bytes, other: bytes) -> None:
        """As NoiseHandshake; the hint has 4 bytes."""
        super().__init__("handshake")
        keys = _keys(secret, ephemeral, other)
        name = _expect("hint", hint, HINT_SIZE)
        self._core.lib.core_handshake_begin(self._memory.pointer, pattern, name, *keys)

    def write(self, payload: bytes = b"") -> bytes:
        """The frame of the node's next message. SessionError."""
        frame = self._core.ffi.new(f"uint8_t[{_HANDSHAKE_HEADER + _LARGEST_MESSAGE}]")
        size = self._call("write", payload, len(payload), frame, len(frame))
        if size == 0:
            raise SessionError("It is not the node's turn, or the payload is too long.")
        return bytes(frame[0:size])


class SealedPair:
    """A node's session, and the one before it for as long as the daemon may still use that."""

    def __init__(self, hint: bytes) -> None:
        self._hint = _expect("hint", hint, HINT_SIZE)
        self._core = library()
        self._memory = self._core.new("sealed_pair")

    def adopt(self, keys: SessionKeys, now_ms: int = 0) -> None:
        """Takes the keys of a handshake into use."""
        self._core.lib.core_sealed_adopt(self._memory.pointer, keys.send, keys.receive, now_ms)

    def seal(self, text: bytes) -> bytes:
        """The frame of a text. SessionError without a session."""
        frame = self._core.ffi.new("uint8_t[]", len(text) + _AROUND)
        size = self._core.lib.core_sealed_seal(
            self._memory.pointer, self._hint, text, len(text), frame, len(text) + _AROUND
        )
        if size == 0:
            raise SessionError("There is no session, or it has counted to its end.")
        return bytes(frame)

    def open(self, frame: bytes) -> bytes:
        """The text of a frame. SessionError."""
        text, size = self._core.ffi.new("uint8_t[]", max(1, len(frame))), self._core.ffi.new("size_t *")
        result = self._core.lib.core_sealed_open(self._memory.pointer, frame, len(frame), text, size)
        _check(int(result), _SEALED_ERRORS)
        return bytes(text[0 : size[0]])

    def wants_keys(self, now_ms: int) -> bool:
        """Whether a new handshake is due."""
        return bool(self._core.lib.core_sealed_wants_keys(self._memory.pointer, now_ms))


class Keeper:
    """The flash of one node, in memory: its keys, labels and reports outlive the node, not the keeper."""

    def __init__(self, seed: bytes, record: bytes = b"") -> None:
        """The node's random numbers, and with them key and code of a first start, follow from 32 bytes.

        `record` is what another keeper has kept of the node's keys; empty before a first start.
        """
        self._core = library()
        self._memory = self._core.new("test_keeper")
        kept = record or bytes(self._core.key_record)
        _expect("record", kept, self._core.key_record)
        weakref.finalize(self, _close, self._core, self._memory)
        if self._core.lib.core_keeper_init(self._memory.pointer, _expect("seed", seed, KEY_SIZE), kept):
            raise MemoryError("There is no memory for a node's flash.")

    @property
    def record(self) -> bytes:
        """The keys that have been saved last."""
        record = self._core.ffi.new(f"uint8_t[{self._core.key_record}]")
        self._core.lib.core_keeper_record(self._memory.pointer, record)
        return bytes(record)

    @property
    def owned(self) -> bool:
        """Whether the node knows the daemon that owns it."""
        return bool(self.record[0] >> 2 & 1)

    @property
    def pointer(self) -> object:
        return self._memory.pointer

    def break_down(self) -> None:
        """From now on nothing can be saved."""
        self._core.lib.core_keeper_break(self._memory.pointer)


def _close(core: Library, memory: Memory) -> None:
    core.lib.core_keeper_close(memory.pointer)


def write_code(hint: bytes, bits: bytes) -> str:
    """The code of a node with this hint (4 bytes) and these random bits (16 bytes), as it shows it."""
    core = library()
    text = core.ffi.new("char[43]")
    core.lib.core_code_write(_expect("hint", hint, HINT_SIZE), _expect("random bits", bits, 16), text)
    return bytes(core.ffi.string(text)).decode()


def code_psk(hint: bytes, bits: bytes) -> bytes:
    """The secret of 32 bytes that commissioning begins with."""
    core = library()
    psk = core.ffi.new("uint8_t[32]")
    core.lib.core_code_psk(_expect("hint", hint, HINT_SIZE), _expect("random bits", bits, 16), psk)
    return bytes(psk)


def advertising_key(hint: bytes, bits: bytes) -> bytes:
    """The key of 32 bytes by which a node's advertised hints are made out; `bits` are the code's 16 random bytes."""
    core = library()
    key = core.ffi.new("uint8_t[32]")
    core.lib.core_advertising_key(_expect("hint", hint, HINT_SIZE), _expect("random bits", bits, 16), key)
    return bytes(key)


def advertised_hint(key: bytes, random: bytes) -> bytes:
    """What a node with this key (32 bytes) advertises (8 bytes) when it has drawn these 3 random bytes."""
    core = library()
    advertised = core.ffi.new("uint8_t[8]")
    core.lib.core_advertised_hint(_expect("key", key, KEY_SIZE), _expect("random bytes", random, 3), advertised)
    return bytes(advertised)
