"""Updates for a node on the air, and the daemon's own course of sending them, without what plans and signs."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

from air_daemon import until
from attune_proto.v1 import node_pb2
from attuned.nodes.conversation import Conversation
from attuned.nodes.sealed import AROUND, TEXT_LIMIT
from attuned.nodes.window import Window
from attuned.site import Site
from attuned.updates import delivery
from attuned.updates.chunks import LEAST_ROOM
from attuned.updates.delivery import Course, Signed, Step
from attuned.updates.envelope import LARGEST, Audience, Kind, Update
from update_payloads import make_update
from update_world import base, payload, signed, signing_key

SEQUENCE = 300


@dataclass(frozen=True)
class Envelope:
    """kind is None for one that is as large as they get, and nothing else."""

    name: str
    data: bytes
    kind: Kind | None = None


def envelopes() -> Iterator[Envelope]:
    """In the order of their sizes. What they say is the same for each node; `for_node` addresses and signs it."""
    found = [Envelope(kind.name.lower(), for_node(bytes(8), kind), kind) for kind in Kind]
    yield from sorted(found, key=lambda one: len(one.data))
    yield Envelope("largest", found[-1].data.ljust(LARGEST, b"\xa5"))


def for_node(node_id: bytes, kind: Kind) -> bytes:
    """The envelope of that kind for a node, on top of the factory release."""
    return signed(_update(node_id, kind))


def _update(node_id: bytes, kind: Kind) -> Update:
    audience = Audience(node_id, base().schema.hash, "")
    return make_update(base(), audience, SEQUENCE, kind, payload(kind))[0]


class Sender:
    """Hears for the hub what nodes say of updates, and goes by the daemon's course of one delivery."""

    def __init__(self, site: Site, conversation: Conversation, envelope: bytes) -> None:
        self.verdict: node_pb2.UpdateVerdict | None = None
        self.key_known = asyncio.Event()
        self._site = site
        self.conversation = conversation
        self._envelope = envelope
        self._course: Course | None = None

    def begin(self) -> None:
        running, now = self.conversation.running, self._site.clock.utc_ms()
        assert running is not None
        course = delivery.wanted(self.conversation.node, "release", running.release, now)
        room = min(max(self.conversation.part - AROUND, LEAST_ROOM), TEXT_LIMIT)
        course = replace(course, heard=replace(running, signing_key=1), room=room)
        self._go(delivery.sign(course, Signed(SEQUENCE, self._envelope, running.release, 1, now), now))

    def _go(self, step: Step) -> None:
        self._course = step.course
        for message in step.messages:
            self._site.hub.send(self.conversation, message)

    def on_update_ack(self, _: Conversation, ack: node_pb2.UpdateAck) -> None:
        if self._course is not None:
            self._go(delivery.acknowledge(self._course, ack, self._site.clock.utc_ms()))

    def on_verdict(self, _: Conversation, verdict: node_pb2.UpdateVerdict) -> None:
        self.verdict = verdict

    def on_signing_key_ack(self, _: Conversation, ack: node_pb2.SigningKeyAck) -> None:
        assert ack.result == node_pb2.SIGNING_KEY_RESULT_OK
        self.key_known.set()

    def on_trial_window(self, window: Window, trial: int) -> None:
        """Nobody weighs it."""


async def send(site: Site, node: bytes, envelope: Envelope) -> None:
    """Sends to a node, named by its id, until its verdict is there. AssertionError if that is not what it should be."""
    data = for_node(node, envelope.kind) if envelope.kind else envelope.data
    sender = Sender(site, site.hub.conversations[node.hex()], data)
    site.hub.dispatch.updates = sender
    key = (1).to_bytes(4, "little") + signing_key().public
    site.hub.send(sender.conversation, node_pb2.DaemonMessage(command=node_pb2.Command(signing_key=key)))
    await asyncio.wait_for(sender.key_known.wait(), 10)
    sender.begin()
    await until(lambda: sender.verdict is not None, "a verdict")
    assert sender.verdict is not None
    assert (sender.verdict.result == node_pb2.UPDATE_RESULT_OK) == (envelope.kind is not None)
