"""An ether on which a crowd advertises, for one process to carry."""

import asyncio

from bumble import ll
from bumble.controller import Controller

from bench.over_air.recorder import Recorder

_EVERY_S = 1.0


class Thinned(Recorder):
    """Who listens hears each node once a second; who connects to a node hears all of its advertisements."""

    def __init__(self) -> None:
        super().__init__()
        self._heard_s: dict[str, float] = {}

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if isinstance(packet, ll.AdvInd) and not self._is_wanted(packet):
            now_s, address = asyncio.get_running_loop().time(), str(packet.advertiser_address)
            if now_s < self._heard_s.get(address, 0.0) + _EVERY_S:
                return
            self._heard_s[address] = now_s
        super().send_advertising_pdu(sender_controller, packet)

    def _is_wanted(self, packet: ll.AdvInd) -> bool:
        wanted = [one.pending_le_connection for one in self.controllers if one.pending_le_connection is not None]
        return any(each.peer_address == packet.advertiser_address for each in wanted)
