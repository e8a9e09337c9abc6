"""Releases on their way to nodes: what was decided is on the disk before anything that follows from it is said.

What to do is `delivery.py`'s word, what to send `planning.py`'s. Whatever nodes say waits in a queue of its own, so
that neither the disk nor the signing process holds up windows.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from attune_core.update import Model
from attune_proto.v1 import node_pb2

from attuned.clock import Clock
from attuned.errands import Errands
from attuned.errors import NotFoundError, RequestError
from attuned.gate import Gate
from attuned.nodes.conversation import Conversation
from attuned.nodes.facts import NodeFacts
from attuned.nodes.running import Running
from attuned.nodes.sealed import AROUND, TEXT_LIMIT
from attuned.nodes.window import Window
from attuned.store.deliveries import DeliveryStore
from attuned.store.releases import ReleaseRow, ReleaseStore
from attuned.updates import delivery as machine
from attuned.updates.chunks import LEAST_ROOM
from attuned.updates.delivery import FACTORY, Course, Delivery, Signed, Stage, Step
from attuned.updates.envelope import EnvelopeError
from attuned.updates.planning import (
    Plan,
    PlanError,
    check_classes,
    check_fit,
    factory_model,
    plan,
    read_release,
    release_model,
)
from attuned.updates.signing import NumberPassedError, Signer, SigningError
from attuned.updates.signing_keys import Send, SigningKeys

log = logging.getLogger(__name__)

# How often counts of trials are written down, milliseconds of the daemon's clock: a window a minute is no reason to.
COUNT_MS = 60_000

NO_SIGNER = "Nodes get no updates: nothing signs them. Name the signing process in the configuration, [updates] signer."

Event = Callable[[Course, int], Step]


class _LaterError(Exception):
    """Nothing can be signed for the reason that the message says; it is tried again."""


@dataclass(frozen=True)
class Sources:
    """What deliveries read: the rows of both tables, and what is known of nodes."""

    store: DeliveryStore
    releases: ReleaseStore
    conversations: Mapping[str, Conversation]


class Deliveries:
    """The newest delivery of each node. Methods run in the event loop.

    Without a `signer` (and its `keys`) nothing is delivered. `listen` is called after each durable change, and must
    not wait.
    """

    def __init__(
        self, clock: Clock, sources: Sources, *, signer: Signer | None, keys: SigningKeys | None, send: Send, gate: Gate
    ) -> None:
        self.listen: Callable[[Delivery], None] = lambda _: None
        self.errands = Errands(gate)
        self._clock = clock
        self._sources = sources
        self._signer = signer
        self._keys = keys
        self._send = send
        self._courses: dict[str, Course] = {}
        self._stored: dict[str, Delivery] = {}
        self._counted_utc_ms = self._looked_utc_ms = 0
        # Each change is made from what the one before has left.
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Takes up what the last run left. Raises StoreError."""
        for course in await self._sources.store.load():
            self._keep(course)
        await self.forget()

    def of(self, node: str) -> Delivery | None:
        """The newest delivery of a node."""
        course = self._courses.get(node)
        return course.delivery if course else None

    async def want(self, node: str, target: str) -> None:
        """A node is to run a release (its id, or "factory"); a wish before it that is not final is ended.

        Durable when it returns. RequestError for an unknown node, a release of another node or without content, and
        without a signer.
        """
        conversation = self._sources.conversations.get(node)
        if self._signer is None:
            raise RequestError(NO_SIGNER)
        if conversation is None:
            raise NotFoundError(f"There is no node {node!r}: `attune nodes` lists the nodes.")
        if target != FACTORY:
            _check(await self._sources.releases.find(target), node, target)
        async with self._lock:
            running, facts = conversation.running, conversation.facts
            before = running.release if running else facts.release if facts else ""
            last = self.of(node)
            course = machine.wanted(node, target, before, self._clock.utc_ms())
            await self._store(replace(course, heard=running))
            if last is not None and not last.stage.final:
                self.listen(replace(last, stage=Stage.ENDED, reason="Another release was wanted in its place."))
            self.listen(course.delivery)
        if running is not None:
            self.heard(conversation, fresh=True)

    def waits_for(self, node: str) -> bool:
        """Whether a node has to be reached for its delivery to go on."""
        course = self._courses.get(node)
        if course is None or course.delivery.stage.final:
            return False
        stage = course.delivery.stage
        return course.heard is None or stage in (Stage.SENDING, Stage.COMMITTING, Stage.ENDING)

    def is_sending(self, node: str) -> bool:
        """Whether an envelope is on its way to a node."""
        delivery = self.of(node)
        return delivery is not None and delivery.stage is Stage.SENDING

    async def decide(self, node: str, *, commit: bool) -> None:
        """The word on a node's trial; `commit` False also ends what has not come so far. Else without effect."""
        async with self._lock:
            course = self._courses.get(node)
            if course is not None:
                await self._go(machine.decide(course, commit=commit, now_utc_ms=self._clock.utc_ms()))

    async def forget(self) -> None:
        """Releases have lost what they were built from: those on their way go no further."""
        async with self._lock:
            for each in list(self._courses.values()):
                delivery, now = each.delivery, self._clock.utc_ms()
                if delivery.stage.final or delivery.target == FACTORY or await self._has_content(delivery.target):
                    continue
                course = machine.stripped(each)
                if delivery.stage in (Stage.WAITING, Stage.SENDING):
                    await self._go(Step(machine.failed(course, "What it was built from was forgotten.", now)))
                else:
                    await self._go(machine.decide(course, commit=False, now_utc_ms=now))

    # What nodes say.

    def heard(self, conversation: Conversation, *, fresh: bool) -> None:
        """A node has said what it runs; `fresh`: with a hello, or other news that may change what it would take."""
        running = conversation.running
        if running is None:
            return
        if conversation.node in self._courses:
            self._put(conversation.node, lambda course, now: machine.hear(course, running, now, fresh=fresh))
            return
        for message in machine.stray(running):
            self._send(conversation, message)

    def acknowledged(self, node: str, ack: node_pb2.UpdateAck) -> None:
        self._put(node, lambda course, now: machine.acknowledge(course, ack, now))

    def judged(self, node: str, verdict: node_pb2.UpdateVerdict) -> None:
        self._put(node, lambda course, now: machine.judge(course, verdict, now))

    def weighed(self, window: Window, trial: int) -> None:
        """A window of a trial. Counts reach the disk with the next change, or after a while."""
        self._put(window.node, lambda course, _: Step(machine.weigh(course, trial, window.end_utc_ms)))

    def look(self) -> None:
        """Time has passed."""
        now = self._clock.utc_ms()
        if now < self._looked_utc_ms:  # the clock went back: nobody waits until it is where it was
            self._courses = {node: machine.hurried(course) for node, course in self._courses.items()}
        self._looked_utc_ms = now
        counts = abs(now - self._counted_utc_ms) >= COUNT_MS
        if counts:
            self._counted_utc_ms = now
        for node, course in self._courses.items():
            if not course.delivery.stage.final and (now >= course.way.due_utc_ms or counts):
                self.errands.put(partial(self._take, node, machine.wait, counts=counts), once=f"look {node}")

    def gone(self, node: str) -> None:
        """The node is trusted no more."""
        if node in self._courses:
            self.errands.put(partial(self._lose, node))

    def _put(self, node: str, event: Event) -> None:
        if node in self._courses:
            self.errands.put(partial(self._take, node, event))

    async def _take(self, node: str, event: Event, *, counts: bool = False) -> None:
        async with self._lock:
            course = self._courses.get(node)
            if course is None:
                return
            course = replace(course, room=self._room(node))
            await self._go(event(course, self._clock.utc_ms()), counts=counts)
            if machine.ready_to_sign(self._courses[node], self._clock.utc_ms()):
                await self._go(await self._next(self._courses[node]))

    def _room(self, node: str) -> int:
        """A part of an envelope goes into one part of a frame, where those are small."""
        conversation = self._sources.conversations.get(node)
        part = conversation.part if conversation else 0
        return min(max(part - AROUND, LEAST_ROOM), TEXT_LIMIT) if part else TEXT_LIMIT

    async def _lose(self, node: str) -> None:
        async with self._lock:
            await self._sources.store.forget(node)
            delivery = self._courses.pop(node).delivery
            del self._stored[node]
            if not delivery.stage.final:
                self.listen(replace(delivery, stage=Stage.FAILED, reason="The node was removed."))

    async def _go(self, step: Step, *, counts: bool = False) -> None:
        """The disk first, then the node, then whoever listens. Counts alone may wait."""
        delivery = step.course.delivery
        stored = self._stored[delivery.node]
        uncounted = replace(delivery, windows=stored.windows, differing=stored.differing)
        changed = uncounted != stored or (counts and delivery != stored)
        if changed:
            await self._store(step.course)
        self._courses[delivery.node] = step.course
        conversation = self._sources.conversations.get(delivery.node)
        if conversation is not None:
            for message in step.messages:
                self._send(conversation, message)
        if changed:
            self.listen(delivery)

    async def _store(self, course: Course) -> None:
        await self._sources.store.save(course)
        self._keep(course)

    def _keep(self, course: Course) -> None:
        self._courses[course.delivery.node] = course
        self._stored[course.delivery.node] = course.delivery

    # What is signed.

    async def _next(self, course: Course) -> Step:
        """Signs for a node that waits, or says why not."""
        now = self._clock.utc_ms()
        try:
            return await self._signed(course)
        except PlanError as error:
            return Step(machine.failed(course, str(error), now))
        except EnvelopeError as error:
            return Step(machine.failed(course, f"No envelope can be made: {error}", now))
        except RequestError:
            return Step(machine.failed(course, "The release is gone.", now))
        except (_LaterError, NumberPassedError) as reason:
            return Step(machine.kept(course, str(reason), now))

    async def _signed(self, course: Course) -> Step:
        node, now = course.delivery.node, self._clock.utc_ms()
        conversation = self._sources.conversations.get(node)
        facts, running = conversation.facts if conversation else None, course.heard
        if conversation is None or facts is None or running is None:
            raise _LaterError("The node has not said yet what it runs.")
        if not facts.hardware:
            raise PlanError("Its firmware takes no updates: flash the firmware of this version.")
        target = await self._target(course.delivery, facts)
        if target.digest.hex() == running.release:
            return Step(machine.committed(course, now))
        key = await self._key(conversation)
        base = await self._base(facts, running.release)
        planned = await asyncio.to_thread(plan, base, bytes.fromhex(running.release), target, facts)
        return machine.sign(course, await self._envelope(planned, node, running, key), now)

    async def _target(self, wish: Delivery, facts: NodeFacts) -> Model:
        if wish.target == FACTORY:
            return factory_model(facts.make_schema())
        release = read_release((await self._sources.releases.find(wish.target)).body)
        check_fit(release, facts)
        model = release_model(release, facts.make_schema())
        check_classes(model, facts)
        return model

    async def _base(self, facts: NodeFacts, digest: str) -> Model | None:
        """What the node runs, where that is known here."""
        factory = factory_model(facts.make_schema())
        if factory.digest.hex() == digest:
            return factory
        row = await self._sources.releases.running(facts.node, digest)
        if row is None:
            return None
        try:
            return release_model(read_release(row.body), facts.make_schema())
        except PlanError:
            return None

    async def _key(self, conversation: Conversation) -> int:
        """The number of the key that signs, which the node goes by."""
        keys = self._keys
        if keys is None:
            raise _LaterError(NO_SIGNER)
        if keys.due:
            await keys.ask()
        if keys.trouble or keys.chain is None:
            raise _LaterError(keys.trouble)
        if objection := keys.objection(conversation):
            raise _LaterError(objection)
        if not keys.knows(conversation):
            keys.tell(conversation)
            raise _LaterError("The node does not know the key yet that signs updates.")
        return keys.chain.number

    async def _envelope(self, planned: Plan, node: str, running: Running, key: int) -> Signed:
        """Under a number that is on the disk as given away before anybody signs it."""
        number = await self._sources.store.number(node, running.highest)
        try:
            envelope = await self._ask(planned, number)
        except NumberPassedError as passed:
            # What signs remembers more than a store that was restored from a backup.
            number = await self._sources.store.number(node, max(running.highest, passed.highest))
            envelope = await self._ask(planned, number)
        return Signed(number, envelope, running.release, key, self._clock.utc_ms())

    async def _ask(self, planned: Plan, number: int) -> bytes:
        if self._signer is None or self._keys is None or self._keys.chain is None:
            raise _LaterError(NO_SIGNER)
        try:
            return await self._signer.sign(planned.numbered(number), self._keys.chain.last)
        except NumberPassedError:
            raise
        except SigningError as error:
            self._keys.note(str(error))
            raise _LaterError(str(error)) from None

    async def _has_content(self, release: str) -> bool:
        try:
            return (await self._sources.releases.find(release)).forgotten == "[]"
        except RequestError:
            return False


def _check(row: ReleaseRow, node: str, target: str) -> None:
    """Raises RequestError for a release that the node cannot be meant to run."""
    if row.id != target:
        raise RequestError(f"A release is delivered by its whole id, not by {target!r}.")
    if row.node != node:
        raise RequestError(f"Release {target[:8]} is for node {row.node}: `attune release list` shows those of {node}.")
    if row.forgotten != "[]":
        raise RequestError(f"Inputs of release {target[:8]} were forgotten: retrain its room.")
