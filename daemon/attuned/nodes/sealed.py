"""Sealed frames, and the sessions with one node: the daemon's side of core/session, bytes in and bytes out.

A handshake frame is kind, hint (4 bytes), number of the message, message of `noise.py`. A sealed frame is kind, hint,
counter (4 bytes, little endian), sealed text; the counter is the nonce, kind and hint are authenticated too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attuned.nodes import noise
from attuned.nodes.frames import FRAME_LIMIT, HINT_SIZE, KK, SEALED, XXPSK0, FrameError

TEXT_AT = 1 + HINT_SIZE + 4
AROUND = TEXT_AT + noise.TAG_SIZE
TEXT_LIMIT = FRAME_LIMIT - AROUND

# The largest number is never a counter, so that counters do not wrap.
_COUNTER_END = 2**32 - 1

# Handshakes answered that no frame has followed yet. Old ones that somebody repeats push a node's own out only in
# greater number between our answer and its first frame, and then it begins again.
_OFFERS = 4


@dataclass(frozen=True)
class HandshakeFrame:
    """A frame of a handshake; `number` counts its messages from 1."""

    kind: int
    hint: bytes
    number: int
    message: bytes


def read_handshake(frame: bytes) -> HandshakeFrame:
    """Takes a handshake frame apart. FrameError if it is none."""
    if len(frame) <= 2 + HINT_SIZE or frame[0] not in (KK, XXPSK0):
        raise FrameError("a frame that is no handshake")
    return HandshakeFrame(frame[0], frame[1 : 1 + HINT_SIZE], frame[1 + HINT_SIZE], frame[2 + HINT_SIZE :])


def write_handshake(handshake: HandshakeFrame) -> bytes:
    """The bytes of a handshake frame."""
    return bytes([handshake.kind, *handshake.hint, handshake.number]) + handshake.message


def prologue(hint: bytes) -> bytes:
    """What the two sides of a handshake agree on beside keys."""
    return b"attune-session-1" + hint


class _Session:
    """One session: keys and counters."""

    def __init__(self, keys: noise.SessionKeys) -> None:
        self._keys = keys
        self._next_send = 0
        self._next_receive = 0

    def seal(self, header: bytes, text: bytes) -> bytes:
        counter = self._next_send
        if counter == _COUNTER_END:
            raise FrameError("a session that has counted to its end; the node has to begin a new one")
        self._next_send += 1
        return header + counter.to_bytes(4, "little") + self._keys.send.seal(counter, header, text)

    def open(self, frame: bytes) -> bytes | None:
        header, counter = frame[: 1 + HINT_SIZE], int.from_bytes(frame[1 + HINT_SIZE : TEXT_AT], "little")
        if not self._next_receive <= counter < _COUNTER_END:
            return None
        text = self._keys.receive.open(counter, header, frame[TEXT_AT:])
        if text is not None:
            self._next_receive = counter + 1
        return text


@dataclass(frozen=True)
class _Offer:
    """A handshake that was answered: its first message, our frame, the session that it made."""

    first: bytes
    reply: bytes
    payload: bytes
    own: bytes
    session: _Session


@dataclass(frozen=True)
class Reply:
    """What to send to a node that began a handshake, what its message said, and which public key of ours it knows."""

    frame: bytes
    payload: bytes
    own: bytes


class NodeSessions:
    """The session with a node, and those that wait for their first frame.

    A session replaces the one before it with the first frame that opens under its keys: a handshake alone, which
    anybody may have recorded and sent again, changes nothing.
    """

    def __init__(self, hint: bytes) -> None:
        self._hint = hint
        self._live: _Session | None = None
        self.own = b""
        """The public key of ours that the node knew when the session was made."""
        self._offers: list[_Offer] = []

    @property
    def live(self) -> bool:
        """Whether frames can be sealed for the node."""
        return self._live is not None

    def answer(
        self, frame: bytes, *, own: Sequence[bytes], node: bytes, ephemeral: bytes, payload: bytes = b""
    ) -> Reply:
        """Answers the node's KK handshake: see `noise.answer_kk`. The same frame again gets the same answer.

        FrameError for what is no beginning of a handshake with this node.
        """
        handshake = read_handshake(frame)
        if (handshake.kind, handshake.hint, handshake.number) != (KK, self._hint, 1):
            raise FrameError("a handshake frame that begins nothing")
        known = next((offer for offer in self._offers if offer.first == handshake.message), None)
        offer = known or self._offer(handshake.message, own, node, ephemeral, payload)
        return Reply(offer.reply, offer.payload, offer.own)

    def _offer(self, message: bytes, own: Sequence[bytes], node: bytes, ephemeral: bytes, payload: bytes) -> _Offer:
        try:
            answer = noise.answer_kk(
                message, own=own, node=node, ephemeral=ephemeral, prologue=prologue(self._hint), payload=payload
            )
        except noise.HandshakeError as error:
            raise FrameError(str(error)) from error
        reply = write_handshake(HandshakeFrame(KK, self._hint, 2, answer.message))
        offer = _Offer(message, reply, answer.payload, answer.own, _Session(answer.keys))
        self._offers = [*self._offers, offer][-_OFFERS:]
        return offer

    def adopt(self, keys: noise.SessionKeys, own: bytes) -> None:
        """Starts the session that commissioning the node with our public key `own` has made; others end."""
        self._live, self.own, self._offers = _Session(keys), own, []

    def open(self, frame: bytes) -> bytes:
        """The text of a sealed frame of the node. FrameError for anything else, which changes nothing."""
        if not AROUND <= len(frame) <= FRAME_LIMIT or frame[: 1 + HINT_SIZE] != bytes([SEALED]) + self._hint:
            raise FrameError("a frame that is no sealed one of this node")
        text = None if self._live is None else self._live.open(frame)
        if text is None:
            text = self._open_offered(frame)
        if text is None:
            raise FrameError("a sealed frame that is late, repeated, changed or under other keys")
        return text

    def _open_offered(self, frame: bytes) -> bytes | None:
        for place, offer in enumerate(self._offers):
            text = offer.session.open(frame)
            if text is not None:
                self._live, self.own = offer.session, offer.own
                # Those before it are of handshakes that the node has given up.
                self._offers = self._offers[place + 1 :]
                return text
        return None

    def seal(self, text: bytes) -> bytes:
        """The frame of a text, of at most TEXT_LIMIT bytes. FrameError without a session."""
        if self._live is None:
            raise FrameError("no session with the node yet")
        if len(text) > TEXT_LIMIT:
            raise FrameError(f"a text of {len(text)} bytes, more than a frame takes")
        return self._live.seal(bytes([SEALED]) + self._hint, text)
