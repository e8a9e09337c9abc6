"""What the daemon itself learns from a room's labels: how good its nodes are, and how to judge them together.

That is learned from what the nodes' heads said of the time before anybody had labelled it. A node that runs a release
has another head than the one that said so; its room is judged as the release says, which asked its own head about days
that it had not learned.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from attuned.clock import Clock
from attuned.config import RoomSettings
from attuned.errands import Errands
from attuned.gate import Gate
from attuned.labels.labels import Labels
from attuned.learning.accuracy import AccuracyBook
from attuned.learning.from_labels import room_record, spans
from attuned.learning.rooms import learn_room
from attuned.presence.model import RoomModel
from attuned.presence.rooms import Rooms
from attuned.store.site import SiteStore
from attuned.store.windows import WindowStore

# Pause after each lesson, in real seconds: many labels in a row are learned in a few lessons, and commits of windows
# have the disk between.
REST_S = 1.0


class Lessons:
    """Learns room by room, beside the event loop.

    `sensors_of` gives a node's sensors; `adopted` is called when a room has a new model.
    """

    def __init__(
        self,
        clock: Clock,
        rooms: Rooms,
        settings: Mapping[str, RoomSettings],
        *,
        labels: Labels,
        accuracy: AccuracyBook,
        site: SiteStore,
        windows: WindowStore,
        sensors_of: Callable[[str], Sequence[str]],
        adopted: Callable[[], None],
        gate: Gate,
    ) -> None:
        self._clock = clock
        self._rooms = rooms
        self._settings = settings
        self._labels = labels
        self._accuracy = accuracy
        self._site = site
        self._windows = windows
        self._sensors_of = sensors_of
        self._adopted = adopted
        self._learned: dict[str, RoomModel] = {}
        self.errands = Errands(gate, REST_S)

    async def load(self) -> None:
        """Takes up where the last run stopped; what it did not get round to is done again."""
        models = await self._site.models()
        self._learned = {room: RoomModel.model_validate_json(text) for room, text in models.items()}
        for room in await self._accuracy.load():
            self.errands.put(partial(self._accuracy.refresh, room))

    def learn(self, room: str) -> None:
        """Has a room learned whose labels have changed."""
        self.errands.put(partial(self.learn_now, room), once=room)

    async def learn_now(self, room: str) -> None:
        """Learns a room from the labels and windows that there are."""
        await self._accuracy.refresh(room)
        labels, nodes, step_ms = self._labels.in_force(room), self._settings[room].nodes, self._rooms.step_ms
        windows = await self._windows.windows_in(nodes, spans(labels, self._clock.utc_ms()))
        sensors = {node: self._sensors_of(node) for node in nodes}

        def learned() -> RoomModel:
            return learn_room(room_record(labels, windows, nodes, step_ms), sensors, step_ms // 1000)

        model = await asyncio.to_thread(learned)
        if model != self._learned.get(room, RoomModel()):
            await self._site.save_model(room, model.model_dump_json())
            self._learned[room] = model
        released = (await self._site.releases.room_models(room)).get(room)
        self._judge_by(room, RoomModel.model_validate_json(released) if released else model)

    def forget(self, room: str) -> None:
        """The store has lost what the room had learned."""
        self._learned.pop(room, None)

    def _judge_by(self, room: str, model: RoomModel) -> None:
        if model != self._rooms.model(room):
            self._rooms.adopt(room, model)
            self._adopted()
