"""What nodes in reach of radios are wanted for: who has to be connected at once, and who may wait for its turn."""

from collections.abc import Callable, Mapping, Sequence

from attuned.clock import Clock
from attuned.nodes.conversation import QUIET_REPORT_MS, Conversation
from attuned.nodes.radio import Need

# Reports are presumed to wait in a node that has not been heard for so many of its windows: connecting for each
# single one would cost more than it brings, and a node has room for hours of them.
PRESUMED_WINDOWS = 3


class Needs:
    """Looks at what waits for each node: something by any of `waits`, by `greeted` only until it has been heard."""

    def __init__(
        self,
        clock: Clock,
        conversations: Mapping[str, Conversation],
        *,
        waits: Sequence[Callable[[str], bool]],
        greeted: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._conversations = conversations
        self._waits = waits
        self._greeted = greeted

    def of(self, node: str) -> Need:
        """How much is wanted of a node; AGE if nothing waits for it, or in it."""
        conversation = self._conversations.get(node)
        if conversation is None:
            return Need.AGE
        if self._is_urgent(node, conversation):
            return Need.URGENT
        return Need.BACKLOG if self._has_reports(conversation) else Need.AGE

    def _is_urgent(self, node: str, conversation: Conversation) -> bool:
        silent = conversation.last_heard_utc_ms == 0  # since the daemon's start
        return any(waits_for(node) for waits_for in self._waits) or (silent and self._greeted(node))

    def _has_reports(self, conversation: Conversation) -> bool:
        facts = conversation.facts
        window_ms = QUIET_REPORT_MS if conversation.quiet else facts.window_s * 1000 if facts else 0
        silence_ms = self._clock.utc_ms() - conversation.last_heard_utc_ms
        return conversation.reports_waiting > 0 or silence_ms > PRESUMED_WINDOWS * window_ms
