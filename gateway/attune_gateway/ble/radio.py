"""A radio at work: it listens, tells the daemon what it hears, and serves the nodes that the daemon wants."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from attune_proto.v1.link_pb2 import Wish
from attune_service.turns import turn

from attune_gateway.ble.central import Advertisement, BleCentral, NodeFailedError, RadioError, RadioFullError
from attune_gateway.ble.line import BleLine
from attune_gateway.ble.nearby import Nearby
from attune_gateway.ble.schedule import Schedule
from attune_gateway.config import BleSettings
from attune_gateway.links import Links
from attune_gateway.pacing import Backoff, Sparingly

_log = logging.getLogger(__name__)

# Wishes, endings and connections are acted upon at once; what only time brings about, so often.
_TURN_S = 0.5

# A radio that comes back passes through states that help nobody: what still keeps it away after so long is said, too.
_RETURN_S = 30.0


class Radio:
    """Keeps one radio in use: whenever it is lost, it is opened again, by a new central.

    clock: monotonic seconds. `trouble` is a sentence on what keeps it away; empty while it is in use.
    """

    def __init__(
        self,
        links: Links,
        settings: BleSettings,
        backoff: Backoff,
        central: Callable[[str], BleCentral] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._links = links
        self._radio = settings.radio
        self._backoff = backoff
        self._central = central or central_of
        self._clock = clock
        self._schedule = Schedule(settings.connections)
        self._lines: dict[bytes, BleLine] = {}
        self._wake = asyncio.Event()
        self._complaints = Sparingly()
        self._away_s: float | None = None
        self.trouble = ""
        links.follow(self)

    def wish(self, wishes: Iterable[Wish]) -> None:
        self._schedule.wish(wishes, self._clock())
        self._wake.set()

    def attach(self) -> None:
        self._schedule.attach()
        self._wake.set()

    def detach(self) -> None:
        self._schedule.detach(self._clock())

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            began_s = self._clock()
            try:
                await self._use()
            except* RadioError as group:
                self._complain(str(group.exceptions[0]))
            await asyncio.sleep(self._backoff.after(self._clock() - began_s))

    async def _use(self) -> None:
        """RadioError, alone or in a group."""
        central = self._central(self._radio)
        try:
            with turn():
                await central.open(self._hear)
            _log.info("Listening for nodes with Bluetooth radio %s.", self._radio)
            self._away_s, self.trouble = None, ""
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_watch(central), name="radio watch")
                await self._steer(central, tasks)
        finally:
            with turn():
                await central.close()
            self._schedule.clear(self._clock())

    async def _steer(self, central: BleCentral, tasks: asyncio.TaskGroup) -> None:
        while True:
            self._wake.clear()
            now_s = self._clock()
            if sightings := self._schedule.sightings(now_s):
                self._links.outbox.sight(sightings)
            for hint in self._schedule.to_end(now_s):
                self._lines[hint].close()
            # What is connected while the daemon takes nothing could only be held back.
            if not self._links.outbox.full and (node := self._schedule.to_connect(now_s)) is not None:
                self._schedule.connecting(node, now_s)
                tasks.create_task(self._serve(central, node), name=f"node {node.address}")
            try:
                async with asyncio.timeout(_TURN_S):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _serve(self, central: BleCentral, node: Nearby) -> None:
        hint, address = node.hint, node.address
        line = BleLine(self._links, hint, lambda good: self._schedule.active(hint, self._clock(), good=good))
        try:
            connection = await central.connect(address, line.notified)
        except NodeFailedError as error:
            _log.debug("Node %s at %s cannot be connected: %s.", hint.hex(), address, error)
            self._schedule.failed(hint, self._clock())
            return
        except RadioFullError as error:
            self._schedule.full(hint, self._clock())
            _log.info("%s It goes on with %d.", error, self._schedule.connections)
            return
        finally:
            self._wake.set()
        self._schedule.connected(hint, self._clock())
        self._lines[hint] = line
        try:
            await line.run(connection, address, node.rssi_dbm)
            # Who is cancelled leaves it to the central, which ends all of them at once.
            await connection.disconnect()
        finally:
            del self._lines[hint]
            self._schedule.ended(hint, self._clock())
            self._wake.set()

    def _hear(self, advertisement: Advertisement) -> None:
        self._schedule.heard(advertisement, self._clock())

    def _complain(self, what: str) -> None:
        now_s = self._clock()
        if self._away_s is None:
            self._away_s = now_s
        elif now_s - self._away_s < _RETURN_S:
            return
        self.trouble = sentence = f"{what}; trying again until it answers."
        if self._complaints.allows(now_s, sentence):
            _log.warning(sentence)


def central_of(radio: str) -> BleCentral:
    """The radio of that name. Only the library that it needs is loaded: see docs/operations.md for what that costs."""
    try:
        if radio.startswith("hci") and radio[3:].isdigit():
            from attune_gateway.ble.bleak_central import BleakCentral

            return BleakCentral(radio)
        from attune_gateway.ble.bumble_central import BumbleCentral

        return BumbleCentral(radio)
    except ImportError as error:
        raise RadioError(f"Bluetooth radio {radio} cannot be used: {error} is missing") from error


async def _watch(central: BleCentral) -> None:
    raise RadioError(await central.lost())
