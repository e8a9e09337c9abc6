"""Labels that come over MQTT, to the label service and back with an answer."""

from attuned.bms import label_topic
from attuned.bms.publisher import Answer, Command
from attuned.clock import Clock
from attuned.errors import AttuneError
from attuned.labels.labels import Labels

_RETAINED = "The message was retained, so nobody knows when it was meant: publish labels without the retain flag."


class LabelCommands:
    """Answers each message of a `label/set` topic on the room's `label/result`."""

    def __init__(self, site: str, clock: Clock, labels: Labels) -> None:
        self._site = site
        self._clock = clock
        self._labels = labels

    async def answer(self, command: Command) -> Answer | None:
        """What to publish; None for a topic that names no room."""
        room = label_topic.room_of(command.topic)
        if room is None:
            return None
        return Answer(label_topic.result_topic(self._site, room), await self._payload(room, command))

    async def _payload(self, room: str, command: Command) -> str:
        if command.retained:
            return label_topic.refused_payload(_RETAINED, "")
        sender = ""
        try:
            said = label_topic.read(command.payload)
            sender = said.id
            stored = await self._labels.add(said.label(room, self._clock.utc_ms()))
        except label_topic.LabelError as error:
            return label_topic.refused_payload(str(error), error.sender_id)
        except AttuneError as error:
            return label_topic.refused_payload(str(error), sender)
        return label_topic.stored_payload(stored, sender)
