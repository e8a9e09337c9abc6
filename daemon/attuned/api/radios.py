"""What radios of gateways hear, as messages of gateways.proto."""

from collections.abc import Mapping

from attune_proto.v1 import gateways_pb2

from attuned.clock import Clock
from attuned.nodes.air import Advertiser, Hearing
from attuned.nodes.hub import Hub
from attuned.nodes.link_service import AttachedGateway


class Radios:
    """`clock` is the site's, `room_of` names the rooms of nodes."""

    def __init__(self, hub: Hub, clock: Clock, room_of: Mapping[str, str]) -> None:
        self._hub = hub
        self._clock = clock
        self._room_of = room_of

    def used(self, gateway: AttachedGateway) -> int:
        """Connections over Bluetooth that a gateway has."""
        return self._hub.air.slots_used(gateway)

    def heard(self, gateway: AttachedGateway) -> gateways_pb2.ScanGatewayReply:
        """All that a gateway hears, the loudest first."""
        return gateways_pb2.ScanGatewayReply(
            heard=[self._row(hearing) for hearing in self._hub.air.hearings(gateway)],
            now_utc_ms=self._clock.utc_ms(),
            slots=gateway.slots,
            slots_used=self.used(gateway),
        )

    def _row(self, hearing: Hearing) -> gateways_pb2.HeardRow:
        return gateways_pb2.HeardRow(
            hint=hearing.heard.hint,
            node=hearing.who.name if hearing.who else "",
            room=self._room(hearing.who) if hearing.who else "",
            rssi_dbm=hearing.heard.rssi_dbm,
            heard_utc_ms=self._clock.utc_ms() - int(hearing.age_ms * self._clock.rate),
            served_by=hearing.server,
            connected=hearing.connected,
            failures=hearing.heard.failures,
        )

    def _room(self, who: Advertiser) -> str:
        """A node of a code that waits is to stand where somebody has said with it."""
        waiting = self._hub.trust.waiting.get(who.hint)
        return self._room_of.get(who.name, "") or (waiting.row.room if waiting else "")
