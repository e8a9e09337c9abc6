"""What the broker is told of rooms, nodes and alerts; nothing where no broker is configured."""

from collections.abc import Iterable, Mapping

from attuned.bms import topics
from attuned.bms.publisher import Publisher
from attuned.drift.life import DriftEvent, State
from attuned.drift.words import alert
from attuned.nodes.conversation import Conversation
from attuned.nodes.hub import Hub
from attuned.presence.belief import Belief


class Announcing:
    """Publishes under the topics of one site."""

    def __init__(self, site: str, publisher: Publisher | None) -> None:
        self._site = site
        self._publisher = publisher
        self._looks: dict[str, tuple[bool, int, int, int]] = {}

    def room(
        self, room: str, belief: Belief, releases: Mapping[str, str], *, taught: bool, arrived: float | None
    ) -> None:
        """What is believed of a room; `arrived` is when the window came that changed it, of the monotonic clock."""
        if self._publisher is not None:
            payload = topics.room_payload(belief, dict(releases), taught=taught)
            self._publisher.publish(topics.room_topic(self._site, room), payload, arrived)

    def alert(self, event: DriftEvent, room: str) -> None:
        """Events are retained with the broker until they are resolved; an empty message takes one back."""
        if self._publisher is not None:
            payload = "" if event.state is State.RESOLVED else topics.alert_payload(alert(event, room))
            self._publisher.publish(topics.alert_topic(self._site, event.number), payload)

    def forget(self, rooms: Iterable[str], nodes: Iterable[str], alerts: Iterable[int]) -> None:
        """Takes back what the broker keeps of rooms, nodes and alerts; how they are now is said anew."""
        for node in nodes:
            self._looks.pop(node, None)
        if self._publisher is not None:
            gone = [topics.room_topic(self._site, room) for room in rooms]
            gone += [topics.health_topic(self._site, node) for node in nodes]
            gone += [topics.alert_topic(self._site, number) for number in alerts]
            for topic in gone:
                self._publisher.publish(topic, "")

    def health(self, conversation: Conversation, *, online: bool) -> None:
        """How a node of a room is."""
        if self._publisher is None or conversation.facts is None or not conversation.room:
            return
        topic = topics.health_topic(self._site, conversation.node)
        self._publisher.publish(topic, topics.health_payload(_health(conversation, online=online)))

    def changes(self, hub: Hub) -> None:
        """Says again how a node is if that has changed by itself; a health message says so at once."""
        for conversation in hub.conversations.values():
            looks = (hub.online(conversation), conversation.refused, conversation.windows_lost, conversation.summarised)
            if self._looks.get(conversation.node) != looks:
                self._looks[conversation.node] = looks
                self.health(conversation, online=looks[0])


def _health(conversation: Conversation, *, online: bool) -> dict[str, object]:
    health, facts = conversation.health, conversation.facts
    return {
        "state": "online" if online else "offline",
        "room": conversation.room,
        "firmware": facts.firmware if facts else "",
        "release": facts.release if facts else "",
        "windows_lost": conversation.windows_lost,
        "windows_summarised": conversation.summarised,
        "refused": conversation.refused,
        "backlog": health.backlog,
        "battery_mv": health.battery_mv or None,
        "reset_reason": conversation.reset_reason or None,
    }
