"""Updates of nodes in the running daemon: who signs them, which key nodes go by, and what is on its way to them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from attune_proto.v1 import node_pb2
from attune_service.journal import about

from attuned.clock import Clock
from attuned.config import UpdateSettings
from attuned.gate import Gate
from attuned.nodes.conversation import Conversation
from attuned.nodes.hub import Hub
from attuned.nodes.window import Window
from attuned.store.site import LabelRow, SiteStore
from attuned.updates.deliveries import NO_SIGNER, Deliveries, Sources
from attuned.updates.rollouts import Rollouts, Stores
from attuned.updates.signing import Signer
from attuned.updates.signing_keys import SigningKeys
from attuned.updates.trial_evidence import TrialEvidence, Windows
from attuned.updates.wishes import Nodes, Place

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Around:
    """What is known of nodes elsewhere: their windows, the labels in force of rooms, and where nodes stand."""

    windows: Windows
    labels_of: Callable[[str], Sequence[LabelRow]]
    place_of: Callable[[str], Place | None]


class Updating:
    """Puts the parts together, and hands them what nodes say. Without a signer in `settings` nodes get no updates."""

    def __init__(
        self, clock: Clock, settings: UpdateSettings, *, hub: Hub, store: SiteStore, gate: Gate, around: Around
    ) -> None:
        self.signer = Signer(settings.signer) if settings.signer else None
        self.keys = SigningKeys(clock, self.signer, hub.send) if self.signer else None
        self._hub = hub
        self._objections: set[str] = set()
        self.deliveries = Deliveries(
            clock,
            Sources(store.deliveries, store.releases, hub.conversations),
            signer=self.signer,
            keys=self.keys,
            send=hub.send,
            gate=gate,
        )
        self.evidence = TrialEvidence(clock, around.windows, around.labels_of)
        self.rollouts = Rollouts(
            clock,
            self.deliveries,
            stores=Stores(store.rollouts, store.releases),
            nodes=Nodes(around.place_of, self._reachable, lambda: len(hub.conversations)),
            evidence=self.evidence,
            automatic=settings.automatic,
            refusal="" if self.signer else NO_SIGNER,
        )
        hub.dispatch.updates = self

    async def open(self) -> None:
        """Takes up what the last run left. Raises StoreError."""
        await self.deliveries.open()
        await self.rollouts.open()

    async def forget(self) -> None:
        """People had something forgotten, and releases may have lost what they were built from."""
        self.evidence.forget()
        await self.deliveries.forget()

    def _reachable(self, node: str) -> bool:
        conversation = self._hub.conversations.get(node)
        return conversation is not None and self._hub.online(conversation)

    @property
    def trouble(self) -> str:
        """What keeps updates from nodes, a sentence; empty if nothing does."""
        if self.keys is None:
            return NO_SIGNER
        ahead = [each for each in self._hub.conversations.values() if self.keys.objection(each)]
        if self.keys.trouble or not ahead:
            return self.keys.trouble
        more = f" and {len(ahead) - 1} more take" if len(ahead) > 1 else " takes"
        return f"Node {ahead[0].node}{more} no updates. {self.keys.objection(ahead[0])}"

    def look(self) -> None:
        """Time has passed."""
        if self.keys is not None and self.keys.due:
            self.deliveries.errands.put(self._ask_keys, once="keys")
        self.deliveries.look()

    async def _ask_keys(self) -> None:
        if self.keys is not None and await self.keys.ask():
            for conversation in self._hub.conversations.values():
                self.keys.tell(conversation)

    # What the hub hears.

    def on_running(self, conversation: Conversation, *, fresh: bool) -> None:
        """A node has said what it runs. It is told the key that signs updates, if it does not know it."""
        if self.keys is not None:
            self.keys.tell(conversation)
            self._note(conversation, self.keys.objection(conversation))
        self.deliveries.heard(conversation, fresh=fresh)
        if fresh:
            self.rollouts.come()

    def _note(self, conversation: Conversation, objection: str) -> None:
        """The log and `attune nodes` say once what keeps keys from a node."""
        node = conversation.node
        if objection and node not in self._objections:
            log.warning("Node %s takes no updates: %s", node, objection, extra=about(node=node))
            conversation.refuse(objection)
        if objection:
            self._objections.add(node)
        else:
            self._objections.discard(node)

    def on_signing_key_ack(self, conversation: Conversation, ack: node_pb2.SigningKeyAck) -> None:
        """A node has said which key it goes by now."""
        running = conversation.running
        if running is None or self.keys is None:
            return
        if ack.result != node_pb2.SIGNING_KEY_RESULT_OK:
            conversation.refuse("it did not take the key that signs updates: remove the node and add it again")
        elif ack.number != running.signing_key:
            conversation.running = replace(running, signing_key=ack.number)
            self.on_running(conversation, fresh=True)

    def on_trial_window(self, window: Window, trial: int) -> None:
        self.deliveries.weighed(window, trial)
        self.evidence.weighed(window, trial)

    def on_update_ack(self, conversation: Conversation, ack: node_pb2.UpdateAck) -> None:
        self.deliveries.acknowledged(conversation.node, ack)

    def on_verdict(self, conversation: Conversation, verdict: node_pb2.UpdateVerdict) -> None:
        self.deliveries.judged(conversation.node, verdict)
