"""What follows from what nodes say: whom it concerns hears of it, and what has to wait for a disk is an errand."""

from dataclasses import dataclass, field
from functools import partial

from attune_proto.v1 import node_pb2

from attuned.bms.announcing import Announcing
from attuned.errands import Errands
from attuned.labels.labels import Labels
from attuned.labels.presses import Presses
from attuned.labels.teaching import Teaching
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.lessons import Lessons
from attuned.nodes.commissioning import Commissioning
from attuned.nodes.commits import Commits
from attuned.nodes.conversation import Conversation, Tie
from attuned.nodes.counted import Counted
from attuned.nodes.hub import Hub
from attuned.nodes.press import Press
from attuned.nodes.roster import Roster
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.nodes.trust import Newcomer
from attuned.nodes.window import Window
from attuned.presence.rooms import Rooms
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore
from attuned.updates.updating import Updating
from attuned.writing import Writing


@dataclass(frozen=True, kw_only=True)
class Reactions:
    """Listens to the hub, and does nothing itself."""

    hub: Hub
    roster: Roster
    errands: Errands
    commissioning: Commissioning
    rooms: Rooms
    writing: Writing
    commits: Commits
    counted: Counted
    labels: Labels
    teaching: Teaching
    presses: Presses
    updating: Updating
    lessons: Lessons
    accuracy: AccuracyBook
    announcing: Announcing
    site_store: SiteStore
    window_store: WindowStore
    _noted: dict[str, str] = field(default_factory=dict, init=False)  # releases by nodes, as they were written down

    def on_window(self, conversation: Conversation, window: Window, *, eager: bool) -> None:
        changes = not window.refused and self.rooms.take(window)
        if changes:
            self.writing.changed(conversation.room)
        self.commits.add(conversation, window, urgent=changes or eager)

    def on_repeat(self, conversation: Conversation, boot: int) -> None:
        self.hub.send(conversation, conversation.acknowledgement(boot))

    def on_hello(self, conversation: Conversation) -> None:
        if conversation.facts is None or not conversation.room:
            return
        self.commissioning.tell_key(conversation.node)
        self.commissioning.tell_commands(conversation.node)
        # A node may say hello as often as it likes.
        self.errands.put(partial(self._greet, conversation), once=conversation.node)

    def on_running(self, conversation: Conversation, *, fresh: bool) -> None:
        self.updating.on_running(conversation, fresh=fresh)
        facts = conversation.facts
        if not fresh and facts is not None and facts.release != self._noted.get(conversation.node):
            self.errands.put(partial(self._note_release, conversation), once=f"release {conversation.node}")

    def on_newcomer(self, newcomer: Newcomer) -> None:
        if not self.commissioning.takes_again(newcomer):
            self.errands.put(partial(self.commissioning.take, newcomer))

    def on_confirmed(self, node: str) -> None:
        if self.commissioning.needs_confirming(node):
            self.errands.put(partial(self.commissioning.confirm, node), once=f"confirm {node}")

    def on_tie(self, conversation: Conversation, tie: Tie) -> None:
        node = conversation.node
        self.errands.put(lambda: self.window_store.add_tie(node, tie.boot, tie.tick_ms, tie.utc_ms))

    def on_label_ack(self, conversation: Conversation, ack: node_pb2.LabelAck) -> None:
        self.teaching.answer(conversation, ack)
        node = conversation.node
        if self.labels.has_unlearned(node):
            self.errands.put(partial(self.labels.note_unlearned, node), once=f"unlearned {node}")

    def on_press(self, conversation: Conversation, press: Press) -> None:
        # The node sends it until it is answered.
        once = f"press {press.node} {press.boot} {press.number}"
        self.errands.put(partial(self.presses.take, conversation, press), once=once)

    def on_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None:
        self.counted.take_sketch(conversation, sketch)

    def on_summary(self, conversation: Conversation, summary: NodeSummary) -> None:
        self.counted.take_summary(conversation, summary)

    def on_health(self, conversation: Conversation) -> None:
        self.announcing.health(conversation, online=self.hub.online(conversation))

    async def _greet(self, conversation: Conversation) -> None:
        await self._note_release(conversation)
        # Meanwhile the node may have said something that makes no sense.
        if conversation.facts is not None:
            await self.labels.greet(conversation)

    async def _note_release(self, conversation: Conversation) -> None:
        """Writes down what a node has said of itself, and what it runs."""
        facts, room = conversation.facts, conversation.room
        if facts is None or not room:
            return
        await self.site_store.save_facts({conversation.node: facts.to_json()})
        await self.accuracy.note_release(room, self.roster.releases(room).values())
        if await self.site_store.releases.note_running(conversation.node, facts.release):
            self.lessons.learn(room)
        self._noted[conversation.node] = facts.release
