"""A daemon that signs updates for a node, and updates that are made up, changed, repeated, or for somebody else."""

import random
from functools import cache

from attune_core import Head, Schema
from attune_core.update import LARGEST_CHUNK, Model
from attune_proto.v1 import node_pb2
from attuned.updates.chunks import transfer_id
from attuned.updates.envelope import Audience, Kind
from attuned.updates.statements import SigningKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from daemon_world import A
from update_payloads import NodeCalibration, make_update
from wire_world import SENSORS, Wire

SCHEMA = Schema(SENSORS, 60)
NODE_ID = bytes.fromhex(A)

# Least part of an envelope in a chunk, so that there are several.
LEAST_PART = 40


@cache
def key(number: int) -> SigningKey:
    return SigningKey(number, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


@cache
def factory() -> Model:
    return Model(Head.factory(SCHEMA)[0], SCHEMA)


class Updates:
    """What a daemon has signed for the node of a wire, by sequence number; all else must come to nothing."""

    def __init__(self, wire: Wire, draw: random.Random) -> None:
        self._wire = wire
        self._draw = draw
        self._models = {factory().digest: factory()}
        self._signed: dict[int, bytes] = {}
        self._results: dict[int, bytes] = {}
        self._highest = 0

    def meddle(self) -> None:
        """Says one thing about updates: as it should be, or not at all."""
        said = [self._good, self._good, self._old, self._forged, self._stray, self._decision, self._decision]
        for message in [*self._key(), *self._draw.choice(said)()]:
            for conversation in self._wire.daemon.hub.conversations.values():
                self._wire.daemon.hub.send(conversation, message)

    def check(self) -> None:
        """The node runs what was signed for it, in the order of the numbers, and nothing else."""
        facts = self._wire.node.facts
        assert facts.release in {factory().digest, *self._results.values()}
        assert facts.highest in {0, *self._signed}
        assert facts.highest >= self._highest
        assert facts.trial in (0, facts.highest)
        assert facts.signing_key in (0, 1)
        self._highest = facts.highest

    def _sign(self, number: int, audience: Audience, sequence: int) -> tuple[bytes, Model]:
        base = self._models[self._wire.node.facts.release]
        stay = self._draw.randrange(60, 100_000)
        payload = NodeCalibration(0.5, (0.25,), (stay, stay)).payload
        update, result = make_update(base, audience, sequence, Kind.CALIBRATION, payload)
        return update.envelope(key(number).private.sign(update.message)), result

    def _audience(self, node: bytes) -> Audience:
        return Audience(node, SCHEMA.hash, "")

    def _key(self) -> list[node_pb2.DaemonMessage]:
        """Until the node says that it has one."""
        if self._wire.node.facts.signing_key:
            return []
        said = (1).to_bytes(4, "little") + key(1).public
        return [node_pb2.DaemonMessage(command=node_pb2.Command(signing_key=said))]

    def _good(self) -> list[node_pb2.DaemonMessage]:
        sequence = max(self._signed, default=0) + self._draw.randrange(1, 3)
        envelope, result = self._sign(1, self._audience(NODE_ID), sequence)
        self._signed[sequence] = envelope
        self._results[sequence] = result.digest
        self._models[result.digest] = result
        return self._said(envelope)

    def _old(self) -> list[node_pb2.DaemonMessage]:
        return self._said(self._draw.choice(list(self._signed.values()))) if self._signed else []

    def _forged(self) -> list[node_pb2.DaemonMessage]:
        """By somebody else, for another node, or changed on the way."""
        sequence = max(self._signed, default=0) + 1
        made = [
            self._sign(2, self._audience(NODE_ID), sequence)[0],
            self._sign(1, self._audience(b"another."), sequence)[0],
        ]
        place = self._draw.randrange(22, len(made[0]))
        whole = self._draw.choice(list(self._signed.values()) or made)
        made.append(whole[:place] + bytes([whole[place] ^ 1 << self._draw.randrange(8)]) + whole[place + 1 :])
        return self._said(self._draw.choice(made))

    def _stray(self) -> list[node_pb2.DaemonMessage]:
        """Parts of one envelope in no order, and of none."""
        envelope = self._draw.choice(list(self._signed.values()) or [self._draw.randbytes(150)])
        parts = self._parts(envelope)
        self._draw.shuffle(parts)
        chunk = node_pb2.UpdateChunk(id=self._draw.randbytes(16), size=self._draw.randrange(4000), offset=3, data=b"x")
        return [*parts, node_pb2.DaemonMessage(update_chunk=chunk)]

    def _decision(self) -> list[node_pb2.DaemonMessage]:
        on_trial = self._wire.node.facts.trial
        sequence = self._draw.choice([1, on_trial, on_trial, on_trial, *self._signed])
        decision = node_pb2.TrialDecision(sequence=sequence, commit=self._draw.random() < 0.7)
        return [node_pb2.DaemonMessage(trial_decision=decision)]

    def _said(self, envelope: bytes) -> list[node_pb2.DaemonMessage]:
        whole = len(envelope) <= LARGEST_CHUNK and self._draw.random() < 0.5
        return [node_pb2.DaemonMessage(update=envelope)] if whole else self._parts(envelope)

    def _parts(self, envelope: bytes) -> list[node_pb2.DaemonMessage]:
        step = self._draw.randrange(LEAST_PART, LARGEST_CHUNK)
        ident, size = transfer_id(envelope), len(envelope)
        chunks = [
            node_pb2.UpdateChunk(id=ident, size=size, offset=at, data=envelope[at : at + step])
            for at in range(0, size, step)
        ]
        return [node_pb2.DaemonMessage(update_chunk=chunk) for chunk in chunks]
