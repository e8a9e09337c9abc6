"""What nodes have counted over hours: sketches of quiet nodes, and summaries of reports that they could not keep."""

from functools import partial

from attuned.errands import Errands
from attuned.nodes.conversation import Conversation
from attuned.nodes.hub import Hub
from attuned.nodes.sketch import NodeSketch
from attuned.nodes.summary import NodeSummary
from attuned.store.windows import WindowStore


class Counted:
    """Keeps each once, and acknowledges it then. Of a time that was forgotten nothing is kept."""

    def __init__(self, store: WindowStore, hub: Hub, errands: Errands) -> None:
        self._store = store
        self._hub = hub
        self._errands = errands

    def take_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None:
        once = f"sketch {sketch.node} {sketch.boot} {sketch.number}"
        self._errands.put(partial(self._keep_sketch, conversation, sketch), once=once)

    def take_summary(self, conversation: Conversation, summary: NodeSummary) -> None:
        once = f"summary {summary.node} {summary.boot} {summary.number}"
        self._errands.put(partial(self._keep_summary, conversation, summary), once=once)

    async def _keep_sketch(self, conversation: Conversation, sketch: NodeSketch) -> None:
        if not conversation.has_forgotten(sketch.from_utc_ms, sketch.to_utc_ms):
            await self._store.days.add_sketch(sketch)
        self._hub.send(conversation, sketch.acknowledgement())

    async def _keep_summary(self, conversation: Conversation, summary: NodeSummary) -> None:
        forgotten = conversation.has_forgotten(summary.from_utc_ms, summary.to_utc_ms)
        if not forgotten and await self._store.summaries.add(summary):
            conversation.summarised += summary.reports
        self._hub.send(conversation, summary.acknowledgement())
