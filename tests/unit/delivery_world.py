"""A node that takes updates as the core does, a signing process without a process, a store that may lose power, and
deliveries between them. No sockets, no disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import update_world as world
from attune_core.update import ChunkResult, Model, Transfer, UpdatingNode, Verdict, delivered, follow_signer
from attune_proto.v1 import node_pb2
from attuned.errors import NotFoundError
from attuned.gate import Gate
from attuned.learning.releases import NodeType, Release
from attuned.nodes.conversation import Conversation
from attuned.presence.model import RoomModel
from attuned.store.releases import CANDIDATE, ReleaseRow
from attuned.updates.deliveries import Deliveries, Sources
from attuned.updates.delivery import Course, Delivery, Stage
from attuned.updates.envelope import Update
from attuned.updates.signing import NumberPassedError, SigningError
from attuned.updates.signing_keys import SigningKeys
from attuned.updates.statements import Chain, SigningKey, statement
from daemon_world import FakeClock

NODE = world.NODE_ID.hex()
ROOM = "r"


def release(seed: int, node: str = NODE, **more: Any) -> Release:
    """A release of a taught head; some seeds fit one packet, see `large`."""
    types = {node: NodeType(sensors=world.SCHEMA.sensor_bytes.hex(), window_s=60)}
    head = delivered(world.taught(seed), world.SCHEMA)
    values: dict[str, Any] = {"state": head.export().hex(), "through_label": 70 + seed}
    fixed: dict[str, Any] = {
        "room": ROOM,
        "node": node,
        "types": types,
        "step_s": 60,
        "schema_hash": world.SCHEMA.hash.hex(),
    }
    return Release(**(fixed | values | more), model=RoomModel(), blocks=())


def large(seed: int) -> Release:
    """A release that no packet takes, and no single message."""
    return release(seed, state=world.taught(seed).export().hex())


def row(made: Release) -> ReleaseRow:
    digest, label = made.running_digest, made.through_label
    return ReleaseRow(
        made.id, made.room, made.node, 1, CANDIDATE, "better", digest, label, "a person", "{}", made.canonical()
    )


class PowerError(Exception):
    """The daemon is gone."""


@dataclass
class Power:
    """Fails at one of the moments that are counted; never without a number."""

    at: int | None = None
    count: int = 0

    def moment(self) -> None:
        if self.count == self.at:
            self.count += 1
            raise PowerError
        self.count += 1


@dataclass
class FakeNode:
    """What a node keeps in its flash, and what it answers. `refuse` is a verdict on all that comes; so many times as
    `cuts` its power fails when it has accepted a number, before the trial is there."""

    number: int = 0
    key: bytes = bytes(32)
    committed: Model = field(default_factory=world.base)
    trial: Model | None = None
    sequence: int = 0
    highest: int = 0
    last_trial: int = 0
    boot: int = 1
    refuse: int = 0
    cuts: int = 0
    taken: list[bytes] = field(default_factory=list)
    incoming: bytes = b""
    transfer: Transfer = field(default_factory=Transfer)

    @property
    def running(self) -> node_pb2.Running:
        trial = self.sequence if self.trial else 0
        return node_pb2.Running(
            release=self.committed.digest,
            highest=self.highest,
            signing_key=self.number,
            trial=trial,
            last_trial=self.last_trial,  # type: ignore[arg-type]
        )

    def hello(self) -> node_pb2.Hello:
        return node_pb2.Hello(
            node_id=world.NODE_ID,
            boot=self.boot,
            tick_ms=100_000,
            window_s=60,
            sensors=world.SCHEMA.sensor_bytes,
            schema=world.SCHEMA.hash,
            release=self.committed.digest,
            classes=2,
            first_seq=1,
            next_seq=1,
            label_capacity=64,
            firmware="0.1.0",
            class_capacity=4,
            hardware=world.HARDWARE,
            running=self.running,
        )

    def health(self) -> node_pb2.Health:
        return node_pb2.Health(running=self.running)

    def receive(self, message: node_pb2.DaemonMessage) -> list[Any]:
        """The messages that answer one of the daemon's."""
        body = message.WhichOneof("body") or ""
        taken: dict[str, Callable[[Any], list[Any]]] = {
            "update": self._judge,
            "update_chunk": self._chunk,
            "trial_decision": self._decide,
            "hello_request": lambda _: [self.hello()],
            "signing_keys": self._follow,
            "command": self._obey,
        }
        return taken[body](getattr(message, body)) if body in taken else []

    def _obey(self, command: node_pb2.Command) -> list[Any]:
        if command.signing_key and not self.number:
            said = command.signing_key
            self.number, self.key = int.from_bytes(said[:4], "little"), said[4:]
            ok = node_pb2.SIGNING_KEY_RESULT_OK
            return [node_pb2.SigningKeyAck(number=self.number, result=ok), self.health()]
        return []

    def go_back(self, why: int) -> None:
        """The trial ends without a word of the daemon."""
        self.trial, self.last_trial = None, why

    def _follow(self, chain: bytes) -> list[Any]:
        result, self.number, self.key = follow_signer(self.number, self.key, chain)
        return [node_pb2.SigningKeyAck(number=self.number, result=int(result)), self.health()]  # type: ignore[arg-type]

    def _decide(self, decision: node_pb2.TrialDecision) -> list[Any]:
        if self.trial is None or decision.sequence != self.sequence:
            return [self.health()]
        if decision.commit:
            self.committed = self.trial
        self.go_back(node_pb2.TRIAL_END_DECISION)
        return [self.health()]

    def _chunk(self, part: node_pb2.UpdateChunk) -> list[Any]:
        place = part.id, part.size, part.offset, len(part.data)
        look = self.transfer.look(*place)
        if look is ChunkResult.REFUSED:
            return []
        whole = False
        if look in (ChunkResult.NEXT, ChunkResult.FIRST):
            self.incoming = self.incoming[: part.offset] + part.data
            whole = self.transfer.stored(*place)
        ack = node_pb2.UpdateAck(id=part.id, offset=self.transfer.offset(part.id, part.size))
        return [ack, *(self._judge(self.incoming) if whole else [])]

    def _judge(self, envelope: bytes) -> list[Any]:
        sequence = int.from_bytes(envelope[2:6], "little")
        if self.refuse:
            return [node_pb2.UpdateVerdict(sequence=sequence, result=self.refuse)]  # type: ignore[arg-type]
        result = envelope[6:22]
        known = [model.digest for model in (self.trial, self.committed) if model]
        if sequence == self.highest and result in known:
            return [node_pb2.UpdateVerdict(sequence=sequence, result=node_pb2.UPDATE_RESULT_OK)]
        if self.trial is not None:
            return [node_pb2.UpdateVerdict(sequence=sequence, result=node_pb2.UPDATE_RESULT_BUSY)]
        node = UpdatingNode(self.key, world.NODE.digest, self.committed, self.highest)
        verdict, model = node.take(envelope)
        if verdict is Verdict.OK and self.cuts:
            self.cuts -= 1
            self.highest, self.last_trial, self.boot = sequence, 0, self.boot + 1
            return [self.hello()]
        if verdict is Verdict.OK:
            self.trial, self.sequence, self.highest = model, sequence, sequence
            self.taken.append(envelope)
        said = node_pb2.UpdateVerdict(sequence=sequence, result=int(verdict))  # type: ignore[arg-type]
        return [said, self.health()] if verdict is Verdict.OK else [said]


@dataclass
class FakeSigner:
    """Signs as the process does, and never two different updates with one number."""

    keys_made: list[SigningKey] = field(default_factory=lambda: [world.signing_key(1)])
    away: bool = False
    signed: dict[int, Update] = field(default_factory=dict)
    store: FakeStore | None = None

    @property
    def chain(self) -> Chain:
        chain = Chain(self.keys_made[0].public)
        for old, new in zip(self.keys_made, self.keys_made[1:], strict=False):
            chain = chain.followed_by(statement(old, new.public))
        return chain

    def rotate(self) -> None:
        self.keys_made.append(world.signing_key(len(self.keys_made) + 1))

    async def keys(self) -> Chain:
        if self.away:
            raise SigningError("The signing process is away; start it.")
        return self.chain

    async def sign(self, update: Update, key: bytes) -> bytes:
        if self.away or key != self.keys_made[-1].public:
            raise SigningError("The signing process is away; start it.")
        highest = max(self.signed, default=0)
        if update.sequence <= highest and self.signed.get(update.sequence) != update:
            raise NumberPassedError(highest)
        # It is given away on the disk, whatever becomes of the signature.
        assert self.store is not None
        assert update.sequence <= self.store.numbers[NODE]
        self.signed[update.sequence] = update
        return world.signed(update, self.keys_made[-1])


@dataclass
class FakeStore:
    """What the disk holds; each write is two moments at which the power may fail."""

    power: Power = field(default_factory=Power)
    rows: dict[str, Course] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    async def load(self) -> list[Course]:
        return [Course(each.delivery, each.signed) for each in self.rows.values()]

    async def save(self, course: Course) -> None:
        self.power.moment()
        self.rows[course.delivery.node] = course
        self.power.moment()

    async def number(self, node: str, above: int) -> int:
        self.power.moment()
        self.numbers[node] = max(above, self.numbers.get(node, 0)) + 1
        self.power.moment()
        return self.numbers[node]

    async def forget(self, node: str) -> None:
        self.rows.pop(node, None)


@dataclass
class FakeReleases:
    rows: list[ReleaseRow] = field(default_factory=list)

    async def find(self, digits: str) -> ReleaseRow:
        for each in self.rows:
            if each.id.startswith(digits):
                return each
        raise NotFoundError("There is no such release.")

    async def running(self, node: str, digest: str) -> ReleaseRow | None:
        found = [each for each in self.rows if (each.node, each.running) == (node, digest)]
        return found[-1] if found else None


class Daemon:
    """Deliveries over a store, a signer and a node that outlive it. `lose` says which messages get lost."""

    def __init__(
        self,
        *,
        store: FakeStore | None = None,
        signer: FakeSigner | None = None,
        node: FakeNode | None = None,
        releases: FakeReleases | None = None,
        clock: FakeClock | None = None,
    ) -> None:
        self.store, self.signer, self.node = store or FakeStore(), signer or FakeSigner(), node or FakeNode()
        self.releases, self.clock = releases or FakeReleases(), clock or FakeClock()
        self.signer.store = self.store
        self.lose: Callable[[], bool] = lambda: False
        self.online = False
        self.heard: list[Delivery] = []
        self.sent: list[node_pb2.DaemonMessage] = []
        self._down: list[node_pb2.DaemonMessage] = []
        self.conversation = Conversation(NODE, ROOM, None, {})
        self.keys = SigningKeys(self.clock, self.signer, self._send)  # type: ignore[arg-type]
        self.deliveries = Deliveries(
            self.clock,
            Sources(self.store, self.releases, {NODE: self.conversation}),  # type: ignore[arg-type]
            signer=self.signer,  # type: ignore[arg-type]
            keys=self.keys,
            send=self._send,
            gate=Gate(),
        )
        self.deliveries.listen = self.heard.append

    def again(self, power: Power | None = None) -> Daemon:
        """The daemon starts anew, with what its disk holds."""
        self.store.power = power or Power()
        kept = {"store": self.store, "signer": self.signer, "node": self.node, "releases": self.releases}
        return Daemon(**kept, clock=self.clock)  # type: ignore[arg-type]

    def _send(self, conversation: Conversation, message: node_pb2.DaemonMessage) -> bool:
        if not self.online:
            return False
        self.store.power.moment()
        self._check_durable(message)
        self._down.append(message)
        self.sent.append(message)
        return True

    def _check_durable(self, message: node_pb2.DaemonMessage) -> None:
        """What it follows from is on the disk."""
        kept = self.store.rows.get(NODE)
        decision, stage = message.trial_decision, kept.delivery.stage if kept else None
        if message.HasField("update") or message.HasField("update_chunk"):
            assert kept is not None
            assert kept.signed is not None
            assert message.update in (b"", kept.signed.envelope)
            assert message.update_chunk.data in kept.signed.envelope
        if message.HasField("trial_decision"):
            assert (stage is Stage.COMMITTING) == decision.commit
            assert decision.commit or kept is None or stage is not Stage.TRIAL
            assert not decision.commit or (kept and kept.delivery.sequence == decision.sequence)

    @property
    def delivery(self) -> Delivery | None:
        return self.deliveries.of(NODE)

    @property
    def stage(self) -> Stage | None:
        return self.delivery.stage if self.delivery else None

    async def connect(self) -> None:
        """The node comes, with a session of its own."""
        self.online, self._down = True, []
        await self._hear(self.node.hello())
        await self.settle()

    async def settle(self) -> None:
        """Carries what both have to say, until nobody says any more."""
        await self._errands()
        while self._down:
            message = self._down.pop(0)
            if self.lose():
                continue
            for answer in self.node.receive(message):
                if not self.lose():
                    await self._hear(answer)
            await self._errands()

    async def live(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(0, seconds, 10):
            self.clock.now += 10_000
            if self.keys.due and await self.keys.ask():
                self.keys.tell(self.conversation)
            self.deliveries.look()
            await self.settle()

    async def say(self) -> None:
        """The node's health, as every now and then."""
        await self._hear(self.node.health())
        await self.settle()

    async def _errands(self) -> None:
        while self.deliveries.errands:
            await self.deliveries.errands.next()

    async def _hear(self, message: Any) -> None:
        conversation = self.conversation
        if isinstance(message, node_pb2.Hello):
            conversation.hello(message, self.clock.utc_ms())
            self._running(fresh=True)
        elif isinstance(message, node_pb2.Health):
            conversation.run(message.running)
            self._running(fresh=False)
        elif isinstance(message, node_pb2.SigningKeyAck):
            assert conversation.running is not None
            conversation.running = replace(conversation.running, signing_key=message.number)
            self._running(fresh=True)
        elif isinstance(message, node_pb2.UpdateAck):
            self.deliveries.acknowledged(NODE, message)
        else:
            self.deliveries.judged(NODE, message)

    def _running(self, *, fresh: bool) -> None:
        self.keys.tell(self.conversation)
        self.deliveries.heard(self.conversation, fresh=fresh)


async def ready(made: Release | None = None, **more: Any) -> Daemon:
    """A daemon that knows its signer's keys, with a node that goes by them, and perhaps a release for it."""
    daemon = Daemon(releases=FakeReleases([row(made)] if made else []), **more)
    await daemon.keys.ask()
    await daemon.connect()
    assert daemon.node.number == daemon.signer.chain.number
    return daemon
