"""Releases on their way to a node (core/update): models, signed envelopes, chunks and changes of the signing key,
judged by the code that nodes run."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from attune_core.head import Head
from attune_core.library import Library, RealArray, library, rows
from attune_core.schema import Schema

DIGEST_SIZE = 16
AUDIENCE_SIZE = 32
AUDIENCE_ID_SIZE = 8
KEY_SIZE = 32
SIGNATURE_SIZE = 64
LARGEST_ENVELOPE = 2304
LARGEST_CHUNK = 480
TRANSFER_ID_SIZE = 16
STATEMENT_SIZE = 101

_LARGEST_IMAGE = 8192


class UpdateKind(IntEnum):
    """What an envelope changes; the numbers are wire format."""

    HEAD = 1
    CALIBRATION = 2
    NORMALISER = 3
    MODEL = 4


class Verdict(IntEnum):
    """What a node says of an envelope, in the order in which it checks; the numbers are wire format."""

    OK = 1
    SIZE = 2
    FORMAT = 3
    SIGNATURE = 4
    SEQUENCE = 5
    PAYLOAD = 6
    DIGEST = 7
    BUSY = 8


class ChainResult(IntEnum):
    """What a node says of a chain of signing keys; the numbers are wire format."""

    OK = 1
    SIZE = 2
    FORMAT = 3
    SIGNATURE = 4
    GAP = 5


class ChunkResult(IntEnum):
    """What a node does with a chunk."""

    NEXT = 0
    FIRST = 1
    ELSEWHERE = 2
    REFUSED = 3


def _expect(name: str, value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"The {name} has {size} bytes, not {len(value)}.")
    return bytes(value)


def sha512(data: bytes) -> bytes:
    """The node's SHA-512."""
    core = library()
    digest = core.ffi.new("uint8_t[64]")
    core.lib.core_sha512(data, len(data), digest)
    return bytes(digest)


def ed25519_check(signature: bytes, key: bytes, message: bytes) -> bool:
    """Whether the node takes an Ed25519 signature (64 bytes) of a message under a key (32 bytes)."""
    signature, key = _expect("signature", signature, SIGNATURE_SIZE), _expect("key", key, KEY_SIZE)
    return bool(library().lib.core_ed25519_check(signature, key, message, len(message)))


def compact(head: Head) -> bytes:
    """A mixture head in the bytes of one packet. ValueError for a head that has no such form: send it as a model."""
    core = library()
    buffer = core.ffi.new("uint8_t[]", LARGEST_ENVELOPE)
    written = 0
    if head.precision == "float32":
        written = core.lib.core_compact_write(head.memory.pointer, buffer, len(buffer))
    if written == 0:
        raise ValueError("This head has no form of one packet; send it as a model.")
    return bytes(buffer[0:written])


def of_compact(schema: Schema, data: bytes) -> Head:
    """The head that a node makes of these bytes. ValueError for bytes that are none."""
    head = Head("mixture", schema)
    if not library().lib.core_compact_read(head.memory.pointer, data, len(data)):
        raise ValueError(f"These {len(data)} bytes are no head of {len(schema)} features in one packet.")
    return head


# Rounding settles at once with two classes; with more, weights that were rounded apart have to agree first.
_ROUNDS = 8


def delivered(head: Head, schema: Schema) -> Head:
    """A head as nodes run it: rounded to what travels, so that it travels once more without any change."""
    rounded = head
    try:
        for _ in range(_ROUNDS):
            before, rounded = rounded, of_compact(schema, compact(rounded))
            if rounded.export() == before.export():
                return rounded
    except ValueError:
        pass
    return _stored(head, schema)


def _stored(head: Head, schema: Schema) -> Head:
    """In int8 if that settles, else as it is."""
    rounded = head
    for _ in range(_ROUNDS):
        before, rounded = rounded, Head(head.kind, schema)
        rounded.import_(before.export("int8"))
        if rounded.export() == before.export():
            return rounded
    return head


class Model:
    """A model version as a node runs it: a head, and perhaps a normaliser, a calibration and the last label in it."""

    def __init__(self, head: Head, schema: Schema) -> None:
        """The head alone; kind and sensors stay those of it. ValueError unless it is of float32 and the schema."""
        if head.precision != "float32" or head.features != len(schema):
            raise ValueError("A model has a float32 head with the features of its schema.")
        self.schema = schema
        self._kind = head.kind
        self._core: Library = library()
        self.memory = self._core.new("model")
        self._core.lib.core_model_set(self.memory.pointer, head.memory.pointer)

    @classmethod
    def of_image(cls, image: bytes, schema: Schema) -> "Model":
        """The model of a slot's image. ValueError if it is none of this schema."""
        names = {number: name for name, number in Head.kinds.items()}
        if not image or image[0] not in names:
            raise ValueError(f"These {len(image)} bytes are no image of a model.")
        model = cls(Head(names[image[0]], schema), schema)
        if not library().lib.core_model_read_image(model.memory.pointer, schema.hash, image, len(image)):
            raise ValueError(f"These {len(image)} bytes are no image of a model of this schema.")
        return model

    def read(self, state: bytes) -> None:
        """Takes a head's exported state in any format, and sections behind it (docs/protocol.md). ValueError if they
        are none; the model is unchanged."""
        scratch = self.copy()
        if not self._core.lib.core_model_read(scratch.memory.pointer, state, len(state)):
            raise ValueError(f"These {len(state)} bytes are no state of a {self._kind} model.")
        self.memory = scratch.memory

    def copy(self) -> "Model":
        """A model of its own that says the same."""
        twin = Model(self.head, self.schema)
        self._core.ffi.memmove(twin.memory.pointer, self.memory.pointer, self.memory.size)
        return twin

    @property
    def head(self) -> Head:
        """A copy of the head."""
        head = Head(self._kind, self.schema)
        self._core.lib.core_model_head(self.memory.pointer, head.memory.pointer)
        return head

    @property
    def through_label(self) -> int:
        """Highest number of a label that it was built from."""
        return int(self._core.lib.core_model_through_label(self.memory.pointer))

    @property
    def image(self) -> bytes:
        """The bytes that a slot holds."""
        size = self._core.lib.core_model_size(self.memory.pointer)
        buffer = self._core.ffi.new("uint8_t[]", size)
        written = self._core.lib.core_model_write(self.memory.pointer, self.schema.hash, buffer, size)
        return bytes(buffer[0:written])

    @property
    def digest(self) -> bytes:
        """The 16 bytes that name it: base and result of updates, release of hello and beliefs."""
        image = self.image
        digest = self._core.ffi.new("uint8_t[]", DIGEST_SIZE)
        self._core.lib.core_model_digest(image, len(image), digest)
        return bytes(digest)

    def predict(self, features: npt.NDArray[np.int16]) -> tuple[RealArray, npt.NDArray[np.bool_]]:
        """As Head.predict, for windows in schema coordinates."""
        x = rows(features, len(self.schema))
        evidence = np.zeros((len(x), self.head.classes - 1), self._core.real)
        known = np.zeros(len(x), np.bool_)
        out = self._core.array("attune_real", evidence), self._core.array("uint8_t", known)
        self._core.lib.core_model_predict(self.memory.pointer, self._core.array("int16_t", x), len(x), *out)
        return evidence, known

    def learn(self, features: npt.NDArray[np.int16], class_index: int, weight: float = 1.0) -> None:
        """Learns one window int16[d] in schema coordinates. ValueError if class or weight is out of range."""
        x = rows(features[np.newaxis], len(self.schema))
        if self._core.lib.core_model_learn(self.memory.pointer, self._core.array("int16_t", x), class_index, weight):
            raise ValueError("A class is a number from 0 to 7, a weight one from 1e-6 to 1e6.")

    def updated(self, kind: UpdateKind, payload: bytes) -> "Model":
        """What an update of this kind makes of it. ValueError if the payload says what cannot be."""
        core, twin = self._core, self.copy()
        image, size = core.ffi.new("uint8_t[]", _LARGEST_IMAGE), core.ffi.new("size_t *")
        given = int(kind), payload, len(payload), self.schema.hash
        verdict = core.lib.core_update_result(*given, twin.memory.pointer, image, _LARGEST_IMAGE, size)
        if verdict != Verdict.OK:
            raise ValueError(f"These {len(payload)} bytes are no {kind.name.lower()} of this node.")
        return twin


def audience(ident: bytes, schema_hash: bytes, hardware: str, *, cohort: bool = False) -> bytes:
    """The digest (32 bytes) of who an envelope is for: node or cohort by its id of 8 bytes, schema and hardware."""
    core = library()
    digest = core.ffi.new("uint8_t[]", AUDIENCE_SIZE)
    given = _expect("id", ident, AUDIENCE_ID_SIZE), _expect("schema's hash", schema_hash, 8)
    core.lib.core_audience(cohort, *given, hardware.encode(), digest)
    return bytes(digest)


@dataclass(frozen=True)
class UpdatingNode:
    """What a node knows of itself when an envelope comes, and what it makes of it."""

    key: bytes
    """Who signs updates, 32 bytes."""
    node: bytes
    """Its own audience."""
    base: Model
    highest: int = 0
    """Sequence number ever accepted."""
    cohort: bytes | None = None
    """Its cohort's audience."""

    def take(self, envelope: bytes) -> tuple[Verdict, Model | None]:
        """The verdict, and the model that is to go on trial where it is OK. Nothing of the node changes."""
        core, twin = library(), self.base.copy()
        own = (
            _expect("key", self.key, KEY_SIZE),
            _expect("audience", self.node, AUDIENCE_SIZE),
            core.ffi.NULL if self.cohort is None else _expect("audience", self.cohort, AUDIENCE_SIZE),
            self.base.digest,
            self.highest,
        )
        image, size = core.ffi.new("uint8_t[]", _LARGEST_IMAGE), core.ffi.new("size_t *")
        scratch = twin.schema.hash, twin.memory.pointer, image, _LARGEST_IMAGE, size
        # A buffer of its exact size, so that a sanitizer sees what is read beyond it.
        exact = core.ffi.new("uint8_t[]", max(len(envelope), 1))
        core.ffi.memmove(exact, envelope, len(envelope))
        verdict = Verdict(core.lib.core_update_apply(*own, exact, len(envelope), *scratch))
        return verdict, twin if verdict is Verdict.OK else None


class Transfer:
    """A node's account of an envelope that comes in chunks; the bytes themselves are the caller's to keep."""

    def __init__(self) -> None:
        self._core = library()
        self._memory = self._core.new("transfer")

    def look(self, ident: bytes, size: int, offset: int, count: int) -> ChunkResult:
        """What is to be done with a chunk; changes nothing."""
        ident = _expect("id", ident, TRANSFER_ID_SIZE)
        return ChunkResult(self._core.lib.core_transfer_look(self._memory.pointer, ident, size, offset, count))

    def stored(self, ident: bytes, size: int, offset: int, count: int) -> bool:
        """The chunk is durable; true once the envelope is whole."""
        ident = _expect("id", ident, TRANSFER_ID_SIZE)
        return bool(self._core.lib.core_transfer_stored(self._memory.pointer, ident, size, offset, count))

    def offset(self, ident: bytes, size: int) -> int:
        """Where to go on with an envelope."""
        ident = _expect("id", ident, TRANSFER_ID_SIZE)
        return int(self._core.lib.core_transfer_offset(self._memory.pointer, ident, size))


def follow_signer(number: int, key: bytes, chain: bytes) -> tuple[ChainResult, int, bytes]:
    """What a node with this signing key makes of a chain of statements: the result, and its key from then on."""
    core = library()
    at, held = core.ffi.new("uint32_t *", number), core.ffi.new(f"uint8_t[{KEY_SIZE}]", _expect("key", key, KEY_SIZE))
    result = ChainResult(core.lib.core_signer_follow(at, held, chain, len(chain)))
    return result, int(at[0]), bytes(held)
